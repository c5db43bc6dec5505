//! A small validator: as much of JSON Schema as SendGrid's OpenAPI files use for answers.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value};

/// All of SendGrid's files.
pub struct Specifications(Vec<Value>);

impl Specifications {
    /// Reads the files; `None` when they are not there.
    pub fn load() -> Option<Self> {
        let shared = std::env::var_os("CORDON_SHARED").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
            PathBuf::from,
        );
        let files = fs::read_dir(shared.join("data/openapi/sendgrid")).ok()?;
        let paths = files.filter_map(|file| Some(file.ok()?.path()));
        let paths = paths.filter(|path| path.extension().is_some_and(|end| end == "json"));
        let texts = paths.map(|path| fs::read_to_string(path).expect("a text"));
        Some(Self(texts.map(|text| serde_json::from_str(&text).expect("JSON")).collect()))
    }

    /// Fails unless the status is documented for the operation, and the body is of its schema.
    pub fn check(&self, method: &str, path: &str, status: u16, body: &Value) {
        let at = format!("{method} {path} {status}");
        let method = method.to_lowercase();
        let specification = self.0.iter().find(|file| file["paths"][path][&method].is_object());
        let specification = specification.unwrap_or_else(|| panic!("{at} is not documented"));
        let root = Schemas(specification);
        let answers = &specification["paths"][path][&method]["responses"];
        let answer = root.resolve(&answers[status.to_string()]);
        assert!(answer.is_object(), "{at}: the status is not documented");
        match &answer["content"]["application/json"]["schema"] {
            // Some answers have a body that the file does not describe.
            Value::Null => assert!(status >= 400 || body.is_null(), "{at}: a body: {body}"),
            schema => root.validate(schema, body, &at),
        }
    }
}

struct Schemas<'a>(&'a Value);

impl<'a> Schemas<'a> {
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(reference) => {
                let pointer = reference.trim_start_matches('#');
                let found = self.0.pointer(pointer);
                self.resolve(found.unwrap_or_else(|| panic!("{reference} leads nowhere")))
            }
            None => schema,
        }
    }

    fn validate(&self, schema: &'a Value, value: &Value, at: &str) {
        let schema = self.resolve(schema);
        // SendGrid's servers write `"help": null` where its files say that it is an object.
        let is_nullable = schema["nullable"] == true || at.ends_with("/help");
        if value.is_null() && is_nullable {
            return;
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.validate(part, value, at);
        }
        if let Some(kind) = schema["type"].as_str() {
            assert!(is_of(kind, value), "{at}: {value} is no {kind}");
        }
        if let Some(words) = schema["enum"].as_array() {
            assert!(words.contains(value), "{at}: {value} is none of {words:?}");
        }
        self.text(schema, value, at);
        if let Some(items) = value.as_array() {
            self.items(schema, items, at);
        }
        if let Some(map) = value.as_object() {
            self.properties(schema, map, at);
        }
    }

    fn text(&self, schema: &Value, value: &Value, at: &str) {
        let Some(text) = value.as_str() else { return };
        let length = text.chars().count() as u64;
        assert!(schema["minLength"].as_u64().is_none_or(|least| length >= least), "{at}: short");
        assert!(schema["maxLength"].as_u64().is_none_or(|most| length <= most), "{at}: long");
        let well_formed = match schema["format"].as_str() {
            Some("uuid") => text.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12]),
            Some("date-time") => model::Timestamp::parse(text).is_ok(),
            Some("uri") => text.contains("://"),
            _ => true,
        };
        assert!(well_formed, "{at}: {text} is no {}", schema["format"]);
    }

    fn items(&self, schema: &'a Value, items: &[Value], at: &str) {
        let most = schema["maxItems"].as_u64();
        assert!(most.is_none_or(|most| items.len() as u64 <= most), "{at}: too many items");
        if schema["items"].is_object() {
            for (index, item) in items.iter().enumerate() {
                self.validate(&schema["items"], item, &format!("{at}/{index}"));
            }
        }
    }

    fn properties(&self, schema: &'a Value, map: &Map<String, Value>, at: &str) {
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().expect("a name");
            assert!(map.contains_key(name), "{at}: {name} is missing");
        }
        let patterns = schema["patternProperties"].as_object();
        let pattern = patterns.and_then(|patterns| patterns.values().next());
        for (name, value) in map {
            let at = format!("{at}/{name}");
            match (&schema["properties"][name], pattern) {
                (Value::Null, Some(pattern)) => self.validate(pattern, value, &at),
                (Value::Null, None) => {
                    let open = schema["properties"].is_null();
                    assert!(open, "{at}: the files know no such property");
                }
                (known, _) => self.validate(known, value, &at),
            }
        }
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("no such type: {other}"),
    }
}
