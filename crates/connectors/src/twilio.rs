//! Twilio: text messages over forms, Verify and Lookups. It does not speak calls or Event Streams.

mod account;
mod containment;
mod export;
mod guide;
mod messages;
mod webhook;

use std::sync::LazyLock;

use model::error::Malformed;
use model::{Action, Contact, ListName, Secret, crypto};
use serde_json::{Value, json};

use self::account::{ACCOUNTS, Account, sid_in};
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

/// Twilio, edition 2010-04-01 of its API.
pub struct Twilio;

/// Calls that are data.
static CALLS: LazyLock<&'static Described> = LazyLock::new(|| {
    Described::load(include_str!("twilio/calls.toml")).expect("a test holds that it can be read")
});

static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let own = [messages::OPERATION];
    own.into_iter().chain(CALLS.operations().iter().copied()).collect()
});

impl Connector for Twilio {
    fn name(&self) -> &'static str {
        "twilio"
    }

    fn hosts(&self) -> &'static [Host] {
        &[
            Host { region: "", url: "https://api.twilio.com" },
            Host { region: "verify", url: "https://verify.twilio.com" },
            Host { region: "lookups", url: "https://lookups.twilio.com" },
        ]
    }

    fn base_url(&self, _: &Secret<String>) -> Option<String> {
        Some(self.hosts()[0].url.to_owned())
    }

    fn mail_domains(&self) -> &'static [&'static str] {
        &[]
    }

    fn operations(&self) -> &'static [Operation] {
        &OPERATIONS
    }

    fn check_credential(&self, credential: &str) -> Result<(), Malformed> {
        let why = "it is `AC`, 32 hexadecimal digits, a colon and the auth token of 32 more";
        let account = Account::parse(credential);
        account.map(|_| ()).ok_or(Malformed::new("Twilio account and token", why))
    }

    fn mint(&self, random: [u8; 48], _: SecretOf<'_>) -> Minted {
        let sid = format!("AC{}", crypto::to_hex(&random[..16]));
        let token = crypto::to_hex(&random[16..32]);
        Minted {
            token: Secret::new(format!("{sid}:{token}")),
            environment: vec![
                ("TWILIO_ACCOUNT_SID", Secret::new(sid)),
                ("TWILIO_AUTH_TOKEN", Secret::new(token)),
            ],
        }
    }

    fn presented(&self, asking: &Asking<'_>) -> Result<Presented, Unidentified> {
        let token = scheme::basic(asking).ok_or(Unidentified)?;
        let account = Account::parse(token.expose()).ok_or(Unidentified)?;
        // Verify and Lookups name no account in their paths.
        let is_own = match sid_in(asking.path) {
            Some(named) => asking.path[named] == *account.sid,
            None => !asking.path.starts_with(ACCOUNTS),
        };
        if is_own { Ok(Presented { token }) } else { Err(Unidentified) }
    }

    fn authorise(
        &self,
        credential: &Secret<String>,
        leaving: &Leaving<'_>,
    ) -> Result<Authorised, Malformed> {
        self.check_credential(credential.expose())?;
        let mut path = leaving.path.to_owned();
        if let (Some(named), Some(account)) = (sid_in(&path), Account::parse(credential.expose())) {
            path.replace_range(named, account.sid);
        }
        Ok(Authorised { path: Some(path), ..scheme::basic_authorization(credential) })
    }

    fn operation(&self, method: &str, path: &str) -> Option<&'static Operation> {
        let rest = sid_in(path).map(|sid| &path[sid.end..]);
        if method == "POST" && rest == Some("/Messages.json") {
            return Some(&OPERATIONS[0]);
        }
        let named = CALLS.operation(method, path)?;
        OPERATIONS.iter().find(|operation| operation.name == named.name)
    }

    fn read(&self, request: &Outbound<'_>) -> Result<Call, Unreadable> {
        let operation =
            self.operation(request.method, request.path).ok_or(Unreadable::UnknownOperation)?;
        if CALLS.has(operation) {
            return CALLS.read(request);
        }
        request.check(operation, "application/x-www-form-urlencoded")?;
        messages::read(operation, request.body)
    }

    fn refusal(&self, refusal: &Refusal) -> RefusalBody {
        // Twilio's general codes are its status behind 20; only «who are you?» is its own.
        let code = if refusal.status == 401 { 20_003 } else { 20_000 + u32::from(refusal.status) };
        let body = json!({
            "code": code,
            "message": refusal.message,
            "more_info": refusal.code,
            "status": refusal.status,
        });
        RefusalBody { content_type: "application/json", body: body.to_string().into_bytes() }
    }

    fn message_id(&self, _: &dyn Fn(&str) -> Option<String>, body: &[u8]) -> Option<String> {
        let reply: Value = serde_json::from_slice(body).ok()?;
        reply["sid"].as_str().filter(|sid| !sid.is_empty()).map(str::to_owned)
    }

    fn webhook(&self, webhook: &Webhook<'_>) -> Result<Vec<Event>, WebhookRefused> {
        webhook::read(webhook)
    }

    fn upsert_contact(&self, _: &Contact, _: Option<&ListName>) -> Option<OwnedOutbound> {
        None
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
