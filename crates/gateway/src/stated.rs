//! What a call states of itself, in headers that end here: why, of whom, with whose agreement.

use std::collections::BTreeSet;

use http::HeaderMap;
use mail::Message;
use model::error::Malformed;
use model::{Consent, Purpose, Residence, limits};
use serde::{Deserialize, Serialize};

use crate::refused::Refused;

/// In which header a call states its purpose.
pub const PURPOSE: &str = "x-cordon-purpose";
/// In which header a call states where the person lives.
pub const REGION: &str = "x-cordon-region";
/// In which header a call states what the person agreed to, parted by commas.
pub const CONSENT: &str = "x-cordon-consent";

/// What a call states; nothing of it is needed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Stated {
    pub purpose: Option<Purpose>,
    pub region: Option<Residence>,
    /// In the order of the alphabet, each once. Empty when the call states that there is none.
    pub consent: Option<Vec<Consent>>,
}

impl Stated {
    /// Reads it from a call's headers. One that stands twice or is malformed is refused: it could
    /// be read two ways.
    pub fn in_headers(headers: &HeaderMap) -> Result<Self, Refused> {
        const TWICE: Malformed = Malformed::new("header", "it stands once, as text");
        Self::read(&|name| {
            let mut given = headers.get_all(name).iter();
            let value = given.next();
            match (value.map(|value| value.to_str()).transpose(), given.next()) {
                (Ok(value), None) => Ok(value.map(str::to_owned)),
                _ => Err(TWICE),
            }
        })
    }

    /// Reads it from a mail's header.
    pub fn in_mail(mail: &Message) -> Result<Self, Refused> {
        Self::read(&|name| Ok(mail.value(name)))
    }

    fn read(find: &dyn Fn(&str) -> Result<Option<String>, Malformed>) -> Result<Self, Refused> {
        fn one<T>(
            found: Result<Option<String>, Malformed>,
            parse: fn(&str) -> Result<T, Malformed>,
            refused: Refused,
        ) -> Result<Option<T>, Refused> {
            let parsed = found.and_then(|text| text.as_deref().map(parse).transpose());
            parsed.map_err(|_| refused)
        }
        Ok(Self {
            purpose: one(find(PURPOSE), Purpose::parse, Refused::PurposeMalformed)?,
            region: one(find(REGION), Residence::parse, Refused::RegionMalformed)?,
            consent: one(find(CONSENT), consents, Refused::ConsentMalformed)?,
        })
    }
}

fn consents(text: &str) -> Result<Vec<Consent>, Malformed> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let words = text.split(',').map(|word| Consent::parse(word.trim()));
    let words: BTreeSet<Consent> = words.collect::<Result<_, _>>()?;
    match words.len() {
        ..=limits::CONSENT_FLAGS => Ok(words.into_iter().collect()),
        _ => Err(Malformed::new("consent", "there are too many words")),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn consent_is_stated_once_in_words() {
        let check = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONSENT, HeaderValue::from_static(value));
            }
            let consent = Stated::in_headers(&headers)?.consent;
            Ok(consent.map(|words| words.iter().map(ToString::to_string).collect::<Vec<_>>()))
        };
        let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
        assert_eq!(check(&[]), Ok(None));
        assert_eq!(check(&["sms, marketing,sms"]), Ok(words(&["marketing", "sms"])));
        assert_eq!(check(&[""]), Ok(words(&[])), "nothing was agreed to");
        for bad in [&["Marketing"][..], &["a,,b"], &["sms", "sms"], &["a b"]] {
            assert_eq!(check(bad), Err(Refused::ConsentMalformed), "{bad:?}");
        }
    }
}
