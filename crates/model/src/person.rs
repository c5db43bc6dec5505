//! A person: a random key everywhere inside, contact details only at the moment of use.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Malformed;
use crate::identifier::{Email, Identifier, Phone};
use crate::name::{Country, Language, Region, text_form};

/// A person's random 128-bit key. Says nothing about the person once the mapping to it is erased.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonKey(pub u128);

impl PersonKey {
    /// Reads `per_` and 32 hexadecimal digits.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        text.strip_prefix("per_")
            .and_then(crate::crypto::from_hex)
            .map(|bytes| Self(u128::from_be_bytes(bytes)))
            .ok_or(Malformed::new("person key", "it is `per_` and 32 hexadecimal digits"))
    }
}

impl fmt::Display for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "per_{:032x}", self.0)
    }
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

text_form!(PersonKey);

/// One row of the company's directory of people, read when needed and never kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// The company's own id of the person.
    pub person_id: Box<str>,
    /// Where mail reaches them, if anywhere.
    pub email: Option<Email>,
    /// Where messages reach them, if anywhere.
    pub phone: Option<Phone>,
    /// How they are called, if known.
    pub name: Option<Box<str>>,
    /// Where they live, if known.
    pub country: Option<Country>,
    /// The part of that country, if known.
    pub region: Option<Region>,
    /// What they read, if known.
    pub language: Option<Language>,
    /// Whether log-in takes a second factor; `None` when not known.
    pub two_factor: Option<bool>,
}

impl Contact {
    /// All identifiers of this row, the company's own id first.
    pub fn identifiers(&self) -> Vec<Identifier> {
        std::iter::once(Identifier::UserId(self.person_id.clone()))
            .chain(self.email.clone().map(Identifier::Email))
            .chain(self.phone.clone().map(Identifier::Phone))
            .collect()
    }
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<contact>")
    }
}

/// Where a person lives, for counts and clocks. `None` is «not known», never «nowhere».
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Residence {
    /// The country, if known.
    pub country: Option<Country>,
    /// The part of it, if known.
    pub region: Option<Region>,
}

impl Residence {
    /// Reads `DE` or, with the part of the country, `US-CA`.
    ///
    /// # Errors
    /// When the text is no code of that form.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let (country, region) = match text.split_once('-') {
            Some((country, region)) => (country, Some(Region::parse(region)?)),
            None => (text, None),
        };
        Ok(Self { country: Some(Country::parse(country)?), region })
    }
}

/// As [`Residence::parse`] reads it; nothing when it is not known.
impl fmt::Display for Residence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.country, &self.region) {
            (Some(country), Some(region)) => write!(f, "{country}-{region}"),
            (Some(country), None) => write!(f, "{country}"),
            (None, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_residence_reads_back_as_written() {
        for text in ["DE", "US-CA", "FR-75"] {
            assert_eq!(Residence::parse(text).expect(text).to_string(), text);
        }
        for bad in ["", "de", "DEU", "US-", "US-ca", "-CA", "US-CA-1"] {
            assert!(Residence::parse(bad).is_err(), "{bad}");
        }
    }
}
