//! Audience, notices, deliveries: one row per recipient. **Invariant:** does not know why an
//! incident exists, and no SQL: it is handed approved facts and says what became of each copy.
//!
//! [`audience`] joins a scope with the directory; [`template`] writes each person's notice and
//! [`mod@lint`] refuses what must not go out; [`delivery`] says what may become of one copy, and
//! [`courier`] carries them all to a relay. [`code`] lets a reader check that a notice is genuine.

pub mod audience;
pub mod code;
pub mod courier;
pub mod delivery;
mod hedges;
mod layout;
pub mod lint;
pub mod notice;
mod pace;
pub mod relay;
pub mod samples;
pub mod scribe;
pub mod template;
pub mod variant;
pub mod words;

pub use audience::{Audience, Join, Reached};
pub use courier::{
    Control, Courier, Deliveries, DeliveriesDown, Ended, Order, Pace, Parcel, Progress,
};
pub use delivery::{Delivery, Outcome, Retries, Stage, Suppression, Totals};
pub use lint::{LintRefused, Problem, lint};
pub use notice::{Addressee, Change, Notice, NoticeFacts, Part};
pub use relay::{RelayRefused, relay_allowed};
pub use scribe::{Scribe, Sender};
pub use template::{Templates, Unwritten};
pub use variant::Variant;
pub use words::Translation;
