//! Writes the notice of one person from the templates of their language and the variant of their
//! residence. Strict: a template that names what does not exist, or shows what is not known, fails.
//!
//! Prose stands once per language; text and HTML are both laid out from it, so they cannot differ.
//! Whether the result may be sent is for [`mod@crate::lint`] to say.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, escape_formatter};
use model::{Coded, Field, FieldSet, NotExposedGrade, Timestamp};
use serde::Serialize;

use crate::layout::{self, Misshapen, squeeze};
use crate::lint;
use crate::notice::{Addressee, Change, Notice, NoticeFacts, Part, Section};
use crate::variant::{VARIANTS, Variant};
use crate::words::{Translation, all_of, any_of, day, field_entry, field_object};

/// The templates as they are shipped, by name.
static SHIPPED: &[(&str, &str)] = &[
    ("letter.html", include_str!("../templates/letter.html")),
    ("en/subject.txt", include_str!("../templates/en/subject.txt")),
    ("en/notice.txt", include_str!("../templates/en/notice.txt")),
    ("en/correction.txt", include_str!("../templates/en/correction.txt")),
    ("en/common.txt", include_str!("../templates/en/common.txt")),
    ("de/subject.txt", include_str!("../templates/de/subject.txt")),
    ("de/notice.txt", include_str!("../templates/de/notice.txt")),
    ("de/correction.txt", include_str!("../templates/de/correction.txt")),
    ("de/common.txt", include_str!("../templates/de/common.txt")),
    ("pt-BR/subject.txt", include_str!("../templates/pt-BR/subject.txt")),
    ("pt-BR/notice.txt", include_str!("../templates/pt-BR/notice.txt")),
    ("pt-BR/correction.txt", include_str!("../templates/pt-BR/correction.txt")),
    ("pt-BR/common.txt", include_str!("../templates/pt-BR/common.txt")),
];

/// A company's name for itself would hardly be a greeting beyond this.
const NAME_CHARS: usize = 60;

/// Why a notice cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Unwritten {
    /// What happened is not said in English, to which every other language falls back.
    #[error("the notice has no approved English text")]
    TextMissing,
    /// A first notice to somebody of whom nothing was exposed.
    #[error("nothing of this person was exposed, so there is nothing to notify")]
    NothingExposed,
    /// A correction that does not say when the corrected notice was sent.
    #[error("the correction does not say which notice it corrects")]
    CorrectsNothing,
    /// There is no template of this name to replace.
    #[error("there is no such template")]
    NoSuchTemplate,
    /// A template does not parse, or names what is not there.
    #[error("a template is broken at line {line}", line = .0.line().unwrap_or_default())]
    Broken(#[from] Error),
    /// A template's result does not have the shape of a notice.
    #[error("a template gives no notice: {}", describe(*.0))]
    Misshapen(Misshapen),
}

fn describe(misshapen: Misshapen) -> String {
    match misshapen {
        Misshapen::NoPart => "text stands before the first part".to_owned(),
        Misshapen::UnknownPart => "it opens a part that there is none of".to_owned(),
        Misshapen::Repeated(part) => format!("part `{part}` stands twice"),
    }
}

impl Coded for Unwritten {
    fn code(&self) -> &'static str {
        match self {
            Self::TextMissing => "notice-text-missing",
            Self::NothingExposed => "nothing-exposed",
            Self::CorrectsNothing => "corrects-nothing",
            Self::NoSuchTemplate => "template-unknown",
            Self::Broken(_) => "template-broken",
            Self::Misshapen(_) => "template-misshapen",
        }
    }
}

/// The templates in use. Compiled once; writing takes `&self` and can go on in parallel.
#[derive(Debug, Clone)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// The templates that come with Cordon.
    pub fn shipped() -> Self {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.expect("the delimiters are the usual ones"));
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|name| {
            if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None }
        });
        environment.set_formatter(|out, state, value| {
            if value.is_none() {
                return Err(Error::new(ErrorKind::InvalidOperation, "shows what is not known"));
            }
            escape_formatter(out, state, value)
        });
        for (name, source) in SHIPPED {
            let added = environment.add_template(name, source);
            added.expect("shipped templates parse; a test writes each of them");
        }
        Self { environment }
    }

    /// Puts a company's own template in the place of the shipped one, such as `de/common.txt`.
    ///
    /// # Errors
    /// When there is no template of this name, or the source does not parse.
    pub fn replace(&mut self, name: &str, source: String) -> Result<(), Unwritten> {
        let (name, _) =
            SHIPPED.iter().find(|(known, _)| *known == name).ok_or(Unwritten::NoSuchTemplate)?;
        Ok(self.environment.add_template_owned(*name, source)?)
    }

    /// The names of all templates, for [`Templates::replace`].
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// Writes the notice of one person.
    ///
    /// # Errors
    /// When the facts or the person leave nothing to say, or a template does not fit.
    pub fn write(&self, facts: &NoticeFacts, to: &Addressee) -> Result<Notice, Unwritten> {
        check(facts, to)?;
        let variant = Variant::of(&to.residence);
        let (translation, fell_back) = translation(facts, to);
        let view = View::new(facts, to, translation, variant);
        let sheet = if to.change.is_some() { "correction.txt" } else { "notice.txt" };
        let prose = self.render(&format!("{translation}/{sheet}"), &view)?;
        let mut sections = layout::sections(&prose).map_err(Unwritten::Misshapen)?;
        sections.retain(|section| keeps(variant, section.part));
        let subject = squeeze(&self.render(&format!("{translation}/subject.txt"), &view)?);
        let html = self.html(translation, &subject, &sections)?;
        let text = layout::text(&sections);
        let variant = variant.map(|variant| variant.name);
        Ok(Notice { translation, fell_back, variant, subject, sections, text, html })
    }

    fn render(&self, name: &str, view: impl Serialize) -> Result<String, Error> {
        self.environment.get_template(name)?.render(Serde(view))
    }

    fn html(
        &self,
        translation: Translation,
        subject: &str,
        sections: &[Section],
    ) -> Result<String, Error> {
        let page = Page { lang: translation.tag(), subject, sections };
        let mut html = self.render("letter.html", page)?;
        html.push('\n');
        Ok(html)
    }
}

/// What the page around the parts sees.
#[derive(Serialize)]
struct Page<'a> {
    lang: &'static str,
    subject: &'a str,
    sections: &'a [Section],
}

fn check(facts: &NoticeFacts, to: &Addressee) -> Result<(), Unwritten> {
    if !facts.what_happened.contains_key(&Translation::English) {
        return Err(Unwritten::TextMissing);
    }
    match to.change {
        Some(_) if facts.corrects.is_none() => Err(Unwritten::CorrectsNothing),
        None | Some(Change::NewlyExposed | Change::FieldsChanged { .. })
            if to.exposed.is_empty() =>
        {
            Err(Unwritten::NothingExposed)
        }
        _ => Ok(()),
    }
}

/// The reader's own language if every approved text is there in it, or else English.
fn translation(facts: &NoticeFacts, to: &Addressee) -> (Translation, bool) {
    let speaks = |texts: &BTreeMap<Translation, String>, translation| {
        texts.is_empty() || texts.contains_key(&translation)
    };
    let Some(language) = &to.language else { return (Translation::English, false) };
    match Translation::of(language) {
        Some(own)
            if speaks(&facts.what_happened, own)
                && speaks(&facts.measures, own)
                && speaks(&facts.authority, own) =>
        {
            (own, false)
        }
        _ => (Translation::English, true),
    }
}

fn keeps(variant: Option<&Variant>, part: Part) -> bool {
    let special = VARIANTS.iter().any(|variant| variant.adds.contains(&part));
    match variant {
        Some(variant) if variant.omits.contains(&part) => false,
        Some(variant) => !special || variant.adds.contains(&part),
        None => !special,
    }
}

/// A person's name if it can stand in a greeting; no name is better than a link in a name's place.
fn greeting_name(name: Option<&str>) -> Option<String> {
    let name = squeeze(name?);
    let plain = !name.is_empty()
        && name.chars().count() <= NAME_CHARS
        && name.chars().all(|letter| letter.is_alphabetic() || " .,'’`-·".contains(letter))
        && lint::links(&name).next().is_none();
    plain.then_some(name)
}

/// What templates see. Days and lists are already in the words of the language.
#[derive(Serialize)]
struct View<'a> {
    company: &'a str,
    site: &'a str,
    contact: String,
    bulletin: &'a str,
    authority: Option<String>,
    nature: bool,
    what_happened: String,
    measures: String,
    vendor: Option<&'a str>,
    began: Option<String>,
    ended: Option<String>,
    learned: String,
    corrects: Option<String>,
    name: Option<String>,
    exposed: Vec<&'static str>,
    has: BTreeMap<&'static str, bool>,
    never_sent: String,
    impossible: String,
    out_of_reach: String,
    out_of_reach_any: String,
    stated: String,
    no_evidence: String,
    two_factor: Option<bool>,
    code: &'a str,
    change: Option<&'static str>,
    added: String,
    removed: String,
}

impl<'a> View<'a> {
    fn new(
        facts: &'a NoticeFacts,
        to: &'a Addressee,
        translation: Translation,
        variant: Option<&Variant>,
    ) -> Self {
        let nature = variant.is_none_or(Variant::states_nature);
        let day = |at: Timestamp| day(translation, at);
        let told = |texts: &BTreeMap<Translation, String>| texts.get(&translation).cloned();
        let of_nature = |text: Option<String>| text.filter(|_| nature).unwrap_or_default();
        let graded = |join: Join, grade| {
            let fields = to.not_exposed.iter().filter(|(_, known)| *known == grade);
            join(translation, &objects(translation, fields.map(|(field, _)| *field)))
        };
        let all = |fields: FieldSet| all_of(translation, &objects(translation, fields.iter()));
        let before = to.change.map_or(FieldSet::EMPTY, Change::before);
        Self {
            company: &facts.company,
            site: &facts.site,
            contact: squeeze(&facts.contact),
            bulletin: &facts.bulletin_path,
            authority: told(&facts.authority),
            nature,
            what_happened: of_nature(told(&facts.what_happened)),
            measures: of_nature(told(&facts.measures)),
            vendor: facts.vendor_disclosed.as_deref().filter(|_| nature),
            began: facts.happened.from.map(day),
            ended: facts.happened.to.map(day),
            learned: day(facts.learned_at),
            corrects: facts.corrects.map(day),
            name: greeting_name(to.name.as_deref()),
            exposed: to.exposed.iter().map(|field| field_entry(translation, field)).collect(),
            has: Field::ALL
                .iter()
                .map(|&field| (field.name(), to.exposed.contains(field)))
                .collect(),
            never_sent: graded(any_of, NotExposedGrade::NeverSent),
            impossible: graded(any_of, NotExposedGrade::ImpossibleByDesign),
            out_of_reach: graded(all_of, NotExposedGrade::OutOfReach),
            out_of_reach_any: graded(any_of, NotExposedGrade::OutOfReach),
            stated: graded(any_of, NotExposedGrade::StatedByVendor),
            no_evidence: graded(any_of, NotExposedGrade::NoEvidence),
            two_factor: to.two_factor,
            code: &to.code,
            change: to.change.map(Change::name),
            added: all(to.exposed.minus(before)),
            removed: all(before.minus(to.exposed)),
        }
    }
}

type Join = fn(Translation, &[&str]) -> String;

fn objects(translation: Translation, fields: impl Iterator<Item = Field>) -> Vec<&'static str> {
    fields.map(|field| field_object(translation, field)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_be_a_link_or_a_lure_is_left_out_of_the_greeting() {
        for name in ["Ann Lee", "J. R. R. Tolkien", "Zoë O’Neill-Åström", "李安", "Jr."] {
            assert_eq!(greeting_name(Some(name)).as_deref(), Some(name));
        }
        for name in
            ["", "  ", "evil.example", "http://x", "Call 15551234567", "<b>", &"x".repeat(61)]
        {
            assert_eq!(greeting_name(Some(name)), None, "{name}");
        }
        assert_eq!(greeting_name(None), None);
    }

    #[test]
    fn a_broken_or_unknown_template_is_refused_when_it_is_put_in() {
        let mut templates = Templates::shipped();
        let code = |result: Result<(), Unwritten>| result.expect_err("refused").code();
        assert_eq!(code(templates.replace("fr/notice.txt", String::new())), "template-unknown");
        assert_eq!(code(templates.replace("en/notice.txt", "{% if".into())), "template-broken");
        assert!(Templates::names().all(|name| templates.environment.get_template(name).is_ok()));
    }
}
