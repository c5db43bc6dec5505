//! What was *not* exposed, field by field, each with its grade and its proof. The last grade, «no
//! evidence», is never worded as reassurance; a vendor's word is worded as its word.

use model::{Field, FieldSet, NotExposed, NotExposedGrade, Sensitivity, Timestamp, VendorName};

use crate::command::Question;
use crate::incident::Statement;
use crate::scope::{within, written};

/// What the statement is made from.
pub struct StatementInput<'a> {
    /// Which vendor was breached.
    pub vendor: &'a VendorName,
    /// Fields that are exposed for somebody, at the utmost.
    pub exposed: FieldSet,
    /// Every field that was ever disclosed to this vendor, imports included.
    pub ever: FieldSet,
    /// From when on the ledger has everything that this vendor was given: its first record, if the
    /// vendor held nothing before or its holdings were imported. `None` when there may be more than
    /// the ledger knows; then nothing is «never sent».
    pub complete_since: Option<Timestamp>,
    /// Every field that an operation of the connector can carry.
    pub carries: FieldSet,
    /// Fields that the company declares impossible for this vendor.
    pub impossible: FieldSet,
    /// What the vendor said, reversals included.
    pub statements: &'a [Statement],
    /// The window and reach of the scope.
    pub asked: &'a Question,
}

/// Fields whose content is whatever somebody wrote into it.
pub(crate) const FREE: FieldSet =
    FieldSet::EMPTY.with(Field::Content).with(Field::Attachment).with(Field::Custom);

/// Everything worth saying that was not exposed, the best grade first, then the worst harm.
pub fn not_exposed(input: &StatementInput<'_>) -> Vec<NotExposed> {
    let mut fields: Vec<_> = Field::ALL
        .iter()
        .copied()
        .filter(|&field| !input.exposed.contains(field) && worth_saying(input, field))
        .map(|field| {
            let (grade, because) = graded(input, field);
            NotExposed { field, grade, because }
        })
        .collect();
    fields.sort_by_key(|said| (said.grade, std::cmp::Reverse(said.field.sensitivity())));
    fields
}

/// That a vendor does not have what nobody asks for is no news.
fn worth_saying(input: &StatementInput<'_>, field: Field) -> bool {
    let of_interest = field.sensitivity() > Sensitivity::Low && !FREE.contains(field);
    of_interest || input.ever.contains(field) || denial(input, field).is_some()
}

fn graded(input: &StatementInput<'_>, field: Field) -> (NotExposedGrade, String) {
    let vendor = input.vendor;
    let by_design = design(input, field);
    match input.complete_since {
        _ if input.ever.contains(field) => {
            let (reach, window) = (within(&input.asked.reach), written(input.asked.window));
            let because = format!(
                "`{vendor}` was given it, but nothing of it lies in what was reached: {reach}, \
                 {window}"
            );
            (NotExposedGrade::OutOfReach, because)
        }
        Some(since) => {
            let mut because = format!(
                "the ledger has every disclosure to `{vendor}` since {since}, and none carried it"
            );
            if let Some(design) = by_design {
                because += &format!("; {design}");
            }
            because += &free_text(input);
            (NotExposedGrade::NeverSent, because)
        }
        None => match (by_design, denial(input, field)) {
            (Some(design), _) => (NotExposedGrade::ImpossibleByDesign, design + &free_text(input)),
            (None, Some(said)) => {
                let because = format!(
                    "`{vendor}` said so on {}, by {}; its word, not a proof",
                    said.said_at, said.source
                );
                (NotExposedGrade::StatedByVendor, because)
            }
            (None, None) => {
                let because = format!(
                    "the ledger does not cover everything that `{vendor}` may hold; nothing \
                     speaks for exposure, and nothing against it"
                );
                (NotExposedGrade::NoEvidence, because)
            }
        },
    }
}

/// Why the field cannot reach the vendor, if so. What was ever sent is not impossible.
fn design(input: &StatementInput<'_>, field: Field) -> Option<String> {
    let vendor = input.vendor;
    if !input.carries.contains(field) {
        Some(format!("no operation that `{vendor}` offers us has a place for it"))
    } else if input.impossible.contains(field) {
        Some(format!("by our own design nothing that goes to `{vendor}` has it"))
    } else {
        None
    }
}

/// What has to be said beside an absence when texts were sent: a text may hold anything.
fn free_text(input: &StatementInput<'_>) -> String {
    let free: Vec<_> = input.ever.intersection(FREE).iter().map(|f| format!("`{f}`")).collect();
    if free.is_empty() {
        return String::new();
    }
    format!("; what people or programs wrote into {} is not counted here", free.join(", "))
}

/// The newest statement of the vendor that denies the field and stands.
fn denial<'a>(input: &StatementInput<'a>, field: Field) -> Option<&'a Statement> {
    let newest = input
        .statements
        .iter()
        .filter(|said| said.reversed.is_none())
        .filter(|said| said.fields_denied.contains(field) || said.fields_exposed.contains(field))
        .max_by_key(|said| (said.said_at, said.number))?;
    newest.fields_denied.contains(field).then_some(newest)
}
