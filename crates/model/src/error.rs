//! What every refusal carries: a stable code, whose fault it is, and a hint with a command.

/// Whose turn it is to act on an error that crosses a boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The caller sent something that cannot be accepted.
    Caller,
    /// The vendor answered badly or not at all.
    Vendor,
    /// Cordon itself could not do its part.
    Ours,
}

/// An error with a stable code that documentation, tests and scripts may rely on.
pub trait Coded: std::error::Error {
    /// Lower-case words joined by `-`, such as `vendor-exists`; never changed once released.
    fn code(&self) -> &'static str;

    /// Whose fault it is.
    fn blame(&self) -> Blame {
        Blame::Caller
    }

    /// One sentence with a command that helps, if there is one.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// A text that does not parse as one of the model's types.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {what}: {why}")]
pub struct Malformed {
    /// The type that was asked for, such as `vendor name`.
    pub what: &'static str,
    /// What is wrong with the text. The text itself is left out: it may be personal data.
    pub why: &'static str,
}

impl Malformed {
    /// A refusal to read a text as `what`, because of `why`.
    pub const fn new(what: &'static str, why: &'static str) -> Self {
        Self { what, why }
    }
}

impl Coded for Malformed {
    fn code(&self) -> &'static str {
        "malformed"
    }
}
