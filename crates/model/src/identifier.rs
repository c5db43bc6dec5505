//! What identifies a person to a vendor, in one normal form, and its keyed hash.
//!
//! The rules are few and guess nothing: an address keeps its dots and tags; its domain goes
//! through UTS 46 to ASCII; the whole is compared without regard to case. A number must be E.164
//! with its `+`; spaces, dots, hyphens and brackets are taken out.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::crypto::MacKey;
use crate::error::Malformed;
use crate::limits;
use crate::name::text_form;

/// An e-mail address in normal form: lower case, domain in ASCII (RFC 5321, UTS 46).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(Box<str>);

impl Email {
    /// Reads a bare address (`user@example.com`), without display name or angle brackets.
    ///
    /// # Errors
    /// When it has no `@`, an empty part, a space or control character, or is over 254 bytes.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let wrong = |why| Malformed::new("e-mail address", why);
        let text = text.trim();
        if text.len() > limits::EMAIL_BYTES {
            return Err(wrong("it is over 254 bytes"));
        }
        let (local, domain) = text.rsplit_once('@').ok_or(wrong("it has no `@`"))?;
        if local.is_empty() || local.len() > limits::EMAIL_LOCAL_BYTES {
            return Err(wrong("the part before `@` is empty or over 64 bytes"));
        }
        let odd = |c: char| c.is_control() || c.is_whitespace() || "<>(),;:\\\"[]".contains(c);
        if local.chars().any(odd) || local.contains('@') {
            return Err(wrong("it has a character that an address may not have"));
        }
        let domain =
            idna::domain_to_ascii_strict(domain).map_err(|_| wrong("the domain is not valid"))?;
        if domain.is_empty() || domain.starts_with('.') || domain.ends_with('.') {
            return Err(wrong("the domain is not valid"));
        }
        Ok(Self(format!("{}@{domain}", local.to_lowercase()).into()))
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part after `@`, in ASCII.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// The part before `@`.
    pub fn local(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(local, _)| local)
    }
}

/// A telephone number in E.164: `+` and 8 to 15 digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone(Box<str>);

impl Phone {
    /// Reads an international number; the country is never guessed.
    ///
    /// # Errors
    /// When there is no `+`, a first digit of 0, a letter, or not 8 to 15 digits.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let wrong = |why| Malformed::new("telephone number", why);
        let rest = text.trim().strip_prefix('+').ok_or(wrong("write it as E.164, with `+`"))?;
        let digits: String = rest.chars().filter(|c| !" .-()\u{a0}".contains(*c)).collect();
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) || digits.starts_with('0') {
            return Err(wrong("it has something other than digits, or starts with 0"));
        }
        if !(8..=15).contains(&digits.len()) {
            return Err(wrong("it does not have 8 to 15 digits"));
        }
        Ok(Self(format!("+{digits}").into()))
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! redacted {
    ($name:ident, $what:literal) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!("<", $what, ">"))
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
redacted!(Email, "email");
redacted!(Phone, "phone");

/// Which kind of identifier it is; part of what is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentifierKind {
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// The company's own id of a person.
    UserId,
}

impl IdentifierKind {
    /// Its name, which is also its domain when hashed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::UserId => "user-id",
        }
    }
}

/// One identifier of a person, in the clear: never stored, never logged.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identifier {
    /// An e-mail address.
    Email(Email),
    /// A telephone number.
    Phone(Phone),
    /// The company's own id of a person, as it is.
    UserId(Box<str>),
}

impl Identifier {
    /// Which kind it is.
    pub const fn kind(&self) -> IdentifierKind {
        match self {
            Self::Email(_) => IdentifierKind::Email,
            Self::Phone(_) => IdentifierKind::Phone,
            Self::UserId(_) => IdentifierKind::UserId,
        }
    }

    /// The normal form that is hashed.
    pub fn text(&self) -> &str {
        match self {
            Self::Email(email) => email.as_str(),
            Self::Phone(phone) => phone.as_str(),
            Self::UserId(id) => id,
        }
    }

    /// Its keyed hash: what Cordon stores in its place.
    pub fn hash(&self, key: &MacKey) -> IdentifierHash {
        let mac = key.mac(&[self.kind().name().as_bytes(), self.text().as_bytes()]);
        let mut hash = [0; 16];
        hash.copy_from_slice(&mac[..16]);
        IdentifierHash(hash)
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.kind().name())
    }
}

/// The first 128 bits of HMAC-SHA-256 over an identifier, under the ledger's key. Hex as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentifierHash(pub [u8; 16]);

impl IdentifierHash {
    /// Reads 32 hexadecimal digits.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        crate::crypto::from_hex(text)
            .map(Self)
            .ok_or(Malformed::new("identifier hash", "it has 32 hexadecimal digits"))
    }
}

impl fmt::Display for IdentifierHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for IdentifierHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

text_form!(IdentifierHash);

#[cfg(test)]
mod tests {
    use super::*;

    fn email(text: &str) -> String {
        Email::parse(text).expect(text).to_string()
    }

    #[test]
    fn an_address_is_compared_without_case_but_keeps_dots_and_tags() {
        assert_eq!(email(" Ann.Lee+Flickr@EXAMPLE.com "), "ann.lee+flickr@example.com");
        assert_eq!(email("ann@bücher.example"), "ann@xn--bcher-kva.example");
        assert_eq!(email("ÄNN@example.com"), "änn@example.com");
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for bad in
            ["", "ann", "@x.example", "a b@x.example", "a@", "a@.example", "a\r\nb@x.example"]
        {
            let refused = Email::parse(bad).expect_err(bad);
            assert!(bad.is_empty() || !refused.to_string().contains(&format!("`{bad}`")));
        }
    }

    #[test]
    fn a_number_is_e164_and_its_country_is_never_guessed() {
        assert_eq!(Phone::parse("+49 (30) 123-4567").expect("a number").as_str(), "+49301234567");
        for bad in ["030 1234567", "+0301234567", "+49", "+4930123456789012", "+49x"] {
            assert!(Phone::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn personal_data_does_not_show_in_debug() {
        let shown =
            format!("{:?}", Identifier::Email(Email::parse("ann@example.com").expect("ok")));
        assert!(!shown.contains("ann"));
    }
}
