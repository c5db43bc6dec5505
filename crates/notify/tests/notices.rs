//! Every kind of notice as its reader sees it, in each language, and the lint over all of them.

use std::collections::BTreeMap;

use model::{
    Country, Field, FieldSet, Language, NotExposedGrade, Region, Residence, Timestamp, Window,
};
use notify::samples::{rehearse, sample, samples};
use notify::{Addressee, Change, Notice, NoticeFacts, Templates, Translation, lint};

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).expect(text)
}

fn fields(text: &str) -> FieldSet {
    FieldSet::parse(text).expect(text)
}

fn texts(english: &str, german: &str, portuguese: &str) -> BTreeMap<Translation, String> {
    Translation::ALL.iter().copied().zip([english, german, portuguese].map(str::to_owned)).collect()
}

fn facts() -> NoticeFacts {
    NoticeFacts {
        company: "Flickr".into(),
        site: "flickr.com".into(),
        what_happened: texts(
            "A flaw in the system of one of our e-mail providers let a stranger read data of our \
             members. Our own systems were not broken into.",
            "Durch einen Fehler im System eines unserer E-Mail-Dienstleister konnte ein Fremder \
             Daten unserer Mitglieder lesen. In unsere eigenen Systeme ist niemand eingedrungen.",
            "Uma falha no sistema de um dos nossos provedores de e-mail permitiu que um estranho \
             lesse dados dos nossos membros. Ninguém invadiu nossos próprios sistemas.",
        ),
        measures: texts(
            "Within hours of learning of it we cut the connection to this provider. We have \
             demanded a full account from it, and we are reviewing who gets your data.",
            "Wenige Stunden, nachdem wir davon erfuhren, haben wir die Verbindung zu diesem \
             Dienstleister gekappt. Wir verlangen von ihm vollständige Aufklärung und prüfen, wer \
             Ihre Daten erhält.",
            "Poucas horas depois de sabermos, cortamos a conexão com esse provedor. Exigimos dele \
             um relato completo e estamos revendo quem recebe seus dados.",
        ),
        happened: Window {
            from: Some(time("2026-01-14T08:00:00Z")),
            to: Some(time("2026-02-05T10:00:00Z")),
        },
        learned_at: time("2026-02-05T02:00:00Z"),
        vendor_disclosed: Some("Mailmonkey".into()),
        contact: "privacy@flickr.com".into(),
        authority: texts(
            "the data protection authority of the country where you live",
            "die Datenschutzbehörde des Landes, in dem Sie leben",
            "a autoridade de proteção de dados do país onde você vive (no Brasil, a ANPD)",
        ),
        bulletin_path: "/security/2026-02".into(),
        corrects: None,
    }
}

/// Nothing is known but what must be, and nobody is named.
fn sparse() -> NoticeFacts {
    NoticeFacts {
        measures: BTreeMap::new(),
        happened: Window::default(),
        vendor_disclosed: None,
        authority: BTreeMap::new(),
        ..facts()
    }
}

fn correction() -> NoticeFacts {
    NoticeFacts { corrects: Some(time("2026-02-06T09:00:00Z")), ..facts() }
}

const GRADED: &[(Field, NotExposedGrade)] = &[
    (Field::Password, NotExposedGrade::NeverSent),
    (Field::Payment, NotExposedGrade::NeverSent),
    (Field::GovernmentId, NotExposedGrade::ImpossibleByDesign),
    (Field::Location, NotExposedGrade::OutOfReach),
    (Field::Ip, NotExposedGrade::OutOfReach),
    (Field::Content, NotExposedGrade::StatedByVendor),
    (Field::Phone, NotExposedGrade::NoEvidence),
];

fn massachusetts() -> Residence {
    Residence { country: Country::parse("US").ok(), region: Region::parse("MA").ok() }
}

/// The kinds of notices, each with its facts and its reader.
fn kinds(language: Translation) -> Vec<(&'static str, NoticeFacts, Addressee)> {
    let changed = |exposed: &str, change| Addressee {
        change: Some(change),
        two_factor: Some(true),
        ..sample(language, fields(exposed), GRADED)
    };
    let before = fields("email,name,ip");
    let contact = sample(language, fields("email,name,activity"), GRADED);
    let all =
        sample(language, fields("email,phone,name,address,password,payment,government_id"), &[]);
    let one = sample(language, fields("email"), &GRADED[..1]);
    vec![
        ("contact_data", facts(), Addressee { two_factor: Some(false), ..contact.clone() }),
        ("critical_data", NoticeFacts { happened: one_day(), ..facts() }, all),
        ("little_known", sparse(), Addressee { two_factor: Some(true), name: None, ..one }),
        ("massachusetts", facts(), Addressee { residence: massachusetts(), ..contact }),
        ("newly_exposed", correction(), changed("email,name", Change::NewlyExposed)),
        ("no_longer_exposed", correction(), changed("", Change::NoLongerExposed { before })),
        ("fields_changed", correction(), changed("email,phone", Change::FieldsChanged { before })),
    ]
}

fn one_day() -> Window {
    Window { from: Some(time("2026-02-01T00:00:00Z")), to: Some(time("2026-02-01T23:00:00Z")) }
}

fn write(facts: &NoticeFacts, to: &Addressee) -> Notice {
    Templates::shipped().write(facts, to).expect("the templates fit")
}

#[test]
fn each_kind_of_notice_reads_well_in_each_language() {
    for &language in Translation::ALL {
        for (kind, facts, to) in kinds(language) {
            let notice = write(&facts, &to);
            assert_eq!(lint(&notice, &facts, &to), Ok(()), "{kind} in {language}");
            let name = format!("{kind}.{language}");
            insta::assert_snapshot!(
                format!("{name}.text"),
                format!("Subject: {}\n\n{}", notice.subject, notice.text)
            );
            if ["contact_data", "newly_exposed"].contains(&kind) {
                insta::assert_snapshot!(format!("{name}.html"), notice.html);
            }
        }
    }
}

#[test]
fn every_copy_that_can_occur_passes_the_lint() {
    let every_field = Field::ALL.iter().copied().collect();
    let sets = vec![fields("email"), fields("email,phone,address"), every_field];
    let grades = NotExposedGrade::ALL;
    let every_grade: Vec<_> = Field::ALL
        .iter()
        .zip(grades.iter().cycle())
        .map(|(&field, &grade)| (field, grade))
        .collect();
    let windows = [
        Window::default(),
        one_day(),
        facts().happened,
        Window { from: None, ..facts().happened },
        Window { to: None, ..facts().happened },
    ];
    let mut written = 0;
    for happened in windows {
        for facts in [facts(), sparse()] {
            let facts = NoticeFacts { happened, ..facts };
            let readers = samples(&sets, &every_grade, None);
            written += rehearse(&Templates::shipped(), &facts, &readers).expect("passes").len();
        }
    }
    let before = fields("email,ip");
    for (change, sets) in [
        (Change::NewlyExposed, sets.clone()),
        (Change::FieldsChanged { before }, sets),
        (Change::NoLongerExposed { before }, vec![FieldSet::EMPTY]),
    ] {
        let readers = samples(&sets, &every_grade, Some(change));
        written += rehearse(&Templates::shipped(), &correction(), &readers).expect("passes").len();
    }
    assert!(written > 500, "{written}");
}

#[test]
fn text_and_html_say_the_same_words() {
    for &language in Translation::ALL {
        for (kind, facts, to) in kinds(language) {
            let notice = write(&facts, &to);
            let (_, body) = notice.html.split_once("<body>").expect("a body");
            let body = body.replace("&#x2f;", "/").replace("&#x27;", "'");
            let mut shown = String::new();
            for piece in body.split('<') {
                shown.push_str(piece.split_once('>').map_or("", |(_, text)| text));
                shown.push(' ');
            }
            let words = |text: &str| {
                let marks =
                    |word: &&str| !word.chars().all(|letter| "-0123456789.".contains(letter));
                text.split_whitespace().filter(marks).map(str::to_owned).collect::<Vec<_>>()
            };
            assert_eq!(words(&shown), words(&notice.text), "{kind} in {language}");
        }
    }
}

#[test]
fn a_resident_of_massachusetts_is_not_told_the_nature_of_the_breach() {
    for &language in Translation::ALL {
        let reader = sample(language, fields("email,name"), GRADED);
        let reader = Addressee { residence: massachusetts(), ..reader };
        let notice = write(&facts(), &reader);
        assert_eq!(notice.variant, Some("us-ma"));
        for told in ["Mailmonkey", "2026-02", "14", "provider", "Dienstleister", "provedor"] {
            assert!(!notice.text.contains(told), "{told} in {language}");
        }
        assert!(notice.text.contains("Massachusetts") && notice.text.contains("TransUnion"));
        let elsewhere = write(&facts(), &sample(language, fields("email,name"), GRADED));
        assert!(!elsewhere.text.contains("Massachusetts"));
        assert!(elsewhere.text.contains("Mailmonkey"));
    }
}

#[test]
fn a_reader_of_another_language_is_told_in_english_and_that_is_recorded() {
    let reader = |tag: &str| Addressee {
        language: Language::parse(tag).ok(),
        ..sample(Translation::English, fields("email"), &[])
    };
    let japanese = write(&facts(), &reader("ja"));
    assert_eq!((japanese.translation, japanese.fell_back), (Translation::English, true));
    let austrian = write(&facts(), &reader("de-AT"));
    assert_eq!((austrian.translation, austrian.fell_back), (Translation::German, false));
    let mut only_english = facts();
    only_english.what_happened.retain(|&language, _| language == Translation::English);
    let german = write(&only_english, &reader("de"));
    assert_eq!((german.translation, german.fell_back), (Translation::English, true));
    let unasked = Addressee { language: None, ..reader("en") };
    assert!(!write(&facts(), &unasked).fell_back);
}

#[test]
fn a_name_with_markup_does_not_reach_the_html_and_one_with_a_link_is_left_out() {
    let reader = |name: &str| Addressee {
        name: Some(name.into()),
        ..sample(Translation::English, fields("email"), &[])
    };
    for name in ["<script>alert(1)</script>", "www.evil.example", "Ann\n[genuine] Fake"] {
        let reader = reader(name);
        let notice = write(&facts(), &reader);
        assert!(notice.text.starts_with("Hello,\n"), "{name}");
        assert_eq!(lint(&notice, &facts(), &reader), Ok(()));
    }
    assert!(write(&facts(), &reader("Zoë O'Neill")).html.contains("Zoë O&#x27;Neill"));
}

#[test]
fn what_leaves_nothing_to_say_is_refused() {
    use model::Coded as _;
    let reader = sample(Translation::English, fields("email"), &[]);
    let refused = |facts: &NoticeFacts, to: &Addressee| {
        Templates::shipped().write(facts, to).expect_err("refused").code()
    };
    let mut mute = facts();
    mute.what_happened.remove(&Translation::English);
    assert_eq!(refused(&mute, &reader), "notice-text-missing");
    let unharmed = Addressee { exposed: FieldSet::EMPTY, ..reader.clone() };
    assert_eq!(refused(&facts(), &unharmed), "nothing-exposed");
    let corrected = Addressee { change: Some(Change::NewlyExposed), ..reader };
    assert_eq!(refused(&facts(), &corrected), "corrects-nothing");
}

#[test]
fn a_template_that_names_what_is_not_there_fails_and_sends_nothing_half_written() {
    use model::Coded as _;
    let reader = sample(Translation::English, fields("email"), &[]);
    for (source, code) in [
        ("[opening]\nHello {{ nmae }},", "template-broken"),
        ("[opening]\nIt happened at {{ vendor }}.", "template-broken"),
        ("Hello", "template-misshapen"),
        ("[openning]\nHello", "template-misshapen"),
    ] {
        let mut templates = Templates::shipped();
        templates.replace("en/notice.txt", source.into()).expect("it parses");
        assert_eq!(templates.write(&sparse(), &reader).expect_err(source).code(), code);
    }
}
