//! Workloads: the company's own programs. Their tokens are in `tokens`.

use model::{Workload, WorkloadName};

use crate::columns::{Document, bind};
use crate::engine::Tx;
use crate::error::Refused;

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
}

#[cfg(test)]
mod tests {
    use model::WorkloadId;
    use model::id::Id;

    use super::*;
    use crate::testing::{START, Scratch, code};

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
}
