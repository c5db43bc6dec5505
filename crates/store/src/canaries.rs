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
                             superseded_at FROM canaries";

impl Tx<'_> {
    /// Records a canary, before the call that plants it: mail to it is recognised from then on. The
    /// newest one of the same vendor and list counts as superseded.
    ///
    /// # Errors
    /// [`Refused::Exists`] when the vendor and list have one of this epoch, or the address is taken;
    /// [`Refused::NotFound`] when there is no such vendor.
    pub fn insert_canary(&self, canary: &Canary) -> anyhow::Result<()> {
        self.vendor(&canary.vendor)?;
        let list = list(canary.list.as_ref());
        let inserted = self.execute(
            "INSERT INTO canaries (id, vendor, list, epoch, address_hash, address, call_id,
                                   planted_at, superseded_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
            bind![
                canary.id,
                &canary.vendor,
                list,
                canary.epoch,
                canary.address_hash,
                &canary.address,
                canary.call,
                canary.planted_at,
                canary.superseded_at
            ],
        )?;
        if inserted == 0 {
            return Err(Refused::exists("canary", canary.id));
        }
        self.execute(
            "UPDATE canaries SET superseded_at = ?4
             WHERE vendor = ?1 AND list = ?2 AND superseded_at IS NULL AND id <> ?3",
            bind![&canary.vendor, list, canary.id, canary.planted_at],
        )
        .map(drop)
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

    /// Takes out a canary that surely was not planted; the one before it is the newest again.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn withdraw_canary(&self, id: CanaryId) -> anyhow::Result<()> {
        let canary = self.canary(id)?;
        self.execute("DELETE FROM canaries WHERE id = ?1", bind![id])?;
        self.execute(
            "UPDATE canaries SET superseded_at = ?4
             WHERE vendor = ?1 AND list = ?2 AND superseded_at = ?3",
            bind![
                &canary.vendor,
                list(canary.list.as_ref()),
                canary.planted_at,
                canary.superseded_at
            ],
        )
        .map(drop)
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
