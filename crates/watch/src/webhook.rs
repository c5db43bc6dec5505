//! A vendor's signed webhook: one fact for each of its events. Whether an event is strange is for
//! detectors to say.

use connectors::{Connector, Event, Reference, Webhook, WebhookRefused};
use model::{Confidence, Fact, FactBody, VendorName};

use crate::WatchCx;

/// Checks the signature and reads the events. The vendor's own event id makes a repeated event
/// recognisable: `<vendor>/<event id>`.
///
/// # Errors
/// When the webhook is not the vendor's, or not of its form; then nothing in it is believed.
pub fn facts(
    connector: &dyn Connector,
    webhook: &Webhook<'_>,
    vendor: &VendorName,
    cx: &WatchCx<'_>,
) -> Result<Vec<Fact>, WebhookRefused> {
    let events = connector.webhook(webhook)?;
    Ok(events.into_iter().map(|event| fact(event, vendor, cx)).collect())
}

fn fact(event: Event, vendor: &VendorName, cx: &WatchCx<'_>) -> Fact {
    let reference = Reference { key: cx.reference, vendor };
    let check =
        reference.check(event.reference.as_deref(), event.recipient.as_ref(), cx.known_call);
    Fact {
        id: cx.world.id(),
        at: event.at,
        seen_at: cx.world.now(),
        vendor: Some(vendor.clone()),
        external_id: Some(format!("{vendor}/{}", event.id)),
        source: format!("webhook/{vendor}"),
        confidence: Confidence::Certain,
        author: None,
        body: FactBody::VendorEvent {
            event: event.event,
            message: event.message,
            recipient: event.recipient.map(|recipient| recipient.hash(cx.identifier)),
            reference: check,
        },
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use model::id::Id as _;
    use model::{CallId, Identifier, ReferenceCheck, Secret};

    use super::*;
    use crate::sample::{Sample, assert_no_addresses, email, time, vendor};

    fn event(reference: Option<String>) -> Event {
        Event {
            id: "ev-1".to_owned(),
            at: time("2026-02-05T01:59:58Z"),
            event: "delivered".to_owned(),
            message: Some("msg-1".to_owned()),
            recipient: Some(Identifier::Email(email("ann.lee@x.example"))),
            reference,
        }
    }

    fn check(sample: &Sample, reference: Option<String>, expect: ReferenceCheck) {
        let fact = sample.with(|cx| fact(event(reference), &vendor("sendgrid"), cx));
        assert_no_addresses(&fact);
        match fact.body {
            FactBody::VendorEvent { reference, .. } => assert_eq!(reference, expect),
            other => panic!("not an event: {}", other.kind()),
        }
    }

    #[test]
    fn an_event_says_whether_its_message_is_ours_and_for_this_recipient() {
        let sample = Sample::new();
        let call = sample.call;
        let made = |sender, call, to| Some(sample.reference(sender, call, to));
        let valid = ReferenceCheck::Valid { call };
        check(&sample, made("sendgrid", call, "ann.lee@x.example"), valid);
        let copied = ReferenceCheck::OtherRecipient { call };
        check(&sample, made("sendgrid", call, "bob@x.example"), copied);
        let unknown = CallId::from_u128(9);
        check(&sample, made("sendgrid", unknown, "bob@x.example"), ReferenceCheck::Forged);
        check(&sample, Some("c1.made-up".to_owned()), ReferenceCheck::Forged);
        check(&sample, None, ReferenceCheck::Absent);
    }

    /// A webhook of SendGrid's, signed with a key made here.
    fn signed_webhook(sample: &Sample, tamper: bool) -> Result<Vec<Fact>, WebhookRefused> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        let public: PublicKeyX509Der<'_> = key.public_key().as_der().expect("its public half");
        let reference = sample.reference("sendgrid", sample.call, "ann.lee@x.example");
        let mut body = format!(
            r#"[{{"email":"ann.lee@x.example","timestamp":1770256798,"event":"delivered",
                "sg_event_id":"ev-1","sg_message_id":"m-1.recvd","cordon_ref":"{reference}"}},
               {{"email":"bob@x.example","timestamp":1770256799,"event":"delivered",
                "sg_event_id":"ev-2","sg_message_id":"m-2.recvd"}}]"#
        );
        let sent = sample.world.now().seconds().to_string();
        let signed = [sent.as_bytes(), body.as_bytes()].concat();
        let signature = key.sign(&SystemRandom::new(), &signed).expect("it signs");
        let signature = STANDARD.encode(signature.as_ref());
        if tamper {
            body = body.replace("bob", "bib");
        }
        let webhook = Webhook {
            url: "https://cordon.flickr.example/webhooks/sendgrid",
            header: &|name| match name {
                "x-twilio-email-event-webhook-signature" => Some(&signature),
                "x-twilio-email-event-webhook-timestamp" => Some(&sent),
                _ => None,
            },
            body: body.as_bytes(),
            secret: &Secret::new(STANDARD.encode(public.as_ref())),
            now: sample.world.now(),
        };
        let connector = connectors::connector("sendgrid").expect("it is registered");
        sample.with(|cx| facts(connector, &webhook, &vendor("sendgrid"), cx))
    }

    #[test]
    fn a_signed_webhook_becomes_facts_and_a_changed_one_none() {
        let sample = Sample::new();
        let facts = signed_webhook(&sample, false).expect("the signature fits");
        let said: Vec<_> = facts
            .iter()
            .map(|fact| match &fact.body {
                FactBody::VendorEvent { reference, .. } => {
                    (fact.external_id.as_deref(), *reference)
                }
                other => panic!("not an event: {}", other.kind()),
            })
            .collect();
        let valid = ReferenceCheck::Valid { call: sample.call };
        let absent = ReferenceCheck::Absent;
        assert_eq!(said, [(Some("sendgrid/ev-1"), valid), (Some("sendgrid/ev-2"), absent)]);
        facts.iter().for_each(assert_no_addresses);
        assert_eq!(signed_webhook(&sample, true), Err(WebhookRefused::Signature));
    }

    #[test]
    fn an_event_keeps_the_vendors_id_and_time_and_our_own() {
        let sample = Sample::new();
        let fact = sample.with(|cx| fact(event(None), &vendor("sendgrid"), cx));
        assert_eq!(fact.external_id.as_deref(), Some("sendgrid/ev-1"));
        assert_eq!(fact.source, "webhook/sendgrid");
        assert_eq!(fact.at, time("2026-02-05T01:59:58Z"));
        assert_eq!(fact.seen_at, time("2026-02-05T02:00:00Z"));
        let recipient = Identifier::Email(email("Ann.Lee@x.example")).hash(&sample.identifier);
        assert!(matches!(
            fact.body,
            FactBody::VendorEvent { recipient: Some(hash), .. } if hash == recipient
        ));
    }
}
