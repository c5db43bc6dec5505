//! Facts: what was observed, once each. Never changed, and never interpreted here.

use model::{Fact, FactId, VendorName};
use serde::Serialize;

use crate::columns::{Document, bind};
use crate::engine::{Row, Tx};
use crate::error::Refused;

/// Which facts are asked for; those that are not narrowed are all.
#[derive(Debug, Clone, Copy, Default)]
pub struct FactFilter<'a> {
    /// Only of this vendor.
    pub vendor: Option<&'a VendorName>,
    /// Only of this kind, such as `canary-mail`.
    pub kind: Option<&'a str>,
}

/// How many facts of a kind there are of a vendor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FactCount {
    /// The vendor, if it is known.
    pub vendor: Option<VendorName>,
    /// The kind, such as `vendor-event`.
    pub kind: String,
    /// How many.
    pub facts: u64,
}

/// Sorts after every id.
const AFTER_ALL: &str = "~";

impl Tx<'_> {
    /// Keeps the facts that are new and returns their ids, in the order given. One that its source
    /// has told before, by the source's own id, is ignored.
    ///
    /// # Errors
    /// Faults only.
    pub fn insert_facts(&self, facts: &[Fact]) -> anyhow::Result<Vec<FactId>> {
        let mut new = Vec::new();
        for fact in facts {
            let inserted = self.execute(
                "INSERT INTO facts (id, source, external_id, vendor, kind, at, document)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
                bind![
                    fact.id,
                    &fact.source,
                    fact.external_id.as_ref(),
                    fact.vendor.as_ref(),
                    fact.body.kind(),
                    fact.at,
                    &Document::of(fact)?
                ],
            )?;
            if inserted == 1 {
                new.push(fact.id);
            }
        }
        Ok(new)
    }

    /// The fact of this id.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn fact(&self, id: FactId) -> anyhow::Result<Fact> {
        self.one("SELECT document FROM facts WHERE id = ?1", bind![id], fact)?
            .ok_or_else(|| Refused::not_found("fact", id))
    }

    /// At most `rows` facts, the newest first, beginning after `before`.
    ///
    /// # Errors
    /// Faults only.
    pub fn facts(
        &self,
        filter: FactFilter<'_>,
        before: Option<FactId>,
        rows: usize,
    ) -> anyhow::Result<Vec<Fact>> {
        let before = before.map_or_else(|| AFTER_ALL.to_owned(), |id| id.to_string());
        let page = |narrowed: &str| {
            format!("SELECT document FROM facts WHERE {narrowed} id < ?1 ORDER BY id DESC LIMIT ?2")
        };
        let (before, rows) = (&before, rows as u64);
        match (filter.vendor, filter.kind) {
            (None, None) => self.all(&page(""), bind![before, rows], fact),
            (None, Some(kind)) => self.all(&page("kind = ?3 AND"), bind![before, rows, kind], fact),
            (Some(vendor), None) => {
                self.all(&page("vendor = ?3 AND"), bind![before, rows, vendor], fact)
            }
            (Some(vendor), Some(kind)) => self.all(
                &page("vendor = ?3 AND kind = ?4 AND"),
                bind![before, rows, vendor, kind],
                fact,
            ),
        }
    }

    /// How many facts there are, by vendor and kind.
    ///
    /// # Errors
    /// Faults only.
    pub fn fact_counts(&self) -> anyhow::Result<Vec<FactCount>> {
        self.all(
            "SELECT vendor, kind, COUNT(*) FROM facts GROUP BY vendor, kind ORDER BY vendor, kind",
            bind![],
            |row| Ok(FactCount { vendor: row.get(0)?, kind: row.get(1)?, facts: row.get(2)? }),
        )
    }
}

fn fact(row: &Row<'_>) -> anyhow::Result<Fact> {
    row.get::<Document>(0)?.read()
}
