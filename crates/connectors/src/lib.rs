//! What Cordon knows of each vendor's API: what a request discloses, how a webhook is signed, what
//! stops it. **Invariant:** no sockets, no clock, no storage: bytes in, values out.
//!
//! One vendor, one file, three equal names: the file, its test and its section in
//! `docs/connectors.md`. A new connector is registered in [`CONNECTORS`].

pub mod call;
pub mod connector;
pub mod export;
mod form;
mod json;
pub mod reference;
pub mod routine;
pub mod sendgrid;
pub mod twilio;
pub mod webhook;

pub use call::{Call, Changes, Operation, Outbound, OwnedOutbound, Party, Unreadable};
pub use connector::{
    Asking, Authorised, Connector, Host, Leaving, Minted, Presented, Refusal, RefusalBody,
    SecretOf, Unidentified,
};
pub use export::{Export, ExportError, ExportRow};
pub use reference::Reference;
pub use routine::{ApiCall, ApiReply, CredentialUse, Next, Routine};
pub use webhook::{Event, Webhook, WebhookRefused};

/// Every connector, in the order in which it is documented.
pub static CONNECTORS: &[&dyn Connector] = &[&sendgrid::SendGrid, &twilio::Twilio];

/// The connector of this name.
pub fn connector(name: &str) -> Option<&'static dyn Connector> {
    CONNECTORS.iter().copied().find(|connector| connector.name() == name)
}
