//! What workloads' certificates prove. Does not know how a certificate is checked.

use model::{Identity, WorkloadName};

use crate::columns::bind;
use crate::engine::Tx;
use crate::error::Refused;

impl Tx<'_> {
    /// Puts these in the place of all identities of a workload.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is no such workload, [`Refused::Exists`] when an identity
    /// is another workload's.
    pub fn set_identities(
        &self,
        workload: &WorkloadName,
        identities: &[Identity],
    ) -> anyhow::Result<()> {
        self.workload(workload)?;
        self.execute("DELETE FROM identities WHERE workload = ?1", bind![workload])?;
        for identity in identities {
            let text = identity.to_string();
            let inserted = self.execute(
                "INSERT INTO identities (identity, workload) VALUES (?1, ?2)
                 ON CONFLICT DO NOTHING",
                bind![text.as_str(), workload],
            )?;
            if inserted != 1 {
                return Err(Refused::exists("identity", identity));
            }
        }
        Ok(())
    }

    /// Every identity with its workload, by identity.
    ///
    /// # Errors
    /// Faults only.
    pub fn identities(&self) -> anyhow::Result<Vec<(Identity, WorkloadName)>> {
        self.all("SELECT identity, workload FROM identities ORDER BY identity", bind![], |row| {
            Ok((Identity::parse(&row.get::<String>(0)?)?, row.get(1)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use model::id::Id as _;
    use model::{Workload, WorkloadId};

    use super::*;
    use crate::testing::{START, Scratch, code};

    #[test]
    fn an_identity_stands_for_one_workload_and_is_replaced_with_all_others_of_it() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let name = |text: &str| WorkloadName::parse(text).expect(text);
        let identity = |text: &str| Identity::parse(text).expect(text);
        let (shop, blog) = (name("shop"), name("blog"));
        let (first, second) = (identity("spiffe://a.example/shop"), identity("dns:shop.internal"));
        assert_eq!(code(tx.set_identities(&shop, &[])), "not-found");
        for (id, name) in [(1, &shop), (2, &blog)] {
            let id = WorkloadId::from_u128(id);
            let (grants, created_at) = (Vec::new(), START);
            let workload = Workload { id, name: name.clone(), grants, mode: None, created_at };
            tx.insert_workload(&workload).expect("new");
        }
        tx.set_identities(&shop, &[first.clone(), second.clone()]).expect("free");
        assert_eq!(code(tx.set_identities(&blog, from_ref(&first))), "exists");
        tx.set_identities(&shop, from_ref(&second)).expect("its own");
        tx.set_identities(&blog, from_ref(&first)).expect("free again");
        assert_eq!(tx.identities().expect("lists"), [(second, shop), (first, blog)]);
    }
}
