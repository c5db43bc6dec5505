//! Scrub: takes a vendor's credential out of what the vendor says, in every form that it may stand
//! in. It does not know where a reply goes.

use std::collections::BTreeSet;
use std::fmt;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use connectors::Authorised;
use memchr::memmem;
use model::{Secret, crypto};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands where a credential stood.
const REDACTED: &[u8] = b"[redacted]";
/// Shorter texts occur by chance.
const BYTES: usize = 8;
/// What RFC 3986 leaves as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Finds all forms of one credential in a single pass over a text.
pub(crate) struct Scrub(AhoCorasick);

impl fmt::Debug for Scrub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<scrub>")
    }
}

impl Scrub {
    /// The credential whole, and each secret part of one that is made of several.
    pub fn of(credential: &Secret<String>) -> Self {
        let mut forms = BTreeSet::new();
        for part in parts(credential.expose()) {
            forms.extend(plain_forms(part));
            forms.extend(base64_forms(part.as_bytes()));
        }
        let forms = forms.into_iter().filter(|form| form.len() >= BYTES);
        let searcher = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(forms);
        Self(searcher.expect("a few dozen short texts are within every limit of the searcher"))
    }

    /// The same for the replies to one request, which what authorised it may come back in.
    pub fn with(&self, authorised: &Authorised) -> Cleaner<'_> {
        /// A signature has 64 digits; what is shorter than half of that is no signature.
        const SIGNATURE_BYTES: usize = 32;
        let ends = |letter: char| !letter.is_ascii_alphanumeric();
        let values = authorised.headers.iter().map(|(_, value)| value.expose().as_str());
        let pieces = values.flat_map(|value| value.split(ends));
        let signatures = pieces.filter(|piece| piece.len() >= SIGNATURE_BYTES);
        let signatures = signatures.map(|piece| Secret::new(piece.to_owned())).collect();
        Cleaner { scrub: self, signatures }
    }

    /// The text without the credential, if it was in it.
    fn clean(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut found = self.0.find_iter(text).peekable();
        found.peek()?;
        let mut clean = Vec::with_capacity(text.len());
        let mut end = 0;
        for at in found {
            clean.extend_from_slice(&text[end..at.start()]);
            clean.extend_from_slice(REDACTED);
            end = at.end();
        }
        clean.extend_from_slice(&text[end..]);
        Some(clean)
    }
}

/// Cleans the replies to one request.
pub(crate) struct Cleaner<'a> {
    scrub: &'a Scrub,
    /// Long pieces of what authorised the request: a signature is good for a while.
    signatures: Vec<Secret<String>>,
}

impl Cleaner<'_> {
    /// The text without the credential and the signature, if one was in it.
    pub fn clean(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut clean = self.scrub.clean(text);
        for signature in &self.signatures {
            let searched = clean.as_deref().unwrap_or(text);
            if let Some(cleaner) = without(searched, signature.expose().as_bytes()) {
                clean = Some(cleaner);
            }
        }
        clean
    }
}

fn without(text: &[u8], secret: &[u8]) -> Option<Vec<u8>> {
    let mut found = memmem::find_iter(text, secret).peekable();
    found.peek()?;
    let mut clean = Vec::with_capacity(text.len());
    let mut end = 0;
    for at in found {
        clean.extend_from_slice(&text[end..at]);
        clean.extend_from_slice(REDACTED);
        end = at + secret.len();
    }
    clean.extend_from_slice(&text[end..]);
    Some(clean)
}

/// The whole, and what follows a colon: the secret of a pair, and a session's token after it. What
/// stands before is a name, which replies may say; of a pair without a secret it is the secret.
fn parts(credential: &str) -> Vec<&str> {
    let mut parts = vec![credential];
    let mut between = credential.split(':');
    let name = between.next().unwrap_or_default();
    let secrets: Vec<_> = between.filter(|part| part.len() >= BYTES).collect();
    if secrets.is_empty() {
        parts.push(name);
    }
    parts.extend(secrets);
    parts
}

/// As it is; as JSON, URLs, forms and hexadecimal write it.
fn plain_forms(text: &str) -> [String; 10] {
    let percent = utf8_percent_encode(text, UNRESERVED).to_string();
    let whole = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let hex = crypto::to_hex(text.as_bytes());
    [
        text.to_owned(),
        text.replace('\\', "\\\\").replace('"', "\\\"").replace('/', "\\/"),
        in_json(text, |letter| format!("\\u{:04x}", u32::from(letter))),
        in_json(text, |letter| format!("\\u{:04X}", u32::from(letter))),
        lower_escapes(&percent),
        percent,
        lower_escapes(&whole),
        whole,
        hex.to_ascii_uppercase(),
        hex,
    ]
}

/// With everything but letters, digits and what no writer of JSON escapes as `escape` writes it.
fn in_json(text: &str, escape: impl Fn(char) -> String) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._~:@!$*,;()".contains(letter);
    text.chars()
        .map(|letter| if plain(letter) { letter.to_string() } else { escape(letter) })
        .collect()
}

/// Percent-encoding with small digits.
fn lower_escapes(percent: &str) -> String {
    let mut pieces = percent.split('%');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |mut text, piece| {
        let (digits, rest) = piece.split_at(2);
        text.extend(["%", &digits.to_ascii_lowercase(), rest]);
        text
    })
}

/// What base64 makes of it wherever it stands in a longer text: at each of the three places in a
/// group of three bytes, without the characters that its neighbours have a part in.
fn base64_forms(text: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    for before in 0..3_usize {
        let bytes = before + text.len();
        let (from, to) = ((before * 8).div_ceil(6), bytes * 8 / 6);
        let shifted = [&vec![0; before], text].concat();
        forms.push(STANDARD.encode(&shifted)[from..to].to_owned());
        forms.push(URL_SAFE.encode(&shifted)[from..to].to_owned());
    }
    forms
}

#[cfg(test)]
mod tests {
    use connectors::Leaving;
    use model::Timestamp;

    use super::*;

    const PAIR: &str = "AC123:tok/en+secret==";

    fn clean(credential: &str, text: &str) -> Option<String> {
        let scrub = Scrub::of(&Secret::new(credential.to_owned()));
        let clean = scrub.clean(text.as_bytes());
        clean.map(|clean| String::from_utf8(clean).expect("text"))
    }

    #[test]
    fn a_credential_is_taken_out_in_every_form_and_nothing_else_is_touched() {
        let check = |text: &str, expect: &str| {
            assert_eq!(clean(PAIR, text).as_deref(), Some(expect), "{text}");
        };
        check("a tok/en+secret== b", "a [redacted] b");
        check("AC123:tok/en+secret==", "[redacted]");
        check(r#"{"key":"tok\/en+secret==","n":1}"#, r#"{"key":"[redacted]","n":1}"#);
        check(r#""tok\u002fen\u002bsecret\u003d\u003d""#, r#""[redacted]""#);
        check(r#""tok\u002Fen\u002Bsecret\u003D\u003D""#, r#""[redacted]""#);
        check("?key=tok%2Fen%2Bsecret%3D%3D&x=1", "?key=[redacted]&x=1");
        check("?key=tok%2fen%2bsecret%3d%3d", "?key=[redacted]");
        check("746f6b2f656e2b7365637265743d3d", "[redacted]");
        check("746F6B2F656E2B7365637265743D3D", "[redacted]");
        check("tok/en+secret==tok/en+secret==!", "[redacted][redacted]!");
    }

    #[test]
    fn base64_is_seen_through_wherever_the_secret_stands_in_it() {
        for before in ["", "a", "ab", "abc", "AC123:", "{\"k\":\""] {
            for after in ["", "x", "yz", "\"}"] {
                let inside = format!("{before}tok/en+secret=={after}");
                for encoded in [STANDARD.encode(&inside), URL_SAFE.encode(&inside)] {
                    let said = clean(PAIR, &format!("Basic {encoded} end")).expect("it is in it");
                    assert!(said.contains("[redacted]") && said.ends_with(" end"), "{said}");
                    let longest = said.split("[redacted]").map(str::len).max().unwrap_or(0);
                    assert!(longest <= "Basic ".len() + 12, "hardly a byte of it is left: {said}");
                }
            }
        }
    }

    #[test]
    fn a_name_may_be_said_and_what_looks_alike_may_too() {
        assert_eq!(clean(PAIR, "AC123 tok/en secret tok/en+secret="), None);
        assert_eq!(clean("AC0123456789:0123456789abcdef", "AC0123456789"), None);
        assert_eq!(clean("short", "short"), None, "it would occur by chance");
    }

    #[test]
    fn the_name_of_a_pair_without_a_secret_is_the_secret() {
        assert_eq!(clean("write-key-12345:", "write-key-12345").as_deref(), Some("[redacted]"));
        assert_eq!(
            clean("anystring:key-123456789", "key-123456789").as_deref(),
            Some("[redacted]")
        );
    }

    #[test]
    fn every_part_after_the_name_is_a_secret() {
        let session = "AKIAEXAMPLE00000:secret/key0123:session/token0123";
        for part in ["secret/key0123", "session/token0123", session] {
            assert_eq!(clean(session, part).as_deref(), Some("[redacted]"), "{part}");
        }
    }

    #[test]
    fn a_signature_that_comes_back_is_taken_out_too() {
        let signature = "0123456789abcdef".repeat(4);
        let value = format!("AWS4-HMAC-SHA256 Credential=AKIA/x, Signature={signature}");
        let headers = vec![("authorization", Secret::new(value))];
        let authorised = Authorised { headers, ..Authorised::default() };
        let scrub = Scrub::of(&Secret::new(PAIR.to_owned()));
        let cleaner = scrub.with(&authorised);
        let text = format!("<Provided>{signature}</Provided> tok/en+secret==");
        let clean = cleaner.clean(text.as_bytes()).expect("both are in it");
        assert_eq!(clean, b"<Provided>[redacted]</Provided> [redacted]");
        assert_eq!(cleaner.clean(b"AWS4-HMAC-SHA256 AKIA/x"), None);
    }

    #[test]
    fn whatever_a_connector_makes_of_a_credential_is_seen_through() {
        for connector in connectors::connectors() {
            let secret_of = |_: &str| Secret::new("0123456789/abcdef+0123456789abcdef01234".into());
            let credential = connector.mint([9; 48], &secret_of).token;
            if connector.check_credential(credential.expose()).is_err() {
                continue;
            }
            let leaving = Leaving {
                method: "POST",
                host: "api.example.com",
                prefix: "",
                path: "/2010-04-01/Accounts/AC00000000000000000000000000000000/Messages.json",
                query: None,
                header: &|_| None,
                body: br#"{"key":"x","message":{}}"#,
                at: Timestamp::from_seconds(1_770_256_800),
            };
            let authorised = connector.authorise(&credential, &leaving).expect("of its shape");
            let scrub = Scrub::of(&credential);
            let headers = authorised.headers.iter().map(|(_, value)| value.expose().clone());
            let body = authorised.body.as_ref();
            let body = body.map(|body| String::from_utf8_lossy(body.expose()).into_owned());
            let echo: String = headers.chain(body).collect::<Vec<_>>().join("\n");
            let clean = scrub.with(&authorised).clean(echo.as_bytes()).expect("it is in it");
            let clean = String::from_utf8_lossy(&clean);
            let secret = credential.expose().rsplit(':').next().expect("a last part");
            for form in [secret.to_owned(), STANDARD.encode(credential.expose())] {
                assert!(!clean.contains(&form), "{}: {clean}", connector.name());
            }
        }
    }

    #[test]
    fn it_does_not_show_what_it_looks_for() {
        let scrub = Scrub::of(&Secret::new(PAIR.to_owned()));
        assert_eq!(format!("{scrub:?}"), "<scrub>");
    }
}
