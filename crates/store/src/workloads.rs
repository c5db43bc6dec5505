//! Workloads, and the tokens that they show to the gateway. Holds keyed hashes of tokens only.

use model::{Timestamp, VendorName, Workload, WorkloadName};

use crate::columns::{Document, bind};
use crate::engine::{Row, Tx};
use crate::error::Refused;

/// A workload's token for one vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The keyed hash of it, over vendor and token.
    pub hash: [u8; 32],
    /// Who shows it.
    pub workload: WorkloadName,
    /// For which vendor.
    pub vendor: VendorName,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it opens nothing. Its use after that is worth knowing.
    pub revoked_at: Option<Timestamp>,
}

const TOKEN: &str = "SELECT hash, workload, vendor, created_at, revoked_at FROM tokens";

impl Tx<'_> {
    /// Registers a workload.
    ///
    /// # Errors
    /// [`Refused::Exists`] when its name or id is taken.
    pub fn insert_workload(&self, workload: &Workload) -> anyhow::Result<()> {
        let inserted = self.execute(
            "INSERT INTO workloads (id, name, document) VALUES (?1, ?2, ?3)
             ON CONFLICT DO NOTHING",
            bind![workload.id, &workload.name, &Document::of(workload)?],
        )?;
        if inserted == 1 { Ok(()) } else { Err(Refused::exists("workload", &workload.name)) }
    }

    /// Replaces what is known of a workload; its id and name stay. Read it in the same change.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn update_workload(&self, workload: &Workload) -> anyhow::Result<()> {
        let changed = self.execute(
            "UPDATE workloads SET document = ?3 WHERE name = ?1 AND id = ?2",
            bind![&workload.name, workload.id, &Document::of(workload)?],
        )?;
        if changed == 1 { Ok(()) } else { Err(Refused::not_found("workload", &workload.name)) }
    }

    /// The workload of this name.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn workload(&self, name: &WorkloadName) -> anyhow::Result<Workload> {
        self.one("SELECT document FROM workloads WHERE name = ?1", bind![name], |row| {
            row.get::<Document>(0)?.read()
        })?
        .ok_or_else(|| Refused::not_found("workload", name))
    }

    /// Every workload, by name.
    ///
    /// # Errors
    /// Faults only.
    pub fn workloads(&self) -> anyhow::Result<Vec<Workload>> {
        self.all("SELECT document FROM workloads ORDER BY name", bind![], |row| {
            row.get::<Document>(0)?.read()
        })
    }

    /// Records a token of a workload for a vendor by its keyed hash.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is no such workload or vendor, [`Refused::Exists`] when the
    /// hash is taken.
    pub fn insert_token(
        &self,
        hash: &[u8; 32],
        workload: &WorkloadName,
        vendor: &VendorName,
    ) -> anyhow::Result<()> {
        self.workload(workload)?;
        self.vendor(vendor)?;
        let inserted = self.execute(
            "INSERT INTO tokens (hash, workload, vendor, created_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
            bind![hash, workload, vendor, self.world.now()],
        )?;
        if inserted == 1 { Ok(()) } else { Err(Refused::exists("token of", workload)) }
    }

    /// Revokes every token of a workload for a vendor; how many there were.
    ///
    /// # Errors
    /// Faults only.
    pub fn revoke_tokens(
        &self,
        workload: &WorkloadName,
        vendor: &VendorName,
    ) -> anyhow::Result<usize> {
        self.execute(
            "UPDATE tokens SET revoked_at = ?3
             WHERE workload = ?1 AND vendor = ?2 AND revoked_at IS NULL",
            bind![workload, vendor, self.world.now()],
        )
    }

    /// Every token that opens something: what the gateway loads.
    ///
    /// # Errors
    /// Faults only.
    pub fn live_tokens(&self) -> anyhow::Result<Vec<Token>> {
        self.all(&format!("{TOKEN} WHERE revoked_at IS NULL ORDER BY hash"), bind![], token)
    }

    /// The token of this hash, revoked or not, if there is one.
    ///
    /// # Errors
    /// Faults only.
    pub fn token(&self, hash: &[u8; 32]) -> anyhow::Result<Option<Token>> {
        self.one(&format!("{TOKEN} WHERE hash = ?1"), bind![hash], token)
    }

    /// Every token of a workload, the oldest first.
    ///
    /// # Errors
    /// Faults only.
    pub fn tokens_of(&self, workload: &WorkloadName) -> anyhow::Result<Vec<Token>> {
        let sql = format!("{TOKEN} WHERE workload = ?1 ORDER BY created_at, hash");
        self.all(&sql, bind![workload], token)
    }
}

fn token(row: &Row<'_>) -> anyhow::Result<Token> {
    Ok(Token {
        hash: row.get(0)?,
        workload: row.get(1)?,
        vendor: row.get(2)?,
        created_at: row.get(3)?,
        revoked_at: row.get(4)?,
    })
}

#[cfg(test)]
mod tests {
    use model::WorkloadId;
    use model::id::Id;

    use super::*;
    use crate::testing::{START, Scratch, code, vendor, vendor_name};

    fn workload(id: u128, name: &str) -> Workload {
        Workload {
            id: WorkloadId::from_u128(id),
            name: WorkloadName::parse(name).expect(name),
            grants: Vec::new(),
            mode: None,
            created_at: START,
        }
    }

    #[test]
    fn a_workload_reads_back_and_its_name_is_taken() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let mut shop = workload(1, "shop");
        tx.insert_workload(&shop).expect("new");
        assert_eq!(code(tx.insert_workload(&workload(2, "shop"))), "exists");
        shop.mode = Some(model::Mode::Report);
        tx.update_workload(&shop).expect("there");
        assert_eq!(tx.workload(&shop.name).expect("there"), shop);
        assert_eq!(code(tx.update_workload(&workload(2, "blog"))), "not-found");
        assert_eq!(tx.workloads().expect("lists"), [shop]);
    }

    #[test]
    fn a_revoked_token_is_no_longer_live_but_is_still_known() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let (shop, sendgrid) = (workload(1, "shop").name, vendor_name("sendgrid"));
        assert_eq!(code(tx.insert_token(&[1; 32], &shop, &sendgrid)), "not-found");
        tx.insert_workload(&workload(1, "shop")).expect("new");
        assert_eq!(code(tx.insert_token(&[1; 32], &shop, &sendgrid)), "not-found");
        tx.insert_vendor(&vendor(1, "sendgrid"), None).expect("new");
        tx.insert_token(&[1; 32], &shop, &sendgrid).expect("new");
        assert_eq!(code(tx.insert_token(&[1; 32], &shop, &sendgrid)), "exists");

        scratch.clock.advance_seconds(60);
        assert_eq!(tx.revoke_tokens(&shop, &sendgrid).expect("runs"), 1);
        assert_eq!(tx.revoke_tokens(&shop, &sendgrid).expect("runs"), 0);
        tx.insert_token(&[2; 32], &shop, &sendgrid).expect("new");
        let live: Vec<_> = tx.live_tokens().expect("lists").iter().map(|t| t.hash[0]).collect();
        assert_eq!(live, [2]);
        assert_eq!(tx.tokens_of(&shop).expect("lists").len(), 2);
        let revoked = tx.token(&[1; 32]).expect("runs").expect("known");
        assert_eq!((revoked.created_at, revoked.revoked_at), (START, Some(START.plus_seconds(60))));
        assert_eq!(tx.token(&[3; 32]).expect("runs"), None);
    }
}
