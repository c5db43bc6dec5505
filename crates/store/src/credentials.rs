//! From where vendors' credentials are read that are not kept here. Does not read one.

use anyhow::Result;
use model::VendorName;

use crate::columns::bind;
use crate::engine::Tx;

impl Tx<'_> {
    /// Names the source of a vendor's credential, instead of the one before.
    ///
    /// # Errors
    /// [`crate::Refused::NotFound`] when there is no such vendor.
    pub fn set_credential_source(&self, vendor: &VendorName, source: &str) -> Result<()> {
        self.vendor(vendor)?;
        self.execute(
            "INSERT INTO credential_sources (vendor, source, set_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (vendor) DO UPDATE SET source = excluded.source, set_at = excluded.set_at",
            bind![vendor, source, self.world.now()],
        )?;
        Ok(())
    }

    /// Lets a vendor's credential be the one that is sealed here again.
    ///
    /// # Errors
    /// Faults only.
    pub fn forget_credential_source(&self, vendor: &VendorName) -> Result<()> {
        self.execute("DELETE FROM credential_sources WHERE vendor = ?1", bind![vendor])?;
        Ok(())
    }

    /// Vendors whose credential comes from elsewhere, and from where.
    ///
    /// # Errors
    /// Faults only.
    pub fn credential_sources(&self) -> Result<Vec<(VendorName, String)>> {
        let sql = "SELECT vendor, source FROM credential_sources ORDER BY vendor";
        self.all(sql, bind![], |row| Ok((row.get(0)?, row.get(1)?)))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Scratch, code, vendor, vendor_name};

    #[test]
    fn a_vendor_has_one_source_until_it_is_forgotten() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let name = vendor_name("sendgrid");
        assert_eq!(code(tx.set_credential_source(&name, "env:KEY")), "not-found");
        tx.insert_vendor(&vendor(1, "sendgrid"), None).expect("new");
        tx.set_credential_source(&name, "env:KEY").expect("set");
        tx.set_credential_source(&name, "file:/run/key").expect("set");
        let sources = tx.credential_sources().expect("lists");
        assert_eq!(sources, [(name.clone(), "file:/run/key".to_owned())]);
        tx.forget_credential_source(&name).expect("gone");
        assert_eq!(tx.credential_sources().expect("lists"), []);
    }
}
