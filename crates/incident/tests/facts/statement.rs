//! What is said of fields that were not exposed.

use incident::{Author, Question, Reversal, Statement, StatementInput, not_exposed};
use model::{FieldSet, Reach, Timestamp, VendorName, Window};

use crate::sample::{at, fields, folded, name};

struct Case {
    exposed: &'static str,
    ever: &'static str,
    since: Option<Timestamp>,
    impossible: &'static str,
    statements: Vec<Statement>,
    asked: Question,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            exposed: "email,name,username,ip,location,activity,account_type",
            ever: "email,name,username,ip,location,activity,account_type",
            since: Some(at("2025-01-01")),
            impossible: "",
            statements: Vec::new(),
            asked: Question::default(),
        }
    }
}

/// One line per field, as people read it.
fn lines_of(case: &Case) -> Vec<String> {
    let everything_but = fields("password,payment,government_id,health");
    let vendor = VendorName::parse("sendgrid").expect("a name");
    let carries: FieldSet = model::Field::ALL.iter().copied().collect();
    let input = StatementInput {
        vendor: &vendor,
        exposed: fields(case.exposed),
        ever: fields(case.ever),
        complete_since: case.since,
        carries: carries.minus(everything_but),
        impossible: fields(case.impossible),
        statements: &case.statements,
        asked: &case.asked,
    };
    not_exposed(&input)
        .iter()
        .map(|said| format!("{} {}: {}", said.grade, said.field, said.because))
        .collect()
}

fn said(case: &Case) -> String {
    lines_of(case).join(
        "
",
    )
}

fn denies(number: u32, denied: &str, exposed: &str) -> Statement {
    Statement {
        number,
        said_at: at("2026-02-05T01:55:00Z").plus_seconds(i64::from(number)),
        recorded_at: at("2026-02-05T03:00:00Z"),
        author: Author::Operator(name("ann")),
        source: "mail".to_owned(),
        fields_exposed: fields(exposed),
        fields_denied: fields(denied),
        window: Window::default(),
        text: "it is fine".to_owned(),
        reversed: None,
    }
}

#[test]
fn what_was_never_sent_is_proved_by_the_ledger() {
    insta::assert_snapshot!(folded(lines_of(&Case::default())), @r"
    never-sent password: the ledger has every disclosure to `sendgrid` since
      2025-01-01T00:00:00Z, and none carried it; no operation that `sendgrid` offers us
      has a place for it
    never-sent payment: the ledger has every disclosure to `sendgrid` since
      2025-01-01T00:00:00Z, and none carried it; no operation that `sendgrid` offers us
      has a place for it
    never-sent government_id: the ledger has every disclosure to `sendgrid` since
      2025-01-01T00:00:00Z, and none carried it; no operation that `sendgrid` offers us
      has a place for it
    never-sent health: the ledger has every disclosure to `sendgrid` since
      2025-01-01T00:00:00Z, and none carried it; no operation that `sendgrid` offers us
      has a place for it
    never-sent address: the ledger has every disclosure to `sendgrid` since
      2025-01-01T00:00:00Z, and none carried it
    never-sent birthdate: the ledger has every disclosure to `sendgrid` since
      2025-01-01T00:00:00Z, and none carried it
    never-sent phone: the ledger has every disclosure to `sendgrid` since
      2025-01-01T00:00:00Z, and none carried it
    ");
}

#[test]
fn texts_that_were_sent_are_named_beside_the_proof() {
    let case = Case { exposed: "email,content", ever: "email,content", ..Case::default() };
    let password = lines_of(&case).into_iter().find(|line| line.contains(" password:"));
    insta::assert_snapshot!(folded(password), @r"
    never-sent password: the ledger has every disclosure to `sendgrid` since
      2025-01-01T00:00:00Z, and none carried it; no operation that `sendgrid` offers us
      has a place for it; what people or programs wrote into `content` is not counted here
    ");
}

#[test]
fn what_was_held_and_not_reached_says_where_the_border_is() {
    let lists = Some([model::ListName::parse("news").expect("a list")].into());
    let case = Case {
        exposed: "email",
        ever: "email,phone",
        asked: Question {
            window: Window { from: Some(at("2026-01-01")), to: None },
            reach: Reach { lists, ..Reach::default() },
        },
        ..Case::default()
    };
    let phone = lines_of(&case).into_iter().find(|line| line.contains(" phone:"));
    insta::assert_snapshot!(folded(phone), @r"
    out-of-reach phone: `sendgrid` was given it, but nothing of it lies in what was
      reached: lists `news`, from 2026-01-01T00:00:00Z until now and on
    ");
}

#[test]
fn where_the_ledger_does_not_cover_the_vendor_the_grades_go_down() {
    let case = Case {
        since: None,
        impossible: "birthdate",
        statements: vec![denies(1, "phone,password,address", ""), denies(2, "", "address")],
        ..Case::default()
    };
    insta::assert_snapshot!(folded(lines_of(&case)), @r"
    impossible-by-design password: no operation that `sendgrid` offers us has a place for
      it
    impossible-by-design payment: no operation that `sendgrid` offers us has a place for
      it
    impossible-by-design government_id: no operation that `sendgrid` offers us has a place
      for it
    impossible-by-design health: no operation that `sendgrid` offers us has a place for it
    impossible-by-design birthdate: by our own design nothing that goes to `sendgrid` has
      it
    stated-by-vendor phone: `sendgrid` said so on 2026-02-05T01:55:01Z, by mail; its word,
      not a proof
    no-evidence address: the ledger does not cover everything that `sendgrid` may hold;
      nothing speaks for exposure, and nothing against it
    ");
}

#[test]
fn a_statement_that_was_taken_back_counts_for_nothing() {
    let mut taken_back = denies(1, "phone", "");
    taken_back.reversed = Some(Reversal {
        at: at("2026-02-06"),
        author: Author::Operator(name("ann")),
        text: "it was not fine".to_owned(),
    });
    let case = Case { since: None, statements: vec![taken_back], ..Case::default() };
    let said = said(&case);
    assert!(said.contains("no-evidence phone:"), "{said}");
    assert!(!said.contains("stated-by-vendor"), "{said}");
}

#[test]
fn what_is_exposed_is_never_among_it() {
    let said = said(&Case { exposed: "email,password", ever: "email", ..Case::default() });
    assert!(!said.contains(" password:") && !said.contains(" email:"), "{said}");
}
