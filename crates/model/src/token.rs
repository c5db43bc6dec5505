//! Workloads' tokens as people speak of them: by which name, from which networks, and how one was
//! seen where it should not be. The token itself is never here.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::crypto;
use crate::error::Malformed;
use crate::name::text_form;
use crate::vendor::words;

/// By what a token is called: the first bytes of the keyed hash under which it is kept. It opens
/// nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId([u8; 6]);

impl TokenId {
    const PREFIX: &str = "tok_";

    /// The name of the token that is kept under this keyed hash.
    pub fn of(hash: &[u8; 32]) -> Self {
        let mut id = [0; 6];
        id.copy_from_slice(&hash[..6]);
        Self(id)
    }

    /// Reads `tok_` and twelve hexadecimal digits.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let digits = text.strip_prefix(Self::PREFIX).and_then(crypto::from_hex);
        digits
            .map(Self)
            .ok_or(Malformed::new("token's id", "it is `tok_` and 12 hexadecimal digits"))
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, crypto::to_hex(&self.0))
    }
}

text_form!(TokenId);

/// A range of addresses, such as `10.0.0.0/8`; a single address is one of full length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

impl Network {
    /// The range of `bits` around an address. An IPv4 address inside IPv6 counts as IPv4.
    fn around(address: IpAddr, bits: u8) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let bits = bits.min(32);
                let mask = u32::MAX.checked_shl(u32::from(32 - bits)).unwrap_or(0);
                Self { base: Ipv4Addr::from(u32::from(v4) & mask).into(), bits }
            }
            IpAddr::V6(v6) => {
                let bits = bits.min(128);
                let mask = u128::MAX.checked_shl(u32::from(128 - bits)).unwrap_or(0);
                Self { base: Ipv6Addr::from(u128::from(v6) & mask).into(), bits }
            }
        }
    }

    /// The network that an address is taken to belong to when nothing else is known: its /24, or
    /// its /48 with IPv6, which is what one site is given.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(_) => Self::around(address, 24),
            IpAddr::V6(_) => Self::around(address, 48),
        }
    }

    /// Reads `10.0.0.0/8`, `2001:db8::/32` or a single address.
    ///
    /// # Errors
    /// When it is no address, the length does not fit, or the address has bits beyond it: somebody
    /// who writes `10.1.2.3/8` may have meant another network.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let malformed = Malformed::new("network", "write it as `10.0.0.0/8` or `2001:db8::/32`");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| malformed.clone())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most),
            None => Some(most),
        };
        let network = Self::around(address, bits.ok_or(malformed.clone())?);
        if network.base == address { Ok(network) } else { Err(malformed) }
    }

    /// Whether an address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && Self::around(address, self.bits) == *self
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

text_form!(Network);

words!(/** How a workload's token was seen where it should not be. */ Sighting {
    /** It came from a network that it may not come from; it was refused. */
    Outside = "outside",
    /** It came from a network that it never came from, though it has long come from few; it
        passed. */
    Unfamiliar = "unfamiliar",
    /** It was shown at another vendor's door; it was refused. */
    OtherDoor = "other-door",
    /** It was shown after its expiry, or after the grace of a rotation; it was refused. */
    Expired = "expired",
    /** It was shown after it was revoked; it was refused. */
    Revoked = "revoked",
    /** Somebody found it outside Cordon and handed it in. */
    Found = "found",
});

words!(/** Where a token was found. */ FoundAt {
    /** With the vendor: in its log, an event of its or a report. */
    Vendor = "vendor",
    /** Where anybody can read it. */
    Public = "public",
    /** In a log, a ticket, a repository or a mailbox of our own. */
    Ours = "ours",
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_read_as_it_is_written_and_knows_its_addresses() {
        let check = |network: &str, address: &str| {
            let network = Network::parse(network).expect(network);
            network.contains(address.parse().expect("an address"))
        };
        assert!(check("10.0.0.0/8", "10.200.3.4") && !check("10.0.0.0/8", "11.0.0.1"));
        assert!(check("0.0.0.0/0", "203.0.113.9") && !check("0.0.0.0/0", "2001:db8::1"));
        assert!(check("10.0.0.0/8", "::ffff:10.1.1.1"), "IPv4 inside IPv6");
        assert!(check("192.0.2.7", "192.0.2.7") && !check("192.0.2.7", "192.0.2.8"));
        assert!(check("2001:db8::/32", "2001:db8:1::9") && !check("::1", "::2"));
        for bad in ["10.0.0.0/33", "10.1.2.3/8", "10.0.0/8", "2001:db8::/129", "", "/8", "a/8"] {
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_taken_for_one_of_its_sites_network() {
        let check = |address: &str| Network::of(address.parse().expect("an address")).to_string();
        assert_eq!(check("203.0.113.77"), "203.0.113.0/24");
        assert_eq!(check("::ffff:203.0.113.77"), "203.0.113.0/24");
        assert_eq!(check("2001:db8:1:2::3"), "2001:db8:1::/48");
    }

    #[test]
    fn a_tokens_id_reads_back() {
        let id = TokenId::of(&[0xab; 32]);
        assert_eq!(id.to_string(), "tok_abababababab");
        assert_eq!(TokenId::parse("tok_abababababab"), Ok(id));
        assert!(TokenId::parse("tok_ab").is_err() && TokenId::parse("abababababab").is_err());
    }
}
