//! What a drill came to: the figures, and the checks that recomputed the truth. `ok` is their
//! conjunction and nothing else.

use std::collections::BTreeMap;
use std::fmt;

use model::{Action, Field, NotExposedGrade, Timestamp};
use serde::{Deserialize, Serialize};

/// The whole result; its JSON is what `--json` writes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Scorecard {
    /// The scenario's id.
    pub scenario: String,
    /// Whether every check holds; false when there is none.
    pub ok: bool,
    /// People of the company.
    pub people: u64,
    /// Seconds from the first act to the first finding.
    pub detected_after_s: Option<f64>,
    /// Seconds from the first act until the vendor was cut off, and that was proven.
    pub contained_after_s: Option<f64>,
    /// Seconds from the first act until the scope stood.
    pub scoped_after_s: Option<f64>,
    /// Seconds from the first act until the first person was told.
    pub first_notice_after_s: Option<f64>,
    /// Seconds from the first act until the last person was told.
    pub last_notice_after_s: Option<f64>,
    /// Who and what was exposed.
    pub scope: ScopeCard,
    /// The steps against the vendor.
    pub containment: Vec<StepCard>,
    /// The deadlines that run.
    pub clocks: Vec<ClockCard>,
    /// What became of the notices.
    pub notices: NoticesCard,
    /// Where the public page was.
    pub portal_url: String,
    /// What was checked.
    pub checks: Vec<Check>,
}

/// Who and what was exposed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeCard {
    /// At least so many persons; `None` when nothing bounds it from below.
    pub persons_lower: Option<u64>,
    /// At most so many persons.
    pub persons_upper: Option<u64>,
    /// Persons by field.
    pub by_field: BTreeMap<Field, u64>,
    /// Persons by country.
    pub by_country: BTreeMap<String, u64>,
    /// What was not exposed, and how well that is known.
    pub not_exposed: Vec<NotExposedCard>,
}

/// A field that was not exposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotExposedCard {
    /// The field.
    pub field: Field,
    /// How well that is known.
    pub grade: NotExposedGrade,
}

/// A step against the vendor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCard {
    /// Which one.
    pub action: Action,
    /// Whether it was done.
    pub ok: bool,
    /// Whether a second look showed that.
    pub verified: bool,
}

/// A deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockCard {
    /// The regime that sets it.
    pub regime: String,
    /// When it ends; `None` when that is not known.
    pub due: Option<Timestamp>,
}

/// What became of the notices; the six after `audience` add up to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticesCard {
    /// Everybody who is to be told.
    pub audience: u64,
    /// The receiving server took it.
    pub delivered: u64,
    /// The receiving server refused it for good.
    pub bounced: u64,
    /// Every try failed.
    pub failed: u64,
    /// There is no address to tell them at, or they asked not to be told so.
    pub suppressed: u64,
    /// Not tried yet.
    pub pending: u64,
    /// The connection broke when it may have been taken.
    pub unknown: u64,
}

impl NoticesCard {
    /// Whether nobody is lost or counted twice.
    pub const fn adds_up(&self) -> bool {
        let NoticesCard { delivered, bounced, failed, suppressed, pending, unknown, .. } = *self;
        self.audience == delivered + bounced + failed + suppressed + pending + unknown
    }
}

/// Something that was recomputed from outside and compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What holds, as a fact in a few words.
    pub name: String,
    /// Whether it does.
    pub ok: bool,
    /// What was found.
    pub detail: String,
}

impl Scorecard {
    /// Adds a check; the whole is well only while all are.
    pub fn check(&mut self, name: &str, ok: bool, detail: impl Into<String>) {
        self.checks.push(Check { name: name.to_owned(), ok, detail: detail.into() });
        self.ok = self.checks.iter().all(|check| check.ok);
    }

    /// As a person reads it in a terminal; with colours where the terminal has them.
    pub fn render(&self, colour: bool) -> String {
        Rendered { card: self, colour }.to_string()
    }
}

impl fmt::Display for Scorecard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

struct Rendered<'a> {
    card: &'a Scorecard,
    colour: bool,
}

/// Width of the column before the values.
const LABEL: usize = 24;

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let card = self.card;
        let verdict = if card.ok { self.green("ok") } else { self.red("not ok") };
        writeln!(f, "{}  {verdict}", self.bold(&format!("drill {}", card.scenario)))?;
        writeln!(f, "{} people", thousands(card.people))?;
        self.times(f)?;
        self.scope(f)?;
        self.response(f)?;
        self.notices(f)?;
        if !card.portal_url.is_empty() {
            writeln!(f, "\n{:LABEL$}{}", "portal", card.portal_url)?;
        }
        self.checks(f)
    }
}

impl Rendered<'_> {
    fn times(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.heading(f, "time from the first act")?;
        let card = self.card;
        let times = [
            ("detected", card.detected_after_s),
            ("contained", card.contained_after_s),
            ("scoped", card.scoped_after_s),
            ("first notice", card.first_notice_after_s),
            ("last notice", card.last_notice_after_s),
        ];
        for (label, seconds) in times {
            writeln!(f, "  {label:22}{}", seconds.map_or("never".to_owned(), duration))?;
        }
        Ok(())
    }

    fn scope(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = &self.card.scope;
        let persons = match (scope.persons_lower, scope.persons_upper) {
            (Some(lower), Some(upper)) if lower == upper => format!("exactly {}", thousands(lower)),
            (Some(lower), Some(upper)) => {
                format!("at least {}, at most {}", thousands(lower), thousands(upper))
            }
            (Some(lower), None) => format!("at least {}", thousands(lower)),
            (None, Some(upper)) => format!("at most {}", thousands(upper)),
            (None, None) => "not known".to_owned(),
        };
        self.heading(f, "exposed")?;
        writeln!(f, "  {:22}{persons}", "persons")?;
        for (field, count) in &scope.by_field {
            writeln!(f, "  {:22}{:>11}", field.name(), thousands(*count))?;
        }
        if !scope.by_country.is_empty() {
            self.heading(f, "by country")?;
        }
        let mut countries: Vec<_> = scope.by_country.iter().collect();
        countries.sort_by_key(|(country, count)| (std::cmp::Reverse(**count), *country));
        for (country, count) in countries {
            writeln!(f, "  {country:22}{:>11}", thousands(*count))?;
        }
        if !scope.not_exposed.is_empty() {
            self.heading(f, "not exposed")?;
        }
        for NotExposedCard { field, grade } in &scope.not_exposed {
            writeln!(f, "  {:22}{grade}", field.name())?;
        }
        Ok(())
    }

    fn response(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.card.containment.is_empty() {
            self.heading(f, "containment")?;
        }
        for StepCard { action, ok, verified } in &self.card.containment {
            let state = match (ok, verified) {
                (true, true) => self.green("done, verified"),
                (true, false) => "done, not verified".to_owned(),
                (false, _) => self.red("not done"),
            };
            writeln!(f, "  {:28}{state}", action.name())?;
        }
        if !self.card.clocks.is_empty() {
            self.heading(f, "clocks")?;
        }
        for ClockCard { regime, due } in &self.card.clocks {
            let due = due.map_or("not known when due".to_owned(), |due| format!("due {due}"));
            writeln!(f, "  {regime:28}{due}")?;
        }
        Ok(())
    }

    fn notices(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let notices = &self.card.notices;
        self.heading(f, "notices")?;
        let rows = [
            ("audience", notices.audience),
            ("delivered", notices.delivered),
            ("bounced", notices.bounced),
            ("failed", notices.failed),
            ("suppressed", notices.suppressed),
            ("pending", notices.pending),
            ("unknown", notices.unknown),
        ];
        for (label, count) in rows {
            writeln!(f, "  {label:22}{:>11}", thousands(count))?;
        }
        Ok(())
    }

    fn checks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.heading(f, "checks")?;
        let names = self.card.checks.iter().map(|check| check.name.chars().count());
        let width = names.max().unwrap_or_default();
        for Check { name, ok, detail } in &self.card.checks {
            let mark = if *ok { self.green("ok  ") } else { self.red("FAIL") };
            let pad = " ".repeat(width - name.chars().count());
            writeln!(f, "  {mark}  {name}{pad}  {detail}")?;
        }
        Ok(())
    }

    fn heading(&self, f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
        writeln!(f, "\n{}", self.bold(text))
    }

    fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    fn green(&self, text: &str) -> String {
        self.paint("32", text)
    }

    fn red(&self, text: &str) -> String {
        self.paint("31", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// `1234567` as `1,234,567`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn duration(seconds: f64) -> String {
    match seconds {
        under if under < 60.0 => format!("{under:.1} s"),
        under => format!("{} min {:02} s", under as u64 / 60, under as u64 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> Scorecard {
        let mut card = Scorecard {
            scenario: "flickr-2026-02".to_owned(),
            people: 10_000,
            detected_after_s: Some(1.25),
            contained_after_s: Some(3.5),
            scoped_after_s: Some(4.0),
            first_notice_after_s: Some(5.75),
            last_notice_after_s: Some(75.5),
            scope: ScopeCard {
                persons_lower: None,
                persons_upper: Some(9_402),
                by_field: BTreeMap::from([(Field::Email, 9_402), (Field::Name, 812)]),
                by_country: BTreeMap::from([
                    ("BR".to_owned(), 1_200),
                    ("DE".to_owned(), 2_000),
                    ("US".to_owned(), 6_202),
                ]),
                not_exposed: vec![NotExposedCard {
                    field: Field::Password,
                    grade: NotExposedGrade::NeverSent,
                }],
            },
            containment: vec![
                StepCard { action: Action::CutGateway, ok: true, verified: true },
                StepCard { action: Action::CancelScheduledSends, ok: true, verified: false },
            ],
            clocks: vec![
                ClockCard {
                    regime: "EU-GDPR-33".to_owned(),
                    due: Some(Timestamp::parse("2026-02-08T02:00:00Z").expect("a time")),
                },
                ClockCard { regime: "US-MA".to_owned(), due: None },
            ],
            notices: NoticesCard {
                audience: 9_402,
                delivered: 9_300,
                bounced: 12,
                suppressed: 90,
                ..NoticesCard::default()
            },
            portal_url: "http://127.0.0.1:8082/".to_owned(),
            ..Scorecard::default()
        };
        card.check("scope equals the oracle", true, "9,402 of 9,402 persons, field by field");
        card.check("every notice was received", true, "9,300 mails, one each");
        card
    }

    #[test]
    fn the_terminal_shows_what_a_responder_asks_for() {
        insta::assert_snapshot!(card());
    }

    #[test]
    fn the_json_has_the_documented_shape() {
        insta::assert_json_snapshot!(card());
    }

    #[test]
    fn it_is_well_only_while_every_check_is_and_never_without_one() {
        assert!(!Scorecard::default().ok);
        let mut card = card();
        assert!(card.ok);
        card.check("the cut is proven", false, "the old key was admitted");
        assert!(!card.ok && card.to_string().contains("not ok"));
    }

    #[test]
    fn notices_add_up_or_somebody_is_lost() {
        let mut notices = card().notices;
        assert!(notices.adds_up());
        notices.pending += 1;
        assert!(!notices.adds_up());
    }

    #[test]
    fn colour_changes_nothing_but_the_colour() {
        let coloured = card().render(true);
        let codes = ["\u{1b}[1m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[0m"];
        assert!(coloured.contains("\u{1b}[32mok\u{1b}[0m"));
        let plain = codes.iter().fold(coloured, |text, code| text.replace(code, ""));
        assert_eq!(plain, card().to_string());
    }
}
