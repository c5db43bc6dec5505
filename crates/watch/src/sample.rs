//! What the tests of this crate share: one company, its keys and its vendors.

use mail::{DkimKeys, Letter, ReadMail, ReceivedMail};
use model::{CallId, Email, Fact, Identifier, MacKey, Timestamp, VendorName, World};

use crate::{REFERENCE_HEADER, WatchCx};

pub struct Sample {
    pub world: World,
    pub identifier: MacKey,
    pub reference: MacKey,
    pub own_domains: Vec<String>,
    pub vendors: Vec<(VendorName, &'static [&'static str])>,
    pub dkim: DkimKeys,
    pub call: CallId,
}

impl Sample {
    pub fn new() -> Self {
        let (world, _) = World::fixed(time("2026-02-05T02:00:00Z"), 7);
        let call = world.id();
        Self {
            world,
            identifier: MacKey::new(b"identifier"),
            reference: MacKey::new(b"reference"),
            own_domains: vec!["flickr.example".to_owned()],
            vendors: vec![(vendor("sendgrid"), &["sendgrid.net"]), (vendor("twilio"), &[])],
            dkim: DkimKeys::generate("flickr.example", "cordon").expect("keys are made"),
            call,
        }
    }

    /// Runs `with` in a context in which the ledger knows only the sample's own call.
    pub fn with<T>(&self, with: impl FnOnce(&WatchCx<'_>) -> T) -> T {
        let known = |call| call == self.call;
        let own_dkim = |name: &str| self.dkim.dns_record(name);
        with(&WatchCx {
            world: &self.world,
            identifier: &self.identifier,
            reference: &self.reference,
            known_call: &known,
            own_domains: &self.own_domains,
            own_dkim: &own_dkim,
            vendors: &self.vendors,
        })
    }

    /// A reference for a message of `call` through `sender` to `to`.
    pub fn reference(&self, sender: &str, call: CallId, to: &str) -> String {
        let vendor = vendor(sender);
        let reference = connectors::Reference { key: &self.reference, vendor: &vendor };
        reference.sign(call, &[&Identifier::Email(email(to))])
    }

    /// A mail, with a reference if one is given.
    pub fn mail(&self, from: &str, to: &str, text: &str, reference: Option<&str>) -> Vec<u8> {
        let headers: Vec<_> = reference.map(|text| (REFERENCE_HEADER, text)).into_iter().collect();
        let letter = Letter {
            from_name: "Flickr",
            from: &email(from),
            to: &email(to),
            reply_to: None,
            subject: "About your account",
            text,
            html: None,
            message_id: "1@flickr.example",
            date: self.world.now(),
            headers: &headers,
        };
        letter.build()
    }
}

pub fn received(raw: &[u8], from: &str, to: &str) -> ReceivedMail {
    ReceivedMail {
        peer: std::net::IpAddr::from([192, 0, 2, 1]),
        helo: "mx.example".to_owned(),
        tls: true,
        from: from.to_owned(),
        recipients: vec![to.to_owned()],
        raw: raw.to_vec(),
    }
}

pub fn read(raw: &[u8]) -> ReadMail {
    mail::read(raw).expect("a mail")
}

pub fn email(text: &str) -> Email {
    Email::parse(text).expect(text)
}

pub fn vendor(name: &str) -> VendorName {
    VendorName::parse(name).expect(name)
}

pub fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).expect(text)
}

/// Fails when a fact, as it is stored, has an address in it.
pub fn assert_no_addresses(fact: &Fact) {
    let stored = serde_json::to_string(fact).expect("a fact is stored as JSON");
    assert!(!stored.contains('@'), "an address is in {stored}");
}
