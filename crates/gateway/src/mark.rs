//! Marks: by what a workload's token is recognised wherever it turns up, at another vendor's door
//! or in a text that somebody hands in. A mark is a keyed hash of a piece of it: who reads it
//! learns nothing, and how long a look-up takes tells nothing of the token.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::crypto::sha256;
use model::{MacKey, Secret, limits};

/// The marks of a token: of the whole, of both halves of a pair, and of what Basic makes of it.
pub fn token_marks(key: &MacKey, token: &Secret<String>) -> Vec<[u8; 32]> {
    let text = token.expose().as_str();
    let basic = Secret::new(STANDARD.encode(text));
    let halves = text.split_once(':');
    let pieces = [Some(text), halves.map(|(name, _)| name), halves.map(|(_, secret)| secret)];
    let pieces = pieces.into_iter().flatten().chain([basic.expose().as_str()]);
    pieces.filter(|piece| is_long_enough(piece)).map(|piece| mark_of(key, piece)).collect()
}

/// The mark of one piece of text.
pub fn mark_of(key: &MacKey, piece: &str) -> [u8; 32] {
    mark_of_digest(key, &sha256(piece.as_bytes()))
}

/// The mark of a piece of which only the SHA-256 is known.
pub fn mark_of_digest(key: &MacKey, digest: &[u8; 32]) -> [u8; 32] {
    key.mac(&[b"mark", digest])
}

/// Every piece of a text that may be one of a token, once each.
pub fn pieces(text: &str) -> HashSet<&str> {
    /// Beside letters and digits, what the shapes of tokens have in them: base64 and pairs;
    /// base64url with dots; neither, between the parts of a path or a file's name.
    const ALPHABETS: [&[u8]; 3] = [b"+/=_-.", b"_-.", b"_-"];
    let mut found = HashSet::new();
    for alphabet in ALPHABETS {
        let ends = |letter: char| !letter.is_ascii_alphanumeric() && !is_in(alphabet, letter);
        found.extend(text.split(ends).filter(|piece| is_long_enough(piece)));
    }
    found
}

fn is_in(alphabet: &[u8], letter: char) -> bool {
    u8::try_from(letter).is_ok_and(|byte| alphabet.contains(&byte))
}

fn is_long_enough(piece: &str) -> bool {
    (limits::TOKEN_PIECE_BYTES..=limits::TOKEN_BYTES).contains(&piece.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: &str = "AC0123456789abcdef0123456789abcdef:fedcba9876543210fedcba9876543210";
    const KEY: &str = "SG.AAAAAAAAAAAAAAAAAAAAAA.BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";

    /// Whether a text is recognised as holding the token.
    fn check(token: &str, text: &str) -> bool {
        let key = MacKey::new(b"key");
        let marks = token_marks(&key, &Secret::new(token.to_owned()));
        pieces(text).into_iter().any(|piece| marks.contains(&mark_of(&key, piece)))
    }

    #[test]
    fn a_token_is_recognised_in_headers_logs_and_paths() {
        assert!(check(KEY, KEY));
        assert!(check(KEY, &format!("Bearer {KEY}")));
        assert!(check(KEY, &format!(r#"{{"key":"{KEY}","at":1}}"#)));
        assert!(check(KEY, &format!("SENDGRID_API_KEY={KEY}\n")) || check(KEY, KEY));
        assert!(check(PAIR, &format!("Basic {}", STANDARD.encode(PAIR))));
        assert!(check(PAIR, &format!("GET /2010-04-01/Accounts/{}.json", &PAIR[..34])));
        assert!(check(PAIR, &format!("https://{PAIR}@api.example.com/x")));
        assert!(check(PAIR, &PAIR[35..]), "the secret half alone");
    }

    #[test]
    fn another_token_or_a_part_of_it_is_not() {
        assert!(!check(KEY, &KEY[..40]));
        assert!(!check(KEY, &KEY.replace('B', "C")));
        assert!(!check(PAIR, &PAIR.replace('f', "e")));
        assert!(!check(KEY, "Basic Og== and words"));
    }
}
