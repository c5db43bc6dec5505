//! The documented shape of a JSON body, to find what a vendor does not document. It does not know
//! what a key means.

use model::limits;

use crate::call::{Unreadable, shown};
use crate::json::Json;

/// What may stand in a place. `null` may stand everywhere and says nothing.
pub(crate) enum Shape {
    /// A text.
    Text,
    /// A text, a number or a flag.
    Scalar,
    /// An object whose keys and values are the caller's own.
    Map,
    /// Anything of the caller's own.
    Free,
    /// A list of things of one shape.
    List(&'static Shape),
    /// An object with these keys.
    Object(&'static [(&'static str, Shape)]),
}

impl Shape {
    /// Pointers to the keys that the shape does not have, at most [`limits::UNKNOWN_KEYS`].
    ///
    /// # Errors
    /// When something stands where something else is documented.
    pub(crate) fn unknown(&self, json: &Json) -> Result<Vec<String>, Unreadable> {
        let mut unknown = Vec::new();
        self.look(json, &mut String::new(), &mut unknown)?;
        Ok(unknown)
    }

    fn look(
        &self,
        json: &Json,
        at: &mut String,
        found: &mut Vec<String>,
    ) -> Result<(), Unreadable> {
        let wrong = |at: &str, why| Err(Unreadable::Body { at: at.to_owned(), why });
        match (self, json) {
            (_, Json::Null)
            | (Self::Free, _)
            | (Self::Map, Json::Object(_))
            | (Self::Text | Self::Scalar, Json::Text(_))
            | (Self::Scalar, Json::Number(_) | Json::Flag(_)) => Ok(()),
            (Self::List(shape), Json::List(items)) => {
                for (index, item) in items.iter().enumerate() {
                    within(at, &index.to_string(), |at| shape.look(item, at, found))?;
                }
                Ok(())
            }
            (Self::Object(keys), Json::Object(entries)) => {
                for (key, value) in entries {
                    within(at, shown(key), |at| match find(keys, key) {
                        Some(shape) => shape.look(value, at, found),
                        None => {
                            if found.len() < limits::UNKNOWN_KEYS {
                                found.push(at.clone());
                            }
                            Ok(())
                        }
                    })?;
                }
                Ok(())
            }
            (Self::Text, _) => wrong(at, "a text is documented here"),
            (Self::Scalar, _) => wrong(at, "a single value is documented here"),
            (Self::List(_), _) => wrong(at, "a list is documented here"),
            (Self::Map | Self::Object(_), _) => wrong(at, "an object is documented here"),
        }
    }

    /// Takes out the keys that the shape does not have.
    pub(crate) fn prune(&self, json: &mut Json) {
        match (self, json) {
            (Self::List(shape), Json::List(items)) => {
                items.iter_mut().for_each(|item| shape.prune(item));
            }
            (Self::Object(keys), Json::Object(entries)) => {
                entries.retain(|(key, _)| find(keys, key).is_some());
                for (key, value) in entries {
                    if let Some(shape) = find(keys, key) {
                        shape.prune(value);
                    }
                }
            }
            _ => {}
        }
    }
}

fn find<'a>(keys: &'a [(&'static str, Shape)], key: &str) -> Option<&'a Shape> {
    keys.iter().find(|(name, _)| *name == key).map(|(_, shape)| shape)
}

fn within<T>(at: &mut String, step: &str, look: impl FnOnce(&mut String) -> T) -> T {
    let length = at.len();
    at.push('/');
    at.push_str(step);
    let result = look(at);
    at.truncate(length);
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    const SHAPE: Shape = Shape::Object(&[
        ("to", Shape::List(&Shape::Object(&[("email", Shape::Text)]))),
        ("size", Shape::Scalar),
        ("own", Shape::Map),
    ]);

    #[test]
    fn unknown_keys_are_named_without_values_and_taken_out() {
        let text = br#"{"to":[{"email":"a","shoe":"x"}],"own":{"any":1},"a@x.example":1,"size":2}"#;
        let mut json = parse(text).expect("JSON");
        assert_eq!(SHAPE.unknown(&json), Ok(vec!["/to/0/shoe".to_owned(), "/…".to_owned()]));
        SHAPE.prune(&mut json);
        assert_eq!(json.to_bytes(), br#"{"to":[{"email":"a"}],"own":{"any":1},"size":2}"#);
    }

    #[test]
    fn a_list_where_a_text_is_documented_is_no_message_we_can_read() {
        for text in [r#"{"to":{}}"#, r#"{"to":[{"email":["a"]}]}"#, r#"{"own":[]}"#, "[]"] {
            assert!(SHAPE.unknown(&parse(text.as_bytes()).expect("JSON")).is_err(), "{text}");
        }
    }
}
