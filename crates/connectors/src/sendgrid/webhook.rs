//! SendGrid's signed event webhook: ECDSA P-256 over timestamp and raw body, then a list of events
//! with the custom arguments at their top level. It does not judge what an event means.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{Email, Identifier, Timestamp, crypto, limits};
use serde_json::{Map, Value};

use super::mail_send::REFERENCE;
use crate::webhook::{Event, Webhook, WebhookRefused};

const SIGNATURE: &str = "x-twilio-email-event-webhook-signature";
const TIMESTAMP: &str = "x-twilio-email-event-webhook-timestamp";

/// Checks the signature, then the age, then reads the events.
pub(super) fn read(webhook: &Webhook<'_>) -> Result<Vec<Event>, WebhookRefused> {
    let header = |name| (webhook.header)(name).filter(|value| !value.is_empty());
    let signature = header(SIGNATURE).ok_or(WebhookRefused::Unsigned)?;
    let timestamp = header(TIMESTAMP).ok_or(WebhookRefused::Unsigned)?;
    let key = public_key(webhook.secret.expose()).ok_or(WebhookRefused::Key)?;
    let signature = STANDARD.decode(signature).map_err(|_| WebhookRefused::Signature)?;
    let signed = [timestamp.as_bytes(), webhook.body].concat();
    key.verify_sig(&signed, &signature).map_err(|_| WebhookRefused::Signature)?;

    let sent: i64 = timestamp.parse().map_err(|_| WebhookRefused::Form)?;
    if webhook.now.seconds().abs_diff(sent) > limits::WEBHOOK_AGE_SECONDS.unsigned_abs() {
        return Err(WebhookRefused::Age);
    }
    let Ok(Value::Array(events)) = serde_json::from_slice(webhook.body) else {
        return Err(WebhookRefused::Form);
    };
    if events.len() > limits::WEBHOOK_EVENTS {
        return Err(WebhookRefused::TooMany);
    }
    events.iter().map(|event| self::event(event, Timestamp::from_seconds(sent))).collect()
}

/// The public key as SendGrid shows it: SPKI in base64, one line or several.
fn public_key(text: &str) -> Option<ParsedPublicKey> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
    let der = STANDARD.decode(lines.collect::<String>()).ok()?;
    ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, der).ok()
}

fn event(event: &Value, sent: Timestamp) -> Result<Event, WebhookRefused> {
    let keys = event.as_object().ok_or(WebhookRefused::Form)?;
    let name = text(keys, "event").ok_or(WebhookRefused::Form)?;
    // An event about the account has no id of its own; the same bytes are the same event.
    let id = text(keys, "sg_event_id")
        .unwrap_or_else(|| crypto::to_hex(&crypto::sha256(event.to_string().as_bytes())));
    let email = text(keys, "email").and_then(|email| Email::parse(&email).ok());
    Ok(Event {
        id,
        at: time(keys).unwrap_or(sent),
        event: name,
        message: message(keys),
        recipient: email.map(Identifier::Email),
        reference: text(keys, REFERENCE),
    })
}

fn text(keys: &Map<String, Value>, key: &str) -> Option<String> {
    keys.get(key)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn time(keys: &Map<String, Value>) -> Option<Timestamp> {
    let time = keys.get("timestamp")?;
    time.as_i64().or_else(|| time.as_str()?.parse().ok()).map(Timestamp::from_seconds)
}

/// The id that SendGrid gave out when it took the message: the events' own ids have it before
/// their first dot, or in the place of an address.
fn message(keys: &Map<String, Value>) -> Option<String> {
    let own = text(keys, "sg_message_id").map(|id| id.split('.').next().unwrap_or("").to_owned());
    let smtp = || {
        let id = text(keys, "smtp-id")?;
        Some(id.trim_start_matches('<').split('@').next().unwrap_or("").to_owned())
    };
    own.or_else(smtp).filter(|id| !id.is_empty())
}
