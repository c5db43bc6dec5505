//! What the readers of bodies say of one without any vendor's shapes, for tests that hold them
//! against other parsers: each says the same as they do, or refuses.

use crate::call::Unreadable;
use crate::{form, json, multipart};

/// JSON as it would be written again.
///
/// # Errors
/// When it can be read in two ways, or not at all.
pub fn json(body: &[u8]) -> Result<Vec<u8>, Unreadable> {
    json::parse(body).map(|value| value.to_bytes())
}

/// The pairs of a form.
///
/// # Errors
/// When it can be read in two ways, or not at all.
pub fn form(body: &[u8]) -> Result<Vec<(String, String)>, Unreadable> {
    form::parse(body)
}

/// Pairs as a form.
pub fn form_written(pairs: &[(String, String)]) -> Vec<u8> {
    form::write(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

/// A part of a multipart form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Whether it is text.
    pub is_text: bool,
    /// What it holds.
    pub content: Vec<u8>,
}

/// The parts of a multipart form.
///
/// # Errors
/// When it can be read in two ways, or not at all.
pub fn multipart(body: &[u8], boundary: &str) -> Result<Vec<Part>, Unreadable> {
    let parts = multipart::parse(body, boundary)?;
    let part = |part: multipart::Part| {
        let is_text = part.text().is_some();
        Part { name: part.name, is_text, content: part.content }
    };
    Ok(parts.into_iter().map(part).collect())
}

/// A multipart form as it would be written again.
///
/// # Errors
/// As [`multipart()`].
pub fn multipart_written(body: &[u8], boundary: &str) -> Result<Vec<u8>, Unreadable> {
    multipart::write(&multipart::parse(body, boundary)?, boundary)
}
