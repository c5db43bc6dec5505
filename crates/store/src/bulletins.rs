//! What the public was told: every published version, for ever. Drafts and approvals are the
//! incident's.

use model::{IncidentId, Timestamp};
use serde::Serialize;

use crate::columns::bind;
use crate::engine::{Row, Tx};
use crate::error::Refused;

/// A version of a bulletin as it was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bulletin {
    /// Of which incident.
    pub incident: IncidentId,
    /// The first, the second, … of that incident.
    pub number: u32,
    /// 1 at first, and one more with each correction.
    pub version: u32,
    /// Its title.
    pub title: String,
    /// Its text.
    pub text: String,
    /// When this version was published.
    pub published_at: Timestamp,
}

const BULLETIN: &str =
    "SELECT incident, number, version, title, text, published_at FROM bulletins AS b";

impl Tx<'_> {
    /// Keeps a version that is published with this. It cannot be changed or taken back any more.
    ///
    /// # Errors
    /// [`Refused::Exists`] when that version is published, [`Refused::NotFound`] when there is no
    /// such incident.
    pub fn publish_bulletin(&self, bulletin: &Bulletin) -> anyhow::Result<()> {
        self.incident(bulletin.incident)?;
        let inserted = self.execute(
            "INSERT INTO bulletins (incident, number, version, title, text, published_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
            bind![
                bulletin.incident,
                bulletin.number,
                bulletin.version,
                &bulletin.title,
                &bulletin.text,
                bulletin.published_at
            ],
        )?;
        if inserted == 1 {
            return Ok(());
        }
        let name = format!("{}/{}/{}", bulletin.incident, bulletin.number, bulletin.version);
        Err(Refused::exists("bulletin", name))
    }

    /// The newest version of at most `rows` bulletins of all incidents, the newest first: the
    /// portal.
    ///
    /// # Errors
    /// Faults only.
    pub fn bulletins(&self, rows: usize) -> anyhow::Result<Vec<Bulletin>> {
        let sql = format!(
            "{BULLETIN} WHERE version = (SELECT MAX(version) FROM bulletins
                                         WHERE incident = b.incident AND number = b.number)
             ORDER BY published_at DESC, incident DESC, number DESC LIMIT ?1"
        );
        self.all(&sql, bind![rows as u64], bulletin)
    }

    /// Every version of every bulletin of an incident: the newest bulletin first, and of each the
    /// newest version first.
    ///
    /// # Errors
    /// Faults only.
    pub fn bulletins_of(&self, incident: IncidentId) -> anyhow::Result<Vec<Bulletin>> {
        let sql = format!("{BULLETIN} WHERE incident = ?1 ORDER BY number DESC, version DESC");
        self.all(&sql, bind![incident], bulletin)
    }

    /// Every version of one bulletin, the newest first; none when it was never published.
    ///
    /// # Errors
    /// Faults only.
    pub fn bulletin_versions(
        &self,
        incident: IncidentId,
        number: u32,
    ) -> anyhow::Result<Vec<Bulletin>> {
        let sql = format!("{BULLETIN} WHERE incident = ?1 AND number = ?2 ORDER BY version DESC");
        self.all(&sql, bind![incident, number], bulletin)
    }
}

fn bulletin(row: &Row<'_>) -> anyhow::Result<Bulletin> {
    Ok(Bulletin {
        incident: row.get(0)?,
        number: row.get(1)?,
        version: row.get(2)?,
        title: row.get(3)?,
        text: row.get(4)?,
        published_at: row.get(5)?,
    })
}

#[cfg(test)]
mod tests {
    use model::id::Id;

    use super::*;
    use crate::testing::{START, Scratch, code, incident};

    #[test]
    fn every_version_stays_and_the_portal_shows_the_newest_of_each() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let incident = incident(&tx).id;
        let published = |number, version, after| Bulletin {
            incident,
            number,
            version,
            title: "mail that is not from us".to_owned(),
            text: format!("number {number}, version {version}"),
            published_at: START.plus_seconds(after),
        };
        let all = [published(1, 1, 0), published(2, 1, 10), published(1, 2, 20)];
        for bulletin in &all {
            tx.publish_bulletin(bulletin).expect("new");
        }
        let [first, second, corrected] = all;
        assert_eq!(code(tx.publish_bulletin(&first)), "exists");
        assert_eq!(tx.bulletins(9).expect("lists"), [corrected.clone(), second.clone()]);
        assert_eq!(tx.bulletins(1).expect("lists"), std::slice::from_ref(&corrected));
        let versions = tx.bulletin_versions(incident, 1).expect("lists");
        assert_eq!(versions, [corrected.clone(), first.clone()]);
        let of = tx.bulletins_of(incident).expect("lists");
        assert_eq!(of, [second.clone(), corrected, first]);
        assert!(tx.execute("DELETE FROM bulletins", &[]).is_err(), "the engine forbids it");
        assert!(tx.execute("UPDATE bulletins SET title = ''", &[]).is_err());
        let elsewhere = Bulletin { incident: IncidentId::from_u128(9), ..second };
        assert_eq!(code(tx.publish_bulletin(&elsewhere)), "not-found");
    }
}
