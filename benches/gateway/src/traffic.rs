//! What is sent: SendGrid's `POST /v3/mail/send` in two shapes, one body to a line of a file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// A shape of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// 2 KB of JSON to one recipient.
    One,
    /// One body with 1,000 personalisations.
    Thousand,
}

impl Shape {
    /// As tables and files call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "one recipient",
            Self::Thousand => "1,000 personalisations",
        }
    }

    /// Writes distinct bodies, one to a line: 1,000 people in all, whatever the shape.
    pub fn write(self, folder: &Path) -> Result<PathBuf> {
        const PEOPLE: usize = 1_000;
        let mut lines = String::new();
        match self {
            Self::One => (0..PEOPLE).for_each(|person| line(&mut lines, &mail(&[person]))),
            Self::Thousand => line(&mut lines, &mail(&(0..PEOPLE).collect::<Vec<_>>())),
        }
        let path = folder.join(if self == Self::One { "one.txt" } else { "thousand.txt" });
        std::fs::write(&path, lines).context("writing the bodies")?;
        Ok(path)
    }
}

/// The bodies of a file.
pub fn bodies(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).context("reading the bodies")?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn line(lines: &mut String, body: &Value) {
    writeln!(lines, "{body}").expect("a text takes all");
}

/// A receipt; with one recipient it is 2 KB long.
fn mail(people: &[usize]) -> Value {
    let personalization = |person: &usize| {
        json!({
            "to": [{
                "email": format!("person-{person:04}@members.example"),
                "name": format!("Person {person:04}"),
            }],
            "custom_args": { "order": format!("A-{person:08}") },
        })
    };
    let text = "Thank you for your order. It is on its way, and you can follow it on our site. ";
    let html = format!("<html><body><p>{}</p></body></html>", text.repeat(10));
    json!({
        "personalizations": people.iter().map(personalization).collect::<Vec<_>>(),
        "from": { "email": "shop@story.example", "name": "The Shop" },
        "reply_to": { "email": "help@story.example" },
        "subject": "Your receipt",
        "content": [
            { "type": "text/plain", "value": text.repeat(8) },
            { "type": "text/html", "value": html },
        ],
        "categories": ["receipt"],
        "tracking_settings": { "click_tracking": { "enable": false } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_to_one_is_two_kilobytes() {
        let length = mail(&[1]).to_string().len();
        assert!((1_950..=2_150).contains(&length), "{length}");
    }
}
