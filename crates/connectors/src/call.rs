//! A request as the gateway hands it in, and what a connector reads out of it.

use model::{Field, FieldAction, FieldSet, Identifier, ListName, limits};

use crate::media_type::MediaType;

/// A kind of call that a connector knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its name, such as `mail.send`.
    pub name: &'static str,
    /// Fields that it can carry.
    pub carries: FieldSet,
    /// The largest body that the vendor takes.
    pub body_bytes: usize,
    /// Scheme and host where this call goes, when they are not the connector's.
    pub base: Option<&'static str>,
    /// After how many days nothing of such a call is left at the vendor, where it documents that.
    pub retention_days: Option<u32>,
    /// The header of the vendor's by which a repeated call is known, in lower case.
    pub idempotency: Option<&'static str>,
}

impl Operation {
    /// An operation of which the vendor documents nothing beside its body.
    pub const fn new(name: &'static str, carries: FieldSet, body_bytes: usize) -> Self {
        Self { name, carries, body_bytes, base: None, retention_days: None, idempotency: None }
    }
}

/// A request on its way to a vendor, its body whole and decompressed.
#[derive(Clone, Copy)]
pub struct Outbound<'a> {
    /// `POST`, `PUT`, …
    pub method: &'a str,
    /// The path below the vendor's base, with its leading slash, as sent.
    pub path: &'a str,
    /// The query without `?`.
    pub query: Option<&'a str>,
    /// The `Content-Type`, whole.
    pub content_type: Option<&'a str>,
    /// A header's value by its lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

impl Outbound<'_> {
    /// Checks what holds for every operation: its content type, its size, and that nothing is said
    /// in a query, which none of them documents.
    pub(crate) fn check(&self, operation: &Operation, expected: &str) -> Result<(), Unreadable> {
        let kind = self.content_type.and_then(MediaType::parse).ok_or(Unreadable::ContentType)?;
        if kind.name != expected || !kind.is_utf8() || !kind.has_only(&["charset"]) {
            return Err(Unreadable::ContentType);
        }
        if self.query.is_some_and(|query| !query.is_empty()) {
            let at = "the query".to_owned();
            return Err(Unreadable::Body { at, why: "the vendor documents none for this call" });
        }
        if self.body.len() > operation.body_bytes {
            return Err(Unreadable::TooMany { what: "bytes", limit: operation.body_bytes });
        }
        Ok(())
    }
}

/// A request that Cordon makes itself in the shape of a workload's.
#[derive(Debug, Clone)]
pub struct OwnedOutbound {
    /// `POST`, `PUT`, …
    pub method: &'static str,
    /// The path below the vendor's base.
    pub path: String,
    /// The `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

/// One person in a call and what the call says of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// Every identifier of that person in the call; at least one.
    pub identifiers: Vec<Identifier>,
    /// The fields that the call discloses of them.
    pub fields: FieldSet,
    /// The vendor's lists that it puts them in.
    pub lists: Vec<ListName>,
}

/// What a connector read: who, what, and the means to write the request again.
pub struct Call {
    /// Which operation.
    pub operation: &'static Operation,
    /// Everybody whom it concerns.
    pub parties: Vec<Party>,
    /// JSON pointers or form keys that the vendor does not document, without their values.
    pub unknown: Vec<String>,
    /// Warnings that need no refusal, such as `pii-in-categories`; stable codes.
    pub warnings: Vec<&'static str>,
    /// The parsed request.
    pub body: Box<dyn Body>,
}

/// A parsed request that can be written again with changes.
pub trait Body: Send + Sync {
    /// The body to send, with its `Content-Type`.
    ///
    /// # Errors
    /// When a change cannot be made, such as a field that the operation cannot do without.
    fn write(&self, changes: &Changes<'_>) -> Result<Vec<u8>, Unreadable>;
}

/// How a request is changed before it leaves.
pub struct Changes<'a> {
    /// What happens to each field; never [`FieldAction::Refuse`] here.
    pub action: &'a dyn Fn(Field) -> FieldAction,
    /// What stands in a value's place, for an action that replaces it
    /// ([`FieldAction::replaces`]).
    pub replace: &'a dyn Fn(FieldAction, Field, &str) -> String,
    /// Whether keys that the vendor does not document are taken out.
    pub drop_unknown: bool,
    /// The signed reference for a message to these recipients; an empty one is not put in.
    pub reference: &'a dyn Fn(&[&Identifier]) -> String,
    /// Where the vendor should report on a message, for vendors that are told so in each call; the
    /// reference is appended to it.
    pub callback_url: Option<&'a str>,
}

impl Changes<'_> {
    /// Refuses unless each of these fields, where the call discloses it, may pass as it is.
    ///
    /// # Errors
    /// [`Unreadable::Needed`] with the first one that may not.
    pub fn need(&self, disclosed: FieldSet, fields: &[Field]) -> Result<(), Unreadable> {
        let kept = |field: &Field| (self.action)(*field) == FieldAction::Allow;
        let missed = fields.iter().find(|field| disclosed.contains(**field) && !kept(field));
        missed.map_or(Ok(()), |field| Err(Unreadable::Needed(*field)))
    }
}

/// A key as it may be shown. One that is not a plain word may be personal data itself.
pub fn shown(key: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let word = key.len() <= limits::NAME_BYTES && key.bytes().all(plain);
    // Seven digits in a row are more likely a number of somebody's than a name of something.
    let number = key.bytes().filter(u8::is_ascii_digit).count() > 6;
    if word && !number { key } else { "…" }
}

/// Why a request cannot be read; it does not leave in `enforce`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Method and path are no operation that the connector knows.
    #[error("no known operation has this method and path")]
    UnknownOperation,
    /// The `Content-Type` is not the operation's.
    #[error("the content type is not the one that the vendor documents")]
    ContentType,
    /// The body is not well-formed, or says one thing twice. `at` is a pointer or key, no value.
    #[error("the body cannot be read without doubt, at `{at}`: {why}")]
    Body {
        /// Where.
        at: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A value that should name a person does not.
    #[error("no valid address or number at `{at}`")]
    Identifier {
        /// Where.
        at: String,
    },
    /// More of something than the vendor takes.
    #[error("more {what} than the vendor takes: {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The most.
        limit: usize,
    },
    /// A field that policy takes out is one that the operation cannot do without.
    #[error("the operation cannot do without `{0}`")]
    Needed(Field),
}

impl model::Coded for Unreadable {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownOperation => "unknown-operation",
            Self::ContentType => "content-type",
            Self::Body { .. } => "body-unreadable",
            Self::Identifier { .. } => "identifier-unreadable",
            Self::TooMany { .. } => "too-many",
            Self::Needed(_) => "field-needed",
        }
    }
}
