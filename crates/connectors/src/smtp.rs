//! Where vendors take mail over SMTP, how one logs in there, and what header fields of their own
//! mean. Data and the reading of those fields; speaks no SMTP and takes no mail apart.
//!
//! Vendors whose SMTP log-in is another one than their API's (Mailgun, Amazon SES) are not here.

use model::{Field, FieldSet, Secret, limits};

use crate::call::{Operation, Unreadable};
use crate::json::{self, Json};

/// A mail that a workload hands in over SMTP.
pub static SUBMIT: Operation = Operation::new(
    "smtp.send",
    FieldSet::EMPTY
        .with(Field::Email)
        .with(Field::Name)
        .with(Field::Content)
        .with(Field::Attachment)
        .with(Field::Custom),
    limits::REQUEST_BODY_BYTES,
);

/// Where the signed reference goes in every mail, for whoever finds the mail later.
pub const REFERENCE_FIELD: &str = "X-Cordon-Ref";
/// Under which name it goes where the vendor gives it back in events.
const REFERENCE: &str = "cordon_ref";

/// A vendor that takes mail over SMTP.
#[derive(Debug)]
pub struct SmtpVendor {
    /// The connector's name.
    pub connector: &'static str,
    /// Its host and port, `STARTTLS` from there; `None` when an operator must say it.
    pub host: Option<&'static str>,
    login: Login,
    /// Where the reference goes beside [`REFERENCE_FIELD`].
    stamp: Option<Stamp>,
    /// Header fields of its own, in lower case; a `*` stands for any end.
    fields: &'static [(&'static str, Meaning)],
}

/// How the credential of its API logs in.
#[derive(Debug, Clone, Copy)]
enum Login {
    /// It is the password of this user.
    User(&'static str),
    /// It is user and password.
    Both,
}

/// What a header field means to the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// How the mail is handled; nothing about a person.
    Setting,
    /// The company's own attributes.
    Custom,
    /// Who else gets the mail, or what is put into its text: what it discloses is not known.
    Instruction,
}

/// A header field in which the vendor takes attributes and gives them back in events.
#[derive(Debug, Clone, Copy)]
struct Stamp {
    field: &'static str,
    form: Form,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    /// One attribute alone.
    Text,
    /// A JSON object of attributes, of at most so many bytes.
    Object { bytes: usize },
    /// A JSON object of settings, one of which is the object of attributes.
    Settings { attributes: &'static str, known: &'static [&'static str] },
}

use Meaning::{Custom, Instruction, Setting};

/// Every vendor that takes mail over SMTP.
pub static SMTP_VENDORS: &[SmtpVendor] = &[
    SmtpVendor {
        connector: "sendgrid",
        host: Some("smtp.sendgrid.net:587"),
        login: Login::User("apikey"),
        stamp: Some(Stamp {
            field: "X-SMTPAPI",
            form: Form::Settings {
                attributes: "unique_args",
                // Not among them: `to`, `sub` and `section`, which make other mails of this one for
                // others, nor `filters`, one of which sends a copy elsewhere.
                known: &[
                    "unique_args",
                    "category",
                    "asm_group_id",
                    "asm_groups_to_display",
                    "send_at",
                    "ip_pool",
                ],
            },
        }),
        fields: &[],
    },
    SmtpVendor {
        connector: "postmark",
        host: Some("smtp.postmarkapp.com:587"),
        login: Login::Both,
        stamp: Some(Stamp { field: "X-PM-Metadata-cordon_ref", form: Form::Text }),
        fields: &[("x-pm-metadata-*", Custom), ("x-pm-*", Setting)],
    },
    SmtpVendor {
        connector: "mandrill",
        host: Some("smtp.mandrillapp.com:587"),
        login: Login::User("cordon"),
        stamp: Some(Stamp { field: "X-MC-Metadata", form: Form::Object { bytes: 200 } }),
        fields: &[
            ("x-mc-mergevars", Instruction),
            ("x-mc-template", Instruction),
            ("x-mc-bccaddress", Instruction),
            ("x-mc-*", Setting),
        ],
    },
    SmtpVendor {
        connector: "resend",
        host: Some("smtp.resend.com:587"),
        login: Login::User("resend"),
        stamp: None,
        fields: &[("resend-idempotency-key", Setting)],
    },
];

impl SmtpVendor {
    /// What this connector's vendor offers, if it takes mail over SMTP.
    pub fn of(connector: &str) -> Option<&'static Self> {
        SMTP_VENDORS.iter().find(|vendor| vendor.connector == connector)
    }

    /// User and password for the vendor's SMTP host.
    pub fn login(&self, credential: &Secret<String>) -> (String, Secret<String>) {
        let user = match self.login {
            Login::User(user) => user.to_owned(),
            Login::Both => credential.expose().clone(),
        };
        (user, credential.clone())
    }

    /// What a header field means to this vendor; `None` when it documents no such field.
    pub fn meaning(&self, name: &str) -> Option<Meaning> {
        let name = name.to_ascii_lowercase();
        if self.is_stamp(&name) {
            return Some(Custom);
        }
        let known = self.fields.iter().find(|(pattern, _)| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == *pattern,
        });
        known.map(|(_, meaning)| *meaning)
    }

    /// Whether the reference is put into the field of this name.
    pub fn is_stamp(&self, name: &str) -> bool {
        self.stamp.is_some_and(|stamp| stamp.field.eq_ignore_ascii_case(name))
    }

    /// The name of the field that the reference is put into.
    pub fn stamp_field(&self) -> Option<&'static str> {
        self.stamp.map(|stamp| stamp.field)
    }

    /// Checks the value that a mail has in the field of the reference.
    ///
    /// # Errors
    /// When it cannot be read without doubt, or says more than attributes and known settings.
    pub fn check_stamp(&self, value: &str) -> Result<(), Unreadable> {
        self.stamp.map_or(Ok(()), |stamp| stamp.read(value).map(drop))
    }

    /// That field with the reference in it, beside what the mail has there already unless
    /// `drop_custom`; `None` when the vendor has no such field.
    ///
    /// # Errors
    /// When the value that is there cannot be read, or there is no room.
    pub fn stamped(
        &self,
        value: Option<&str>,
        drop_custom: bool,
        reference: &str,
    ) -> Result<Option<(&'static str, String)>, Unreadable> {
        let Some(stamp) = self.stamp else { return Ok(None) };
        let value = stamp.write(value, drop_custom, reference)?;
        Ok(Some((stamp.field, value)))
    }
}

impl Stamp {
    /// The object in the field; empty for a field of one text.
    fn read(&self, value: &str) -> Result<Json, Unreadable> {
        let at = || self.field.to_owned();
        if matches!(self.form, Form::Text) {
            return Ok(Json::Object(Vec::new()));
        }
        let object = json::parse(value.as_bytes())?;
        let Json::Object(entries) = &object else {
            return Err(Unreadable::Body { at: at(), why: "it is no JSON object" });
        };
        if let Form::Settings { known, .. } = self.form
            && entries.iter().any(|(key, _)| !known.contains(&key.as_str()))
        {
            return Err(Unreadable::Body { at: at(), why: "it says who else gets what" });
        }
        if let Form::Settings { attributes, .. } = self.form
            && !matches!(object.get(attributes), None | Some(Json::Object(_)))
        {
            return Err(Unreadable::Body { at: at(), why: "its attributes are no JSON object" });
        }
        Ok(object)
    }

    fn write(
        &self,
        value: Option<&str>,
        drop_custom: bool,
        reference: &str,
    ) -> Result<String, Unreadable> {
        let empty = || Json::Object(Vec::new());
        let mut object = value.map_or_else(|| Ok(empty()), |value| self.read(value))?;
        let limit = match self.form {
            Form::Text => return Ok(reference.to_owned()),
            Form::Object { bytes } => bytes,
            Form::Settings { .. } => limits::CUSTOM_ARGS_BYTES,
        };
        let attributes = match self.form {
            Form::Settings { attributes, .. } => {
                if drop_custom || object.get(attributes).is_none() {
                    object.set(attributes, empty());
                }
                object.get_mut(attributes)
            }
            _ => {
                if drop_custom {
                    object = empty();
                }
                Some(&mut object)
            }
        };
        if let Some(attributes) = attributes {
            attributes.set(REFERENCE, Json::Text(reference.into()));
        }
        let text = header_safe(&String::from_utf8_lossy(&object.to_bytes()));
        if text.len() > limit {
            return Err(Unreadable::TooMany { what: "bytes of custom arguments", limit });
        }
        Ok(text)
    }
}

/// JSON as a header field may hold it: ASCII, with spaces at which it can be folded.
fn header_safe(json: &str) -> String {
    let mut safe = String::with_capacity(json.len() + json.len() / 8);
    let (mut in_text, mut escaped) = (false, false);
    for c in json.chars() {
        match c {
            '"' if !escaped => in_text = !in_text,
            _ if c.is_ascii() => {}
            _ => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    safe.push_str(&format!("\\u{unit:04x}"));
                }
                continue;
            }
        }
        safe.push(c);
        escaped = in_text && c == '\\' && !escaped;
        if c == ',' && !in_text {
            safe.push(' ');
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vendor(name: &str) -> &'static SmtpVendor {
        SmtpVendor::of(name).expect(name)
    }

    fn stamped(name: &str, value: Option<&str>, drop: bool) -> Option<(&'static str, String)> {
        vendor(name).stamped(value, drop, "c1.a.b").expect("it fits")
    }

    #[test]
    fn the_reference_goes_where_the_vendor_gives_it_back() {
        let check = |name, value, drop, field, expect: &str| {
            assert_eq!(stamped(name, value, drop), Some((field, expect.to_owned())), "{name}");
        };
        let own = r#"{"unique_args":{"order":"7"},"category":"receipt"}"#;
        let field = "X-SMTPAPI";
        check("sendgrid", None, false, field, r#"{"unique_args":{"cordon_ref":"c1.a.b"}}"#);
        let kept = r#"{"unique_args":{"order":"7", "cordon_ref":"c1.a.b"}, "category":"receipt"}"#;
        check("sendgrid", Some(own), false, field, kept);
        let dropped = r#"{"unique_args":{"cordon_ref":"c1.a.b"}, "category":"receipt"}"#;
        check("sendgrid", Some(own), true, field, dropped);
        let field = "X-MC-Metadata";
        let kept = r#"{"order":7, "cordon_ref":"c1.a.b"}"#;
        check("mandrill", Some(r#"{"order":7}"#), false, field, kept);
        check("mandrill", Some(r#"{"order":7}"#), true, field, r#"{"cordon_ref":"c1.a.b"}"#);
        check("postmark", None, false, "X-PM-Metadata-cordon_ref", "c1.a.b");
        assert_eq!(stamped("resend", None, false), None);
    }

    #[test]
    fn what_sends_other_mails_to_others_is_not_taken_for_attributes() {
        for value in [
            r#"{"to":["eve@example.org"]}"#,
            r#"{"sub":{"%name%":["Ann"]}}"#,
            r#"{"filters":{"bcc":{"settings":{"email":"eve@example.org"}}}}"#,
            r#"{"category":"a","category":"b"}"#,
            r#"{"unique_args":"order"}"#,
            "[]",
            "nothing",
        ] {
            assert!(vendor("sendgrid").check_stamp(value).is_err(), "{value}");
        }
        assert_eq!(vendor("mandrill").meaning("X-MC-MergeVars"), Some(Meaning::Instruction));
        assert_eq!(vendor("mandrill").meaning("X-MC-Tags"), Some(Meaning::Setting));
        assert_eq!(vendor("mandrill").meaning("X-Other"), None);
        assert_eq!(vendor("postmark").meaning("X-PM-Metadata-order"), Some(Meaning::Custom));
    }

    #[test]
    fn a_header_field_of_json_is_ascii_and_can_be_folded() {
        assert_eq!(header_safe(r#"{"a,b":"é\",","c":1}"#), r#"{"a,b":"\u00e9\",", "c":1}"#);
        assert_eq!(header_safe("\"🎉\""), "\"\\ud83c\\udf89\"");
    }

    #[test]
    fn a_credential_logs_in_as_its_vendor_wants_it() {
        let check = |name: &str, credential: &str| {
            let (user, password) = vendor(name).login(&Secret::new(credential.to_owned()));
            format!("{user} {}", password.expose())
        };
        assert_eq!(check("sendgrid", "SG.x"), "apikey SG.x");
        assert_eq!(check("postmark", "token"), "token token");
    }
}
