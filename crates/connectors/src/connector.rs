//! The one trait behind which each vendor's dialect stands.

pub(crate) mod scheme;
pub(crate) mod sigv4;

use model::error::Malformed;
use model::{Action, Contact, Field, FieldSet, ListName, Secret, Timestamp};

use crate::call::{Call, Operation, Outbound, OwnedOutbound, Unreadable};
use crate::export::{Export, ExportError};
use crate::routine::{Guide, Routine, RoutineInput};
use crate::webhook::{Event, Webhook, WebhookRefused};

/// What Cordon knows of one vendor's API. Implementations are unit structs without state.
pub trait Connector: Send + Sync {
    /// Its name, equal to the name of its file.
    fn name(&self) -> &'static str;

    /// Where the vendor's API is, region by region; the first is where calls go unless an operator
    /// gives another endpoint. Operations may have a host of their own.
    fn hosts(&self) -> &'static [Host];

    /// Scheme and host of the API for whoever has this credential, without a final slash; `None`
    /// when an operator must say it.
    fn base_url(&self, credential: &Secret<String>) -> Option<String>;

    /// Request headers that the vendor documents beside those of every call, in lower case; others
    /// do not leave under `enforce`.
    fn headers(&self) -> &'static [&'static str] {
        &[]
    }

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
    fn check_credential(&self, credential: &str) -> Result<(), Malformed>;

    /// A token in the same shape for a workload, from 48 random bytes. `secret_of` gives the secret
    /// that belongs to a key's id, for vendors whose requests are signed.
    fn mint(&self, random: [u8; 48], secret_of: SecretOf<'_>) -> Minted;

    /// Whether a caller's token stands in the body, so that the body is read before it is known who
    /// calls.
    fn token_in_body(&self) -> bool {
        false
    }

    /// The token that a request presents.
    ///
    /// # Errors
    /// When there is none of this vendor's shape, or its signature does not fit.
    fn presented(&self, asking: &Asking<'_>) -> Result<Presented, Unidentified>;

    /// What puts the vendor's own credential in the place of the workload's token.
    ///
    /// # Errors
    /// When the credential is not of the vendor's shape.
    fn authorise(
        &self,
        credential: &Secret<String>,
        leaving: &Leaving<'_>,
    ) -> Result<Authorised, Malformed>;

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

/// The secret that belongs to a key's id.
pub type SecretOf<'a> = &'a dyn Fn(&str) -> Secret<String>;

/// One of a vendor's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    /// The region by the vendor's name for it; empty where there is but one.
    pub region: &'static str,
    /// Scheme and host without a final slash; `{…}` stands for what depends on the account.
    pub url: &'static str,
}

/// A request as far as it says who makes it.
pub struct Asking<'a> {
    /// `POST`, `PUT`, …
    pub method: &'a str,
    /// What stood before the path as the caller sent it, such as `/v/ses`.
    pub prefix: &'a str,
    /// The path below the vendor's base, as sent.
    pub path: &'a str,
    /// The query without `?`.
    pub query: Option<&'a str>,
    /// A header's value by its lower-case name; `None` also when it stands twice or is no text.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The body; empty unless [`Connector::token_in_body`].
    pub body: &'a [u8],
    /// The time now, for what is signed.
    pub at: Timestamp,
    /// The secret that belongs to a key's id.
    pub secret_of: SecretOf<'a>,
}

/// A request as it is about to leave, but for its credential.
pub struct Leaving<'a> {
    /// `POST`, `PUT`, …
    pub method: &'a str,
    /// The `Host` header.
    pub host: &'a str,
    /// What stands before the path in an operator's endpoint; empty for the vendor's own.
    pub prefix: &'a str,
    /// The path below the vendor's base, as sent.
    pub path: &'a str,
    /// The query without `?`.
    pub query: Option<&'a str>,
    /// A header's value by its lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
    /// The time now, for what is signed.
    pub at: Timestamp,
}

/// What a credential adds to a request, or changes in it.
#[derive(Debug, Default)]
pub struct Authorised {
    /// Headers by their lower-case names.
    pub headers: Vec<(&'static str, Secret<String>)>,
    /// Another path below the vendor's base, for credentials a part of which stands there.
    pub path: Option<String>,
    /// Another body, for credentials that stand there.
    pub body: Option<Secret<Vec<u8>>>,
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
