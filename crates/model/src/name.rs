//! Names that operators choose: short lower-case words, safe in URLs, files and logs.

use std::fmt;

use crate::error::Malformed;
use crate::limits;

/// Gives a type with `parse` and `Display` its serialised form as a string.
macro_rules! text_form {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
        impl std::str::FromStr for $name {
            type Err = crate::error::Malformed;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }
    };
}
pub(crate) use text_form;

fn is_slug(text: &str) -> bool {
    let inner =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase() || first.is_ascii_digit())
        && bytes.all(inner)
        && text.len() <= limits::NAME_BYTES
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $valid:expr, $why:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// Reads the name as it is written.
            ///
            /// # Errors
            /// When the text has a character or a length that such a name may not have.
            pub fn parse(text: &str) -> Result<Self, Malformed> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.into())) } else { Err(Malformed::new($what, $why)) }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        text_form!($name);
    };
}

macro_rules! slug {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        name!($(#[$doc])* $name, $what, is_slug,
            "use lower-case letters, digits, `-`, `.`, `_`, at most 64 of them");
    };
}

slug!(/** A vendor's name in commands and URLs, such as `sendgrid`. */ VendorName, "vendor name");
slug!(/** A workload's name. */ WorkloadName, "workload name");
slug!(/** Why data goes out, such as `receipts`. */ Purpose, "purpose");
slug!(/** A kind of call that a connector knows, such as `mail.send`. */ OperationName, "operation name");
slug!(/** What a person agreed to, such as `marketing`; a call states it in `X-Cordon-Consent`. */ Consent, "consent");
slug!(/** An operator's name. */ OperatorName, "operator name");
name!(
    /** A vendor's own list, audience or group. Free text of at most 128 bytes without controls. */
    ListName,
    "list name",
    |text| (1..=limits::LIST_NAME_BYTES).contains(&text.len())
        && !text.chars().any(char::is_control),
    "it is empty, over 128 bytes, or has control characters"
);
name!(
    /** ISO 3166-1 alpha-2, such as `DE`. */
    Country,
    "country",
    |text| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()),
    "use two capital letters of ISO 3166-1"
);
name!(
    /** The part of an ISO 3166-2 code after the country, such as `CA` of `US-CA`. */
    Region,
    "region",
    |text| (1..=3).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()),
    "use one to three capital letters or digits of ISO 3166-2, without the country"
);
name!(
    /** A BCP 47 language tag, such as `pt-BR`. */
    Language,
    "language",
    |text| (2..=16).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
    "use a BCP 47 tag such as `en` or `pt-BR`"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_lower_case_and_safe_in_a_url() {
        assert!(VendorName::parse("sendgrid").is_ok());
        for bad in ["", "-x", "Send", "a/b", "a b", &"x".repeat(65)] {
            assert!(VendorName::parse(bad).is_err(), "{bad}");
        }
        assert!(Country::parse("DE").is_ok() && Country::parse("de").is_err());
        assert!(Language::parse("pt-BR").is_ok() && Language::parse("p").is_err());
    }
}
