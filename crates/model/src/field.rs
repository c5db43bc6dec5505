//! Kinds of personal data, and sets of them in one word.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Malformed;

/// How much harm a field does in the wrong hands; the order is the order of harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sensitivity {
    /// Tells little on its own.
    Low,
    /// Lets a stranger reach or describe the person.
    Contact,
    /// Says where someone is, what they do or what they own.
    Private,
    /// Opens an account or an identity.
    Critical,
}

macro_rules! fields {
    ($($(#[$doc:meta])* $variant:ident = $bit:literal, $name:literal, $sensitivity:ident;)*) => {
        /// A kind of personal data. Bits never change once released: they are in files.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum Field {
            $($(#[$doc])* #[serde(rename = $name)] $variant = $bit,)*
        }

        impl Field {
            /// Every field, in the order of their bits.
            pub const ALL: &[Field] = &[$(Field::$variant),*];

            /// Its one name everywhere.
            pub const fn name(self) -> &'static str {
                match self { $(Field::$variant => $name,)* }
            }

            /// How much harm it does.
            pub const fn sensitivity(self) -> Sensitivity {
                match self { $(Field::$variant => Sensitivity::$sensitivity,)* }
            }
        }
    };
}

fields! {
    /// E-mail address.
    Email = 0, "email", Contact;
    /// Telephone number.
    Phone = 1, "phone", Contact;
    /// Name of the person.
    Name = 2, "name", Contact;
    /// Name of the account, user id or handle.
    Username = 3, "username", Low;
    /// Postal address or a part of it.
    Address = 4, "address", Private;
    /// IP address.
    Ip = 5, "ip", Private;
    /// Place, more general than an address.
    Location = 6, "location", Private;
    /// Date or year of birth.
    Birthdate = 7, "birthdate", Private;
    /// What the person did on the platform.
    Activity = 8, "activity", Private;
    /// Kind or tier of account.
    AccountType = 9, "account_type", Low;
    /// Preferred language or locale.
    Language = 10, "language", Low;
    /// Text of a message written for this person.
    Content = 11, "content", Private;
    /// File sent to this person.
    Attachment = 12, "attachment", Private;
    /// An attribute that the company named itself.
    Custom = 13, "custom", Private;
    /// Password or its hash, log-in code, token.
    Password = 14, "password", Critical;
    /// Card or account number.
    Payment = 15, "payment", Critical;
    /// Number of an identity document.
    GovernmentId = 16, "government_id", Critical;
    /// Data on health.
    Health = 17, "health", Critical;
}

impl Field {
    /// Reads a field's name.
    ///
    /// # Errors
    /// When there is no such field.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        Self::ALL
            .iter()
            .copied()
            .find(|field| field.name() == text)
            .ok_or(Malformed::new("field", "see `cordon vendor --help` for the names of fields"))
    }
}

impl std::str::FromStr for Field {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::parse(text)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of fields; one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FieldSet(u32);

impl FieldSet {
    /// No field.
    pub const EMPTY: Self = Self(0);

    /// From the bits that [`FieldSet::bits`] gave.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// One bit per field.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether no field is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this field is in it.
    pub const fn contains(self, field: Field) -> bool {
        self.0 & (1 << field as u8) != 0
    }

    /// With one more field.
    #[must_use]
    pub const fn with(self, field: Field) -> Self {
        Self(self.0 | 1 << field as u8)
    }

    /// Fields in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Fields in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Fields of this set that are not in the other.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The fields in it, in the order of their bits.
    pub fn iter(self) -> impl Iterator<Item = Field> {
        Field::ALL.iter().copied().filter(move |&field| self.contains(field))
    }

    /// Reads names parted by commas.
    ///
    /// # Errors
    /// When one of them is no field.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(Field::parse).collect()
    }
}

impl FromIterator<Field> for FieldSet {
    fn from_iter<T: IntoIterator<Item = Field>>(fields: T) -> Self {
        fields.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Display for FieldSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, field) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(field.name())?;
        }
        Ok(())
    }
}

impl Serialize for FieldSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for FieldSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Field>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_reads_back_as_written() {
        let set = FieldSet::parse("email, name,ip").expect("three fields");
        assert_eq!(set.to_string(), "email,name,ip");
        assert_eq!(set.minus(FieldSet::EMPTY.with(Field::Ip)).to_string(), "email,name");
        assert!(FieldSet::parse("email,shoe_size").is_err());
    }

    #[test]
    fn every_field_has_its_own_bit_and_name() {
        for (index, field) in Field::ALL.iter().enumerate() {
            assert_eq!(*field as usize, index);
            assert_eq!(Field::parse(field.name()), Ok(*field));
        }
    }
}
