//! A vendor's words for a refusal, and where its replies say which message they are about.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::connector::{Refusal, RefusalBody};

/// How a vendor's errors look.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dialect {
    #[serde(default = "json")]
    content_type: String,
    /// The body with `{status}`, `{message}`, `{code}`, `{word}` and `{number}` in it.
    body: String,
    /// The vendor's word for a status; `other` for those that are not named.
    #[serde(default)]
    words: BTreeMap<String, String>,
    /// Its number for a status, likewise.
    #[serde(default)]
    numbers: BTreeMap<String, i64>,
}

fn json() -> String {
    "application/json".to_owned()
}

impl Dialect {
    /// Whether it makes bodies of its own type.
    pub fn check(&self) -> Result<(), String> {
        let refusal =
            Refusal { status: 403, code: "field-refused", message: "\"<&>\"\n".to_owned() };
        let body = self.refusal(&refusal).body;
        if self.is_json() && serde_json::from_slice::<Value>(&body).is_err() {
            return Err(
                "`body` is no JSON; texts are written `{message}`, without quotes".to_owned()
            );
        }
        http_content_type(&self.content_type)
    }

    /// A refusal in the vendor's words.
    pub fn refusal(&self, refusal: &Refusal) -> RefusalBody {
        let status = refusal.status.to_string();
        let word = self.words.get(&status).or_else(|| self.words.get("other"));
        let number = self.numbers.get(&status).or_else(|| self.numbers.get("other"));
        let quoted = |text: &str| {
            if self.is_json() { Value::from(text).to_string() } else { escaped(text) }
        };
        let body = self
            .body
            .replace("{status}", &status)
            .replace("{number}", &number.copied().unwrap_or(refusal.status.into()).to_string())
            .replace("{word}", &quoted(word.map_or("", String::as_str)))
            .replace("{code}", &quoted(refusal.code))
            .replace("{message}", &quoted(&refusal.message));
        let content_type = match self.content_type.as_str() {
            "application/json" => "application/json",
            "application/xml" => "application/xml",
            "application/vnd.api+json" => "application/vnd.api+json",
            _ => "text/plain",
        };
        RefusalBody { content_type, body: body.into_bytes() }
    }

    fn is_json(&self) -> bool {
        self.content_type.ends_with("json")
    }
}

fn http_content_type(text: &str) -> Result<(), String> {
    let known = ["application/json", "application/xml", "application/vnd.api+json", "text/plain"];
    if known.contains(&text) { Ok(()) } else { Err(format!("`content_type` is none of {known:?}")) }
}

/// A text within XML, which is what is not JSON.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Where a reply says which message it is about.
#[derive(Debug)]
pub(super) enum MessageId {
    /// In this header.
    Header(String),
    /// Under this pointer of a JSON body (RFC 6901).
    Pointer(String),
}

impl MessageId {
    /// Reads `header:x-message-id` or `/MessageID`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match (text.strip_prefix("header:"), text.starts_with('/')) {
            (Some(name), _) => Ok(Self::Header(name.to_ascii_lowercase())),
            (_, true) => Ok(Self::Pointer(text.to_owned())),
            _ => Err("it is `header:<name>` or a JSON pointer".to_owned()),
        }
    }

    /// The id in a reply.
    pub fn find(&self, headers: &dyn Fn(&str) -> Option<String>, body: &[u8]) -> Option<String> {
        let id = match self {
            Self::Header(name) => headers(name)?,
            Self::Pointer(pointer) => {
                let reply: Value = serde_json::from_slice(body).ok()?;
                match reply.pointer(pointer)? {
                    Value::String(text) => text.clone(),
                    Value::Number(number) => number.to_string(),
                    _ => return None,
                }
            }
        };
        let id = id.trim_start_matches('<').trim_end_matches('>');
        (!id.is_empty()).then(|| id.to_owned())
    }
}
