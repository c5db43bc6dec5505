//! What must not go out: links, hedged comfort, missing parts, half-rendered text.
//!
//! Runs over samples before a notice is approved and over every copy before it is handed over,
//! since a copy holds what its reader once typed as their name. Does not judge whether the facts
//! are true: two operators do.

use std::fmt;

use model::{Coded, Field, NotExposedGrade, Sensitivity, limits};

use crate::hedges::hedges;
use crate::layout::squeeze;
use crate::notice::{Addressee, Block, Change, Notice, NoticeFacts, Part, Section};
use crate::variant::{VARIANTS, Variant};
use crate::words::{Translation, field_entry};

/// Where in a notice a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The subject line.
    Subject,
    /// The prose, hence both text and HTML.
    Prose,
    /// The plain text alone.
    Text,
    /// The HTML alone.
    Html,
}

impl Place {
    /// Its name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Prose => "prose",
            Self::Text => "text",
            Self::Html => "html",
        }
    }
}

/// One thing that is wrong with a notice. Holds nothing of what its reader would read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// A stable code, such as `link` or `part-missing`.
    pub code: &'static str,
    /// Where it is.
    pub place: Place,
    /// In which part, if it is in one.
    pub part: Option<Part>,
    /// In which language.
    pub translation: Translation,
    /// The phrase or mark-up that is not allowed, when it is one of ours to name.
    pub phrase: Option<&'static str>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {} {}", self.code, self.translation, self.place.name())?;
        if let Some(part) = self.part {
            write!(f, " `{part}`")?;
        }
        if let Some(phrase) = self.phrase {
            write!(f, " (`{phrase}`)")?;
        }
        Ok(())
    }
}

/// A notice that may not be sent as it is, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the notice may not be sent: {}", list(problems))]
pub struct LintRefused {
    /// At least one, in order, each once.
    pub problems: Vec<Problem>,
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
}

impl Coded for LintRefused {
    fn code(&self) -> &'static str {
        "notice-lint"
    }

    fn hint(&self) -> Option<String> {
        Some("change the approved texts or the templates, then preview again".to_owned())
    }
}

/// Refuses a notice that has something in it that a notice must not have, or lacks a part.
///
/// # Errors
/// All problems at once.
pub fn lint(notice: &Notice, facts: &NoticeFacts, to: &Addressee) -> Result<(), LintRefused> {
    let mut found = Found { notice, facts, to, problems: Vec::new() };
    found.subject();
    found.parts();
    found.contents();
    found.prose();
    found.nature();
    found.text();
    found.html();
    found.problems.sort_unstable();
    found.problems.dedup();
    if found.problems.is_empty() { Ok(()) } else { Err(LintRefused { problems: found.problems }) }
}

/// Something in a text that a mail program makes a link of, or that a reader would type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link<'a> {
    /// With a scheme, a `www.` or a path.
    Url(&'a str),
    /// A domain alone.
    Domain(&'a str),
    /// A mail address.
    Address(&'a str),
}

/// Everything in a text that is or becomes a link. Says of `Node.js`, too, that it is a domain.
pub fn links(text: &str) -> impl Iterator<Item = Link<'_>> {
    const APART: &str = "<>()[]{}\"“”„«»‹›|,;*`";
    text.split(|letter: char| letter.is_whitespace() || APART.contains(letter))
        .map(|token| token.trim_matches(['.', ':', '!', '?', '\'', '‘', '’', '‚', '_', '…']))
        .filter_map(link)
}

fn link(token: &str) -> Option<Link<'_>> {
    const SCHEMES: [&str; 5] = ["mailto:", "tel:", "sms:", "data:", "javascript:"];
    const STOPS: [char; 4] = ['.', ':', '。', '．'];
    if !token.contains(STOPS) {
        return None;
    }
    let lower = token.to_lowercase();
    if lower.contains("://")
        || lower.starts_with("www.")
        || SCHEMES.iter().any(|scheme| lower.starts_with(scheme))
    {
        return Some(Link::Url(token));
    }
    if let Some((_, domain)) = token.rsplit_once('@')
        && is_domain(domain)
    {
        return Some(Link::Address(token));
    }
    let host = token.split(['/', ':', '?', '#', '\\']).next().unwrap_or_default();
    match is_domain(host) {
        true if host.len() < token.len() => Some(Link::Url(token)),
        true => Some(Link::Domain(token)),
        false => None,
    }
}

/// At least two labels, the last of at least two letters; an IPv4 address counts too.
fn is_domain(host: &str) -> bool {
    let labels: Vec<_> = host.split(['.', '。', '．']).collect();
    let label = |label: &&str| {
        !label.is_empty() && label.chars().all(|letter| letter.is_alphanumeric() || letter == '-')
    };
    let numbers = labels.len() == 4 && labels.iter().all(|label| label.parse::<u8>().is_ok());
    let last = labels.last().copied().unwrap_or_default();
    let top = last.starts_with("xn--")
        || (last.chars().count() >= 2 && last.chars().all(char::is_alphabetic));
    numbers || (labels.len() >= 2 && labels.iter().all(label) && top)
}

struct Found<'a> {
    notice: &'a Notice,
    facts: &'a NoticeFacts,
    to: &'a Addressee,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn add(&mut self, code: &'static str, place: Place, part: Option<Part>) {
        self.add_phrase(code, place, part, None);
    }

    fn add_phrase(
        &mut self,
        code: &'static str,
        place: Place,
        part: Option<Part>,
        phrase: Option<&'static str>,
    ) {
        let translation = self.notice.translation;
        self.problems.push(Problem { code, place, part, translation, phrase });
    }

    fn subject(&mut self) {
        let subject = self.notice.subject.as_str();
        if subject.trim().is_empty() {
            self.add("subject-empty", Place::Subject, None);
        }
        if subject.chars().count() > limits::NOTICE_SUBJECT_CHARS {
            self.add("subject-too-long", Place::Subject, None);
        }
        if self.is_personal(subject) {
            self.add("subject-personal", Place::Subject, None);
        }
        self.words(subject, Place::Subject, None);
    }

    /// A subject is read on lock screens: no name, number or address, no kind of private data.
    fn is_personal(&self, subject: &str) -> bool {
        const NUMBER_DIGITS: usize = 7;
        let lower = subject.to_lowercase();
        let names =
            self.to.name.as_deref().map(|name| squeeze(name).to_lowercase()).is_some_and(|name| {
                name.chars().count() > 2
                    && lower.contains(&name)
                    && !self.facts.company.to_lowercase().contains(&name)
            });
        let fields = Field::ALL
            .iter()
            .filter(|field| field.sensitivity() >= Sensitivity::Private)
            .any(|&field| {
                lower.contains(&field_entry(self.notice.translation, field).to_lowercase())
            });
        let digits = subject.chars().filter(char::is_ascii_digit).count() >= NUMBER_DIGITS
            && subject
                .split(char::is_whitespace)
                .any(|word| word.chars().filter(char::is_ascii_digit).count() >= NUMBER_DIGITS);
        let code = !self.to.code.is_empty() && subject.contains(&self.to.code);
        names || fields || digits || code || subject.contains('@')
    }

    /// Links, hedges and remains of template mark-up.
    fn words(&mut self, text: &str, place: Place, part: Option<Part>) {
        const MARKS: [&str; 6] = ["{{", "}}", "{%", "%}", "{#", "#}"];
        for link in links(text) {
            if let Some(code) = self.refused_link(link) {
                self.add(code, place, part);
            }
        }
        let lower = squeeze(text).to_lowercase();
        if has_attribute(&lower, "href") {
            self.add("link", place, part);
        }
        for phrase in hedges(self.notice.translation).iter().filter(|hedge| lower.contains(**hedge))
        {
            self.add_phrase("hedge", place, part, Some(phrase));
        }
        for mark in MARKS.iter().filter(|mark| text.contains(**mark)) {
            self.add_phrase("unrendered", place, part, Some(mark));
        }
    }

    /// The company's own site and the privacy office's address are told to the reader; and some
    /// companies are called like a domain.
    fn refused_link(&self, link: Link<'_>) -> Option<&'static str> {
        let facts = self.facts;
        let within = |text: &str, token: &str| {
            links(text).any(|known| match known {
                Link::Url(known) | Link::Domain(known) | Link::Address(known) => {
                    known.eq_ignore_ascii_case(token)
                }
            })
        };
        match link {
            Link::Url(_) => Some("link"),
            Link::Address(token) => (!within(&facts.contact, token)).then_some("foreign-address"),
            Link::Domain(token) => {
                let known = token.eq_ignore_ascii_case(&facts.site)
                    || within(&facts.company, token)
                    || facts.vendor_disclosed.as_deref().is_some_and(|name| within(name, token));
                (!known).then_some("foreign-domain")
            }
        }
    }

    fn parts(&mut self) {
        for part in required(self.facts, self.to) {
            let section = self.notice.sections.iter().find(|section| section.part == part);
            if section.is_none_or(|section| !says_something(section)) {
                self.add("part-missing", Place::Prose, Some(part));
            }
            if !self.notice.html.contains(&format!("data-part=\"{part}\"")) {
                self.add("part-missing", Place::Html, Some(part));
            }
        }
        let mut order = self.notice.sections.iter().map(|section| section.part);
        if !order.by_ref().is_sorted() {
            self.add("parts-out-of-order", Place::Prose, None);
        }
    }

    /// What certain parts must hold for this reader.
    fn contents(&mut self) {
        let (facts, to) = (self.facts, self.to);
        let has = |part: Part, wanted: &str| {
            let mut texts = self.notice.sections.iter().filter(|section| section.part == part);
            !wanted.is_empty() && texts.any(|section| words_of(section).contains(wanted))
        };
        let entry = |field| field_entry(self.notice.translation, field);
        let fields_missing = to.exposed.iter().any(|field| !has(Part::Exposed, entry(field)));
        let site_missing = !has(Part::Genuine, &facts.site);
        let contact_missing = !has(Part::Ask, &squeeze(&facts.contact));
        let code = Block::Code(to.code.clone());
        let codes = self
            .notice
            .sections
            .iter()
            .flat_map(|section| section.blocks.iter().map(|block| (section.part, block)))
            .filter(|(_, block)| matches!(block, Block::Code(_)));
        let code_missing = to.code.is_empty() || !codes.eq([(Part::Genuine, &code)]);
        for (missing, code, part) in [
            (fields_missing, "field-missing", Part::Exposed),
            (site_missing, "site-missing", Part::Genuine),
            (code_missing, "code-missing", Part::Genuine),
            (contact_missing, "contact-missing", Part::Ask),
        ] {
            if missing {
                self.add(code, Place::Prose, Some(part));
            }
        }
    }

    fn prose(&mut self) {
        let notice = self.notice;
        for section in &notice.sections {
            self.words(&words_of(section), Place::Prose, Some(section.part));
        }
    }

    /// Where the law forbids to state the nature of the breach, nothing that states it is left.
    fn nature(&mut self) {
        let variant = VARIANTS.iter().find(|variant| Some(variant.name) == self.notice.variant);
        if variant.is_none_or(Variant::states_nature) {
            return;
        }
        let (facts, notice) = (self.facts, self.notice);
        let approved = facts.what_happened.values().chain(facts.measures.values());
        let sentences: Vec<String> = approved
            .flat_map(|text| text.split_inclusive(['.', '\n']).map(squeeze))
            .chain(facts.vendor_disclosed.clone())
            .filter(|sentence| sentence.chars().count() > 2)
            .collect();
        for section in &notice.sections {
            let words = words_of(section);
            if sentences.iter().any(|sentence| words.contains(sentence.as_str())) {
                self.add("nature-stated", Place::Prose, Some(section.part));
            }
        }
    }

    fn text(&mut self) {
        let notice = self.notice;
        if notice.text.lines().any(|line| line.chars().count() > limits::NOTICE_LINE_CHARS) {
            self.add("line-too-long", Place::Text, None);
        }
        if !self.to.code.is_empty() && !notice.text.contains(&self.to.code) {
            self.add("code-missing", Place::Text, Some(Part::Genuine));
        }
    }

    /// The HTML loads nothing, links nowhere, runs nothing, and shows the same words.
    fn html(&mut self) {
        const REFUSED: [(&str, &str); 16] = [
            ("link", "<a "),
            ("link", "<form"),
            ("link", "<base"),
            ("remote-content", "src="),
            ("remote-content", "srcset"),
            ("remote-content", "<img"),
            ("remote-content", "<link"),
            ("remote-content", "<iframe"),
            ("remote-content", "<object"),
            ("remote-content", "<embed"),
            ("remote-content", "<svg"),
            ("remote-content", "background="),
            ("remote-content", "url("),
            ("remote-content", "@import"),
            ("remote-content", "http-equiv"),
            ("script", "<script"),
        ];
        let notice = self.notice;
        let lower = notice.html.to_lowercase();
        for (code, mark) in REFUSED.iter().filter(|(_, mark)| lower.contains(mark)) {
            self.add_phrase(code, Place::Html, None, Some(mark));
        }
        if has_attribute(&lower, "href") {
            self.add_phrase("link", Place::Html, None, Some("href"));
        }
        if !lower.contains(&format!("<html lang=\"{}\"", notice.translation.tag().to_lowercase())) {
            self.add("language-missing", Place::Html, None);
        }
        let shown = shown(&notice.html);
        if !self.to.code.is_empty() && !shown.contains(&self.to.code) {
            self.add("code-missing", Place::Html, Some(Part::Genuine));
        }
        self.words(&shown, Place::Html, None);
    }
}

/// Whether an attribute is given a value somewhere. The word alone is in names and, once in
/// 260,000, in a code.
fn has_attribute(lower: &str, name: &str) -> bool {
    lower.match_indices(name).any(|(at, _)| lower[at + name.len()..].trim_start().starts_with('='))
}

/// The parts without which this person's notice says too little.
fn required(facts: &NoticeFacts, to: &Addressee) -> Vec<Part> {
    let variant = Variant::of(&to.residence);
    let tells = matches!(to.change, None | Some(Change::NewlyExposed));
    let graded =
        |grades: &[NotExposedGrade]| to.not_exposed.iter().any(|(_, grade)| grades.contains(grade));
    let known = [
        NotExposedGrade::NeverSent,
        NotExposedGrade::ImpossibleByDesign,
        NotExposedGrade::OutOfReach,
    ];
    let open = [NotExposedGrade::StatedByVendor, NotExposedGrade::NoEvidence];
    let wanted = |part: Part| match part {
        Part::Opening | Part::WhatToDo | Part::Genuine | Part::Ask => true,
        Part::Change => to.change.is_some(),
        Part::WhatHappened => tells,
        Part::Measures => tells && !facts.measures.is_empty(),
        Part::Exposed => !to.exposed.is_empty(),
        Part::NotExposed => graded(&known),
        Part::Uncertain => graded(&open),
        Part::RightsMassachusetts => false,
    };
    Part::ALL
        .iter()
        .copied()
        .filter(|part| match variant {
            Some(variant) if variant.adds.contains(part) => true,
            Some(variant) if variant.omits.contains(part) => false,
            _ => wanted(*part),
        })
        .collect()
}

fn says_something(section: &Section) -> bool {
    let headed = section.part == Part::Opening || !section.heading.trim().is_empty();
    headed && words_of(section).chars().any(char::is_alphabetic)
}

fn words_of(section: &Section) -> String {
    let mut words = section.heading.clone();
    for block in &section.blocks {
        let entries = match block {
            Block::Paragraph(text) | Block::Code(text) => std::slice::from_ref(text),
            Block::List(entries) | Block::Steps(entries) => entries,
        };
        for entry in entries {
            words.push('\n');
            words.push_str(entry);
        }
    }
    words
}

/// What a reader of the HTML sees: without styles and tags, characters in the place of entities.
fn shown(html: &str) -> String {
    const ENTITIES: [(&str, &str); 8] = [
        ("&#x2f;", "/"),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&quot;", "\""),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ];
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        text.push(' ');
        let end = if after.starts_with("style") { "</style>" } else { ">" };
        rest = after.split_once(end).map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    ENTITIES.iter().fold(text, |text, (entity, letter)| text.replace(entity, letter))
}

#[cfg(test)]
mod tests;
