//! The audit log: what operators and the system did, append-only, each entry with the hash of the
//! one before. Signs nothing; a signed head (a checkpoint) comes from outside and is kept here.
//!
//! `hash` is SHA-256 over `cordon-audit-1`, then `seq` and `at` as 8 bytes each, little-endian,
//! then `actor`, `verb`, `subject`, `detail` and `prev_hash`, each after its length as 8 bytes,
//! little-endian. `prev_hash` of the first entry is 32 zeros. Lengths keep two fields from running
//! together, so that no other entry has the same bytes.

use model::{Timestamp, crypto};
use serde::Serialize;

use crate::columns::{Document, bind};
use crate::engine::{Row, Tx};
use crate::error::Refused;

/// One act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// 1, 2, 3, … without a gap.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who: an operator, or a part of the system.
    pub actor: String,
    /// What was done, in the past tense.
    pub verb: String,
    /// The id or name of what it was done to.
    pub subject: String,
    /// What else is worth keeping; no personal data.
    pub detail: Document,
    /// The hash of the entry before.
    pub prev_hash: [u8; 32],
    /// The hash of this entry.
    pub hash: [u8; 32],
}

/// The end of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditHead {
    /// The number of its last entry; 0 when there is none.
    pub seq: u64,
    /// The hash of it; zeros when there is none.
    pub hash: [u8; 32],
}

/// A head that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditCheckpoint {
    /// What was signed.
    pub head: AuditHead,
    /// The signature, which the caller made and checks.
    pub signature: Vec<u8>,
    /// When.
    pub at: Timestamp,
}

/// The log is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditVerified {
    /// How many entries were checked.
    pub entries: u64,
    /// Where the log ends.
    pub head: AuditHead,
}

/// The log is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("the audit log is broken at entry {seq}: {why}")]
pub struct AuditBroken {
    /// The first entry that is wrong.
    pub seq: u64,
    /// What is wrong with it.
    pub why: &'static str,
}

impl AuditHead {
    /// The head of a log without entries.
    pub const EMPTY: Self = Self { seq: 0, hash: [0; 32] };
}

impl AuditEntry {
    /// The hash that this entry must have.
    pub fn reckon(&self) -> [u8; 32] {
        let mut bytes = b"cordon-audit-1".to_vec();
        bytes.extend(self.seq.to_le_bytes());
        bytes.extend(self.at.micros().to_le_bytes());
        let texts = [&self.actor, &self.verb, &self.subject].map(|text| text.as_bytes());
        for part in [texts.as_slice(), &[self.detail.as_str().as_bytes(), &self.prev_hash]].concat()
        {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part);
        }
        crypto::sha256(&bytes)
    }

    /// What is wrong with this entry, if it is to follow `before`.
    fn wrong_after(&self, before: AuditHead) -> Option<AuditBroken> {
        let seq = before.seq + 1;
        let broken = |why| Some(AuditBroken { seq, why });
        if self.seq != seq {
            return broken("it is missing");
        }
        if self.prev_hash != before.hash {
            return broken("it does not follow from the entry before");
        }
        if self.hash != self.reckon() {
            return broken("its content is not what was hashed");
        }
        None
    }
}

const ENTRY: &str = "SELECT seq, at, actor, verb, subject, detail, prev_hash, hash FROM audit_log";

impl Tx<'_> {
    /// Adds an act to the log. Call it in the change that it speaks of: both are kept, or neither.
    ///
    /// # Errors
    /// When the detail has no JSON form; faults.
    pub fn audit(
        &self,
        actor: &str,
        verb: &str,
        subject: &str,
        detail: &impl Serialize,
    ) -> anyhow::Result<()> {
        let head = self.audit_head()?;
        let mut entry = AuditEntry {
            seq: head.seq + 1,
            at: self.world.now(),
            actor: actor.to_owned(),
            verb: verb.to_owned(),
            subject: subject.to_owned(),
            detail: Document::of(detail)?,
            prev_hash: head.hash,
            hash: [0; 32],
        };
        entry.hash = entry.reckon();
        self.execute(
            "INSERT INTO audit_log (seq, at, actor, verb, subject, detail, prev_hash, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            bind![
                entry.seq,
                entry.at,
                &entry.actor,
                &entry.verb,
                &entry.subject,
                &entry.detail,
                &entry.prev_hash,
                &entry.hash
            ],
        )
        .map(drop)
    }

    /// Where the log ends.
    ///
    /// # Errors
    /// Faults only.
    pub fn audit_head(&self) -> anyhow::Result<AuditHead> {
        let head = self.one(
            "SELECT seq, hash FROM audit_log ORDER BY seq DESC LIMIT 1",
            bind![],
            |row| Ok(AuditHead { seq: row.get(0)?, hash: row.get(1)? }),
        )?;
        Ok(head.unwrap_or(AuditHead::EMPTY))
    }

    /// Reckons every entry from number `from` on (1 is all) against the one before, and every
    /// checkpoint from there on against its entry. The outer error is «could not tell».
    ///
    /// # Errors
    /// Faults; the inner one names the first entry that is wrong.
    pub fn verify_audit(&self, from: u64) -> anyhow::Result<Result<AuditVerified, AuditBroken>> {
        let before = from.max(1) - 1;
        let mut head = match self.audit_entry(before)? {
            Some(entry) => AuditHead { seq: entry.seq, hash: entry.hash },
            None if before == 0 => AuditHead::EMPTY,
            None => return Ok(Err(AuditBroken { seq: before, why: "it is missing" })),
        };
        let mut broken = None;
        let sql = format!("{ENTRY} WHERE seq > ?1 ORDER BY seq");
        self.visit(&sql, bind![before], |row| {
            if broken.is_none() {
                let entry = entry(row)?;
                broken = entry.wrong_after(head);
                head = AuditHead { seq: entry.seq, hash: entry.hash };
            }
            Ok(())
        })?;
        if broken.is_none() {
            broken = self.broken_checkpoint(before)?;
        }
        Ok(match broken {
            Some(broken) => Err(broken),
            None => Ok(AuditVerified { entries: head.seq - before, head }),
        })
    }

    /// The first checkpoint after `before` whose entry is gone or has another hash: the log was cut
    /// off or written anew.
    fn broken_checkpoint(&self, before: u64) -> anyhow::Result<Option<AuditBroken>> {
        self.one(
            "SELECT c.seq FROM audit_checkpoints AS c LEFT JOIN audit_log AS l ON l.seq = c.seq
             WHERE c.seq > ?1 AND (l.hash IS NULL OR l.hash <> c.head) ORDER BY c.seq LIMIT 1",
            bind![before],
            |row| Ok(AuditBroken { seq: row.get(0)?, why: "a checkpoint says otherwise" }),
        )
    }

    /// The entry of this number, if there is one.
    ///
    /// # Errors
    /// Faults only.
    pub fn audit_entry(&self, seq: u64) -> anyhow::Result<Option<AuditEntry>> {
        self.one(&format!("{ENTRY} WHERE seq = ?1"), bind![seq], entry)
    }

    /// At most `rows` entries, the newest first, beginning after number `before`.
    ///
    /// # Errors
    /// Faults only.
    pub fn audit_page(&self, before: Option<u64>, rows: usize) -> anyhow::Result<Vec<AuditEntry>> {
        let sql = format!("{ENTRY} WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2");
        self.all(&sql, bind![before.unwrap_or(u64::MAX), rows as u64], entry)
    }

    /// At most `rows` entries about one subject, the newest first.
    ///
    /// # Errors
    /// Faults only.
    pub fn audit_of(&self, subject: &str, rows: usize) -> anyhow::Result<Vec<AuditEntry>> {
        let sql = format!("{ENTRY} WHERE subject = ?1 ORDER BY seq DESC LIMIT ?2");
        self.all(&sql, bind![subject, rows as u64], entry)
    }

    /// Shows every entry from number `from` on, in order, for an export.
    ///
    /// # Errors
    /// What `visit` returned; faults.
    pub fn visit_audit(
        &self,
        from: u64,
        mut visit: impl FnMut(AuditEntry) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let sql = format!("{ENTRY} WHERE seq >= ?1 ORDER BY seq");
        self.visit(&sql, bind![from], |row| visit(entry(row)?))
    }

    /// Keeps a signed head.
    ///
    /// # Errors
    /// [`Refused::Stale`] when the log has no such entry with that hash, [`Refused::Exists`] when
    /// that head was signed before.
    pub fn insert_audit_checkpoint(&self, checkpoint: &AuditCheckpoint) -> anyhow::Result<()> {
        let head = checkpoint.head;
        if self.audit_entry(head.seq)?.is_none_or(|entry| entry.hash != head.hash) {
            return Err(Refused::stale("audit log entry", head.seq));
        }
        let inserted = self.execute(
            "INSERT INTO audit_checkpoints (seq, head, signature, at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
            bind![head.seq, &head.hash, checkpoint.signature.as_slice(), checkpoint.at],
        )?;
        if inserted == 1 { Ok(()) } else { Err(Refused::exists("audit checkpoint", head.seq)) }
    }

    /// Every signed head, the newest first.
    ///
    /// # Errors
    /// Faults only.
    pub fn audit_checkpoints(&self) -> anyhow::Result<Vec<AuditCheckpoint>> {
        self.all(
            "SELECT seq, head, signature, at FROM audit_checkpoints ORDER BY seq DESC",
            bind![],
            |row| {
                Ok(AuditCheckpoint {
                    head: AuditHead { seq: row.get(0)?, hash: row.get(1)? },
                    signature: row.get(2)?,
                    at: row.get(3)?,
                })
            },
        )
    }
}

fn entry(row: &Row<'_>) -> anyhow::Result<AuditEntry> {
    Ok(AuditEntry {
        seq: row.get(0)?,
        at: row.get(1)?,
        actor: row.get(2)?,
        verb: row.get(3)?,
        subject: row.get(4)?,
        detail: row.get(5)?,
        prev_hash: row.get(6)?,
        hash: row.get(7)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{START, Scratch, code};

    const UNGUARD: &str = "DROP TRIGGER audit_log_forbids_UPDATE;
                           DROP TRIGGER audit_log_forbids_DELETE;";

    /// A log of five acts, a minute apart.
    fn log() -> Scratch {
        let scratch = Scratch::new();
        for (number, verb) in ["opened", "cut", "scoped", "told", "closed"].iter().enumerate() {
            let detail = json!({ "number": number });
            scratch.tx().audit("operator/ann", verb, "inc_1", &detail).expect("writes");
            scratch.clock.advance_seconds(60);
        }
        scratch
    }

    fn verdict(scratch: &Scratch, from: u64) -> Result<AuditVerified, AuditBroken> {
        scratch.tx().verify_audit(from).expect("can tell")
    }

    #[test]
    fn a_log_that_was_not_touched_is_whole_from_any_entry_on() {
        let scratch = log();
        let head = scratch.tx().audit_head().expect("reads");
        assert_eq!(head.seq, 5);
        assert_eq!(verdict(&scratch, 1), Ok(AuditVerified { entries: 5, head }));
        assert_eq!(verdict(&scratch, 4), Ok(AuditVerified { entries: 2, head }));
        assert_eq!(verdict(&scratch, 6), Ok(AuditVerified { entries: 0, head }));
        assert_eq!(verdict(&scratch, 9).map_err(|broken| broken.seq), Err(8));
        let empty = AuditVerified { entries: 0, head: AuditHead::EMPTY };
        assert_eq!(verdict(&Scratch::new(), 1), Ok(empty));
    }

    #[test]
    fn the_engine_forbids_changing_and_deleting_entries() {
        let scratch = log();
        let tx = scratch.tx();
        assert!(tx.execute("UPDATE audit_log SET actor = 'eve'", &[]).is_err());
        assert!(tx.execute("DELETE FROM audit_log WHERE seq = 5", &[]).is_err());
        assert!(tx.execute("REPLACE INTO audit_log SELECT * FROM audit_log", &[]).is_err());
        assert_eq!(tx.audit_head().expect("reads").seq, 5);
    }

    #[test]
    fn tampering_around_the_engine_is_found_at_its_entry() {
        let changes = [
            ("UPDATE audit_log SET actor = 'operator/eve' WHERE seq = 3", 3),
            ("UPDATE audit_log SET at = at + 1 WHERE seq = 1", 1),
            ("UPDATE audit_log SET detail = '{}' WHERE seq = 5", 5),
            ("UPDATE audit_log SET verb = 'tol', subject = 'dinc_1' WHERE seq = 4", 4),
            ("UPDATE audit_log SET hash = zeroblob(32) WHERE seq = 2", 2),
            ("UPDATE audit_log SET prev_hash = zeroblob(32) WHERE seq = 2", 2),
            ("DELETE FROM audit_log WHERE seq = 2", 2),
            ("DELETE FROM audit_log WHERE seq = 1", 1),
            (
                "DELETE FROM audit_log WHERE seq = 3;
                 UPDATE audit_log SET seq = seq - 1 WHERE seq > 3",
                3,
            ),
        ];
        for (change, seq) in changes {
            let scratch = log();
            scratch.connection.tamper(UNGUARD);
            scratch.connection.tamper(change);
            assert_eq!(verdict(&scratch, 1).map_err(|broken| broken.seq), Err(seq), "{change}");
        }
    }

    #[test]
    fn an_entry_that_was_hashed_anew_breaks_the_one_after_it() {
        let scratch = log();
        let tx = scratch.tx();
        let mut forged = tx.audit_entry(2).expect("reads").expect("there");
        forged.actor = "operator/eve".to_owned();
        scratch.connection.tamper(UNGUARD);
        tx.execute(
            "UPDATE audit_log SET actor = ?2, hash = ?3 WHERE seq = ?1",
            bind![forged.seq, &forged.actor, &forged.reckon()],
        )
        .expect("nothing guards it");
        assert_eq!(verdict(&scratch, 1).map_err(|broken| broken.seq), Err(3));
    }

    #[test]
    fn a_log_that_was_cut_off_disagrees_with_its_checkpoint() {
        let scratch = log();
        let tx = scratch.tx();
        let head = tx.audit_head().expect("reads");
        let checkpoint = AuditCheckpoint { head, signature: vec![1], at: START };
        tx.insert_audit_checkpoint(&checkpoint).expect("as it is");
        assert_eq!(code(tx.insert_audit_checkpoint(&checkpoint)), "exists");
        let wrong = AuditHead { hash: [1; 32], seq: 4 };
        let wrong = AuditCheckpoint { head: wrong, ..checkpoint.clone() };
        assert_eq!(code(tx.insert_audit_checkpoint(&wrong)), "stale");
        assert_eq!(tx.audit_checkpoints().expect("lists"), [checkpoint]);

        scratch.connection.tamper(UNGUARD);
        scratch.connection.tamper("DELETE FROM audit_log WHERE seq = 5");
        assert_eq!(verdict(&scratch, 1).map_err(|broken| broken.seq), Err(5));
        tx.audit("operator/eve", "closed", "inc_1", &json!({})).expect("writes it anew");
        assert_eq!(verdict(&scratch, 1).map_err(|broken| broken.seq), Err(5));
    }

    #[test]
    fn entries_are_listed_from_the_newest_and_by_subject() {
        let scratch = log();
        let tx = scratch.tx();
        tx.audit("system", "sealed", "ledger", &json!({})).expect("writes");
        let numbers = |entries: Vec<AuditEntry>| -> Vec<u64> {
            entries.into_iter().map(|entry| entry.seq).collect()
        };
        assert_eq!(numbers(tx.audit_page(None, 2).expect("pages")), [6, 5]);
        assert_eq!(numbers(tx.audit_page(Some(5), 9).expect("pages")), [4, 3, 2, 1]);
        assert_eq!(numbers(tx.audit_of("ledger", 9).expect("lists")), [6]);
        assert_eq!(numbers(tx.audit_of("inc_1", 1).expect("lists")), [5]);
        let mut visited = Vec::new();
        tx.visit_audit(5, |entry| {
            visited.push(entry.seq);
            Ok(())
        })
        .expect("visits");
        assert_eq!(visited, [5, 6]);
        let second = tx.audit_entry(2).expect("reads").expect("there");
        assert_eq!((second.verb.as_str(), second.at), ("cut", START.plus_seconds(60)));
        assert_eq!(second.detail.as_str(), r#"{"number":1}"#);
    }

    #[test]
    fn the_encoding_that_is_hashed_does_not_change() {
        let entry = AuditEntry {
            seq: 1,
            at: START,
            actor: "operator/ann".to_owned(),
            verb: "vendor-cut".to_owned(),
            subject: "sendgrid".to_owned(),
            detail: Document::of(&json!({ "to": "stop" })).expect("JSON"),
            prev_hash: [0; 32],
            hash: [0; 32],
        };
        let mut bytes = b"cordon-audit-1".to_vec();
        bytes.extend(1u64.to_le_bytes());
        bytes.extend(1_770_256_800_000_000i64.to_le_bytes());
        for text in ["operator/ann", "vendor-cut", "sendgrid", r#"{"to":"stop"}"#] {
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes.extend(32u64.to_le_bytes());
        bytes.extend([0; 32]);
        assert_eq!(entry.reckon(), crypto::sha256(&bytes));
    }
}
