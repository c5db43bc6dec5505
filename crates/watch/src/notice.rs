//! A vendor's breach notice as an operator writes it down. A vendor's word is a statement, never
//! evidence: it is kept with who wrote it down and when it was said.

use model::{
    Coded, Confidence, Fact, FactBody, FieldSet, ListName, OperatorName, Timestamp, VendorName,
    limits,
};
use serde::{Deserialize, Serialize};

use crate::WatchCx;

/// What the vendor said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// When the vendor told us.
    pub told_at: Timestamp,
    /// When the vendor says that it became aware itself.
    #[serde(default)]
    pub vendor_aware_at: Option<Timestamp>,
    /// From when the intruder is said to have had access.
    #[serde(default)]
    pub access_from: Option<Timestamp>,
    /// Until when.
    #[serde(default)]
    pub access_to: Option<Timestamp>,
    /// Lists said to be reached; empty when nothing was said.
    #[serde(default)]
    pub lists: Vec<ListName>,
    /// Fields said to be exposed; empty when nothing was said.
    #[serde(default)]
    pub fields: FieldSet,
    /// Fields said not to be exposed.
    #[serde(default)]
    pub fields_denied: FieldSet,
    /// What it said, in the operator's words, without personal data.
    pub summary: String,
}

/// Why a notice is not taken down as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoticeRefused {
    /// A time lies after the moment at which it was told or written down.
    #[error("`{0}` lies after the moment at which it was said")]
    Future(&'static str),
    /// The access ends before it begins.
    #[error("`access_to` lies before `access_from`")]
    Reversed,
    /// A field is said to be exposed and not to be.
    #[error("a field is both in `fields` and in `fields_denied`")]
    Contradiction,
    /// There is no summary, or a very long one.
    #[error("the summary is empty or over 2000 bytes")]
    Summary,
    /// The summary has an address in it.
    #[error("the summary has an e-mail address in it: leave people out")]
    Personal,
}

impl Coded for NoticeRefused {
    fn code(&self) -> &'static str {
        match self {
            Self::Future(_) => "notice-future",
            Self::Reversed => "notice-reversed",
            Self::Contradiction => "notice-contradiction",
            Self::Summary => "notice-summary",
            Self::Personal => "notice-personal",
        }
    }
}

/// The fact that `vendor` said this, as `author` wrote it down.
///
/// # Errors
/// When it contradicts itself or the calendar, or has personal data in it.
pub fn fact(
    notice: Notice,
    vendor: &VendorName,
    author: &OperatorName,
    cx: &WatchCx<'_>,
) -> Result<Fact, NoticeRefused> {
    check(&notice, cx.world.now())?;
    Ok(Fact {
        id: cx.world.id(),
        at: notice.told_at,
        seen_at: cx.world.now(),
        vendor: Some(vendor.clone()),
        external_id: None,
        source: format!("operator/{author}"),
        confidence: Confidence::Stated,
        author: Some(author.clone()),
        body: FactBody::VendorNotice {
            vendor_aware_at: notice.vendor_aware_at,
            access_from: notice.access_from,
            access_to: notice.access_to,
            lists: notice.lists,
            fields: notice.fields,
            fields_denied: notice.fields_denied,
            summary: notice.summary.trim().to_owned(),
        },
    })
}

fn check(notice: &Notice, now: Timestamp) -> Result<(), NoticeRefused> {
    if notice.told_at > now {
        return Err(NoticeRefused::Future("told_at"));
    }
    let told = [("vendor_aware_at", notice.vendor_aware_at), ("access_from", notice.access_from)];
    for (name, at) in told {
        if at.is_some_and(|at| at > notice.told_at) {
            return Err(NoticeRefused::Future(name));
        }
    }
    if let (Some(from), Some(to)) = (notice.access_from, notice.access_to)
        && to < from
    {
        return Err(NoticeRefused::Reversed);
    }
    if !notice.fields.intersection(notice.fields_denied).is_empty() {
        return Err(NoticeRefused::Contradiction);
    }
    let summary = notice.summary.trim();
    if summary.is_empty() || summary.len() > limits::NOTICE_SUMMARY_BYTES {
        return Err(NoticeRefused::Summary);
    }
    let has_address = summary.split_whitespace().any(|word| {
        word.rsplit_once('@')
            .is_some_and(|(before, after)| !before.is_empty() && after.contains('.'))
    });
    if has_address { Err(NoticeRefused::Personal) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use model::Field;

    use super::*;
    use crate::sample::{Sample, time, vendor};

    fn notice() -> Notice {
        Notice {
            told_at: time("2026-02-05T01:00:00Z"),
            vendor_aware_at: Some(time("2026-02-03")),
            access_from: None,
            access_to: Some(time("2026-02-04")),
            lists: Vec::new(),
            fields: [Field::Email, Field::Name].into_iter().collect(),
            fields_denied: [Field::Password].into_iter().collect(),
            summary: " an endpoint let strangers read contacts ".to_owned(),
        }
    }

    fn check(change: impl FnOnce(&mut Notice), expect: Result<(), NoticeRefused>) {
        let sample = Sample::new();
        let mut notice = notice();
        change(&mut notice);
        let author = OperatorName::parse("ann").expect("a name");
        let made = sample.with(|cx| fact(notice, &vendor("sendgrid"), &author, cx));
        assert_eq!(made.map(drop), expect);
    }

    #[test]
    fn a_vendors_word_is_a_statement_with_its_author_and_time() {
        let sample = Sample::new();
        let author = OperatorName::parse("ann").expect("a name");
        let fact = sample
            .with(|cx| fact(notice(), &vendor("sendgrid"), &author, cx))
            .expect("a notice without contradictions");
        assert_eq!(fact.confidence, Confidence::Stated);
        assert_eq!(fact.author, Some(author));
        assert_eq!(fact.source, "operator/ann");
        assert_eq!(fact.at, time("2026-02-05T01:00:00Z"));
        assert_eq!(fact.seen_at, time("2026-02-05T02:00:00Z"));
        match fact.body {
            FactBody::VendorNotice { access_from, summary, .. } => {
                assert_eq!(access_from, None, "unknown stays unknown");
                assert_eq!(summary, "an endpoint let strangers read contacts");
            }
            other => panic!("not a notice: {}", other.kind()),
        }
    }

    #[test]
    fn a_notice_that_contradicts_itself_or_the_calendar_is_refused() {
        check(|_| (), Ok(()));
        let future = time("2026-02-06");
        check(|notice| notice.told_at = future, Err(NoticeRefused::Future("told_at")));
        check(
            |notice| notice.vendor_aware_at = Some(future),
            Err(NoticeRefused::Future("vendor_aware_at")),
        );
        check(
            |notice| notice.access_from = Some(time("2026-02-04T12:00:00Z")),
            Err(NoticeRefused::Reversed),
        );
        check(|notice| notice.fields_denied = notice.fields, Err(NoticeRefused::Contradiction));
    }

    #[test]
    fn a_summary_says_something_and_names_nobody() {
        check(|notice| notice.summary = "  ".to_owned(), Err(NoticeRefused::Summary));
        check(|notice| notice.summary = "x".repeat(2_001), Err(NoticeRefused::Summary));
        check(
            |notice| notice.summary = "among them ann.lee@mailbox.example".to_owned(),
            Err(NoticeRefused::Personal),
        );
        check(|notice| notice.summary = "all at 9:00 @ headquarters.".to_owned(), Ok(()));
    }

    #[test]
    fn a_notice_reads_from_json_and_an_unknown_key_is_refused() {
        let text = r#"{"told_at": "2026-02-05T01:00:00Z", "summary": "told by telephone"}"#;
        let read: Notice = serde_json::from_str(text).expect("what is not known is left out");
        assert_eq!((read.access_from, read.fields.is_empty()), (None, true));
        assert!(serde_json::from_str::<Notice>(&text.replace("summary", "sumary")).is_err());
    }
}
