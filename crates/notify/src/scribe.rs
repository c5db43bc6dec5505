//! From facts and a recipient to the signed message: writes, lints, builds, signs.
//!
//! Pure but for the keys it holds; slow enough (an RSA signature takes over a millisecond) that the
//! courier runs it on threads of its own. Sends nothing.

use std::sync::Arc;

use mail::{DkimKeys, Letter};
use model::id::Id as _;
use model::{Coded, DeliveryId, Email, MacKey, NoticeId, PersonKey, Timestamp, crypto};

use crate::code;
use crate::delivery::Delivery;
use crate::lint::{self, LintRefused};
use crate::notice::{Addressee, Notice, NoticeFacts};
use crate::template::{Templates, Unwritten};

/// Who the notices come from.
#[derive(Clone)]
pub struct Sender {
    /// The name before the address.
    pub name: String,
    /// The address; its domain is the company's own.
    pub from: Email,
    /// Where answers go, when not to the sender.
    pub reply_to: Option<Email>,
    /// Where bounces go, when not to the sender.
    pub bounces: Option<Email>,
}

impl Sender {
    /// The envelope's sender.
    pub fn envelope(&self) -> &Email {
        self.bounces.as_ref().unwrap_or(&self.from)
    }
}

/// One recipient's copy on its way: the row, and what of the directory is needed to write it.
#[derive(Clone)]
pub struct Parcel {
    /// The row.
    pub id: DeliveryId,
    /// What is known of it.
    pub delivery: Delivery,
    /// The person.
    pub person: PersonKey,
    /// Where mail reaches them.
    pub to: Email,
    /// What their text depends on. The code is filled in by the scribe.
    pub addressee: Addressee,
}

/// Why a message cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Uncomposed {
    /// There is no text.
    #[error(transparent)]
    Unwritten(#[from] Unwritten),
    /// The text may not be sent.
    #[error(transparent)]
    Refused(#[from] LintRefused),
}

impl Coded for Uncomposed {
    fn code(&self) -> &'static str {
        match self {
            Self::Unwritten(unwritten) => unwritten.code(),
            Self::Refused(refused) => refused.code(),
        }
    }
}

/// Everything that the copies of one notice have in common.
pub struct Scribe {
    /// The notice.
    pub notice: NoticeId,
    /// What is known and approved.
    pub facts: NoticeFacts,
    /// How it is said.
    pub templates: Templates,
    /// Who says it.
    pub sender: Sender,
    /// The keys of the sender's domain.
    pub dkim: DkimKeys,
    /// The key of verification codes and message ids.
    pub key: MacKey,
    /// Signs the reference that a copy carries, so that it is known as ours when it comes back.
    pub reference: SignReference,
}

/// Makes the reference of one recipient's copy.
pub type SignReference = Arc<dyn Fn(DeliveryId, &Email) -> String + Send + Sync>;

impl Scribe {
    /// The notice as this person will read it, checked.
    ///
    /// # Errors
    /// When it cannot be written or may not be sent.
    pub fn notice(&self, person: PersonKey, addressee: &Addressee) -> Result<Notice, Uncomposed> {
        let code = code::make(&self.key, self.notice, person);
        let addressee = Addressee { code, ..addressee.clone() };
        let notice = self.templates.write(&self.facts, &addressee)?;
        lint::lint(&notice, &self.facts, &addressee)?;
        Ok(notice)
    }

    /// The whole message, signed twice, as it goes to the relay at `at`.
    ///
    /// # Errors
    /// When it cannot be written or may not be sent.
    pub fn compose(&self, parcel: &Parcel, at: Timestamp) -> Result<Vec<u8>, Uncomposed> {
        let notice = self.notice(parcel.person, &parcel.addressee)?;
        let message_id = self.message_id(parcel.person);
        let reference = (self.reference)(parcel.id, &parcel.to);
        let letter = Letter {
            from_name: &self.sender.name,
            from: &self.sender.from,
            to: &parcel.to,
            reply_to: self.sender.reply_to.as_ref(),
            subject: &notice.subject,
            text: &notice.text,
            html: Some(&notice.html),
            message_id: &message_id,
            date: at,
            headers: &[
                ("Content-Language", notice.translation.tag()),
                ("X-Auto-Response-Suppress", "OOF, AutoReply"),
                ("X-Cordon-Ref", &reference),
            ],
        };
        Ok(self.dkim.sign(letter.build(), at))
    }

    /// The `Message-ID` of this person's copy, always the same, so that a second copy of it can be
    /// told from a second notice. Says nothing about the person.
    pub fn message_id(&self, person: PersonKey) -> String {
        let notice = self.notice.to_u128().to_be_bytes();
        let mac = self.key.mac(&[b"notice-message-id", &notice, &person.0.to_be_bytes()]);
        format!("{}@{}", crypto::to_hex(&mac[..16]), self.sender.from.domain())
    }
}
