//! A suspicious mail that somebody handed in. What can be checked in the mail itself is checked;
//! who handed it in is not known, and everything else is the mail's own claim.

use mail::Unreadable;
use model::crypto::{sha256, to_hex};
use model::{Confidence, Email, Fact, FactBody, Identifier, VendorName, limits};

use crate::{WatchCx, own_sender};

/// The fact of one reported mail, byte for byte as it was uploaded. `given_only_to` says for an
/// address which vendor alone was given it, if it is such a one.
///
/// # Errors
/// When it is no mail, or larger than [`limits::REPORTED_MAIL_BYTES`].
pub fn reported(
    raw: &[u8],
    given_only_to: &dyn Fn(&Email) -> Option<VendorName>,
    cx: &WatchCx<'_>,
) -> Result<Fact, Unreadable> {
    if raw.len() > limits::REPORTED_MAIL_BYTES {
        return Err(Unreadable::TooLarge);
    }
    let mail = mail::read(raw)?;
    let sha256 = to_hex(&sha256(raw));
    let tagged = mail.to.iter().find_map(|to| Some((to, given_only_to(to)?)));
    let via_vendor = cx.vendor_of(&mail);
    let signed_by_us = signed_by_us(raw, cx);
    let own = own_sender();
    let senders: Vec<_> = cx.vendors.iter().map(|(name, _)| name).chain([&own]).collect();
    let recipients: Vec<_> = mail.to.iter().collect();
    let now = cx.world.now();
    Ok(Fact {
        id: cx.world.id(),
        at: now,
        seen_at: now,
        vendor: tagged.as_ref().map(|(_, vendor)| vendor.clone()).or(via_vendor.clone()),
        external_id: Some(format!("mail/{sha256}")),
        source: "portal".to_owned(),
        // A signature of ours cannot be made up; without one, somebody says so.
        confidence: if signed_by_us { Confidence::Certain } else { Confidence::Stated },
        author: None,
        body: FactBody::ReportedMail {
            claims_ours: cx.is_ours(&mail.from_domain),
            reference: cx.reference_in(&mail, &recipients, &senders),
            signed_by_us,
            via_vendor,
            recipient: tagged
                .map(|(email, _)| Identifier::Email(email.clone()).hash(cx.identifier)),
            from_domain: mail.from_domain,
            link_domains: mail.links,
            sha256,
        },
    })
}

/// Whether one of our own keys signed the mail as it stands, for one of our domains.
fn signed_by_us(raw: &[u8], cx: &WatchCx<'_>) -> bool {
    let results = mail::verify_dkim(raw, cx.own_dkim);
    results.iter().any(|result| result.pass && cx.is_ours(&result.domain))
}

#[cfg(test)]
mod tests {
    use model::id::Id as _;
    use model::{CallId, ReferenceCheck};

    use super::*;
    use crate::sample::{Sample, assert_no_addresses, email, vendor};

    const ANN: &str = "ann.lee@mailbox.example";

    fn report(sample: &Sample, raw: &[u8]) -> Fact {
        let only = |to: &Email| (*to == email(ANN)).then(|| vendor("twilio"));
        let fact = sample.with(|cx| reported(raw, &only, cx)).expect("a mail");
        assert_no_addresses(&fact);
        fact
    }

    struct Said {
        claims_ours: bool,
        reference: ReferenceCheck,
        signed_by_us: bool,
        via_vendor: Option<VendorName>,
        links: Vec<String>,
        tagged: bool,
    }

    fn said(fact: Fact) -> Said {
        match fact.body {
            FactBody::ReportedMail {
                claims_ours,
                reference,
                signed_by_us,
                via_vendor,
                link_domains: links,
                recipient,
                ..
            } => {
                let tagged = recipient.is_some();
                Said { claims_ours, reference, signed_by_us, via_vendor, links, tagged }
            }
            other => panic!("not a reported mail: {}", other.kind()),
        }
    }

    #[test]
    fn a_notice_of_ours_is_recognised_by_signature_and_reference() {
        let sample = Sample::new();
        let notice = CallId::from_u128(5);
        let reference = sample.reference("cordon", notice, "eve@x.example");
        let raw = sample.mail("safe@flickr.example", "eve@x.example", "Hi", Some(&reference));
        let signed = sample.dkim.sign(raw, sample.world.now());
        let fact = report(&sample, &signed);
        assert_eq!((fact.confidence, fact.vendor.clone()), (Confidence::Certain, None));
        let said = said(fact);
        assert!(said.claims_ours && said.signed_by_us && !said.tagged);
        assert_eq!(said.reference, ReferenceCheck::Valid { call: notice });
    }

    #[test]
    fn a_changed_mail_is_not_signed_by_us_any_more() {
        let sample = Sample::new();
        let raw = sample.mail("safe@flickr.example", "eve@x.example", "Hi", None);
        let signed = sample.dkim.sign(raw, sample.world.now());
        let changed = String::from_utf8(signed).expect("text").replace("\r\nHi", "\r\nHo");
        let fact = report(&sample, changed.as_bytes());
        assert_eq!(fact.confidence, Confidence::Stated);
        assert!(!said(fact).signed_by_us);
    }

    #[test]
    fn a_phish_through_the_vendor_shows_the_vendor_and_where_its_links_lead() {
        let sample = Sample::new();
        let copied = sample.reference("sendgrid", sample.call, "bob@x.example");
        let raw = sample.mail(
            "security@flickr.example",
            "eve@x.example",
            "Confirm at https://flickr.com@Login.evil.example/now or lose your photos",
            Some(&copied),
        );
        let head = b"Received: from o1.ptr.sendgrid.net (o1.ptr.sendgrid.net [192.0.2.7])\r\n\
            \tby mx.mailbox.example with ESMTPS id 1; Thu, 5 Feb 2026 02:00:00 +0000\r\n";
        let said = said(report(&sample, &[head.as_slice(), &raw].concat()));
        assert_eq!(said.via_vendor, Some(vendor("sendgrid")));
        assert_eq!(said.links, ["login.evil.example"]);
        assert_eq!(said.reference, ReferenceCheck::OtherRecipient { call: sample.call });
        assert!(said.claims_ours && !said.signed_by_us);
    }

    #[test]
    fn an_address_that_one_vendor_alone_was_given_names_that_vendor() {
        let sample = Sample::new();
        let raw = sample.mail("x@evil.example", ANN, "Win", None);
        let fact = report(&sample, &raw);
        assert_eq!(fact.vendor, Some(vendor("twilio")));
        let said = said(fact);
        assert!(said.tagged && !said.claims_ours && said.via_vendor.is_none());
        assert_eq!(said.reference, ReferenceCheck::Absent);
    }

    #[test]
    fn what_is_no_mail_is_refused() {
        let sample = Sample::new();
        let refused = |raw: &[u8]| sample.with(|cx| reported(raw, &|_| None, cx)).unwrap_err();
        assert_eq!(refused(b""), Unreadable::NoMail);
        assert_eq!(refused(&vec![b'x'; limits::REPORTED_MAIL_BYTES + 1]), Unreadable::TooLarge);
    }
}
