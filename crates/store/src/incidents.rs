//! Incidents: a document whose rules another crate knows, with what queries need beside it.

use model::{IncidentId, Timestamp, VendorName};

use crate::columns::{Document, bind};
use crate::engine::{Row, Tx};
use crate::error::Refused;

/// An incident as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentRow {
    /// Its id.
    pub id: IncidentId,
    /// The breached vendor.
    pub vendor: VendorName,
    /// The name of its state.
    pub state: String,
    /// Whether anything is still to be done.
    pub open: bool,
    /// Goes up with each change; 1 after [`Tx::insert_incident`], whatever stands here.
    pub version: u64,
    /// When it was declared.
    pub created_at: Timestamp,
    /// The whole of it.
    pub document: Document,
}

const INCIDENT: &str =
    "SELECT id, vendor, state, is_open, version, created_at, document FROM incidents";

impl Tx<'_> {
    /// Keeps a new incident, as version 1.
    ///
    /// # Errors
    /// [`Refused::Exists`], or [`Refused::NotFound`] when there is no such vendor.
    pub fn insert_incident(&self, incident: &IncidentRow) -> anyhow::Result<()> {
        self.vendor(&incident.vendor)?;
        let inserted = self.execute(
            "INSERT INTO incidents (id, vendor, state, is_open, version, created_at, document)
             VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6) ON CONFLICT DO NOTHING",
            bind![
                incident.id,
                &incident.vendor,
                &incident.state,
                incident.open,
                incident.created_at,
                &incident.document
            ],
        )?;
        if inserted == 1 { Ok(()) } else { Err(Refused::exists("incident", incident.id)) }
    }

    /// Replaces state and document of the incident whose version is still `incident.version`;
    /// returns the version that it has now.
    ///
    /// # Errors
    /// [`Refused::Stale`] when somebody else changed it since it was read, or it is not there.
    pub fn update_incident(&self, incident: &IncidentRow) -> anyhow::Result<u64> {
        let version = self.one(
            "UPDATE incidents SET state = ?3, is_open = ?4, document = ?5, version = version + 1
             WHERE id = ?1 AND version = ?2 RETURNING version",
            bind![
                incident.id,
                incident.version,
                &incident.state,
                incident.open,
                &incident.document
            ],
            |row| row.get(0),
        )?;
        version.ok_or_else(|| Refused::stale("incident", incident.id))
    }

    /// The incident of this id.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn incident(&self, id: IncidentId) -> anyhow::Result<IncidentRow> {
        self.one(&format!("{INCIDENT} WHERE id = ?1"), bind![id], incident)?
            .ok_or_else(|| Refused::not_found("incident", id))
    }

    /// At most `rows` incidents, the newest first.
    ///
    /// # Errors
    /// Faults only.
    pub fn incidents(&self, rows: usize) -> anyhow::Result<Vec<IncidentRow>> {
        let sql = format!("{INCIDENT} ORDER BY created_at DESC, id DESC LIMIT ?1");
        self.all(&sql, bind![rows as u64], incident)
    }

    /// Every incident in which something is still to be done, the oldest first.
    ///
    /// # Errors
    /// Faults only.
    pub fn open_incidents(&self) -> anyhow::Result<Vec<IncidentRow>> {
        let sql = format!("{INCIDENT} WHERE is_open = 1 ORDER BY created_at, id");
        self.all(&sql, bind![], incident)
    }

    /// The open incident of a vendor, if there is one; the newest should there be more.
    ///
    /// # Errors
    /// Faults only.
    pub fn open_incident_of(&self, vendor: &VendorName) -> anyhow::Result<Option<IncidentRow>> {
        let sql = format!(
            "{INCIDENT} WHERE vendor = ?1 AND is_open = 1 ORDER BY created_at DESC, id DESC LIMIT 1"
        );
        self.one(&sql, bind![vendor], incident)
    }
}

fn incident(row: &Row<'_>) -> anyhow::Result<IncidentRow> {
    Ok(IncidentRow {
        id: row.get(0)?,
        vendor: row.get(1)?,
        state: row.get(2)?,
        open: row.get(3)?,
        version: row.get(4)?,
        created_at: row.get(5)?,
        document: row.get(6)?,
    })
}

#[cfg(test)]
mod tests {
    use model::id::Id;

    use super::*;
    use crate::testing::{START, Scratch, code, incident, vendor_name};

    #[test]
    fn who_changes_an_incident_must_have_read_its_last_version() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let read = incident(&tx);
        let closed = IncidentRow {
            state: "closed".to_owned(),
            open: false,
            document: Document::of(&"done").expect("JSON"),
            ..read.clone()
        };
        assert_eq!(tx.update_incident(&closed).expect("as read"), 2);
        assert_eq!(code(tx.update_incident(&read)), "stale");
        let kept = tx.incident(read.id).expect("there");
        assert_eq!(kept, IncidentRow { version: 2, ..closed });
        assert_eq!(kept.document.read::<String>().expect("a text"), "done");
    }

    #[test]
    fn a_vendor_has_its_newest_open_incident_or_none() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let first = incident(&tx);
        let sendgrid = vendor_name("sendgrid");
        let second = IncidentRow {
            id: IncidentId::from_u128(2),
            created_at: START.plus_seconds(1),
            ..first.clone()
        };
        tx.insert_incident(&second).expect("new");
        assert_eq!(tx.open_incident_of(&sendgrid).expect("runs"), Some(second.clone()));
        assert_eq!(tx.open_incidents().expect("lists"), [first.clone(), second.clone()]);
        tx.update_incident(&IncidentRow { open: false, ..second.clone() }).expect("as read");
        assert_eq!(tx.open_incident_of(&sendgrid).expect("runs"), Some(first.clone()));
        tx.update_incident(&IncidentRow { open: false, ..first.clone() }).expect("as read");
        assert_eq!(tx.open_incident_of(&sendgrid).expect("runs"), None);
        let ids: Vec<_> = tx.incidents(9).expect("lists").iter().map(|row| row.id).collect();
        assert_eq!(ids, [second.id, first.id]);
        assert_eq!(code(tx.insert_incident(&first)), "exists");
        let elsewhere = IncidentRow { vendor: vendor_name("twilio"), ..first };
        assert_eq!(code(tx.insert_incident(&elsewhere)), "not-found");
        assert_eq!(code(tx.incident(IncidentId::from_u128(9))), "not-found");
    }
}
