//! Facts: what was observed, once each. Never interpreted here, and changed only to forget a
//! person.

use model::{Fact, FactId, IdentifierHash, VendorName};
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

    /// Takes these identifiers out of every fact: what happened stays, to whom does not. Reads all
    /// facts. How many were changed.
    ///
    /// # Errors
    /// Faults only.
    pub fn anonymise_facts(&self, identifiers: &[IdentifierHash]) -> anyhow::Result<usize> {
        let mut changed = 0;
        for identifier in identifiers {
            let (said, holding) = (format!("\"{identifier}\""), format!("%\"{identifier}\"%"));
            changed += self.execute(
                "UPDATE facts SET document = REPLACE(document, ?1, 'null') WHERE document LIKE ?2",
                bind![&said, &holding],
            )?;
        }
        Ok(changed)
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

#[cfg(test)]
mod tests {
    use model::id::Id;
    use model::{Confidence, FactBody, ReferenceCheck};

    use super::*;
    use crate::testing::{START, Scratch, code, vendor_name};

    fn fact(number: u128, vendor: Option<&str>, external_id: Option<&str>) -> Fact {
        Fact {
            id: FactId::from_u128(number),
            at: START,
            seen_at: START,
            vendor: vendor.map(vendor_name),
            external_id: external_id.map(str::to_owned),
            source: "webhook/sendgrid".to_owned(),
            confidence: Confidence::Certain,
            author: None,
            body: FactBody::VendorEvent {
                event: "delivered".to_owned(),
                message: None,
                recipient: None,
                reference: ReferenceCheck::Absent,
            },
        }
    }

    #[test]
    fn a_person_is_taken_out_of_facts_and_what_happened_stays() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let to = |number: u8| Some(IdentifierHash([number; 16]));
        let mut told = [fact(1, None, Some("ev-1")), fact(2, None, Some("ev-2"))];
        for (fact, number) in told.iter_mut().zip(1..) {
            if let FactBody::VendorEvent { recipient, .. } = &mut fact.body {
                *recipient = to(number);
            }
        }
        tx.insert_facts(&told).expect("kept");
        assert_eq!(
            tx.anonymise_facts(&[to(1).expect("one"), to(9).expect("one")]).expect("done"),
            1
        );
        let recipient = |id| match tx.fact(id).expect("it is there").body {
            FactBody::VendorEvent { recipient, .. } => recipient,
            other => panic!("not an event: {}", other.kind()),
        };
        assert_eq!((recipient(told[0].id), recipient(told[1].id)), (None, to(2)));
    }

    #[test]
    fn what_a_source_tells_twice_is_kept_once() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let told = [
            fact(1, Some("sendgrid"), Some("ev-1")),
            fact(2, Some("sendgrid"), Some("ev-1")),
            fact(3, None, None),
            fact(4, None, None),
        ];
        let new = tx.insert_facts(&told).expect("inserts");
        assert_eq!(new, [1, 3, 4].map(FactId::from_u128));
        assert!(tx.insert_facts(&told).expect("inserts").is_empty(), "nor the same id");
        let elsewhere =
            Fact { source: "webhook/mailgun".to_owned(), ..fact(5, None, Some("ev-1")) };
        assert_eq!(tx.insert_facts(&[elsewhere]).expect("inserts").len(), 1, "another source");
        assert_eq!(tx.fact(FactId::from_u128(1)).expect("there"), told[0]);
        assert_eq!(code(tx.fact(FactId::from_u128(2))), "not-found");
    }

    #[test]
    fn facts_are_paged_from_the_newest_by_vendor_and_kind() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let mut facts: Vec<_> = (1..=5).map(|n| fact(n, Some("sendgrid"), None)).collect();
        facts.push(fact(6, Some("mailgun"), None));
        tx.insert_facts(&facts).expect("inserts");
        let page = |filter, before: Option<u128>, rows| -> Vec<u128> {
            let before = before.map(FactId::from_u128);
            let page = tx.facts(filter, before, rows).expect("pages");
            page.iter().map(|fact| fact.id.to_u128()).collect()
        };
        let sendgrid = vendor_name("sendgrid");
        let of = |vendor, kind| FactFilter { vendor, kind };
        assert_eq!(page(FactFilter::default(), None, 2), [6, 5]);
        assert_eq!(page(of(Some(&sendgrid), None), Some(5), 2), [4, 3]);
        assert_eq!(page(of(Some(&sendgrid), Some("vendor-event")), Some(2), 9), [1]);
        assert_eq!(page(of(None, Some("vendor-event")), Some(6), 1), [5]);
        assert!(page(of(None, Some("canary-mail")), None, 9).is_empty());
        let counts = tx.fact_counts().expect("counts");
        let counted: Vec<_> = counts.iter().map(|count| count.facts).collect();
        assert_eq!(counted, [1, 5]);
    }
}
