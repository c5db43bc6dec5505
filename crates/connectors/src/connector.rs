//! The one trait behind which each vendor's dialect stands.

use model::{Action, Contact, Field, FieldSet, ListName, Secret};

use crate::call::{Call, Operation, Outbound, OwnedOutbound, Unreadable};
use crate::export::{Export, ExportError};
use crate::routine::{Guide, Routine, RoutineInput};
use crate::webhook::{Event, Webhook, WebhookRefused};

/// What Cordon knows of one vendor's API. Implementations are unit structs without state.
pub trait Connector: Send + Sync {
    /// Its name, equal to the name of its file.
    fn name(&self) -> &'static str;

    /// Where the vendor's API is, scheme and host, without a final slash.
    fn base_url(&self) -> &'static str;

    /// Domains under which the vendor sends or relays mail; empty for a vendor of something else.
    fn mail_domains(&self) -> &'static [&'static str];

    /// Every call that it can read. Whatever is not here is an unknown operation.
    fn operations(&self) -> &'static [Operation];

    /// All fields that any of its operations can carry. The others are impossible by design.
    fn carries(&self) -> FieldSet {
        self.operations().iter().map(|op| op.carries).fold(FieldSet::EMPTY, FieldSet::union)
    }

    /// Checks the shape of the vendor's credential as an operator gives it (`SG.…`, or
    /// `AC…:token`).
    ///
    /// # Errors
    /// When it is not of that shape. The error never repeats it.
    fn check_credential(&self, credential: &str) -> Result<(), model::error::Malformed>;

    /// A token in the same shape for a workload, from 48 random bytes.
    fn mint(&self, random: [u8; 48]) -> Minted;

    /// The token that a request presents, from its `Authorization` header and path.
    ///
    /// # Errors
    /// When there is none of this vendor's shape.
    fn presented(&self, authorization: Option<&str>, path: &str)
    -> Result<Presented, Unidentified>;

    /// Puts the vendor's own credential in the place of the workload's token: the value of the
    /// `Authorization` header, and the path to call.
    fn authorise(&self, credential: &Secret<String>, path: &str) -> (Secret<String>, String);

    /// Which operation a request is, by method and path alone, before its body is read.
    fn operation(&self, method: &str, path: &str) -> Option<&'static Operation>;

    /// Reads what a request discloses.
    ///
    /// # Errors
    /// When the operation is unknown or its body cannot be read without doubt.
    fn read(&self, request: &Outbound<'_>) -> Result<Call, Unreadable>;

    /// A refusal in the vendor's own words.
    fn refusal(&self, refusal: &Refusal) -> RefusalBody;

    /// The id that the vendor gave a message, from its reply.
    fn message_id(&self, headers: &dyn Fn(&str) -> Option<String>, body: &[u8]) -> Option<String>;

    /// Checks a webhook's signature and reads its events.
    ///
    /// # Errors
    /// When the signature, the age or the form is wrong.
    fn webhook(&self, webhook: &Webhook<'_>) -> Result<Vec<Event>, WebhookRefused>;

    /// The request that gives this contact to the vendor, as a workload would make it; `None` when
    /// the vendor keeps no lists.
    fn upsert_contact(&self, contact: &Contact, list: Option<&ListName>) -> Option<OwnedOutbound>;

    /// Reads the vendor's own export of what it holds.
    ///
    /// # Errors
    /// When the header is not one that the vendor writes.
    fn read_export<'a>(&self, csv: &'a [u8]) -> Result<Export<'a>, ExportError>;

    /// The calls that carry out a step at the vendor; `None` when it offers none.
    fn routine(&self, action: Action, input: RoutineInput) -> Option<Box<dyn Routine>>;

    /// What an operator does by hand for a step that the vendor offers no call for, and what
    /// proves that it is done.
    fn guide(&self, action: Action) -> Guide;

    /// Why this field cannot reach the vendor by design, if so.
    fn impossible(&self, field: Field) -> bool {
        !self.carries().contains(field)
    }
}

/// A workload's token: what is looked up, and how a program is told of it.
#[derive(Debug)]
pub struct Minted {
    /// The whole token as [`Presented::token`] will give it.
    pub token: Secret<String>,
    /// Environment variables of the vendor's SDK, by their usual names.
    pub environment: Vec<(&'static str, Secret<String>)>,
}

/// What a request presented.
#[derive(Debug)]
pub struct Presented {
    /// The token in one text.
    pub token: Secret<String>,
}

/// A request without a token of the vendor's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request has no token of this vendor's shape")]
pub struct Unidentified;

/// Why the gateway does not carry a request, before it is put in the vendor's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// Our stable code, such as `field-refused`.
    pub code: &'static str,
    /// One sentence without personal data.
    pub message: String,
}

/// A refusal as the vendor's SDK expects one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalBody {
    /// The `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}
