//! The second net: what free text holds that it should not. It finds, and promises nothing: what it
//! does not see is not shown to be absent.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input};
use memchr::memchr_iter;
use model::{Email, Identifier, Phone, limits};

use crate::call::Party;
use crate::json::Json;

/// An address in a text of somebody whom the call does not name.
pub(crate) const ADDRESS: &str = "text-holds-address";
/// A telephone number of somebody whom the call does not name.
pub(crate) const NUMBER: &str = "text-holds-number";
/// Something of the shape of a key, a token or a card number.
pub(crate) const SECRET: &str = "text-holds-secret";
/// A key of a map whose name says that its value is a secret or a number of an identity.
pub(crate) const FIELD: &str = "text-holds-field";

/// How secrets of well-known services begin, and how long they are at least.
const SECRETS: [(&str, usize); 12] = [
    ("-----BEGIN ", 30),
    ("AKIA", 20),
    ("ASIA", 20),
    ("SG.", 60),
    ("eyJhbGciOi", 40),
    ("ghp_", 40),
    ("github_pat_", 40),
    ("glpat-", 26),
    ("re_", 30),
    ("sk_live_", 30),
    ("xoxb-", 30),
    ("xoxp-", 30),
];

/// The beginnings of [`SECRETS`], in its order.
static BEGINNINGS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::new(SECRETS.map(|(begin, _)| begin)).expect("a few short patterns")
});

/// Parts of names of keys.
const FIELDS: [&str; 10] = [
    "password",
    "passwd",
    "secret",
    "ssn",
    "socialsecurity",
    "passport",
    "nationalid",
    "iban",
    "cardnumber",
    "cvv",
];

/// What was caught in one call.
#[derive(Debug, Default)]
pub(crate) struct Net {
    named: BTreeSet<Identifier>,
    /// Domains of whoever sends: their own addresses are in every footer.
    senders: BTreeSet<String>,
    secret: bool,
    field: bool,
}

impl Net {
    /// Somebody sends: addresses of the same domain are theirs.
    pub fn sender(&mut self, text: &str) {
        for address in addresses(text).take(limits::NET_NAMES) {
            self.senders.insert(address.domain().to_owned());
        }
    }

    /// Looks through free text, keys of maps included.
    pub fn look(&mut self, json: &Json) {
        match json {
            Json::Text(text) => self.text(text),
            Json::List(items) => items.iter().for_each(|item| self.look(item)),
            Json::Object(entries) => {
                for (key, value) in entries {
                    self.field |= value.says_something() && tells(key);
                    self.look(value);
                }
            }
            Json::Null | Json::Flag(_) | Json::Number(_) => {}
        }
    }

    /// Looks through a text.
    pub fn text(&mut self, text: &str) {
        let room = |named: &BTreeSet<Identifier>| named.len() < limits::NET_NAMES;
        for address in addresses(text) {
            if room(&self.named) {
                self.named.insert(Identifier::Email(address));
            }
        }
        for number in numbers(text) {
            if room(&self.named) {
                self.named.insert(Identifier::Phone(number));
            }
        }
        self.secret |= holds_secret(text);
    }

    /// What deserves a look, beside whom the call is for and who sends it.
    pub fn warnings(&self, parties: &[Party]) -> Vec<&'static str> {
        let strangers = self.named.iter().filter(|one| {
            let concerned = parties.iter().any(|party| party.identifiers.contains(one));
            let sends = match one {
                Identifier::Email(email) => {
                    self.senders.iter().any(|own| within(email.domain(), own))
                }
                _ => false,
            };
            !concerned && !sends
        });
        let (mut address, mut number) = (false, false);
        for stranger in strangers {
            match stranger {
                Identifier::Phone(_) => number = true,
                _ => address = true,
            }
        }
        let caught =
            [(ADDRESS, address), (NUMBER, number), (SECRET, self.secret), (FIELD, self.field)];
        caught.into_iter().filter(|(_, caught)| *caught).map(|(code, _)| code).collect()
    }
}

fn within(domain: &str, other: &str) -> bool {
    let below = |a: &str, b: &str| a == b || a.strip_suffix(b).is_some_and(|a| a.ends_with('.'));
    below(domain, other) || below(other, domain)
}

/// Addresses in a text: what stands around each `@`.
fn addresses(text: &str) -> impl Iterator<Item = Email> {
    let bytes = text.as_bytes();
    memchr_iter(b'@', bytes).filter_map(move |at| {
        let local = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
        let host = |byte: &u8| byte.is_ascii_alphanumeric() || b".-".contains(byte);
        let start = at - bytes[..at].iter().rev().take_while(|byte| local(byte)).count();
        let end = at + 1 + bytes[at + 1..].iter().take_while(|byte| host(byte)).count();
        let found = text.get(start..end)?.trim_end_matches(['.', '-']);
        let (_, domain) = found.split_once('@')?;
        domain.contains('.').then(|| Email::parse(found).ok()).flatten()
    })
}

/// International numbers in a text.
fn numbers(text: &str) -> impl Iterator<Item = Phone> {
    let bytes = text.as_bytes();
    memchr_iter(b'+', bytes).filter_map(move |at| {
        let part = |byte: &u8| byte.is_ascii_digit() || b" .-()".contains(byte);
        let length = bytes[at + 1..].iter().take(24).take_while(|byte| part(byte)).count();
        let begins = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        let found = text.get(at..at + 1 + length)?.trim_end();
        begins.then(|| Phone::parse(found).ok()).flatten()
    })
}

/// Whether a word begins as a secret does and is as long as one.
fn holds_secret(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(found) = BEGINNINGS.find(Input::new(bytes).span(from..bytes.len())) {
        let (begin, length) = SECRETS[found.pattern().as_usize()];
        let at = found.start();
        let word = |byte: &&u8| byte.is_ascii_graphic() && !b"<>\"'".contains(byte);
        let starts = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        let long = begin.starts_with('-') || bytes[at..].iter().take_while(word).count() >= length;
        if starts && long {
            return true;
        }
        from = at + 1;
    }
    false
}

/// Whether a key's name says that its value is a secret or a number of an identity.
fn tells(key: &str) -> bool {
    let plain: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_lowercase();
    FIELDS.iter().any(|name| if name.len() < 5 { plain == *name } else { plain.contains(name) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;
    use model::FieldSet;

    fn caught(json: &str) -> Vec<&'static str> {
        let mut net = Net::default();
        net.sender("The shop <shop@mail.shop.example>");
        net.look(&parse(json.as_bytes()).expect("JSON"));
        let ann = Identifier::Email(Email::parse("ann@example.com").expect("an address"));
        let (identifiers, fields) = (vec![ann], FieldSet::EMPTY);
        net.warnings(&[Party { identifiers, fields, lists: Vec::new() }])
    }

    #[test]
    fn somebody_elses_address_or_number_is_caught_in_any_text() {
        assert_eq!(caught(r#""<p>Ask bob.lee+x@example.org.</p>""#), [ADDRESS]);
        assert_eq!(caught(r#"{"note": "call +1 (555) 010-0123 today"}"#), [NUMBER]);
        assert_eq!(caught(r#"["a@x.example", "+4930123456"]"#), [ADDRESS, NUMBER]);
    }

    #[test]
    fn the_recipient_and_the_sender_are_nothing_to_look_at() {
        assert!(caught(r#""Dear Ann@Example.com, write to help@shop.example""#).is_empty());
        assert!(caught(r#""1+1 is 2, a@b, @handle, 12+34567890""#).is_empty());
    }

    #[test]
    fn secrets_and_names_of_secrets_are_caught() {
        let key = format!("\"use SG.{}.{}\"", "a".repeat(22), "b".repeat(43));
        assert_eq!(caught(&key), [SECRET]);
        assert_eq!(caught("\"-----BEGIN PRIVATE KEY-----\""), [SECRET]);
        assert_eq!(caught(r#"{"user": {"Passport_No": "X1", "ssn": "078-05-1120"}}"#), [FIELD]);
        assert!(caught(r#"{"password": "", "lesson": "Password reset", "re_view": 1}"#).is_empty());
    }
}
