//! What a vendor tells us: a signed request in, its events out.

use model::{Identifier, Secret, Timestamp};

/// A webhook as it arrived, with what is needed to check it.
pub struct Webhook<'a> {
    /// The full public URL under which it was called, query included.
    pub url: &'a str,
    /// A header's value by its lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The body, byte for byte.
    pub body: &'a [u8],
    /// The vendor's public key or shared secret, as an operator gave it.
    pub secret: &'a Secret<String>,
    /// The time now.
    pub now: Timestamp,
}

/// One event of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The vendor's id of the event; the same id again is a duplicate.
    pub id: String,
    /// When it happened, by the vendor's clock.
    pub at: Timestamp,
    /// `delivered`, `bounce`, … as the vendor calls it.
    pub event: String,
    /// The vendor's id of the message.
    pub message: Option<String>,
    /// To whom the message went.
    pub recipient: Option<Identifier>,
    /// The text in the place of our reference, if there is one.
    pub reference: Option<String>,
}

/// Why a webhook is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRefused {
    /// It has no signature.
    #[error("the webhook is not signed")]
    Unsigned,
    /// The signature does not fit.
    #[error("the webhook's signature does not fit its body")]
    Signature,
    /// It is older or newer than the replay window.
    #[error("the webhook is outside the replay window")]
    Age,
    /// The key that an operator gave is not of the vendor's shape.
    #[error("the webhook's key is not of this vendor's shape")]
    Key,
    /// Signed, but not of the documented form.
    #[error("the webhook is not of the documented form")]
    Form,
    /// Nothing is known of this vendor's webhooks.
    #[error("webhooks of this vendor are not read")]
    Unsupported,
    /// More events than the vendor sends at once.
    #[error("the webhook has more events than the vendor sends at once")]
    TooMany,
}

impl model::Coded for WebhookRefused {
    fn code(&self) -> &'static str {
        match self {
            Self::Unsigned => "webhook-unsigned",
            Self::Signature => "webhook-signature",
            Self::Age => "webhook-age",
            Self::Key => "webhook-key",
            Self::Form => "webhook-form",
            Self::Unsupported => "webhook-unsupported",
            Self::TooMany => "webhook-too-many",
        }
    }
}
