//! What Cordon knows of each vendor's API: what a request discloses, how a webhook is signed, what
//! stops it. **Invariant:** no sockets, no clock, no storage: bytes in, values out.
//!
//! One vendor, one file, three equal names: the file, its test and its section in
//! `docs/connectors.md`. Most are data, in `vendors/`; webhooks and containment are code.

pub mod call;
pub mod connector;
pub mod described;
pub mod export;
mod form;
mod json;
mod media_type;
mod multipart;
mod net;
pub mod parsers;
mod personal;
pub mod recording;
pub mod reference;
pub mod routine;
pub mod s3;
pub mod sendgrid;
pub mod smtp;
pub mod twilio;
pub mod webhook;

use std::collections::BTreeSet;
use std::sync::{LazyLock, OnceLock};

pub use call::{Body, Call, Changes, Operation, Outbound, OwnedOutbound, Party, Unreadable, shown};
pub use connector::{
    Asking, Authorised, Connector, Host, Leaving, Minted, Presented, Refusal, RefusalBody,
    SecretOf, Unidentified,
};
pub use described::{Described, FileError};
pub use export::{Export, ExportError, ExportRow};
pub use reference::Reference;
pub use routine::{ApiCall, ApiReply, CredentialUse, Next, Routine};
pub use webhook::{Event, Webhook, WebhookRefused};

/// Connectors that are code.
static WRITTEN: [&dyn Connector; 3] = [&sendgrid::SendGrid, &twilio::Twilio, &s3::S3];

/// Files of the connectors that are data.
const FILES: [&str; 11] = [
    include_str!("../vendors/braze.toml"),
    include_str!("../vendors/customerio.toml"),
    include_str!("../vendors/klaviyo.toml"),
    include_str!("../vendors/mailchimp.toml"),
    include_str!("../vendors/mailgun.toml"),
    include_str!("../vendors/mandrill.toml"),
    include_str!("../vendors/postmark.toml"),
    include_str!("../vendors/resend.toml"),
    include_str!("../vendors/segment.toml"),
    include_str!("../vendors/ses.toml"),
    include_str!("../vendors/zendesk.toml"),
];

static OURS: LazyLock<Vec<&'static dyn Connector>> = LazyLock::new(|| {
    let described = FILES.iter().map(|text| -> &'static dyn Connector {
        Described::load(text).expect("a test holds that each file is a connector")
    });
    WRITTEN.iter().copied().chain(described).collect()
});

/// A company's own, added once as the program starts.
static ADDED: OnceLock<Vec<&'static dyn Connector>> = OnceLock::new();

/// Every connector: ours, then the company's own.
pub fn connectors() -> impl Iterator<Item = &'static dyn Connector> {
    OURS.iter().chain(ADDED.get().into_iter().flatten()).copied()
}

/// The connector of this name.
pub fn connector(name: &str) -> Option<&'static dyn Connector> {
    connectors().find(|connector| connector.name() == name)
}

/// Adds a company's own connectors.
///
/// # Errors
/// When one has the name of another, or some were added before.
pub fn add(described: Vec<&'static Described>) -> Result<(), NotAdded> {
    let mut names = BTreeSet::new();
    for own in &described {
        if !names.insert(own.name()) || OURS.iter().any(|ours| ours.name() == own.name()) {
            return Err(NotAdded::Name(own.name()));
        }
    }
    let own = described.into_iter().map(|own| -> &'static dyn Connector { own });
    ADDED.set(own.collect()).map_err(|_| NotAdded::Again)
}

/// Why connectors were not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAdded {
    /// Another has this name.
    #[error("there is another connector `{0}`")]
    Name(&'static str),
    /// It is done once.
    #[error("connectors were added before")]
    Again,
}
