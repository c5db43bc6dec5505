//! The shape of a token as a pattern: `re_{base62:8}_{base62:24}`. It says how one is made.

use aws_lc_rs::digest::{SHA512, digest};
use model::crypto;

/// A text with random parts.
#[derive(Debug, Default)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Hex(usize),
    Base62(usize),
    /// A UUID of version 4 (RFC 9562).
    Uuid,
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            parts.push(Part::Text(before.to_owned()));
            let (inside, after) =
                after.split_once('}').ok_or("a brace of the pattern is not closed")?;
            parts.push(Part::parse(inside)?);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        let random: usize = parts.iter().map(Part::bits).sum();
        if random < 80 {
            Err("fewer than 80 bits of it are random".to_owned())
        } else {
            Ok(Self(parts))
        }
    }

    /// A token from random bytes.
    pub fn make(&self, random: [u8; 48]) -> String {
        let mut bytes = Stream { seed: random, block: 0, left: Vec::new() };
        self.0.iter().map(|part| part.make(&mut bytes)).collect()
    }
}

impl Part {
    fn parse(inside: &str) -> Result<Self, String> {
        let unknown = || format!("`{{{inside}}}` is none of `hex:n`, `base62:n` and `uuid`");
        let (kind, length) = inside.split_once(':').unwrap_or((inside, "0"));
        let length: usize = length.parse().map_err(|_| unknown())?;
        match (kind, length) {
            ("hex", 1..=128) => Ok(Self::Hex(length)),
            ("base62", 1..=128) => Ok(Self::Base62(length)),
            ("uuid", 0) => Ok(Self::Uuid),
            _ => Err(unknown()),
        }
    }

    const fn bits(&self) -> usize {
        match self {
            Self::Text(_) => 0,
            Self::Hex(length) => *length * 4,
            Self::Base62(length) => *length * 5,
            Self::Uuid => 122,
        }
    }

    fn make(&self, bytes: &mut Stream) -> String {
        const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        match self {
            Self::Text(text) => text.clone(),
            Self::Hex(length) => {
                let mut text = crypto::to_hex(&bytes.take(length.div_ceil(2)));
                text.truncate(*length);
                text
            }
            Self::Base62(length) => (0..*length)
                .map(|_| {
                    loop {
                        // Four times 62: what is above it would make the first letters likelier.
                        let byte = bytes.take(1)[0];
                        if byte < 248 {
                            break char::from(BASE62[usize::from(byte) % 62]);
                        }
                    }
                })
                .collect(),
            Self::Uuid => {
                let mut uuid = bytes.take(16);
                uuid[6] = uuid[6] & 0x0f | 0x40;
                uuid[8] = uuid[8] & 0x3f | 0x80;
                let hex = crypto::to_hex(&uuid);
                let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &hex[range]);
                parts.join("-")
            }
        }
    }
}

/// As many bytes as are asked for, from 48.
struct Stream {
    seed: [u8; 48],
    block: u64,
    left: Vec<u8>,
}

impl Stream {
    fn take(&mut self, count: usize) -> Vec<u8> {
        while self.left.len() < count {
            let input = [&self.seed[..], &self.block.to_be_bytes()].concat();
            self.left.extend_from_slice(digest(&SHA512, &input).as_ref());
            self.block += 1;
        }
        self.left.drain(..count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_the_shape_of_its_pattern() {
        let make = |text: &str, seed| Pattern::parse(text).expect(text).make([seed; 48]);
        let token = make("re_{base62:8}_{base62:24}", 1);
        assert_eq!((token.len(), &token[..3], &token[11..12]), (36, "re_", "_"));
        let uuid = make("{uuid}", 2);
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
        assert_eq!(make("key-{hex:33}", 3).len(), 37);
        assert_ne!(make("{hex:32}", 4), make("{hex:32}", 5));
    }

    #[test]
    fn a_pattern_that_is_easily_guessed_or_misspelt_is_refused() {
        for bad in ["abc", "{hex:8}", "{hex:32", "{hex}", "{words:4}", "{base62:1000}"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }
}
