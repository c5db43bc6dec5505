//! What a mail discloses, and the mail as it may leave. Knows header fields; the vendor's own are
//! `connectors::smtp`'s, taking a mail apart is `mail`'s.

use std::collections::BTreeMap;

use bytes::Bytes;
use connectors::smtp::{Meaning, REFERENCE_FIELD, SUBMIT, SmtpVendor};
use connectors::{Body, Call, Changes, Party, Unreadable, shown};
use mail::{Edit, Mailbox, Message};
use model::{Email, Field, FieldAction, FieldSet, Identifier, limits};

use crate::hold::Envelope;

/// Fields that every mail may have (RFC 5322, 2045, 2919, 2369, 8058, 3834, 6376 and long use).
/// Under `enforce` no others leave beside the vendor's own, since nobody reads them for personal
/// data.
const STANDARD: [&str; 38] = [
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "comments",
    "keywords",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
    "content-language",
    "content-id",
    "content-description",
    "list-id",
    "list-help",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "list-subscribe",
    "list-post",
    "list-owner",
    "list-archive",
    "auto-submitted",
    "precedence",
    "importance",
    "priority",
    "x-priority",
    "x-auto-response-suppress",
    "x-entity-ref-id",
    "feedback-id",
    "dkim-signature",
    "errors-to",
    "organization",
];

/// Fields that end here in every mode: hidden recipients, and what speaks of the company's own
/// network and programs.
const ENDING_HERE: [&str; 14] = [
    "bcc",
    "resent-bcc",
    "received",
    "return-path",
    "delivered-to",
    "x-original-to",
    "user-agent",
    "x-mailer",
    "x-originating-ip",
    "x-originating-email",
    "x-sender-ip",
    "x-authenticated-sender",
    "x-php-originating-script",
    "x-php-script",
];

/// Beginnings of the names of such fields.
const STARTS_ENDING_HERE: [&str; 3] = ["x-cordon-", "x-forwarded-", "x-source"];

/// The fields that name those who get a mail.
const NAMING: [&str; 2] = ["To", "Cc"];

/// A mail that was read.
struct Letter {
    message: Message,
    vendor: &'static SmtpVendor,
    /// Whom this copy is for.
    recipients: Vec<Identifier>,
    disclosed: FieldSet,
}

/// Reads a mail for these recipients.
///
/// # Errors
/// When its header, or a field of the vendor's own, cannot be read without doubt.
pub(crate) fn read(
    vendor: &'static SmtpVendor,
    envelope: &Envelope,
    raw: &Bytes,
) -> Result<Call, Unreadable> {
    let message = Message::parse(raw.clone()).map_err(unreadable)?;
    check_vendor_fields(vendor, &message)?;
    let named = named(&message)?;
    let recipients = envelope.to.iter().map(|to| email(to)).collect::<Result<Vec<_>, _>>()?;
    let custom = has_custom(vendor, &message);
    let shared = FieldSet::EMPTY
        .with(Field::Email)
        .with(Field::Content)
        .union(message.has_attachments().then_some(Field::Attachment).into_iter().collect())
        .union(custom.then_some(Field::Custom).into_iter().collect());
    let party = |who: &Identifier, fields: FieldSet| {
        let name = named.get(who).is_some_and(|name| name.is_some());
        let fields = if name { fields.with(Field::Name) } else { fields };
        Party { identifiers: vec![who.clone()], fields, lists: Vec::new() }
    };
    let others = named.keys().filter(|who| !recipients.contains(who));
    let parties: Vec<Party> = recipients
        .iter()
        .map(|who| party(who, shared))
        .chain(others.map(|who| party(who, FieldSet::EMPTY.with(Field::Email))))
        .collect();
    let unknown = message.names().filter(|name| is_unknown(vendor, name));
    let unknown = unknown.take(limits::UNKNOWN_KEYS).map(|name| shown(name).to_owned()).collect();
    let disclosed = parties.iter().fold(FieldSet::EMPTY, |all, party| all.union(party.fields));
    let body = Box::new(Letter { message, vendor, recipients, disclosed });
    Ok(Call { operation: &SUBMIT, parties, unknown, warnings: Vec::new(), body })
}

/// A mail that cannot be read, for where it passes all the same: who gets it is known, and it may
/// say of them whatever a mail can.
pub(crate) fn unread(envelope: &Envelope, raw: &Bytes) -> Result<Call, Unreadable> {
    let party = |to: &String| {
        let identifiers = vec![email(to)?];
        Ok(Party { identifiers, fields: SUBMIT.carries, lists: Vec::new() })
    };
    let parties = envelope.to.iter().map(party).collect::<Result<_, _>>()?;
    let (unknown, warnings) = (Vec::new(), vec!["unreadable"]);
    Ok(Call { operation: &SUBMIT, parties, unknown, warnings, body: Box::new(AsItIs(raw.clone())) })
}

/// A mail that is not rewritten.
struct AsItIs(Bytes);

impl Body for AsItIs {
    fn write(&self, _: &Changes<'_>) -> Result<Vec<u8>, Unreadable> {
        Ok(self.0.to_vec())
    }
}

impl Body for Letter {
    fn write(&self, changes: &Changes<'_>) -> Result<Vec<u8>, Unreadable> {
        changes.need(self.disclosed, &[Field::Email, Field::Content, Field::Attachment])?;
        let drop_custom = match (changes.action)(Field::Custom) {
            FieldAction::Allow => false,
            FieldAction::Drop => true,
            _ => {
                changes.need(self.disclosed, &[Field::Custom])?;
                true
            }
        };
        // Each recipient gets a copy of their own.
        let reference = (changes.reference)(&self.recipients.iter().take(1).collect::<Vec<_>>());
        let mut added = vec![(REFERENCE_FIELD, reference.clone())];
        let own = self.vendor.stamp_field().and_then(|field| self.message.value(field));
        added.extend(self.vendor.stamped(own.as_deref(), drop_custom, &reference)?);
        let edit = |name: &str| self.edit(changes, drop_custom, name);
        Ok(self.message.write(&edit, &added))
    }
}

impl Letter {
    fn edit(&self, changes: &Changes<'_>, drop_custom: bool, name: &str) -> Edit {
        if ends_here(name) || self.vendor.is_stamp(name) {
            return Edit::Remove;
        }
        match self.vendor.meaning(name) {
            Some(Meaning::Custom) if drop_custom => return Edit::Remove,
            Some(_) => return Edit::Keep,
            None => {}
        }
        if NAMING.iter().any(|naming| naming.eq_ignore_ascii_case(name)) {
            return self.edit_names(changes, name);
        }
        let drops = changes.drop_unknown && is_unknown(self.vendor, name);
        if drops { Edit::Remove } else { Edit::Keep }
    }

    /// The same people without their names, or with what stands in their names' place.
    fn edit_names(&self, changes: &Changes<'_>, name: &str) -> Edit {
        let action = (changes.action)(Field::Name);
        let Ok(listed) = self.message.mailboxes(name) else { return Edit::Remove };
        if action == FieldAction::Allow || listed.iter().all(|one| one.name.is_none()) {
            return Edit::Keep;
        }
        let written = listed.iter().map(|one| match &one.name {
            Some(name) if action.replaces() => {
                let instead = (changes.replace)(action, Field::Name, name).replace(['"', '\\'], "");
                format!("\"{instead}\" <{}>", one.address)
            }
            _ => format!("<{}>", one.address),
        });
        Edit::Replace(written.collect::<Vec<_>>().join(", "))
    }
}

/// Everybody whom the mail names, and whether by a name.
fn named(message: &Message) -> Result<BTreeMap<Identifier, Option<String>>, Unreadable> {
    let mut named = BTreeMap::new();
    for field in NAMING {
        for Mailbox { address, name } in message.mailboxes(field).map_err(unreadable)? {
            let known: &mut Option<String> = named.entry(email(&address)?).or_default();
            *known = known.take().or(name);
        }
    }
    Ok(named)
}

fn email(text: &str) -> Result<Identifier, Unreadable> {
    let at = || "a recipient".to_owned();
    Email::parse(text).map(Identifier::Email).map_err(|_| Unreadable::Identifier { at: at() })
}

fn check_vendor_fields(vendor: &SmtpVendor, message: &Message) -> Result<(), Unreadable> {
    for name in message.names() {
        if vendor.meaning(name) == Some(Meaning::Instruction) {
            let why = "it says who else gets what";
            return Err(Unreadable::Body { at: name.to_ascii_lowercase(), why });
        }
    }
    let stamps = message.names().filter(|name| vendor.is_stamp(name)).count();
    match vendor.stamp_field().and_then(|field| Some((field, message.value(field)?))) {
        Some((field, _)) if stamps > 1 => {
            Err(Unreadable::Body { at: field.to_owned(), why: "it is there twice" })
        }
        Some((_, value)) => vendor.check_stamp(&value),
        None => Ok(()),
    }
}

fn has_custom(vendor: &SmtpVendor, message: &Message) -> bool {
    message.names().any(|name| vendor.meaning(name) == Some(Meaning::Custom))
}

fn is_unknown(vendor: &SmtpVendor, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !ends_here(&name) && !STANDARD.contains(&name.as_str()) && vendor.meaning(&name).is_none()
}

fn ends_here(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ENDING_HERE.contains(&name.as_str())
        || STARTS_ENDING_HERE.iter().any(|start| name.starts_with(start))
}

fn unreadable(why: mail::Unreadable) -> Unreadable {
    let at = "the mail".to_owned();
    match why {
        mail::Unreadable::NoMail => Unreadable::Body { at, why: "it has no header" },
        mail::Unreadable::Ambiguous => {
            Unreadable::Body { at, why: "its header can be read in two ways" }
        }
        mail::Unreadable::TooLarge => {
            Unreadable::TooMany { what: "bytes", limit: limits::REQUEST_BODY_BYTES }
        }
        mail::Unreadable::TooManyParts => {
            Unreadable::TooMany { what: "parts", limit: limits::MAIL_PARTS }
        }
    }
}
