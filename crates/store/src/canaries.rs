//! Planted contacts: which there are, and which one an address belongs to. Knows addresses by their
//! keyed hash only.

use model::{CallId, CanaryId, IdentifierHash, ListName, Timestamp, VendorName};

use crate::columns::{Sealed, bind};
use crate::engine::{Row, Tx};
use crate::error::Refused;

/// A planted contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// Its id.
    pub id: CanaryId,
    /// Who alone was given it.
    pub vendor: VendorName,
    /// In which list, if in one.
    pub list: Option<ListName>,
    /// The week or other period that it was made for.
    pub epoch: i64,
    /// The keyed hash of its address: what incoming mail is compared with.
    pub address_hash: IdentifierHash,
    /// The address, sealed by the caller.
    pub address: Sealed,
    /// The call that planted it, once it is known.
    pub call: Option<CallId>,
    /// Taken before the call: an export before this cannot have it.
    pub planted_at: Timestamp,
    /// When the next one of the same vendor and list was planted.
    pub superseded_at: Option<Timestamp>,
}

const CANARY: &str = "SELECT id, vendor, list, epoch, address_hash, address, call_id, planted_at,
                             (SELECT MIN(newer.planted_at) FROM canaries newer
                              WHERE newer.vendor = canaries.vendor AND newer.list = canaries.list
                                AND newer.epoch > canaries.epoch)
                      FROM canaries";

impl Tx<'_> {
    /// Records a canary, before the call that plants it: mail to it is recognised from then on.
    /// Those of earlier epochs of the same vendor and list count as superseded by it. When they
    /// were is not kept but read from what is there; `superseded_at` of a new one is not looked at.
    ///
    /// # Errors
    /// [`Refused::Exists`] when the address is taken; [`Refused::NotFound`] when there is no such
    /// vendor.
    pub fn insert_canary(&self, canary: &Canary) -> anyhow::Result<()> {
        self.vendor(&canary.vendor)?;
        let list = list(canary.list.as_ref());
        let inserted = self.execute(
            "INSERT INTO canaries (id, vendor, list, epoch, address_hash, address, call_id, planted_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
            bind![
                canary.id,
                &canary.vendor,
                list,
                canary.epoch,
                canary.address_hash,
                &canary.address,
                canary.call,
                canary.planted_at
            ],
        )?;
        if inserted == 1 { Ok(()) } else { Err(Refused::exists("canary", canary.id)) }
    }

    /// Records the call that planted a canary.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn set_canary_call(&self, id: CanaryId, call: CallId) -> anyhow::Result<()> {
        let changed =
            self.execute("UPDATE canaries SET call_id = ?2 WHERE id = ?1", bind![id, call])?;
        if changed == 1 { Ok(()) } else { Err(Refused::not_found("canary", id)) }
    }

    /// Takes out a canary that surely was not planted.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn withdraw_canary(&self, id: CanaryId) -> anyhow::Result<()> {
        let deleted = self.execute("DELETE FROM canaries WHERE id = ?1", bind![id])?;
        if deleted == 1 { Ok(()) } else { Err(Refused::not_found("canary", id)) }
    }

    /// The canary of this id.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn canary(&self, id: CanaryId) -> anyhow::Result<Canary> {
        self.one(&format!("{CANARY} WHERE id = ?1"), bind![id], canary)?
            .ok_or_else(|| Refused::not_found("canary", id))
    }

    /// The canary whose address has this keyed hash, superseded or not, if there is one.
    ///
    /// # Errors
    /// Faults only.
    pub fn canary_by_address(&self, hash: IdentifierHash) -> anyhow::Result<Option<Canary>> {
        self.one(&format!("{CANARY} WHERE address_hash = ?1"), bind![hash], canary)
    }

    /// The newest canary of a vendor in a list (or in none), if there is one.
    ///
    /// # Errors
    /// Faults only.
    pub fn newest_canary(
        &self,
        vendor: &VendorName,
        in_list: Option<&ListName>,
    ) -> anyhow::Result<Option<Canary>> {
        self.one(
            &format!("{CANARY} WHERE vendor = ?1 AND list = ?2 ORDER BY epoch DESC LIMIT 1"),
            bind![vendor, list(in_list)],
            canary,
        )
    }

    /// Every canary of a vendor, by list, the newest first.
    ///
    /// # Errors
    /// Faults only.
    pub fn canaries(&self, vendor: &VendorName) -> anyhow::Result<Vec<Canary>> {
        let sql = format!("{CANARY} WHERE vendor = ?1 ORDER BY list, epoch DESC");
        self.all(&sql, bind![vendor], canary)
    }
}

/// No list is an empty text: a NULL would not be equal to another in a unique key.
fn list(list: Option<&ListName>) -> &str {
    list.map_or("", ListName::as_str)
}

fn canary(row: &Row<'_>) -> anyhow::Result<Canary> {
    let list: String = row.get(2)?;
    Ok(Canary {
        id: row.get(0)?,
        vendor: row.get(1)?,
        list: if list.is_empty() { None } else { Some(ListName::parse(&list)?) },
        epoch: row.get(3)?,
        address_hash: row.get(4)?,
        address: row.get(5)?,
        call: row.get(6)?,
        planted_at: row.get(7)?,
        superseded_at: row.get(8)?,
    })
}

#[cfg(test)]
mod tests {
    use model::id::Id;

    use super::*;
    use crate::testing::{START, Scratch, code, vendor, vendor_name};

    fn canary(number: u8, list: Option<&str>) -> Canary {
        Canary {
            id: CanaryId::from_u128(number.into()),
            vendor: vendor_name("sendgrid"),
            list: list.map(|list| ListName::parse(list).expect(list)),
            epoch: number.into(),
            address_hash: IdentifierHash([number; 16]),
            address: Sealed(vec![number]),
            call: None,
            planted_at: START.plus_seconds(number.into()),
            superseded_at: None,
        }
    }

    #[test]
    fn a_newer_canary_of_the_same_vendor_and_list_supersedes_the_one_before() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        assert_eq!(code(tx.insert_canary(&canary(1, None))), "not-found", "no such vendor");
        tx.insert_vendor(&vendor(1, "sendgrid"), None).expect("new");
        for planted in [canary(1, None), canary(2, Some("news")), canary(3, None)] {
            tx.insert_canary(&planted).expect("new");
        }
        let found = |number| {
            tx.canary_by_address(IdentifierHash([number; 16])).expect("runs").expect("known")
        };
        assert_eq!(found(1).superseded_at, Some(START.plus_seconds(3)));
        assert_eq!(found(2), canary(2, Some("news")));
        let sendgrid = vendor_name("sendgrid");
        assert_eq!(tx.newest_canary(&sendgrid, None).expect("runs"), Some(canary(3, None)));
        let news = ListName::parse("news").expect("a list");
        let newest = tx.newest_canary(&sendgrid, Some(&news)).expect("runs");
        assert_eq!(newest, Some(canary(2, Some("news"))));
        let epochs: Vec<_> =
            tx.canaries(&sendgrid).expect("lists").iter().map(|canary| canary.epoch).collect();
        assert_eq!(epochs, [3, 1, 2]);
        assert_eq!(tx.canary_by_address(IdentifierHash([9; 16])).expect("runs"), None);
    }

    #[test]
    fn canaries_of_a_later_epoch_supersede_and_a_withdrawn_one_does_not() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        tx.insert_vendor(&vendor(1, "sendgrid"), None).expect("new");
        tx.insert_canary(&canary(1, None)).expect("new");
        let beside = Canary { id: CanaryId::from_u128(9), ..canary(1, None) };
        assert_eq!(code(tx.insert_canary(&beside)), "exists", "the address is taken");
        let beside = Canary { address_hash: IdentifierHash([9; 16]), ..beside };
        tx.insert_canary(&beside).expect("another one of the same epoch");
        let superseded = || tx.canary(canary(1, None).id).expect("there").superseded_at;
        assert_eq!(superseded(), None);

        tx.insert_canary(&canary(2, None)).expect("new");
        assert_eq!(superseded(), Some(canary(2, None).planted_at));
        tx.withdraw_canary(canary(2, None).id).expect("there");
        assert_eq!(superseded(), None);
        let call = CallId::from_u128(5);
        tx.set_canary_call(canary(1, None).id, call).expect("there");
        assert_eq!(tx.canary(canary(1, None).id).expect("there").call, Some(call));
        assert_eq!(code(tx.withdraw_canary(canary(2, None).id)), "not-found");
        assert_eq!(code(tx.set_canary_call(canary(2, None).id, call)), "not-found");
    }
}
