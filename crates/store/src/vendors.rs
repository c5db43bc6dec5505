//! Vendors and their sealed secrets. Does not know what a switch or a mode does.

use model::{Vendor, VendorName};

use crate::columns::{Document, Sealed, bind};
use crate::engine::Tx;
use crate::error::Refused;

/// A vendor's secrets, each sealed by the caller.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VendorSecrets {
    /// What calls to it are authenticated with.
    pub credential: Option<Sealed>,
    /// The credential before: revoked, and kept to prove that the vendor refuses it.
    pub revoked: Option<Sealed>,
    /// What its webhooks are signed with.
    pub webhook: Option<Sealed>,
}

impl Tx<'_> {
    /// Registers a vendor, with its sealed credential if it has one already.
    ///
    /// # Errors
    /// [`Refused::Exists`] when its name or id is taken.
    pub fn insert_vendor(&self, vendor: &Vendor, credential: Option<&[u8]>) -> anyhow::Result<()> {
        let inserted = self.execute(
            "INSERT INTO vendors (id, name, document, credential) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
            bind![vendor.id, &vendor.name, &Document::of(vendor)?, credential],
        )?;
        if inserted == 1 { Ok(()) } else { Err(Refused::exists("vendor", &vendor.name)) }
    }

    /// Replaces what is known of a vendor; its id and name stay. Read it in the same change.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn update_vendor(&self, vendor: &Vendor) -> anyhow::Result<()> {
        self.change_vendor(
            &vendor.name,
            "UPDATE vendors SET document = ?3 WHERE name = ?1 AND id = ?2",
            bind![&vendor.name, vendor.id, &Document::of(vendor)?],
        )
    }

    /// The vendor of this name.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn vendor(&self, name: &VendorName) -> anyhow::Result<Vendor> {
        self.one("SELECT document FROM vendors WHERE name = ?1", bind![name], |row| {
            row.get::<Document>(0)?.read()
        })?
        .ok_or_else(|| Refused::not_found("vendor", name))
    }

    /// Every vendor, by name.
    ///
    /// # Errors
    /// Faults only.
    pub fn vendors(&self) -> anyhow::Result<Vec<Vendor>> {
        self.all("SELECT document FROM vendors ORDER BY name", bind![], |row| {
            row.get::<Document>(0)?.read()
        })
    }

    /// Puts a sealed credential in the place of the one before, which is kept as revoked.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn replace_credential(&self, name: &VendorName, sealed: &[u8]) -> anyhow::Result<()> {
        self.change_vendor(
            name,
            "UPDATE vendors
             SET revoked_credential = COALESCE(credential, revoked_credential), credential = ?2
             WHERE name = ?1",
            bind![name, sealed],
        )
    }

    /// Takes the credential out of use without another in its place; it is kept as revoked.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn revoke_credential(&self, name: &VendorName) -> anyhow::Result<()> {
        self.change_vendor(
            name,
            "UPDATE vendors
             SET revoked_credential = COALESCE(credential, revoked_credential), credential = NULL
             WHERE name = ?1",
            bind![name],
        )
    }

    /// Sets what the vendor's webhooks are signed with, sealed.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn set_webhook_secret(&self, name: &VendorName, sealed: &[u8]) -> anyhow::Result<()> {
        self.change_vendor(
            name,
            "UPDATE vendors SET webhook_secret = ?2 WHERE name = ?1",
            bind![name, sealed],
        )
    }

    /// The sealed secrets of a vendor.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn vendor_secrets(&self, name: &VendorName) -> anyhow::Result<VendorSecrets> {
        self.one(
            "SELECT credential, revoked_credential, webhook_secret FROM vendors WHERE name = ?1",
            bind![name],
            |row| {
                Ok(VendorSecrets {
                    credential: row.get(0)?,
                    revoked: row.get(1)?,
                    webhook: row.get(2)?,
                })
            },
        )?
        .ok_or_else(|| Refused::not_found("vendor", name))
    }

    fn change_vendor(
        &self,
        name: &VendorName,
        sql: &str,
        values: &[crate::columns::Bind<'_>],
    ) -> anyhow::Result<()> {
        let changed = self.execute(sql, values)?;
        if changed == 1 { Ok(()) } else { Err(Refused::not_found("vendor", name)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Scratch, code, vendor, vendor_name};

    #[test]
    fn a_vendor_reads_back_and_its_name_and_id_are_taken() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let mut sendgrid = vendor(1, "sendgrid");
        tx.insert_vendor(&sendgrid, None).expect("new");
        tx.insert_vendor(&vendor(2, "mailgun"), None).expect("new");
        assert_eq!(code(tx.insert_vendor(&vendor(3, "sendgrid"), None)), "exists");
        assert_eq!(code(tx.insert_vendor(&vendor(1, "twilio"), None)), "exists");

        sendgrid.switch = model::Switch::Stop;
        tx.update_vendor(&sendgrid).expect("there");
        assert_eq!(tx.vendor(&sendgrid.name).expect("there"), sendgrid);
        assert_eq!(code(tx.update_vendor(&vendor(3, "sendgrid"))), "not-found", "another id");
        assert_eq!(code(tx.vendor(&vendor_name("twilio"))), "not-found");
        let names: Vec<_> = tx.vendors().expect("lists").into_iter().map(|v| v.name).collect();
        assert_eq!(names, [vendor_name("mailgun"), vendor_name("sendgrid")]);
    }

    #[test]
    fn the_credential_before_is_kept_as_revoked_until_the_next() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let name = vendor_name("sendgrid");
        let secrets = || tx.vendor_secrets(&name).expect("there");
        let sealed = |bytes: &[u8]| Some(Sealed(bytes.to_vec()));
        tx.insert_vendor(&vendor(1, "sendgrid"), Some(b"first")).expect("new");
        assert_eq!((secrets().credential, secrets().revoked), (sealed(b"first"), None));

        tx.revoke_credential(&name).expect("there");
        assert_eq!((secrets().credential, secrets().revoked), (None, sealed(b"first")));
        tx.replace_credential(&name, b"second").expect("there");
        assert_eq!(
            (secrets().credential, secrets().revoked),
            (sealed(b"second"), sealed(b"first"))
        );
        tx.replace_credential(&name, b"third").expect("there");
        assert_eq!(
            (secrets().credential, secrets().revoked),
            (sealed(b"third"), sealed(b"second"))
        );

        tx.set_webhook_secret(&name, b"hook").expect("there");
        assert_eq!(secrets().webhook, sealed(b"hook"));
        assert!(!format!("{:?}", secrets()).contains("104"), "sealed bytes do not show");
        assert_eq!(code(tx.replace_credential(&vendor_name("twilio"), b"x")), "not-found");
        assert_eq!(code(tx.vendor_secrets(&vendor_name("twilio"))), "not-found");
    }
}
