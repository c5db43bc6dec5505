//! The data set of the breach that a vendor hands over: matched, and kept as proof about persons.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use incident::Incident;
use model::{FieldSet, IncidentId, PersonKey, Reach, Window};
use serde::Serialize;
use store::{Evidence, Sealed, Tx};

use crate::app::App;
use crate::{contain, scoping};

/// The name of the evidence that holds the matched persons.
const NAME: &str = "dataset-persons";
/// A person's key and the bits of the fields.
const ROW_BYTES: usize = 20;

/// What matching found.
#[derive(Debug, Default, Serialize)]
pub struct Matched {
    /// Rows of the data set.
    pub rows: u64,
    /// Persons in it that the ledger has a disclosure of: confirmed.
    pub confirmed: u64,
    /// Persons that the vendor holds by the ledger and that are not in it.
    pub held_not_in_it: u64,
    /// Rows about nobody that was ever disclosed through Cordon: an undeclared feed.
    pub never_disclosed: u64,
    /// Rows about contacts that we planted ourselves: this copy is of what we gave.
    pub planted: u64,
    /// Rows that could not be read.
    pub unreadable: u64,
    /// The first of them, with their lines and why.
    pub examples: Vec<String>,
}

/// Matches a data set in the vendor's export format and keeps whom it confirms.
///
/// # Errors
/// [`ExportError`] when it is not in that format; faults of ledger and store.
pub async fn match_with(app: &App, incident: &Incident, csv: Vec<u8>) -> Result<Matched> {
    const EXAMPLES: usize = 10;
    let vendor = app.vendor(&incident.vendor).await?;
    let connector = app.connector(&vendor)?;
    let work = app.clone();
    let (matched, persons) = tokio::task::spawn_blocking(move || {
        let mut held = work.ledger.exposure(&vendor.name, Window::default(), &Reach::default())?;
        let planted = scoping::planted(&work, &vendor.name)?;
        held.persons.retain(|one| !planted.contains(&one.person));
        let mut matched = Matched::default();
        let mut persons = HashMap::<PersonKey, FieldSet>::new();
        for row in connector.read_export(&csv).map_err(anyhow::Error::from)?.rows {
            matched.rows += 1;
            let row = match row {
                Ok(row) => row,
                Err(error) => {
                    matched.unreadable += 1;
                    if matched.examples.len() < EXAMPLES {
                        matched.examples.push(error.to_string());
                    }
                    continue;
                }
            };
            let key = work.ledger.identifier_key();
            let person = row.identifiers.iter().find_map(|one| work.ledger.person(one.hash(key)));
            let known = person.filter(|person| {
                held.persons.binary_search_by_key(person, |one| one.person).is_ok()
            });
            match known {
                Some(person) => {
                    let fields = persons.entry(person).or_default();
                    *fields = fields.union(row.fields);
                }
                None if person.is_some_and(|person| planted.contains(&person)) => {
                    matched.planted += 1;
                }
                None => matched.never_disclosed += 1,
            }
        }
        matched.confirmed = persons.len() as u64;
        matched.held_not_in_it = held.persons.len() as u64 - matched.confirmed;
        Ok::<_, anyhow::Error>((matched, persons))
    })
    .await
    .context("matching a data set")??;
    let bytes: Vec<u8> = persons
        .iter()
        .flat_map(|(person, fields)| {
            person.0.to_be_bytes().into_iter().chain(fields.bits().to_be_bytes())
        })
        .collect();
    contain::keep(app, incident.id, NAME, &bytes, "system").await?;
    Ok(matched)
}

/// The matched persons of every data set of an incident, still sealed.
///
/// # Errors
/// Faults of the store.
pub fn kept(tx: &Tx<'_>, incident: IncidentId) -> Result<Vec<(Evidence, Sealed)>> {
    let all = tx.evidence_of(incident)?.into_iter().filter(|evidence| evidence.name == NAME);
    all.map(|evidence| Ok((evidence.clone(), tx.evidence_bytes(evidence.id)?))).collect()
}

/// Opens what [`kept`] gave.
///
/// # Errors
/// When it was sealed under another root key.
pub fn open(
    app: &App,
    (evidence, sealed): &(Evidence, Sealed),
) -> Result<Vec<(PersonKey, FieldSet)>> {
    let plain = app.keys.seal.open(&contain::evidence_label(evidence), &sealed.0)?;
    let rows = plain.expose().chunks_exact(ROW_BYTES).map(|row| {
        let (person, fields) = row.split_at(16);
        let person = PersonKey(u128::from_be_bytes(person.try_into().unwrap_or_default()));
        (person, FieldSet::from_bits(u32::from_be_bytes(fields.try_into().unwrap_or_default())))
    });
    Ok(rows.collect())
}
