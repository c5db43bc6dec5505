//! JSON read without doubt: what two readers could take differently is refused. Numbers stay the
//! text they were, and keys keep their order. It does not know any vendor's shapes.

pub(crate) mod shape;

use std::fmt;

use model::limits;
use smol_str::SmolStr;

use crate::call::Unreadable;

/// One JSON value. A number is kept as it was written.
#[derive(Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Flag(bool),
    Number(Box<str>),
    Text(SmolStr),
    List(Vec<Json>),
    Object(Vec<(SmolStr, Json)>),
}

/// Reads one whole JSON text (RFC 8259) in UTF-8 without a byte order mark.
///
/// # Errors
/// When it is not well-formed, names a key of an object twice, has half a surrogate pair, or nests
/// deeper than [`limits::JSON_DEPTH`].
pub(crate) fn parse(bytes: &[u8]) -> Result<Json, Unreadable> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| wrong(error.valid_up_to(), "it is not UTF-8"))?;
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    parser.skip_space();
    if parser.at < text.len() { Err(parser.wrong("something follows its end")) } else { Ok(value) }
}

impl Json {
    /// The value of this key; `None` for `null` and for what is no object.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(entries) = self else { return None };
        let (_, value) = entries.iter().find(|(name, _)| name == key)?;
        (*value != Self::Null).then_some(value)
    }

    /// The value of this key, to be changed.
    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        let Self::Object(entries) = self else { return None };
        entries.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Puts a value under this key, in the place of an earlier one.
    pub(crate) fn set(&mut self, key: &str, value: Self) {
        match self.get_mut(key) {
            Some(place) => *place = value,
            None => {
                if let Self::Object(entries) = self {
                    entries.push((key.into(), value));
                }
            }
        }
    }

    /// Takes this key out.
    pub(crate) fn remove(&mut self, key: &str) {
        if let Self::Object(entries) = self {
            entries.retain(|(name, _)| name != key);
        }
    }

    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// A text, or a number as it was written.
    pub(crate) fn scalar(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The items under this key; none when there is no list.
    pub(crate) fn items(&self, key: &str) -> &[Self] {
        if let Some(Self::List(items)) = self.get(key) { items } else { &[] }
    }

    /// The items under this key, to be changed.
    pub(crate) fn items_mut(&mut self, key: &str) -> &mut [Self] {
        if let Some(Self::List(items)) = self.get_mut(key) { items } else { &mut [] }
    }

    /// Whether it says anything: not `null`, not an empty text, list or object.
    pub(crate) fn says_something(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Flag(_) | Self::Number(_) => true,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Object(entries) => !entries.is_empty(),
        }
    }

    /// Whether this key says anything.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some_and(Self::says_something)
    }

    /// Whether any text in it, at any depth, fits.
    pub(crate) fn any_text(&self, fits: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Text(text) => fits(text),
            Self::List(items) => items.iter().any(|item| item.any_text(fits)),
            Self::Object(entries) => entries.iter().any(|(_, value)| value.any_text(fits)),
            Self::Null | Self::Flag(_) | Self::Number(_) => false,
        }
    }

    /// The value as JSON without spaces.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend(b"null"),
            Self::Flag(flag) => out.extend(if *flag { &b"true"[..] } else { b"false" }),
            Self::Number(number) => out.extend(number.as_bytes()),
            Self::Text(text) => write_text(text, out),
            Self::List(items) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Self::Object(entries) => {
                write_object(entries.iter().map(|(key, value)| (key.as_str(), value)), out);
            }
        }
    }
}

/// Shows the kind alone: values are personal data.
impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "<null>",
            Self::Flag(_) => "<flag>",
            Self::Number(_) => "<number>",
            Self::Text(_) => "<text>",
            Self::List(_) => "<list>",
            Self::Object(_) => "<object>",
        })
    }
}

/// These entries as an object.
pub(crate) fn write_object<'a>(
    entries: impl Iterator<Item = (&'a str, &'a Json)>,
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    for (index, (key, value)) in entries.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_text(key, out);
        out.push(b':');
        value.write(out);
    }
    out.push(b'}');
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    let plain = |byte: &u8| *byte >= b' ' && *byte != b'"' && *byte != b'\\';
    if text.as_bytes().iter().all(plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    serde_json::to_writer(out, text).expect("a text is written to memory");
}

fn wrong(at: usize, why: &'static str) -> Unreadable {
    Unreadable::Body { at: format!("byte {at}"), why }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn wrong(&self, why: &'static str) -> Unreadable {
        wrong(self.at, why)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| b" \t\r\n".contains(&byte)) {
            self.at += 1;
        }
    }

    /// Takes this byte if it is next, after any space.
    fn takes(&mut self, byte: u8) -> bool {
        self.skip_space();
        let fits = self.peek() == Some(byte);
        self.at += usize::from(fits);
        fits
    }

    fn value(&mut self, depth: usize) -> Result<Json, Unreadable> {
        if depth > limits::JSON_DEPTH {
            return Err(self.wrong("it nests too deep"));
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<Json, Unreadable> {
        let words =
            [("null", Json::Null), ("true", Json::Flag(true)), ("false", Json::Flag(false))];
        let rest = &self.text[self.at..];
        let (word, value) = words
            .into_iter()
            .find(|(word, _)| rest.starts_with(word))
            .ok_or_else(|| self.wrong("a value is missing or misspelt"))?;
        self.at += word.len();
        Ok(value)
    }

    fn list(&mut self, depth: usize) -> Result<Json, Unreadable> {
        self.at += 1;
        let mut items = Vec::new();
        if self.takes(b']') {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.takes(b']') {
                return Ok(Json::List(items));
            }
            if !self.takes(b',') {
                return Err(self.wrong("a list is not closed"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, Unreadable> {
        self.at += 1;
        let mut entries = Vec::new();
        if self.takes(b'}') {
            return Ok(Json::Object(entries));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.wrong("a key is missing"));
            }
            let key = self.string()?;
            if !self.takes(b':') {
                return Err(self.wrong("a key has no value"));
            }
            entries.push((key, self.value(depth + 1)?));
            if self.takes(b'}') {
                break;
            }
            if !self.takes(b',') {
                return Err(self.wrong("an object is not closed"));
            }
        }
        let mut keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(self.wrong("an object names a key twice"));
        }
        Ok(Json::Object(entries))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<Json, Unreadable> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let leading_zero = self.peek() == Some(b'0');
        let whole = self.digits();
        if whole == 0 || leading_zero && whole > 1 {
            return Err(self.wrong("a number is not well-formed"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.wrong("a number is not well-formed"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return Err(self.wrong("a number is not well-formed"));
            }
        }
        Ok(Json::Number(self.text[start..self.at].into()))
    }

    fn string(&mut self) -> Result<SmolStr, Unreadable> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let plain = rest
                .iter()
                .position(|&byte| byte == b'"' || byte == b'\\' || byte < b' ')
                .ok_or_else(|| self.wrong("a text is not closed"))?;
            let part = &self.text[self.at..self.at + plain];
            self.at += plain;
            if rest[plain] == b'"' {
                self.at += 1;
                if out.is_empty() {
                    return Ok(part.into());
                }
                return Ok((out + part).into());
            }
            out.push_str(part);
            match rest[plain] {
                b'\\' => out.push(self.escape()?),
                _ => return Err(self.wrong("a text has a control character")),
            }
        }
    }

    /// One escape, its backslash next.
    fn escape(&mut self) -> Result<char, Unreadable> {
        self.at += 1;
        let letter = self.peek().ok_or_else(|| self.wrong("a text is not closed"))?;
        self.at += 1;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.code_point(),
            _ => return Err(self.wrong("a text has an unknown escape")),
        })
    }

    fn code_point(&mut self) -> Result<char, Unreadable> {
        const HALF: &str = "a text has half a surrogate pair";
        let first = self.code_unit()?;
        if !(0xD800..0xE000).contains(&first) {
            return char::from_u32(first).ok_or_else(|| self.wrong(HALF));
        }
        if first >= 0xDC00 || !self.text[self.at..].starts_with("\\u") {
            return Err(self.wrong(HALF));
        }
        self.at += 2;
        let second = self.code_unit()?;
        if !(0xDC00..0xE000).contains(&second) {
            return Err(self.wrong(HALF));
        }
        char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00))
            .ok_or_else(|| self.wrong(HALF))
    }

    fn code_unit(&mut self) -> Result<u32, Unreadable> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).unwrap_or_default();
        if digits.len() < 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(self.wrong("a text has an unknown escape"));
        }
        let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or_default();
        self.at += 4;
        Ok(digits.iter().fold(0, |unit, byte| unit << 4 | digit(byte)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_and_order_stay_as_they_were_written() {
        let text =
            r#"{"z":1.10,"a":12345678901234567890123,"m":[-0,1e400,null,true],"t":"\u00e9"}"#;
        let written = parse(text.as_bytes()).expect("well-formed").to_bytes();
        let expected = text.replace(r"\u00e9", "é");
        assert_eq!(String::from_utf8(written).expect("UTF-8"), expected);
    }

    #[test]
    fn what_two_readers_could_take_differently_is_refused() {
        let bad: &[&[u8]] = &[
            b"",
            b"{",
            b"[1,]",
            b"{\"a\":1,\"a\":2}",
            b"{\"a\":1,\"\\u0061\":2}",
            b"{a:1}",
            b"'a'",
            b"01",
            b"1.",
            b".5",
            b"+1",
            b"1e",
            b"NaN",
            b"\"\x01\"",
            b"\"\\ud800\"",
            b"\"\\udc00\\ud800\"",
            b"\"\\x\"",
            b"\"\\u12",
            b"\xef\xbb\xbf{}",
            b"\"\xff\"",
            b"{} {}",
            b"{}//",
        ];
        for text in bad {
            assert!(parse(text).is_err(), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(limits::JSON_DEPTH).as_bytes()).is_ok());
        assert!(parse(nested(limits::JSON_DEPTH + 2).as_bytes()).is_err());
        assert!(parse("[".repeat(1_000_000).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(value) = parse(&bytes) {
                prop_assert_eq!(parse(&value.to_bytes()), Ok(value));
            }
        }

        #[test]
        fn what_is_read_is_what_another_reader_reads(text in "[\\[\\]{}:, \"\\\\u0-9a-f.eE+-]{0,40}") {
            if let Ok(value) = parse(text.as_bytes()) {
                let theirs: serde_json::Value =
                    serde_json::from_str(&text).unwrap_or(serde_json::Value::Null);
                let ours: serde_json::Value =
                    serde_json::from_slice(&value.to_bytes()).unwrap_or(serde_json::Value::Null);
                prop_assert_eq!(theirs, ours);
            }
        }
    }
}
