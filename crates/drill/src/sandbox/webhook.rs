//! The signed event webhook: batches of events, ECDSA over timestamp and body, tried again when
//! the receiver is not well, as SendGrid does.

use std::time::Duration;

use anyhow::anyhow;
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use model::{World, limits};
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, watch};

use super::Sandbox;
use super::send::{Mailbox, Message};

/// How long the first event of a batch waits for more.
const BATCH_WAIT: Duration = Duration::from_millis(50);
/// How long the receiver may take to answer.
const POST_TIMEOUT: Duration = Duration::from_secs(30);
/// The wait before the second try; it doubles each time up to [`RETRY_MOST`].
const RETRY_FIRST: Duration = Duration::from_millis(100);
/// The longest wait between two tries.
const RETRY_MOST: Duration = Duration::from_secs(10);
/// Tries in all. SendGrid goes on for 24 hours; a drill does not last that long.
const TRIES: u32 = 12;

/// One event, ready to be written.
#[derive(Debug, Clone)]
pub(super) struct Event(Map<String, Value>);

impl Event {
    /// What became of a message to one recipient.
    pub(super) fn of(world: &World, message: &Message, to: &Mailbox, event: &str) -> Self {
        // SendGrid flattens custom arguments into the event; its own keys win.
        let mut keys = message.custom_args.clone();
        let own = json!({
            "email": to.email,
            "timestamp": world.now().seconds(),
            "smtp-id": format!("<{}@geopod-ismtpd-1>", message.id),
            "event": event,
            "category": message.categories,
            "sg_event_id": STANDARD.encode(world.bytes::<16>()),
            "sg_message_id": format!("{}.recvd-sandbox-1-{}.0", message.id, message.index),
        });
        if let Value::Object(own) = own {
            keys.extend(own);
        }
        Self(keys)
    }

    /// With one more key.
    pub(super) fn with(mut self, key: &str, value: &str) -> Self {
        self.0.insert(key.to_owned(), Value::from(value));
        self
    }
}

/// The account's signing key.
pub(super) struct Signer(EcdsaKeyPair);

impl Signer {
    pub(super) fn generate() -> anyhow::Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING);
        pair.map(Self).map_err(|_| anyhow!("cannot make the key that signs events"))
    }

    /// Base64 of the public key's SPKI in DER.
    pub(super) fn public_key(&self) -> String {
        let der = AsDer::<PublicKeyX509Der<'_>>::as_der(self.0.public_key());
        der.map(|der| STANDARD.encode(der.as_ref())).unwrap_or_default()
    }

    /// Signs `timestamp || body`; base64 of the DER form.
    fn sign(&self, timestamp: &str, body: &[u8]) -> anyhow::Result<String> {
        let message = [timestamp.as_bytes(), body].concat();
        let signature = self.0.sign(&SystemRandom::new(), &message);
        let signature = signature.map_err(|_| anyhow!("cannot sign events"))?;
        Ok(STANDARD.encode(signature.as_ref()))
    }
}

/// The worker that posts events.
pub(super) struct Poster {
    pub queue: mpsc::Receiver<Event>,
    pub url: watch::Receiver<Option<String>>,
}

impl Poster {
    /// Posts until it is aborted.
    pub(super) async fn run(mut self, sandbox: Sandbox) {
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        while let Some(batch) = self.batch().await {
            let url = self.url.borrow().clone();
            let count = batch.len() as u64;
            // Where no webhook is set up, nobody misses the events.
            if let Some(url) = url {
                let posted = post(&client, &sandbox, &url, &batch).await;
                let counts = &mut sandbox.state().counts;
                match posted {
                    true => counts.events_posted += count,
                    false => counts.events_lost += count,
                }
            }
            sandbox.done(count);
        }
    }

    async fn batch(&mut self) -> Option<Vec<Event>> {
        let mut batch = vec![self.queue.recv().await?];
        let until = tokio::time::Instant::now() + BATCH_WAIT;
        while batch.len() < limits::SANDBOX_EVENTS_PER_POST {
            match tokio::time::timeout_at(until, self.queue.recv()).await {
                Ok(Some(event)) => batch.push(event),
                Ok(None) | Err(_) => break,
            }
        }
        Some(batch)
    }
}

type PostClient = Client<HttpConnector, Full<Bytes>>;

/// Posts one batch, again and again while the receiver is not well; whether it took it.
async fn post(client: &PostClient, sandbox: &Sandbox, url: &str, batch: &[Event]) -> bool {
    let body = write(batch);
    let mut wait = RETRY_FIRST;
    for attempt in 1..=TRIES {
        match post_once(client, sandbox, url, body.clone()).await {
            Ok(status) if status.is_success() => return true,
            Ok(status) if status.is_client_error() && status != 429 => {
                tracing::warn!(webhook.status = status.as_u16(), "the webhook was refused");
                return false;
            }
            Ok(_) | Err(_) if attempt < TRIES => tokio::time::sleep(wait).await,
            Ok(_) | Err(_) => break,
        }
        wait = (wait * 2).min(RETRY_MOST);
    }
    false
}

async fn post_once(
    client: &PostClient,
    sandbox: &Sandbox,
    url: &str,
    body: Bytes,
) -> anyhow::Result<http::StatusCode> {
    let timestamp = sandbox.0.world.now().seconds().to_string();
    let signature = sandbox.0.signer.sign(&timestamp, &body)?;
    let request = Request::post(url)
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header(header::USER_AGENT, "SendGrid Event API")
        .header("X-Twilio-Email-Event-Webhook-Signature", signature)
        .header("X-Twilio-Email-Event-Webhook-Timestamp", timestamp)
        .body(Full::new(body))?;
    let response = tokio::time::timeout(POST_TIMEOUT, client.request(request)).await??;
    Ok(response.status())
}

/// The array as SendGrid writes it: a line for each event, and a line's end after the last.
fn write(batch: &[Event]) -> Bytes {
    let lines: Vec<_> = batch
        .iter()
        .map(|event| serde_json::to_string(&event.0).expect("a map of texts is JSON"))
        .collect();
    format!("[{}]\r\n", lines.join(",\r\n")).into()
}
