//! A `Content-Type` read without doubt (RFC 9110 §8.3.1): what one reader takes for a parameter and
//! another one does not is refused. It does not know what a media type means.

use std::borrow::Cow;

/// A media type and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaType {
    /// `application/json`, in lower case.
    pub name: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// Reads a whole header; `None` when it is not well-formed, names a parameter twice, or uses
    /// the extended form of one (RFC 8187), which few readers know.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, mut rest) = text.split_at(text.find(';').unwrap_or(text.len()));
        let name = name.trim_matches(SPACE);
        let (kind, subtype) = name.split_once('/')?;
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        let mut parameters: Vec<(String, String)> = Vec::new();
        while let Some(after) = rest.strip_prefix(';') {
            let after = after.trim_start_matches(SPACE);
            if after.is_empty() || after.starts_with(';') {
                rest = after;
                continue;
            }
            let (key, value) = after.split_once('=')?;
            let key = key.to_ascii_lowercase();
            let (value, after) = read_value(value)?;
            if !is_token(&key) || key.contains('*') || parameters.iter().any(|(k, _)| *k == key) {
                return None;
            }
            parameters.push((key, value.into_owned()));
            rest = after.trim_start_matches(SPACE);
        }
        rest.is_empty().then(|| Self { name: name.to_ascii_lowercase(), parameters })
    }

    /// The value of this parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether it has no parameters but these.
    pub fn has_only(&self, names: &[&str]) -> bool {
        self.parameters.iter().all(|(key, _)| names.contains(&key.as_str()))
    }

    /// Whether text under it is UTF-8, or ASCII, which is the same bytes.
    pub fn is_utf8(&self) -> bool {
        let same = ["utf-8", "utf8", "us-ascii"];
        self.parameter("charset")
            .is_none_or(|name| same.iter().any(|s| s.eq_ignore_ascii_case(name)))
    }
}

const SPACE: [char; 2] = [' ', '\t'];

/// A token or a quoted string without escapes, and what follows it.
fn read_value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (value, after) = quoted.split_once('"')?;
        return (!value.contains('\\')).then_some((value.into(), after));
    }
    let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
    let (value, after) = text.split_at(end);
    is_token(value).then_some((value.into(), after))
}

fn is_token(text: &str) -> bool {
    let tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(tchar)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_read_with_its_parameters() {
        let read = MediaType::parse("Application/JSON ; Charset=\"UTF-8\";; x=y; ").expect("well");
        assert_eq!(read.name, "application/json");
        assert_eq!((read.parameter("charset"), read.parameter("x")), (Some("UTF-8"), Some("y")));
        assert!(read.is_utf8() && read.has_only(&["charset", "x"]) && !read.has_only(&["x"]));
        assert!(MediaType::parse("text/plain").expect("well").is_utf8());
        assert!(!MediaType::parse("text/plain; charset=utf-16").expect("well").is_utf8());
    }

    #[test]
    fn what_two_readers_could_take_differently_is_refused() {
        for bad in [
            "",
            "json",
            "application/",
            "application/json, text/plain",
            "application/json charset=utf-8",
            "application/json; charset",
            "application/json; charset=",
            "application/json; charset =utf-8",
            "application/json; charset= utf-8",
            "application/json; charset*=utf-8''x",
            "application/json; charset=utf-8; charset=utf-16",
            "application/json; x=\"a\\\"; charset=utf-16\"",
            "application/json; x=\"a",
            "application/json; x=\"a\"b",
            "application/json; x=a b",
            "application/json; x=(a)",
        ] {
            assert_eq!(MediaType::parse(bad), None, "{bad}");
        }
    }
}
