//! What comes back, as facts: webhooks, mail to canaries, reported mail, vendors' notices.
//! **Invariant:** does not know what a finding is, keeps nothing and opens no socket; what it must
//! look up, it asks for through [`WatchCx`].
//!
//! A fact carries no personal data: identifiers as keyed hashes, mails as digests, texts only from
//! operators. One source, one file.

pub mod canary;
pub mod notice;
pub mod report;
pub mod webhook;

use connectors::Reference;
use model::{CallId, Email, Identifier, MacKey, ReferenceCheck, VendorName, World};

/// The header in which mail carries our signed reference. Cordon's own notices have it; mail
/// through a vendor has it where the connector puts it there, and in the vendor's events otherwise.
pub const REFERENCE_HEADER: &str = "X-Cordon-Ref";

/// The name in the place of a vendor in the references of Cordon's own notices.
pub const OWN_SENDER: &str = "cordon";

/// What facts are made with: the world, the keys, and what is known elsewhere.
#[derive(Clone, Copy)]
pub struct WatchCx<'a> {
    /// Ids and the time.
    pub world: &'a World,
    /// The key under which identifiers are hashed.
    pub identifier: &'a MacKey,
    /// The key of signed references.
    pub reference: &'a MacKey,
    /// Whether the ledger has an intent of this call.
    pub known_call: &'a dyn Fn(CallId) -> bool,
    /// The company's mail domains; what is below one counts too.
    pub own_domains: &'a [String],
    /// The TXT value of one of our own DKIM keys, by `<selector>._domainkey.<domain>`.
    pub own_dkim: &'a dyn Fn(&str) -> Option<String>,
    /// The vendors, and the domains under which each sends or relays mail.
    pub vendors: &'a [(VendorName, &'static [&'static str])],
}

impl WatchCx<'_> {
    /// Whether a domain is one of ours, or below one.
    fn is_ours(&self, domain: &str) -> bool {
        self.own_domains.iter().any(|own| is_within(domain, own))
    }

    /// The vendor through whose systems a mail came: by a signature first, then by a relay. Both
    /// are claims that the mail makes.
    fn vendor_of(&self, mail: &mail::ReadMail) -> Option<VendorName> {
        let signed = mail.dkim.iter().map(|(domain, _)| domain);
        signed.chain(&mail.received_domains).find_map(|domain| {
            let mut vendors = self.vendors.iter();
            let of = |domains: &[&str]| domains.iter().any(|own| is_within(domain, own));
            vendors.find(|(_, domains)| of(domains)).map(|(name, _)| name.clone())
        })
    }

    /// What the reference in a mail's header says, if one of `senders` made it for one of `to`. The
    /// best answer counts: a mail has one reference and may have many recipients.
    fn reference_in(
        &self,
        mail: &mail::ReadMail,
        to: &[&Email],
        senders: &[&VendorName],
    ) -> ReferenceCheck {
        let text = mail.header(REFERENCE_HEADER);
        let recipients: Vec<_> =
            to.iter().map(|&email| Some(Identifier::Email(email.clone()))).collect();
        let nobody = [None];
        let recipients = if recipients.is_empty() { &nobody[..] } else { &recipients };
        let checks = senders.iter().flat_map(|vendor| {
            let reference = Reference { key: self.reference, vendor };
            recipients
                .iter()
                .map(move |recipient| reference.check(text, recipient.as_ref(), self.known_call))
        });
        checks.max_by_key(weight).unwrap_or(ReferenceCheck::Absent)
    }
}

/// How much a check says; more is better.
const fn weight(check: &ReferenceCheck) -> u8 {
    match check {
        ReferenceCheck::Valid { .. } => 3,
        ReferenceCheck::OtherRecipient { .. } => 2,
        ReferenceCheck::Forged => 1,
        ReferenceCheck::Absent => 0,
    }
}

/// Whether `domain` is `parent` or below it, regardless of case.
fn is_within(domain: &str, parent: &str) -> bool {
    let (domain, parent) = (domain.to_ascii_lowercase(), parent.to_ascii_lowercase());
    let below = domain.strip_suffix(&parent);
    !parent.is_empty() && below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn own_sender() -> VendorName {
    VendorName::parse(OWN_SENDER).expect("`cordon` is a name")
}

#[cfg(test)]
mod sample;

#[cfg(test)]
mod tests {
    use super::is_within;

    #[test]
    fn a_domain_is_within_itself_and_its_parents_only() {
        assert!(is_within("Flickr.com", "flickr.com") && is_within("em.flickr.com", "flickr.com"));
        assert!(!is_within("notflickr.com", "flickr.com") && !is_within("com", "flickr.com"));
        assert!(!is_within("flickr.com.evil.example", "flickr.com") && !is_within("x", ""));
    }
}
