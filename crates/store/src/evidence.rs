//! Evidence: bytes as they were taken, sealed by the caller, with the digest of the plain ones.

use model::{EvidenceId, IncidentId, Timestamp};

use crate::columns::{Sealed, bind};
use crate::engine::{Row, Tx};
use crate::error::Refused;

/// What is known of a piece of evidence, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Its id.
    pub id: EvidenceId,
    /// The incident that it belongs to, once there is one.
    pub incident: Option<IncidentId>,
    /// What it is, such as `canary-mail.eml`; no personal data.
    pub name: String,
    /// SHA-256 of the plain bytes.
    pub sha256: [u8; 32],
    /// How many plain bytes there are.
    pub size: u64,
    /// Who took it: an operator, or a part of the system.
    pub taken_by: String,
    /// When.
    pub taken_at: Timestamp,
}

const EVIDENCE: &str = "SELECT id, incident, name, sha256, size, taken_by, taken_at FROM evidence";

impl Tx<'_> {
    /// Keeps a piece of evidence with its sealed bytes.
    ///
    /// # Errors
    /// [`Refused::Exists`], or [`Refused::NotFound`] when it names an incident that is not there.
    pub fn insert_evidence(&self, evidence: &Evidence, sealed: &[u8]) -> anyhow::Result<()> {
        evidence.incident.map(|incident| self.incident(incident)).transpose()?;
        let inserted = self.execute(
            "INSERT INTO evidence (id, incident, name, sha256, size, sealed, taken_by, taken_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
            bind![
                evidence.id,
                evidence.incident,
                &evidence.name,
                &evidence.sha256,
                evidence.size,
                sealed,
                &evidence.taken_by,
                evidence.taken_at
            ],
        )?;
        if inserted == 1 { Ok(()) } else { Err(Refused::exists("evidence", evidence.id)) }
    }

    /// Makes a piece of evidence part of an incident. It never moves from one to another.
    ///
    /// # Errors
    /// [`Refused::NotFound`]; [`Refused::Stale`] when it belongs to another incident.
    pub fn link_evidence(&self, id: EvidenceId, incident: IncidentId) -> anyhow::Result<()> {
        self.incident(incident)?;
        let changed = self.execute(
            "UPDATE evidence SET incident = ?2
             WHERE id = ?1 AND (incident IS NULL OR incident = ?2)",
            bind![id, incident],
        )?;
        if changed == 1 {
            return Ok(());
        }
        self.evidence(id)?;
        Err(Refused::stale("evidence", id))
    }

    /// What is known of this piece of evidence.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn evidence(&self, id: EvidenceId) -> anyhow::Result<Evidence> {
        self.one(&format!("{EVIDENCE} WHERE id = ?1"), bind![id], evidence)?
            .ok_or_else(|| Refused::not_found("evidence", id))
    }

    /// Its bytes, sealed.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn evidence_bytes(&self, id: EvidenceId) -> anyhow::Result<Sealed> {
        self.one("SELECT sealed FROM evidence WHERE id = ?1", bind![id], |row| row.get(0))?
            .ok_or_else(|| Refused::not_found("evidence", id))
    }

    /// The evidence of an incident, in the order in which it was taken.
    ///
    /// # Errors
    /// Faults only.
    pub fn evidence_of(&self, incident: IncidentId) -> anyhow::Result<Vec<Evidence>> {
        let sql = format!("{EVIDENCE} WHERE incident = ?1 ORDER BY taken_at, id");
        self.all(&sql, bind![incident], evidence)
    }

    /// The evidence whose plain bytes have this digest, the first taken first.
    ///
    /// # Errors
    /// Faults only.
    pub fn evidence_by_sha256(&self, sha256: &[u8; 32]) -> anyhow::Result<Vec<Evidence>> {
        let sql = format!("{EVIDENCE} WHERE sha256 = ?1 ORDER BY taken_at, id");
        self.all(&sql, bind![sha256], evidence)
    }
}

fn evidence(row: &Row<'_>) -> anyhow::Result<Evidence> {
    Ok(Evidence {
        id: row.get(0)?,
        incident: row.get(1)?,
        name: row.get(2)?,
        sha256: row.get(3)?,
        size: row.get(4)?,
        taken_by: row.get(5)?,
        taken_at: row.get(6)?,
    })
}

#[cfg(test)]
mod tests {
    use model::id::Id;

    use super::*;
    use crate::testing::{START, Scratch, code, incident};

    #[test]
    fn evidence_is_kept_before_there_is_an_incident_and_belongs_to_one_only() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let mail = Evidence {
            id: EvidenceId::from_u128(1),
            incident: None,
            name: "canary-mail.eml".to_owned(),
            sha256: [5; 32],
            size: 3,
            taken_by: "smtp/canary".to_owned(),
            taken_at: START,
        };
        tx.insert_evidence(&mail, b"sealed").expect("new");
        assert_eq!(code(tx.insert_evidence(&mail, b"sealed")), "exists");
        assert_eq!(tx.evidence(mail.id).expect("there"), mail);
        assert_eq!(tx.evidence_bytes(mail.id).expect("there").0, b"sealed");
        assert_eq!(tx.evidence_by_sha256(&[5; 32]).expect("lists"), std::slice::from_ref(&mail));

        let first = incident(&tx);
        let second = crate::IncidentRow { id: IncidentId::from_u128(2), ..first.clone() };
        tx.insert_incident(&second).expect("new");
        tx.link_evidence(mail.id, first.id).expect("free");
        tx.link_evidence(mail.id, first.id).expect("the same again");
        assert_eq!(code(tx.link_evidence(mail.id, second.id)), "stale");
        let linked = Evidence { incident: Some(first.id), ..mail };
        assert_eq!(tx.evidence_of(first.id).expect("lists"), [linked]);
        assert!(tx.evidence_of(second.id).expect("lists").is_empty());

        let missing = EvidenceId::from_u128(9);
        assert_eq!(code(tx.evidence(missing)), "not-found");
        assert_eq!(code(tx.evidence_bytes(missing)), "not-found");
        assert_eq!(code(tx.link_evidence(missing, first.id)), "not-found");
    }
}
