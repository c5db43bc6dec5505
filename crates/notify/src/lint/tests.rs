//! Each thing that the lint refuses, put into a notice that it passes.

use std::collections::BTreeMap;

use model::{
    Coded as _, Country, Field, FieldSet, NotExposedGrade, Region, Residence, Timestamp, Window,
};

use super::*;
use crate::samples::sample;
use crate::template::Templates;

fn facts() -> NoticeFacts {
    let say =
        |text: &str| Translation::ALL.iter().map(|&language| (language, text.to_owned())).collect();
    NoticeFacts {
        company: "Flickr".into(),
        site: "flickr.com".into(),
        what_happened: say("Somebody read data of our members. It was not us."),
        measures: BTreeMap::new(),
        happened: Window::default(),
        learned_at: Timestamp::from_seconds(1_770_000_000),
        vendor_disclosed: Some("Mailmonkey".into()),
        contact: "privacy@flickr.com".into(),
        authority: BTreeMap::new(),
        bulletin_path: "/security/2026-02".into(),
        corrects: None,
    }
}

fn reader(translation: Translation) -> Addressee {
    let not_exposed = [
        (Field::Password, NotExposedGrade::NeverSent),
        (Field::Phone, NotExposedGrade::NoEvidence),
    ];
    sample(translation, FieldSet::EMPTY.with(Field::Email), &not_exposed)
}

fn codes(notice: &Notice, facts: &NoticeFacts, to: &Addressee) -> Vec<&'static str> {
    let problems = lint(notice, facts, to).err().map(|refused| refused.problems);
    let mut codes: Vec<_> =
        problems.unwrap_or_default().iter().map(|problem| problem.code).collect();
    codes.dedup();
    codes
}

/// The codes that the lint gives once the approved English text is this one.
fn said(text: &str) -> Vec<&'static str> {
    let mut facts = facts();
    facts.what_happened.insert(Translation::English, text.to_owned());
    let to = reader(Translation::English);
    codes(&Templates::shipped().write(&facts, &to).expect("it can be written"), &facts, &to)
}

/// The codes that the lint gives once a good notice has been changed like this.
fn changed(change: impl FnOnce(&mut Notice)) -> Vec<&'static str> {
    let (facts, to) = (facts(), reader(Translation::English));
    let mut notice = Templates::shipped().write(&facts, &to).expect("it can be written");
    assert_eq!(lint(&notice, &facts, &to), Ok(()));
    change(&mut notice);
    codes(&notice, &facts, &to)
}

fn section(notice: &mut Notice, part: Part) -> &mut Section {
    notice.sections.iter_mut().find(|section| section.part == part).expect("it is there")
}

#[test]
fn every_form_of_link_is_refused() {
    for link in [
        "Go to https://flickr.com now.",
        "Go to HTTP://FLICKR.COM now.",
        "Go to www.flickr.com now.",
        "Go to flickr.com/trust now.",
        "Go to (flickr.com?x=1) now.",
        "Go to flickr.com:8443 now.",
        "Go to 10.0.0.1/trust now.",
        "Call tel:+15551234567 now.",
        "Write to mailto:privacy@flickr.com now.",
        "Go to evil://x now.",
        "Put <a href=x> here.",
    ] {
        assert_eq!(said(link), ["link"], "{link}");
    }
}

#[test]
fn a_name_or_a_code_that_spells_a_word_of_mark_up_is_no_link() {
    let to = Addressee {
        name: Some("Ashref Hrefi".into()),
        code: "HREF-0000-HREF-0000".into(),
        ..reader(Translation::English)
    };
    let notice = Templates::shipped().write(&facts(), &to).expect("it can be written");
    assert_eq!(lint(&notice, &facts(), &to), Ok(()));
    assert!(notice.text.contains("Ashref"));
}

#[test]
fn only_the_own_site_and_the_own_contact_may_be_named() {
    assert_eq!(said("Type flickr.com yourself. Or «flickr.com», or “Flickr.com”."), [""; 0]);
    assert_eq!(said("Write to privacy@flickr.com."), [""; 0]);
    assert_eq!(said("Go to flickr.com.evil.example."), ["foreign-domain"]);
    assert_eq!(said("Go to münchen.example."), ["foreign-domain"]);
    assert_eq!(said("Go to xn--mnchen-3ya.xn--p1ai."), ["foreign-domain"]);
    assert_eq!(said("Write to help@evil.example."), ["foreign-address"]);
}

#[test]
fn ordinary_writing_is_no_link() {
    for text in [
        "It ended, e.g. at 10.30 p.m. in the U.S.; z.B. or d.h., too.",
        "Version 2.0 of 1.2.2026, and/or 3/4 of it: 09:30, either/or, 24/7.",
        "It was “read”. Then it ended... So said one @ home.",
    ] {
        assert_eq!(said(text), [""; 0], "{text}");
    }
}

#[test]
fn hedged_comfort_is_refused_in_each_language() {
    let hedged = |translation, text: &str| {
        let (mut facts, to) = (facts(), reader(translation));
        facts.what_happened.insert(translation, text.to_owned());
        let notice = Templates::shipped().write(&facts, &to).expect("it can be written");
        let refused = lint(&notice, &facts, &to).expect_err(text);
        assert!(refused.problems.iter().all(|problem| problem.code == "hedge"), "{refused}");
        assert!(refused.problems.iter().all(|problem| problem.translation == translation));
        assert!(refused.problems.iter().any(|problem| problem.part == Some(Part::WhatHappened)));
    };
    for text in [
        "We have no evidence that your data was misused.",
        "Out of an\nabundance  of caution we tell you.",
        "We take your security seriously.",
        "Your data may have been read.",
    ] {
        hedged(Translation::English, text);
    }
    for text in [
        "Wir haben keine Hinweise auf einen Missbrauch.",
        "Aus reiner Vorsicht schreiben wir Ihnen.",
        "Wir nehmen Ihre Sicherheit sehr ernst.",
        "Ihre Daten wurden möglicherweise gelesen.",
    ] {
        hedged(Translation::German, text);
    }
    for text in [
        "Não há evidências de uso indevido.",
        "Avisamos por excesso de cautela.",
        "Levamos a segurança muito a sério.",
        "Seus dados podem ter sido lidos.",
    ] {
        hedged(Translation::Portuguese, text);
    }
}

#[test]
fn each_part_that_is_missing_or_empty_is_named() {
    let (facts, to) = (facts(), reader(Translation::German));
    let notice = Templates::shipped().write(&facts, &to).expect("it can be written");
    let parts: Vec<_> = notice.sections.iter().map(|section| section.part).collect();
    assert_eq!(parts, required(&facts, &to));
    for part in parts {
        let mut without = notice.clone();
        without.sections.retain(|section| section.part != part);
        let refused = lint(&without, &facts, &to).expect_err("a part is missing");
        let named =
            |problem: &Problem| problem.code == "part-missing" && problem.part == Some(part);
        assert!(refused.problems.iter().any(named), "{part}: {refused}");
        let mut empty = notice.clone();
        section(&mut empty, part).blocks = vec![Block::Paragraph("…".into())];
        section(&mut empty, part).heading = "…".into();
        let refused = lint(&empty, &facts, &to).expect_err("a part is empty");
        assert!(refused.problems.iter().any(named), "{part}: {refused}");
    }
}

#[test]
fn parts_keep_their_order() {
    assert_eq!(changed(|notice| notice.sections.reverse()), ["parts-out-of-order"]);
}

#[test]
fn what_the_reader_needs_must_be_in_its_part() {
    let paragraph = |text: &str| vec![Block::Paragraph(text.into())];
    let lost = |part, text| changed(|notice| section(notice, part).blocks = paragraph(text));
    assert_eq!(lost(Part::Exposed, "Some of your data."), ["field-missing"]);
    assert_eq!(lost(Part::Genuine, "Trust flickr.com."), ["code-missing"]);
    assert_eq!(lost(Part::Ask, "Ask us."), ["contact-missing"]);
    let elsewhere = changed(|notice| {
        for block in &mut section(notice, Part::Genuine).blocks {
            if let Block::Steps(steps) = block {
                *steps = vec!["Search for us.".into()];
            }
        }
    });
    assert_eq!(elsewhere, ["site-missing"]);
}

#[test]
fn the_code_is_there_once_and_is_this_readers() {
    let add = |code: &str| {
        changed(|notice| section(notice, Part::Genuine).blocks.push(Block::Code(code.into())))
    };
    assert_eq!(add("SAMP-0000-0000-0001"), ["code-missing"]);
    let strip = |text: &mut String| *text = text.replace("SAMP", "");
    assert_eq!(changed(|notice| strip(&mut notice.text)), ["code-missing"]);
    assert_eq!(changed(|notice| strip(&mut notice.html)), ["code-missing"]);
    let (facts, to) = (facts(), Addressee { code: String::new(), ..reader(Translation::English) });
    let notice = Templates::shipped().write(&facts, &to).expect("it can be written");
    assert!(codes(&notice, &facts, &to).contains(&"code-missing"));
}

#[test]
fn html_that_loads_links_or_runs_anything_is_refused() {
    let put = |markup: &str| {
        changed(|notice| notice.html = notice.html.replace("</main>", &format!("{markup}</main>")))
    };
    assert_eq!(put("<IMG alt=''>"), ["remote-content"]);
    assert_eq!(put("<p style='background:URL(x)'>x</p>"), ["remote-content"]);
    assert_eq!(put("<script>x</script>"), ["script"]);
    assert_eq!(put("<a name='x'>x</a>"), ["link"]);
    assert_eq!(put("<p>www.flickr.com</p>"), ["link"]);
    assert_eq!(put("<p>evil&#x2f;x.example&#x2f;y</p>"), [""; 0], "no host, no link");
    assert_eq!(put("<p>x.example&#x2f;y</p>"), ["link"]);
    assert_eq!(put("<p>We have no evidence.</p>"), ["hedge"]);
    let untold = changed(|notice| notice.html = notice.html.replace(" lang=\"en\"", ""));
    assert_eq!(untold, ["language-missing"]);
}

#[test]
fn half_rendered_text_is_refused_wherever_it_stands() {
    assert_eq!(said("Hello {{ name }}"), ["unrendered"]);
    assert_eq!(changed(|notice| notice.subject.push_str("{% if %}")), ["unrendered"]);
}

#[test]
fn a_subject_says_something_and_nothing_personal() {
    let subject = |text: &str| changed(|notice| notice.subject = text.to_owned());
    assert_eq!(subject("  "), ["subject-empty"]);
    assert_eq!(subject(&"word ".repeat(30)), ["subject-too-long"]);
    for text in [
        "Ann Lee, a security incident",
        "Incident: your health data",
        "Incident at 0301234567",
        "Incident, code SAMP-0000-0000-0000",
        "Incident for you @ Flickr",
    ] {
        assert_eq!(subject(text), ["subject-personal"], "{text}");
    }
    assert_eq!(subject("See https://flickr.com"), ["link"]);
    assert_eq!(subject("Correction to our notice of 6 February 2026"), [""; 0]);
}

#[test]
fn a_line_that_cannot_be_broken_is_refused() {
    assert_eq!(said(&"x".repeat(79)), ["line-too-long"]);
    assert_eq!(said(&"word ".repeat(79)), [""; 0]);
}

#[test]
fn the_nature_of_the_breach_is_found_wherever_massachusetts_must_not_be_told() {
    let residence =
        Residence { country: Country::parse("US").ok(), region: Region::parse("MA").ok() };
    let (facts, to) = (facts(), Addressee { residence, ..reader(Translation::English) });
    let notice = Templates::shipped().write(&facts, &to).expect("it can be written");
    assert_eq!(codes(&notice, &facts, &to), [""; 0]);
    for told in ["It was not us.", "Ask Mailmonkey."] {
        let mut notice = notice.clone();
        section(&mut notice, Part::Ask).blocks.push(Block::Paragraph(told.into()));
        assert_eq!(codes(&notice, &facts, &to), ["nature-stated"], "{told}");
    }
}

#[test]
fn a_refusal_names_each_problem_with_place_part_and_language_and_repeats_no_text() {
    let (mut facts, to) = (facts(), reader(Translation::English));
    facts.what_happened.insert(
        Translation::English,
        "See https://evil.example/ann: your data may have been read.".to_owned(),
    );
    let notice = Templates::shipped().write(&facts, &to).expect("it can be written");
    let refused = lint(&notice, &facts, &to).expect_err("refused");
    assert_eq!(refused.code(), "notice-lint");
    let shown = refused.to_string();
    assert!(shown.contains("link in en prose `what-happened`"), "{shown}");
    assert!(shown.contains("hedge in en prose `what-happened` (`may have`)"), "{shown}");
    assert!(shown.contains("link in en html"), "{shown}");
    assert!(!shown.contains("evil") && !shown.contains("ann"), "{shown}");
}
