//! Findings: one row per key, which more evidence strengthens. Does not know how they are concluded.

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
    /// Records a conclusion: as a new row, or as more evidence of the row with the same key. When the
    /// grade goes up, an acknowledgement no longer stands: it was given for less.
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
