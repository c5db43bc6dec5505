//! Typed, prefixed, time-ordered ids: `inc_01J…`, a ULID behind a prefix that names the kind.

use std::fmt;

use crate::error::Malformed;
use crate::time::Timestamp;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ENCODED_LEN: usize = 26;

fn encode(value: u128) -> [u8; ENCODED_LEN] {
    std::array::from_fn(|index| {
        let shift = 5 * (ENCODED_LEN - 1 - index);
        ALPHABET[(value >> shift) as usize & 31]
    })
}

fn decode(text: &str) -> Option<u128> {
    if text.len() != ENCODED_LEN || text.as_bytes()[0] > b'7' {
        return None;
    }
    text.bytes().try_fold(0u128, |value, byte| {
        let digit = ALPHABET.iter().position(|&letter| letter == byte)?;
        Some(value << 5 | digit as u128)
    })
}

/// 48 bits of milliseconds, then 80 random bits, as ULID lays them out.
fn compose(now: Timestamp, random: [u8; 10]) -> u128 {
    let millis = now.micros().div_euclid(1_000) as u128 & 0xFFFF_FFFF_FFFF;
    random.iter().fold(millis, |value, &byte| value << 8 | u128::from(byte))
}

/// What every id can do; [`crate::World::id`] makes new ones through it.
pub trait Id: Sized {
    /// The letters before the underscore.
    const PREFIX: &'static str;
    /// A new id from the time and fresh random bytes.
    fn compose(now: Timestamp, random: [u8; 10]) -> Self;
    /// From the 128 bits it stands for.
    fn from_u128(value: u128) -> Self;
    /// The 128 bits it stands for.
    fn to_u128(&self) -> u128;
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl Id for $name {
            const PREFIX: &'static str = $prefix;
            fn compose(now: Timestamp, random: [u8; 10]) -> Self {
                Self(compose(now, random))
            }
            fn from_u128(value: u128) -> Self {
                Self(value)
            }
            fn to_u128(&self) -> u128 {
                self.0
            }
        }

        impl $name {
            /// Reads the prefixed form.
            ///
            /// # Errors
            /// When the prefix or one of the 26 characters after it is wrong.
            pub fn parse(text: &str) -> Result<Self, Malformed> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(decode)
                    .map(Self)
                    .ok_or(Malformed::new(
                        concat!($prefix, " id"),
                        concat!("it starts with ", $prefix, "_ and has 26 characters after it"),
                    ))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let encoded = encode(self.0);
                f.write_str(concat!($prefix, "_"))?;
                f.write_str(std::str::from_utf8(&encoded).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        crate::name::text_form!($name);
    };
}

id!(/** A registered vendor. */ VendorId, "vnd");
id!(/** A workload. */ WorkloadId, "wkl");
id!(/** One request through the gateway, or one line of an import: the unit of disclosure. */ CallId, "cal");
id!(/** Something observed. */ FactId, "fct");
id!(/** What a detector concluded. */ FindingId, "fnd");
id!(/** An incident. */ IncidentId, "inc");
id!(/** A notice: one text to one audience. */ NoticeId, "ntc");
id!(/** One recipient's row of a notice. */ DeliveryId, "dlv");
id!(/** A planted contact. */ CanaryId, "can");
id!(/** An operator. */ OperatorId, "opr");
id!(/** Something kept as evidence. */ EvidenceId, "evd");
id!(/** A run of recorded calls against another policy. */ ReplayId, "rpl");
id!(/** A question «was I affected?» that waits for its answer by mail. */ InquiryId, "inq");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_sorts_by_time() {
        let early = IncidentId::compose(Timestamp::from_seconds(1_000), [7; 10]);
        let late = IncidentId::compose(Timestamp::from_seconds(2_000), [0; 10]);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(IncidentId::parse(&early.to_string()), Ok(early));
        assert!(VendorId::parse(&early.to_string()).is_err(), "the prefix is part of the id");
    }
}
