//! What stands at a vendor in a value's place: a pseudonym, a token, or a shorter form of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use model::{Field, FieldAction, VendorName, crypto};

use crate::cx::GatewayKeys;

/// Replaces values for one vendor.
pub(crate) struct Replacement<'a> {
    pub keys: &'a GatewayKeys,
    pub vendor: &'a VendorName,
}

impl Replacement<'_> {
    /// What stands in a value's place. Where an action cannot be done to this value, it is a
    /// pseudonym: a value never passes as it is.
    pub fn of(&self, action: FieldAction, field: Field, value: &str) -> String {
        match action {
            FieldAction::Tokenise => self.keys.tokenise.token(self.vendor, field, value),
            FieldAction::Truncate => {
                truncated(field, value).unwrap_or_else(|| self.pseudonym(field, value))
            }
            _ => self.pseudonym(field, value),
        }
    }

    /// A short name for a value that tells nothing of it: the same for one vendor, another
    /// elsewhere.
    fn pseudonym(&self, field: Field, value: &str) -> String {
        const BYTES: usize = 10;
        let parts = [self.vendor.as_str(), field.name(), value].map(str::as_bytes);
        format!("p-{}", crypto::to_hex(&self.keys.pseudonym.mac(&parts)[..BYTES]))
    }
}

/// A less exact form of a value, of the same kind, so that the vendor can still read it.
fn truncated(field: Field, value: &str) -> Option<String> {
    match field {
        Field::Ip => network(value),
        Field::Birthdate => year(value),
        _ => None,
    }
}

/// An address with its host part zero: 24 bits of IPv4 stay, 48 of IPv6. An IPv4 address inside an
/// IPv6 one is cut as IPv4.
fn network(value: &str) -> Option<String> {
    const V6_BITS: u32 = 48;
    Some(match value.trim().parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            Ipv4Addr::new(a, b, c, 0).to_string()
        }
        IpAddr::V6(address) => {
            let kept = address.to_bits() & (u128::MAX << (128 - V6_BITS));
            Ipv6Addr::from_bits(kept).to_string()
        }
    })
}

/// A date with its month and day set to the first, in ISO 8601; a year alone stays.
fn year(value: &str) -> Option<String> {
    let value = value.trim();
    let numbers: Vec<&str> = value.split(|c: char| !c.is_ascii_digit()).collect();
    let is_year = |text: &&&str| text.len() == 4;
    match numbers.as_slice() {
        [year] if year.len() == 4 => Some((*year).to_owned()),
        // `19800517`, the basic form of ISO 8601.
        [date] if date.len() == 8 => Some(format!("{}0101", &date[..4])),
        [year, _, _, ..] if year.len() == 4 => Some(format!("{year}-01-01")),
        [_, _, year, ..] => Some(year).filter(is_year).map(|year| format!("{year}-01-01")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use model::{RootKey, TokeniseKey};

    use super::*;

    fn replaced(vendor: &str, action: FieldAction, field: Field, value: &str) -> String {
        let root = RootKey::new([3; 32]);
        let keys = GatewayKeys {
            token: root.mac_key("token"),
            reference: root.mac_key("reference"),
            pseudonym: root.mac_key("pseudonym"),
            tokenise: TokeniseKey::new(root.mac_key("tokenise")),
        };
        let vendor = VendorName::parse(vendor).expect(vendor);
        Replacement { keys: &keys, vendor: &vendor }.of(action, field, value)
    }

    #[test]
    fn a_pseudonym_is_stable_for_one_vendor_and_another_elsewhere() {
        let made = |vendor, value| replaced(vendor, FieldAction::Pseudonymise, Field::Name, value);
        assert_eq!(made("sendgrid", "Ann"), made("sendgrid", "Ann"));
        assert_ne!(made("sendgrid", "Ann"), made("twilio", "Ann"));
        assert_ne!(made("sendgrid", "Ann"), made("sendgrid", "Bob"));
        assert_eq!(made("sendgrid", "Ann").len(), 22);
    }

    #[test]
    fn an_address_is_cut_to_its_network() {
        let cut = |value| replaced("segment", FieldAction::Truncate, Field::Ip, value);
        assert_eq!(cut("203.0.113.77"), "203.0.113.0");
        assert_eq!(cut("2001:db8:1234:5678:9abc::1"), "2001:db8:1234::");
        assert_eq!(cut("::ffff:203.0.113.77"), "203.0.113.0");
        for odd in ["203.0.113.77:80", "203.0.113.077", "here", ""] {
            assert!(cut(odd).starts_with("p-"), "{odd}");
        }
    }

    #[test]
    fn a_date_of_birth_is_cut_to_its_year() {
        let cut = |value| replaced("segment", FieldAction::Truncate, Field::Birthdate, value);
        for (value, expected) in [
            ("1980-05-17", "1980-01-01"),
            ("1980-05-17T00:00:00Z", "1980-01-01"),
            ("17.05.1980", "1980-01-01"),
            ("05/17/1980", "1980-01-01"),
            ("19800517", "19800101"),
            ("1980", "1980"),
        ] {
            assert_eq!(cut(value), expected);
        }
        for odd in ["17 May", "17.05.80", "327369600", "May 17, 80"] {
            assert!(cut(odd).starts_with("p-"), "{odd}");
        }
    }

    #[test]
    fn a_token_is_the_keys_own() {
        let token = replaced("segment", FieldAction::Tokenise, Field::Name, "Ann");
        assert!(token.starts_with("t-"));
    }
}
