//! The credential that a vendor is called with: how long it may be relied on, and what takes it out
//! of replies. Where it comes from is for others to know.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use model::{Secret, Timestamp};

use crate::refused::Refused;
use crate::scrub::Scrub;

/// A vendor's credential. Shows nothing of itself.
#[derive(Debug)]
pub struct Credential {
    secret: Secret<String>,
    good_until: Option<Arc<GoodUntil>>,
    pub(crate) scrub: Scrub,
}

impl Credential {
    /// One that is good until it is replaced.
    pub fn new(secret: Secret<String>) -> Self {
        Self { scrub: Scrub::of(&secret), secret, good_until: None }
    }

    /// The same, to be relied on until then.
    #[must_use]
    pub fn until(self, good_until: Arc<GoodUntil>) -> Self {
        Self { good_until: Some(good_until), ..self }
    }

    /// The secret, for the one place that needs it.
    pub const fn secret(&self) -> &Secret<String> {
        &self.secret
    }

    /// Whether it may be used at this time.
    ///
    /// # Errors
    /// When its source has been silent for too long.
    pub(crate) fn check(&self, at: Timestamp) -> Result<(), Refused> {
        match &self.good_until {
            Some(end) if end.is_over(at) => Err(Refused::CredentialStale),
            _ => Ok(()),
        }
    }
}

/// Until when a credential is relied on: moved on each time that its source confirms it, while it
/// is in use. In the beginning, until nothing.
#[derive(Debug)]
pub struct GoodUntil(AtomicI64);

impl Default for GoodUntil {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl GoodUntil {
    /// Moves it.
    pub fn set(&self, end: Timestamp) {
        self.0.store(end.micros(), Ordering::Release);
    }

    /// Where it stands.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Acquire))
    }

    /// Whether it is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.at()
    }
}
