//! Parse: which operation a request is, whom it concerns and what it says of them.

use connectors::smtp::SmtpVendor;
use connectors::{Call, Outbound, Party, Unreadable};
use http::header;
use model::{Coded as _, FieldSet, Mode};

use crate::admit::{Admitted, single};
use crate::hold::Envelope;
use crate::refused::Refused;
use crate::seen::Account;
use crate::submission::reading;
use crate::trace::Phase;

/// What could be read out of a request.
pub(crate) enum Reading {
    /// Everything.
    Known(Call),
    /// Nothing: it passes as it is in `observe` and `report`, and is recorded without people.
    Unread,
}

impl Reading {
    /// Every field that the call discloses of anybody.
    pub fn fields(&self) -> FieldSet {
        self.parties().iter().fold(FieldSet::EMPTY, |all, party| all.union(party.fields))
    }

    /// Everybody whom the call concerns, as far as that could be read.
    pub fn parties(&self) -> &[Party] {
        match self {
            Self::Known(call) => &call.parties,
            Self::Unread => &[],
        }
    }

    /// Whether it says things under keys that the vendor does not document.
    pub fn has_unknown_keys(&self) -> bool {
        matches!(self, Self::Known(call) if !call.unknown.is_empty())
    }
}

/// Reads a request. What cannot be read without doubt is refused in `enforce`.
pub(crate) fn read(account: &mut Account, request: &Admitted) -> Result<Reading, Refused> {
    account.enter(Phase::Read);
    let outbound = Outbound {
        method: request.method.as_str(),
        path: &request.path,
        query: request.query.as_deref(),
        content_type: single(&request.headers, header::CONTENT_TYPE.as_str()),
        header: &|name| single(&request.headers, name),
        body: &request.body,
    };
    let read = match (&request.envelope, request.operation) {
        (Some(envelope), _) => read_mail(request, envelope),
        (None, Some(_)) => request.entry().connector.read(&outbound),
        (None, None) => Err(Unreadable::UnknownOperation),
    };
    match read {
        Ok(call) => Ok(known(account, call)),
        Err(why) if request.mode == Mode::Enforce => Err(why.into()),
        Err(why) => {
            account.seen.would_refuse = Some(why.code());
            account.warn("unreadable");
            // Who gets a mail is known even when nothing else of it is.
            match &request.envelope {
                Some(envelope) => Ok(known(account, reading::unread(envelope, &request.body)?)),
                None => Ok(Reading::Unread),
            }
        }
    }
}

fn read_mail(request: &Admitted, envelope: &Envelope) -> Result<Call, Unreadable> {
    let vendor = SmtpVendor::of(request.entry().connector.name());
    reading::read(vendor.ok_or(Unreadable::UnknownOperation)?, envelope, &request.body)
}

fn known(account: &mut Account, call: Call) -> Reading {
    account.seen.people = call.parties.len();
    call.warnings.iter().for_each(|warning| account.warn(warning));
    if !call.unknown.is_empty() {
        account.warn("unknown-keys");
        let id = account.seen.call;
        tracing::warn!(call = %id, keys = ?call.unknown, "the vendor documents no such keys");
    }
    let reading = Reading::Known(call);
    account.seen.fields = reading.fields();
    reading
}
