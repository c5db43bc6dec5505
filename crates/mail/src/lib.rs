//! Mail in and out: SMTP both ways, MIME, DKIM. **Invariant:** knows no vendors, no incidents, no
//! storage and no clock: whoever calls says what time it is and what to do with what arrived.
//!
//! In: [`Receiver`] takes mail over SMTP and hands it to an [`Inbox`], or, from those who log in,
//! to a [`Desk`]; [`read`] takes a mail apart, [`Message`] one that is to be written again.
//! Out: [`Letter`] writes one, [`DkimKeys`] signs it, [`Session`] gives it to a relay.

mod bodies;
mod data;
mod desk;
mod dialogue;
mod dkim;
mod letter;
mod links;
mod login;
mod message;
mod read;
mod receiver;
mod reply;
mod session;
mod tls;
mod verify;
mod wire;

pub use desk::{Answer, Desk, Inbox, InboxDown, ReceivedMail};
pub use dkim::DkimKeys;
pub use letter::Letter;
pub use message::{Edit, Mailbox, Message};
pub use read::{ReadMail, Unreadable, read};
pub use receiver::{Receiver, ReceiverLimits};
pub use reply::{Reply, SendError, Stage};
pub use session::{Relay, RelayTls, Session, Timeouts};
pub use tls::{self_signed, server_config};
pub use verify::{DkimResult, verify_dkim};
