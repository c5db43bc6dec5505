//! What an operator vouches for of a vendor, beyond what the ledger can know by itself. Without it
//! the ledger's silence proves nothing, and an attribute of the company's own may hold anything.

use anyhow::Result;
use model::{Field, FieldSet, Mode, Reach, Timestamp, Vendor, VendorName};
use serde::{Deserialize, Serialize};
use store::Tx;

/// What is vouched for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Vouched {
    /// Since when the ledger has everything that the vendor was given: an import was complete.
    pub complete_since: Option<Timestamp>,
    /// Which fields the company's own attributes (`custom`) hold there; `None` is not said.
    pub custom_holds: Option<FieldSet>,
}

impl Vouched {
    fn setting(vendor: &VendorName) -> String {
        format!("vouched/{vendor}")
    }

    /// What is vouched for of this vendor.
    ///
    /// # Errors
    /// Faults of the store.
    pub fn of(tx: &Tx<'_>, vendor: &VendorName) -> Result<Self> {
        Ok(tx.setting(&Self::setting(vendor))?.unwrap_or_default())
    }

    /// Keeps it.
    ///
    /// # Errors
    /// Faults of the store.
    pub fn keep(&self, tx: &Tx<'_>, vendor: &VendorName) -> Result<()> {
        tx.set_setting(&Self::setting(vendor), self)
    }

    /// Since when the ledger has everything, as long as nothing can pass unread.
    ///
    /// # Errors
    /// Faults of the store.
    pub fn complete_since(&self, tx: &Tx<'_>, vendor: &Vendor) -> Result<Option<Timestamp>> {
        let loose = |mode: Mode| mode != Mode::Enforce;
        let of_workloads = tx.workloads()?.into_iter();
        let passes_unread = loose(vendor.mode)
            || of_workloads
                .filter(|one| one.grant(&vendor.name).is_some())
                .any(|one| one.mode.is_some_and(loose));
        Ok(self.complete_since.filter(|_| !passes_unread))
    }

    /// Fields with what an attribute of the company's own stands for.
    pub fn spelt_out(&self, fields: FieldSet) -> FieldSet {
        match self.custom_holds {
            Some(holds) if fields.contains(Field::Custom) => fields.union(holds),
            _ => fields,
        }
    }

    /// Whether everything that a vendor was given is known by name.
    pub fn names_everything(&self, given: FieldSet) -> bool {
        !given.contains(Field::Custom) || self.custom_holds.is_some()
    }

    /// A reach that finds what stands behind attributes of the company's own, too.
    pub fn widened(&self, reach: &Reach) -> Reach {
        let behind = |fields: FieldSet| {
            !fields.intersection(self.custom_holds.unwrap_or_default()).is_empty()
        };
        let fields = reach.fields.map(|fields| match behind(fields) {
            true => fields.with(Field::Custom),
            false => fields,
        });
        Reach { fields, ..reach.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_stands_for_what_it_is_said_to_hold_and_for_nothing_else() {
        let fields = |text| FieldSet::parse(text).expect(text);
        let vouched = Vouched { custom_holds: Some(fields("ip,activity")), ..Vouched::default() };
        assert_eq!(vouched.spelt_out(fields("email,custom")), fields("email,custom,ip,activity"));
        assert_eq!(vouched.spelt_out(fields("email")), fields("email"));
        let only = |text| Reach { fields: Some(fields(text)), ..Reach::default() };
        assert_eq!(vouched.widened(&only("ip")).fields, Some(fields("ip,custom")));
        assert_eq!(vouched.widened(&only("email")).fields, Some(fields("email")));
        let unsaid = Vouched::default();
        assert!(
            !unsaid.names_everything(fields("custom")) && unsaid.names_everything(fields("ip"))
        );
    }
}
