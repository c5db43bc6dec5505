//! Whether a text seems to hold personal data. It finds, and promises nothing.

use model::{Email, Phone};

/// Whether a text holds something like an address or a telephone number.
pub(crate) fn is_personal(text: &str) -> bool {
    text.split(|c: char| c.is_whitespace() || "<>,;|\"'()".contains(c))
        .any(|word| Email::parse(word).is_ok())
        || Phone::parse(text).is_ok()
        || text.split_whitespace().any(|word| Phone::parse(word).is_ok())
}
