//! The life of workloads' tokens: made, used, rotated, ended. Holds keyed hashes only, and does not
//! know what makes a use of one suspicious.

use anyhow::Result;
use model::{Network, Timestamp, TokenId, VendorName, WorkloadName};

use crate::columns::bind;
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
    /// From which networks it may come; empty is from anywhere.
    pub networks: Vec<Network>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it opens nothing.
    pub expires_at: Option<Timestamp>,
    /// Since when another one stands in its place.
    pub rotated_at: Option<Timestamp>,
    /// Since when it opens nothing because somebody said so.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// How often.
    pub uses: u64,
}

impl Token {
    /// What it is called.
    pub fn id(&self) -> TokenId {
        TokenId::of(&self.hash)
    }

    /// Whether it opens something at this time.
    pub fn is_live(&self, at: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| at < end)
    }
}

/// A token to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The keyed hash of it, over vendor and token.
    pub hash: [u8; 32],
    /// By what it is recognised elsewhere.
    pub marks: Vec<[u8; 32]>,
    /// Who shows it.
    pub workload: WorkloadName,
    /// For which vendor.
    pub vendor: VendorName,
    /// From which networks it may come; empty is from anywhere.
    pub networks: Vec<Network>,
    /// From when on it opens nothing.
    pub expires_at: Option<Timestamp>,
}

/// Uses of one token since they were last written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenUses {
    /// Which token.
    pub token: [u8; 32],
    /// How many.
    pub uses: u64,
    /// The last one, to the minute.
    pub last_used_at: Timestamp,
    /// Networks that it had not come from before, and when it first did.
    pub origins: Vec<(Network, Timestamp)>,
}

const TOKEN: &str = "SELECT hash, workload, vendor, networks, created_at, expires_at, rotated_at,
    revoked_at, last_used_at, uses FROM tokens";

impl Tx<'_> {
    /// Records a token.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is no such workload or vendor, [`Refused::Exists`] when the
    /// hash is taken.
    pub fn insert_token(&self, new: &NewToken) -> Result<()> {
        self.workload(&new.workload)?;
        self.vendor(&new.vendor)?;
        let networks: Vec<String> = new.networks.iter().map(Network::to_string).collect();
        let inserted = self.execute(
            "INSERT INTO tokens (hash, workload, vendor, networks, created_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
            bind![
                &new.hash,
                &new.workload,
                &new.vendor,
                &networks.join(" "),
                self.world.now(),
                new.expires_at
            ],
        )?;
        if inserted != 1 {
            return Err(Refused::exists("token of", &new.workload));
        }
        for mark in &new.marks {
            self.execute(
                "INSERT INTO token_marks (mark, token) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                bind![mark, &new.hash],
            )?;
        }
        Ok(())
    }

    /// Lets every live token of a workload for a vendor end at `until`, or when it would have ended
    /// anyway; how many there were.
    ///
    /// # Errors
    /// Faults only.
    pub fn rotate_tokens(
        &self,
        workload: &WorkloadName,
        vendor: &VendorName,
        until: Timestamp,
    ) -> Result<usize> {
        self.execute(
            "UPDATE tokens SET rotated_at = COALESCE(rotated_at, ?3),
                expires_at = CASE WHEN expires_at < ?4 THEN expires_at ELSE ?4 END
             WHERE workload = ?1 AND vendor = ?2 AND revoked_at IS NULL
                AND (expires_at IS NULL OR expires_at > ?3)",
            bind![workload, vendor, self.world.now(), until],
        )
    }

    /// Revokes one token of a workload.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when the workload has no such token that is not revoked.
    pub fn revoke_token(&self, workload: &WorkloadName, token: TokenId) -> Result<Token> {
        let mut tokens = self.tokens_of(workload)?.into_iter();
        let found = tokens.find(|known| known.id() == token && known.revoked_at.is_none());
        let found = found.ok_or_else(|| Refused::not_found("token that is not revoked", token))?;
        self.execute(
            "UPDATE tokens SET revoked_at = ?2 WHERE hash = ?1",
            bind![&found.hash, self.world.now()],
        )?;
        Ok(found)
    }

    /// Every token that there was, whether it opens something or not: what the gateway loads.
    ///
    /// # Errors
    /// Faults only.
    pub fn tokens(&self) -> Result<Vec<Token>> {
        self.all(&format!("{TOKEN} ORDER BY hash"), bind![], token)
    }

    /// Every token of a workload, the oldest first.
    ///
    /// # Errors
    /// Faults only.
    pub fn tokens_of(&self, workload: &WorkloadName) -> Result<Vec<Token>> {
        let sql = format!("{TOKEN} WHERE workload = ?1 ORDER BY created_at, hash");
        self.all(&sql, bind![workload], token)
    }

    /// By what tokens are recognised: mark and token.
    ///
    /// # Errors
    /// Faults only.
    pub fn token_marks(&self) -> Result<Vec<([u8; 32], [u8; 32])>> {
        self.all("SELECT mark, token FROM token_marks ORDER BY mark", bind![], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    /// From which networks tokens have come: token, network, when it first did.
    ///
    /// # Errors
    /// Faults only.
    pub fn token_origins(&self) -> Result<Vec<([u8; 32], Network, Timestamp)>> {
        let sql = "SELECT token, network, first_used_at FROM token_origins ORDER BY token, network";
        self.all(sql, bind![], |row| {
            Ok((row.get(0)?, Network::parse(&row.get::<String>(1)?)?, row.get(2)?))
        })
    }

    /// Adds uses to what is known of tokens.
    ///
    /// # Errors
    /// Faults only; also of a token that is not there.
    pub fn add_token_uses(&self, all: &[TokenUses]) -> Result<()> {
        for used in all {
            let changed = self.execute(
                "UPDATE tokens SET uses = uses + ?2, last_used_at = ?3 WHERE hash = ?1",
                bind![&used.token, used.uses, used.last_used_at],
            )?;
            anyhow::ensure!(changed == 1, "uses of a token that is not there");
            for (network, first_used_at) in &used.origins {
                self.execute(
                    "INSERT INTO token_origins (token, network, first_used_at)
                     VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                    bind![&used.token, &network.to_string(), *first_used_at],
                )?;
            }
        }
        Ok(())
    }
}

fn token(row: &Row<'_>) -> Result<Token> {
    let networks: String = row.get(3)?;
    let networks = networks.split_whitespace().map(Network::parse);
    Ok(Token {
        hash: row.get(0)?,
        workload: row.get(1)?,
        vendor: row.get(2)?,
        networks: networks.collect::<Result<_, _>>()?,
        created_at: row.get(4)?,
        expires_at: row.get(5)?,
        rotated_at: row.get(6)?,
        revoked_at: row.get(7)?,
        last_used_at: row.get(8)?,
        uses: row.get(9)?,
    })
}

#[cfg(test)]
mod tests {
    use model::id::Id as _;
    use model::{Workload, WorkloadId};

    use super::*;
    use crate::testing::{START, Scratch, code, vendor, vendor_name};

    fn shop() -> Workload {
        Workload {
            id: WorkloadId::from_u128(1),
            name: WorkloadName::parse("shop").expect("a name"),
            grants: Vec::new(),
            mode: None,
            created_at: START,
        }
    }

    fn new(number: u8) -> NewToken {
        NewToken {
            hash: [number; 32],
            marks: vec![[number + 100; 32]],
            workload: shop().name,
            vendor: vendor_name("sendgrid"),
            networks: Vec::new(),
            expires_at: None,
        }
    }

    /// A store with the workload and the vendor of [`new`].
    fn scratch() -> Scratch {
        let scratch = Scratch::new();
        scratch.tx().insert_workload(&shop()).expect("new");
        scratch.tx().insert_vendor(&vendor(1, "sendgrid"), None).expect("new");
        scratch
    }

    fn only(tx: &Tx<'_>, number: u8) -> Token {
        let mut tokens = tx.tokens().expect("lists");
        tokens.retain(|token| token.hash == [number; 32]);
        tokens.pop().expect("it is there")
    }

    #[test]
    fn a_token_is_of_a_workload_and_a_vendor_and_its_hash_is_taken() {
        let empty = Scratch::new();
        assert_eq!(code(empty.tx().insert_token(&new(1))), "not-found");
        empty.tx().insert_workload(&shop()).expect("new");
        assert_eq!(code(empty.tx().insert_token(&new(1))), "not-found");

        let scratch = scratch();
        let tx = scratch.tx();
        let networks = ["10.0.0.0/8", "2001:db8::/32"].map(|net| Network::parse(net).expect(net));
        let expires_at = Some(START.plus_seconds(60));
        let token = NewToken { networks: networks.into(), expires_at, ..new(1) };
        tx.insert_token(&token).expect("new");
        assert_eq!(code(tx.insert_token(&new(1))), "exists");
        let kept = only(&tx, 1);
        assert_eq!((kept.networks, kept.expires_at), (token.networks, expires_at));
        assert_eq!((kept.uses, kept.last_used_at, kept.created_at), (0, None, START));
        assert_eq!(tx.token_marks().expect("lists"), [([101; 32], [1; 32])]);
    }

    #[test]
    fn a_rotated_token_ends_after_the_grace_or_earlier_if_it_would_have() {
        let scratch = scratch();
        let tx = scratch.tx();
        let (soon, later) = (START.plus_seconds(60), START.plus_seconds(3_600));
        tx.insert_token(&new(1)).expect("new");
        tx.insert_token(&NewToken { expires_at: Some(soon), ..new(2) }).expect("new");
        tx.insert_token(&NewToken { expires_at: Some(START), ..new(3) }).expect("new");
        assert_eq!(tx.rotate_tokens(&shop().name, &new(1).vendor, later).expect("runs"), 2);
        assert_eq!(only(&tx, 1).expires_at, Some(later));
        assert_eq!(only(&tx, 2).expires_at, Some(soon));
        assert_eq!(only(&tx, 3).rotated_at, None, "it had ended");
        assert!(only(&tx, 1).is_live(soon) && !only(&tx, 1).is_live(later));

        scratch.clock.advance_seconds(30);
        let now = START.plus_seconds(30);
        assert_eq!(tx.rotate_tokens(&shop().name, &new(1).vendor, now).expect("runs"), 2);
        let first = only(&tx, 1);
        assert_eq!((first.rotated_at, first.expires_at), (Some(START), Some(now)));
    }

    #[test]
    fn a_revoked_token_is_still_known_and_is_revoked_once() {
        let scratch = scratch();
        let tx = scratch.tx();
        tx.insert_token(&new(1)).expect("new");
        scratch.clock.advance_seconds(60);
        let id = TokenId::of(&[1; 32]);
        assert_eq!(tx.revoke_token(&shop().name, id).expect("there").hash, [1; 32]);
        assert_eq!(code(tx.revoke_token(&shop().name, id)), "not-found");
        assert_eq!(only(&tx, 1).revoked_at, Some(START.plus_seconds(60)));
        assert!(!only(&tx, 1).is_live(START.plus_seconds(60)));
        assert_eq!(tx.tokens_of(&shop().name).expect("lists").len(), 1);
    }

    #[test]
    fn uses_add_up_and_a_network_keeps_its_first_time() {
        let scratch = scratch();
        let tx = scratch.tx();
        tx.insert_token(&new(1)).expect("new");
        let home = Network::parse("192.0.2.0/24").expect("a network");
        let uses = |last_used_at: Timestamp| TokenUses {
            token: [1; 32],
            uses: 3,
            last_used_at,
            origins: vec![(home, last_used_at)],
        };
        tx.add_token_uses(&[uses(START)]).expect("adds");
        tx.add_token_uses(&[uses(START.plus_seconds(60))]).expect("adds");
        let used = only(&tx, 1);
        assert_eq!((used.uses, used.last_used_at), (6, Some(START.plus_seconds(60))));
        assert_eq!(tx.token_origins().expect("lists"), [([1; 32], home, START)]);
        let unknown = TokenUses { token: [9; 32], ..uses(START) };
        assert!(tx.add_token_uses(&[unknown]).is_err(), "counts of nothing are a fault");
    }
}
