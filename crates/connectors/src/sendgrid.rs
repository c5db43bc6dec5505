//! SendGrid: mail and marketing contacts over JSON. It does not speak SMTP or the CSV import.

mod contacts;
mod containment;
mod export;
mod guide;
mod mail_send;
mod webhook;

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::error::Malformed;
use model::{Action, Contact, ListName, Secret};
use serde_json::json;

use crate::call::{Call, Operation, Outbound, OwnedOutbound, Unreadable};
use crate::connector::{
    Asking, Authorised, Connector, Host, Leaving, Minted, Presented, Refusal, RefusalBody,
    SecretOf, Unidentified, scheme,
};
use crate::described::Described;
use crate::export::{Export, ExportError};
use crate::routine::steps::by_hand;
use crate::routine::{Guide, Routine, RoutineInput};
use crate::webhook::{Event, Webhook, WebhookRefused};

/// SendGrid, v3 of its web API.
pub struct SendGrid;

/// Calls that are data.
static CALLS: LazyLock<&'static Described> = LazyLock::new(|| {
    Described::load(include_str!("sendgrid/calls.toml")).expect("a test holds that it can be read")
});

static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let own = [mail_send::OPERATION, contacts::OPERATION];
    own.into_iter().chain(CALLS.operations().iter().copied()).collect()
});

impl Connector for SendGrid {
    fn name(&self) -> &'static str {
        "sendgrid"
    }

    fn hosts(&self) -> &'static [Host] {
        &[
            Host { region: "global", url: "https://api.sendgrid.com" },
            Host { region: "eu", url: "https://api.eu.sendgrid.com" },
        ]
    }

    fn base_url(&self, _: &Secret<String>) -> Option<String> {
        Some(self.hosts()[0].url.to_owned())
    }

    fn headers(&self) -> &'static [&'static str] {
        &["on-behalf-of"]
    }

    fn mail_domains(&self) -> &'static [&'static str] {
        &["sendgrid.net", "sendgrid.com"]
    }

    fn operations(&self) -> &'static [Operation] {
        &OPERATIONS
    }

    fn check_credential(&self, credential: &str) -> Result<(), Malformed> {
        let why = "it is `SG.`, 22 characters, a dot and 43 characters";
        if is_key(credential) { Ok(()) } else { Err(Malformed::new("SendGrid API key", why)) }
    }

    fn mint(&self, random: [u8; 48], _: SecretOf<'_>) -> Minted {
        let (id, secret) = random.split_at(16);
        let encode = |bytes| URL_SAFE_NO_PAD.encode(bytes);
        let token = Secret::new(format!("SG.{}.{}", encode(id), encode(secret)));
        Minted { environment: vec![("SENDGRID_API_KEY", token.clone())], token }
    }

    fn presented(&self, asking: &Asking<'_>) -> Result<Presented, Unidentified> {
        let token = scheme::bearer(asking, "bearer").ok_or(Unidentified)?;
        if is_key(token.expose()) { Ok(Presented { token }) } else { Err(Unidentified) }
    }

    fn authorise(
        &self,
        credential: &Secret<String>,
        _: &Leaving<'_>,
    ) -> Result<Authorised, Malformed> {
        Ok(scheme::authorization("Bearer", credential))
    }

    fn operation(&self, method: &str, path: &str) -> Option<&'static Operation> {
        match (method, path) {
            ("POST", "/v3/mail/send") => Some(&OPERATIONS[0]),
            ("PUT", contacts::PATH) => Some(&OPERATIONS[1]),
            _ => {
                let named = CALLS.operation(method, path)?;
                OPERATIONS.iter().find(|operation| operation.name == named.name)
            }
        }
    }

    fn read(&self, request: &Outbound<'_>) -> Result<Call, Unreadable> {
        let operation =
            self.operation(request.method, request.path).ok_or(Unreadable::UnknownOperation)?;
        if CALLS.has(operation) {
            return CALLS.read(request);
        }
        request.check(operation, "application/json")?;
        match operation.name {
            "mail.send" => mail_send::read(operation, request.body),
            _ => contacts::read(operation, request.body),
        }
    }

    fn refusal(&self, refusal: &Refusal) -> RefusalBody {
        let error = json!({"message": refusal.message, "field": null, "help": refusal.code});
        let body = json!({"errors": [error]}).to_string().into_bytes();
        RefusalBody { content_type: "application/json", body }
    }

    fn message_id(&self, headers: &dyn Fn(&str) -> Option<String>, _: &[u8]) -> Option<String> {
        headers("x-message-id").filter(|id| !id.is_empty())
    }

    fn webhook(&self, webhook: &Webhook<'_>) -> Result<Vec<Event>, WebhookRefused> {
        webhook::read(webhook)
    }

    fn upsert_contact(&self, contact: &Contact, list: Option<&ListName>) -> Option<OwnedOutbound> {
        Some(contacts::upsert(contact, list))
    }

    fn read_export<'a>(&self, csv: &'a [u8]) -> Result<Export<'a>, ExportError> {
        export::read(csv)
    }

    fn routine(&self, action: Action, input: RoutineInput) -> Option<Box<dyn Routine>> {
        containment::routine(action, &input)
    }

    fn guide(&self, action: Action) -> Guide {
        by_hand(guide::GUIDES, action)
    }
}

/// `SG.<id of the key>.<secret>`, both base64url.
fn is_key(text: &str) -> bool {
    let is_base64url = |part: &str, length: usize| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        part.len() == length && part.bytes().all(letter)
    };
    text.strip_prefix("SG.")
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(id, secret)| is_base64url(id, 22) && is_base64url(secret, 43))
}
