//! What is asked of a policy, and what it answers. Does not say how it comes to the answer.

use std::fmt;
use std::sync::Arc;

use model::{
    Blame, Coded, Consent, Field, FieldSet, ListName, Mode, OperationName, Purpose, Residence,
    Timestamp, VendorName, WorkloadName,
};

/// The id of one policy, such as `grant/shop/sendgrid` or what its `@id` says.
pub type PolicyId = Arc<str>;

/// May this workload give these fields to this vendor?
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who gives.
    pub workload: &'a WorkloadName,
    /// To whom.
    pub vendor: &'a VendorName,
    /// By which operation.
    pub operation: &'a OperationName,
    /// Why.
    pub purpose: &'a Purpose,
    /// Every field of anybody that the call would disclose.
    pub fields: FieldSet,
    /// The vendor's lists that the call puts people in.
    pub lists: &'a [ListName],
    /// How many people it concerns.
    pub people: usize,
    /// Where the person lives, when the call states it.
    pub region: Option<&'a Residence>,
    /// What the person agreed to, when the call states it.
    pub consent: Option<&'a [Consent]>,
    /// How far the gateway goes with the call.
    pub mode: Mode,
    /// When.
    pub at: Timestamp,
}

/// Why a call may not leave. Where several reasons hold, the first of this order is given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// A policy forbids it, or could not be evaluated.
    #[error("policy `{0}` forbids this call")]
    Forbidden(PolicyId),
    /// No policy permits the workload anything at this vendor.
    #[error("the workload may not call this vendor")]
    Vendor,
    /// It would be permitted for another purpose.
    #[error("the workload may not call this vendor for this purpose")]
    Purpose,
    /// It would be permitted if other conditions of this policy held, such as a time or a consent.
    #[error("policy `{0}` permits this call under other conditions only")]
    Conditions(PolicyId),
    /// It would be permitted without this field.
    #[error("the workload may not give `{0}` to this vendor")]
    Field(Field),
    /// It would be permitted without putting people into one of its lists.
    #[error("the workload may not put people into this list of the vendor")]
    List,
    /// The vendor's own table refuses this field of everybody.
    #[error("`{0}` is not given to this vendor")]
    Refused(Field),
}

impl Coded for Denied {
    fn code(&self) -> &'static str {
        match self {
            Self::Forbidden(_) => "policy-forbids",
            Self::Vendor => "vendor-not-granted",
            Self::Purpose => "purpose-not-granted",
            Self::Conditions(_) => "policy-conditions",
            Self::Field(_) => "field-not-granted",
            Self::List => "list-not-granted",
            Self::Refused(_) => "field-refused",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

impl Denied {
    /// Whether a code is one of these: whether policy refused the call that carries it.
    pub fn is_code(code: &str) -> bool {
        const CODES: [&str; 7] = [
            "policy-forbids",
            "vendor-not-granted",
            "purpose-not-granted",
            "policy-conditions",
            "field-not-granted",
            "list-not-granted",
            "field-refused",
        ];
        CODES.contains(&code)
    }
}

/// The moment as policies see it, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub epoch: i64,
    pub hour: i64,
    pub weekday: i64,
}

impl Moment {
    pub fn of(at: Timestamp) -> Self {
        const DAY_SECONDS: i64 = 24 * 60 * 60;
        /// 1970-01-01 was a Thursday, the fourth day of the week (ISO 8601).
        const FIRST_WEEKDAY: i64 = 3;
        let epoch = at.seconds();
        let (day, second) = (epoch.div_euclid(DAY_SECONDS), epoch.rem_euclid(DAY_SECONDS));
        let weekday = (day.rem_euclid(7) + FIRST_WEEKDAY).rem_euclid(7) + 1;
        Self { epoch, hour: second / 3_600, weekday }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "weekday {}, hour {} UTC", self.weekday, self.hour)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_the_weekday_and_hour_of_utc() {
        let check = |text: &str| {
            let moment = Moment::of(Timestamp::parse(text).expect(text));
            (moment.weekday, moment.hour)
        };
        assert_eq!(check("1970-01-01T00:00:00Z"), (4, 0));
        assert_eq!(check("2026-11-23T23:59:59Z"), (1, 23));
        assert_eq!(check("2026-11-29T05:00:00+02:00"), (7, 3));
        assert_eq!(check("1969-12-28T12:00:00Z"), (7, 12));
    }
}
