//! Twilio: text messages over forms. It does not speak calls, Verify or Event Streams.

use model::error::Malformed;
use model::{Action, Contact, Field, FieldSet, ListName, Secret};

use crate::call::{Call, Operation, Outbound, OwnedOutbound, Unreadable};
use crate::connector::{Connector, Minted, Presented, Refusal, RefusalBody, Unidentified};
use crate::export::{Export, ExportError};
use crate::routine::{Guide, Routine, RoutineInput};
use crate::webhook::{Event, Webhook, WebhookRefused};

/// Twilio, 2010-04-01 of its API.
pub struct Twilio;

static OPERATIONS: [Operation; 0] = [];

impl Connector for Twilio {
    fn name(&self) -> &'static str {
        "twilio"
    }
    fn base_url(&self) -> &'static str {
        "https://api.twilio.com"
    }
    fn mail_domains(&self) -> &'static [&'static str] {
        &[]
    }
    fn operations(&self) -> &'static [Operation] {
        &OPERATIONS
    }
    fn check_credential(&self, _credential: &str) -> Result<(), Malformed> {
        Err(Malformed::new("API key", "not read yet"))
    }
    fn mint(&self, _random: [u8; 48]) -> Minted {
        Minted { token: Secret::new(String::new()), environment: Vec::new() }
    }
    fn presented(&self, _: Option<&str>, _: &str) -> Result<Presented, Unidentified> {
        Err(Unidentified)
    }
    fn authorise(&self, credential: &Secret<String>, path: &str) -> (Secret<String>, String) {
        (credential.clone(), path.to_owned())
    }
    fn operation(&self, _method: &str, _path: &str) -> Option<&'static Operation> {
        None
    }
    fn read(&self, _request: &Outbound<'_>) -> Result<Call, Unreadable> {
        Err(Unreadable::UnknownOperation)
    }
    fn refusal(&self, _refusal: &Refusal) -> RefusalBody {
        RefusalBody { content_type: "application/json", body: Vec::new() }
    }
    fn message_id(&self, _: &dyn Fn(&str) -> Option<String>, _body: &[u8]) -> Option<String> {
        None
    }
    fn webhook(&self, _webhook: &Webhook<'_>) -> Result<Vec<Event>, WebhookRefused> {
        Err(WebhookRefused::Unsigned)
    }
    fn upsert_contact(&self, _: &Contact, _: Option<&ListName>) -> Option<OwnedOutbound> {
        None
    }
    fn read_export<'a>(&self, _csv: &'a [u8]) -> Result<Export<'a>, ExportError> {
        Err(ExportError::Column("email"))
    }
    fn routine(&self, _action: Action, _input: RoutineInput) -> Option<Box<dyn Routine>> {
        None
    }
    fn guide(&self, _action: Action) -> Guide {
        Guide { steps: Vec::new(), proof: String::new() }
    }
    fn carries(&self) -> FieldSet {
        FieldSet::EMPTY.with(Field::Phone)
    }
}
