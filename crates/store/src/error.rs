//! What the store refuses. What breaks (a full disk, a damaged file) is a fault, and `anyhow`.

use model::{Blame, Coded};

/// A refusal, inside the `anyhow::Error` of a change or a question: `error.downcast_ref()` finds
/// it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is one already.
    #[error("{what} `{name}` exists already")]
    Exists {
        /// The kind of thing, such as `vendor`.
        what: &'static str,
        /// Its name or id; never personal data.
        name: String,
    },
    /// There is none, and a change needs one.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// The kind of thing.
        what: &'static str,
        /// The name or id that was asked for.
        name: String,
    },
    /// It is no longer as the change supposes: read it again, and decide again.
    #[error("{what} `{name}` is no longer as it was read")]
    Stale {
        /// The kind of thing.
        what: &'static str,
        /// Its name or id.
        name: String,
    },
    /// A newer program wrote it; an older one would damage what it does not know.
    #[error("the store has schema {found}, and this program knows schemas up to {known}")]
    NewerSchema {
        /// The schema of the file.
        found: u64,
        /// The newest one that this program knows.
        known: u64,
    },
    /// An older program wrote it, and the one that brings it up to date is not this one.
    #[error("the store has schema {found}, and schema {known} is needed")]
    OlderSchema {
        /// The schema of the file.
        found: u64,
        /// The one that is needed.
        known: u64,
    },
    /// The file is another one than was opened, or gone.
    #[error("the store's file was replaced or removed while it was open")]
    Replaced,
    /// Another process has it open.
    #[error("another process has the store open")]
    Locked,
}

impl Refused {
    pub(crate) fn exists(what: &'static str, name: impl ToString) -> anyhow::Error {
        Self::Exists { what, name: name.to_string() }.into()
    }

    /// There is none of this name.
    pub fn not_found(what: &'static str, name: impl ToString) -> anyhow::Error {
        Self::NotFound { what, name: name.to_string() }.into()
    }

    pub(crate) fn stale(what: &'static str, name: impl ToString) -> anyhow::Error {
        Self::Stale { what, name: name.to_string() }.into()
    }
}

impl Coded for Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "exists",
            Self::NotFound { .. } => "not-found",
            Self::Stale { .. } => "stale",
            Self::NewerSchema { .. } => "newer-schema",
            Self::OlderSchema { .. } => "older-schema",
            Self::Replaced => "store-replaced",
            Self::Locked => "store-locked",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::NewerSchema { .. } | Self::OlderSchema { .. } | Self::Replaced | Self::Locked => {
                Blame::Ours
            }
            Self::Exists { .. } | Self::NotFound { .. } | Self::Stale { .. } => Blame::Caller,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NewerSchema { .. } => Some("start the program that wrote it".to_owned()),
            Self::OlderSchema { .. } => Some("start `cordon serve` once".to_owned()),
            Self::Replaced => Some("stop `cordon serve` and start it again".to_owned()),
            Self::Locked => Some("stop the other `cordon serve` first".to_owned()),
            Self::Stale { .. } => Some("look at it again, then repeat the command".to_owned()),
            Self::Exists { .. } | Self::NotFound { .. } => None,
        }
    }
}

/// The fault of every change in a group whose common commit failed: none of them is kept.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the change was not committed: {0}")]
pub struct NotCommitted(pub(crate) std::sync::Arc<str>);
