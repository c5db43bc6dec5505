//! Findings: one row per key, which more evidence strengthens. Does not know how they are
//! concluded.

use model::{Finding, FindingId, IncidentId, OperatorName, Timestamp};

use crate::columns::{Document, bind};
use crate::engine::{Row, Tx};
use crate::error::Refused;

/// A finding with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingRow {
    /// The finding, with all its evidence so far.
    pub finding: Finding,
    /// When it was first concluded.
    pub found_at: Timestamp,
    /// When evidence was last added.
    pub strengthened_at: Timestamp,
    /// The incident that it led to or belongs to.
    pub incident: Option<IncidentId>,
    /// Who looked at it and left it at that.
    pub acknowledged_by: Option<OperatorName>,
    /// When.
    pub acknowledged_at: Option<Timestamp>,
}

/// What [`Tx::record_finding`] made of a conclusion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedFinding {
    /// The row as it stands now.
    pub row: FindingRow,
    /// Whether there was none of this key before.
    pub is_new: bool,
    /// Whether the grade went up.
    pub rose: bool,
}

const FINDING: &str = "SELECT document, found_at, strengthened_at, incident, acknowledged_by,
                              acknowledged_at FROM findings";

impl Tx<'_> {
    /// Records a conclusion: as a new row, or as more evidence of the row with the same key. When
    /// the grade goes up, an acknowledgement no longer stands: it was given for less.
    ///
    /// # Errors
    /// Faults only.
    pub fn record_finding(&self, finding: &Finding) -> anyhow::Result<RecordedFinding> {
        let now = self.world.now();
        let earlier =
            self.one(&format!("{FINDING} WHERE key = ?1"), bind![&finding.key], row_of_finding)?;
        let Some(mut row) = earlier else {
            let row = self.insert_finding(finding, now)?;
            return Ok(RecordedFinding { row, is_new: true, rose: false });
        };
        let grade = row.finding.grade;
        row.finding.strengthen(finding);
        row.strengthened_at = now;
        let rose = row.finding.grade > grade;
        if rose {
            (row.acknowledged_by, row.acknowledged_at) = (None, None);
        }
        self.execute(
            "UPDATE findings SET document = ?2, strengthened_at = ?3, acknowledged_by = ?4,
                                 acknowledged_at = ?5
             WHERE key = ?1",
            bind![
                &finding.key,
                &Document::of(&row.finding)?,
                now,
                row.acknowledged_by.as_ref(),
                row.acknowledged_at
            ],
        )?;
        Ok(RecordedFinding { row, is_new: false, rose })
    }

    /// A finding's id is made from its fact's; should two detectors conclude from one fact, the
    /// second gets an id of its own.
    fn insert_finding(&self, finding: &Finding, now: Timestamp) -> anyhow::Result<FindingRow> {
        let mut finding = finding.clone();
        let taken = "SELECT id FROM findings WHERE id = ?1";
        if self.one(taken, bind![finding.id], |row| row.get::<FindingId>(0))?.is_some() {
            finding.id = self.world.id();
        }
        self.execute(
            "INSERT INTO findings (key, id, vendor, document, found_at, strengthened_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
            bind![&finding.key, finding.id, finding.vendor.as_ref(), &Document::of(&finding)?, now],
        )?;
        Ok(FindingRow {
            finding,
            found_at: now,
            strengthened_at: now,
            incident: None,
            acknowledged_by: None,
            acknowledged_at: None,
        })
    }

    /// The finding of this id.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn finding(&self, id: FindingId) -> anyhow::Result<FindingRow> {
        self.one(&format!("{FINDING} WHERE id = ?1"), bind![id], row_of_finding)?
            .ok_or_else(|| Refused::not_found("finding", id))
    }

    /// Findings that nobody acknowledged and that belong to no incident, the newest first.
    ///
    /// # Errors
    /// Faults only.
    pub fn open_findings(&self) -> anyhow::Result<Vec<FindingRow>> {
        let sql = format!(
            "{FINDING} WHERE incident IS NULL AND acknowledged_at IS NULL
             ORDER BY found_at DESC, id DESC"
        );
        self.all(&sql, bind![], row_of_finding)
    }

    /// At most `rows` findings of any state, the newest first.
    ///
    /// # Errors
    /// Faults only.
    pub fn findings(&self, rows: usize) -> anyhow::Result<Vec<FindingRow>> {
        let sql = format!("{FINDING} ORDER BY found_at DESC, id DESC LIMIT ?1");
        self.all(&sql, bind![rows as u64], row_of_finding)
    }

    /// The findings of an incident, the oldest first.
    ///
    /// # Errors
    /// Faults only.
    pub fn findings_of(&self, incident: IncidentId) -> anyhow::Result<Vec<FindingRow>> {
        let sql = format!("{FINDING} WHERE incident = ?1 ORDER BY found_at, id");
        self.all(&sql, bind![incident], row_of_finding)
    }

    /// Makes a finding part of an incident.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn link_finding(&self, id: FindingId, incident: IncidentId) -> anyhow::Result<()> {
        let changed =
            self.execute("UPDATE findings SET incident = ?2 WHERE id = ?1", bind![id, incident])?;
        if changed == 1 { Ok(()) } else { Err(Refused::not_found("finding", id)) }
    }

    /// Records that an operator looked at a finding and left it at that.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn acknowledge_finding(&self, id: FindingId, by: &OperatorName) -> anyhow::Result<()> {
        let changed = self.execute(
            "UPDATE findings SET acknowledged_by = ?2, acknowledged_at = ?3 WHERE id = ?1",
            bind![id, by, self.world.now()],
        )?;
        if changed == 1 { Ok(()) } else { Err(Refused::not_found("finding", id)) }
    }
}

fn row_of_finding(row: &Row<'_>) -> anyhow::Result<FindingRow> {
    Ok(FindingRow {
        finding: row.get::<Document>(0)?.read()?,
        found_at: row.get(1)?,
        strengthened_at: row.get(2)?,
        incident: row.get(3)?,
        acknowledged_by: row.get(4)?,
        acknowledged_at: row.get(5)?,
    })
}

#[cfg(test)]
mod tests {
    use model::finding::Evidence;
    use model::id::Id;
    use model::{FactId, FindingGrade, Window};

    use super::*;
    use crate::testing::{START, Scratch, code, operator_name, vendor_name};

    fn finding(number: u128, key: &str, grade: FindingGrade) -> Finding {
        Finding {
            id: FindingId::from_u128(number),
            key: key.to_owned(),
            detector: "unknown-send".to_owned(),
            vendor: Some(vendor_name("sendgrid")),
            grade,
            title: format!("graded {grade}"),
            evidence: Evidence::of(FactId::from_u128(number), START),
            window: Window::default(),
            next: Vec::new(),
        }
    }

    #[test]
    fn conclusions_with_one_key_are_one_finding_that_grows() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let first = tx.record_finding(&finding(1, "k", FindingGrade::B)).expect("records");
        assert!(first.is_new && !first.rose);
        scratch.clock.advance_seconds(60);
        let second = tx.record_finding(&finding(2, "k", FindingGrade::C)).expect("records");
        assert!(!second.is_new && !second.rose);
        let row = tx.finding(FindingId::from_u128(1)).expect("there");
        assert_eq!(row, second.row);
        assert_eq!((row.finding.evidence.count, row.finding.grade), (2, FindingGrade::B));
        assert_eq!((row.found_at, row.strengthened_at), (START, START.plus_seconds(60)));
        assert_eq!(code(tx.finding(FindingId::from_u128(2))), "not-found");
    }

    #[test]
    fn an_acknowledgement_does_not_outlive_a_rise_of_the_grade() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let id =
            tx.record_finding(&finding(1, "k", FindingGrade::C)).expect("records").row.finding.id;
        tx.acknowledge_finding(id, &operator_name("ann")).expect("there");
        assert!(tx.open_findings().expect("lists").is_empty());
        tx.record_finding(&finding(2, "k", FindingGrade::C)).expect("records");
        assert!(tx.open_findings().expect("lists").is_empty(), "no stronger than before");
        assert!(tx.record_finding(&finding(3, "k", FindingGrade::A)).expect("records").rose);
        let open = tx.open_findings().expect("lists");
        assert_eq!((open[0].acknowledged_by.as_ref(), open[0].finding.evidence.count), (None, 3));
    }

    #[test]
    fn a_finding_of_an_incident_is_not_open_and_two_of_one_fact_have_two_ids() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        tx.record_finding(&finding(1, "k", FindingGrade::B)).expect("records");
        let other = tx.record_finding(&finding(1, "other", FindingGrade::B)).expect("records");
        assert_ne!(other.row.finding.id, FindingId::from_u128(1));
        let incident = IncidentId::from_u128(1);
        tx.link_finding(other.row.finding.id, incident).expect("there");
        let keys = |rows: Vec<FindingRow>| -> Vec<String> {
            rows.into_iter().map(|row| row.finding.key).collect()
        };
        assert_eq!(keys(tx.open_findings().expect("lists")), ["k"]);
        assert_eq!(keys(tx.findings_of(incident).expect("lists")), ["other"]);
        assert_eq!(tx.findings(9).expect("lists").len(), 2);
        assert_eq!(tx.findings(1).expect("lists").len(), 1);
        let missing = FindingId::from_u128(9);
        assert_eq!(code(tx.link_finding(missing, incident)), "not-found");
        assert_eq!(code(tx.acknowledge_finding(missing, &operator_name("ann"))), "not-found");
    }
}
