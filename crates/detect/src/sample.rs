//! Facts and findings as short lines, for the tests of detectors. Not part of the product.
//!
//! ```text
//! <time> event <event> <reference>
//! <time> canary <number> <list> <planted> <superseded> <sender> <domain>
//! <time> notice <access from> <access to> <fields> <denied>
//! <time> mail [claims-ours] <reference> [signed] [via-vendor] [only-there]
//! <time> token <how> familiar|unfamiliar live|dead [<where found>]
//! <time> stray <what was caught>
//! ```
//! `-` is «none». The vendor is `sendgrid`; of a reported mail only with `via-vendor`.

use model::fact::SenderKind;
use model::id::Id as _;
use model::{
    CallId, CanaryId, Confidence, Fact, FactBody, FactId, FieldSet, Finding, FoundAt,
    IdentifierHash, ListName, Network, OperationName, ReferenceCheck, Sighting, Timestamp, TokenId,
    VendorName, Window, WorkloadName,
};

use crate::{Detect, Earlier};

/// The finding from the last line, those before it being earlier; empty when there is none.
pub(crate) fn findings(detect: Detect, lines: &str) -> String {
    let facts: Vec<_> = lines.lines().enumerate().map(|(n, line)| numbered(n, line)).collect();
    let (last, earlier) = facts.split_last().expect("at least one line");
    detect(last, &Earlier { facts: earlier }).map_or_else(String::new, |found| written(&found))
}

/// All lines' findings as one, each line seeing those before it, with the count of its facts.
pub(crate) fn merged(detect: Detect, lines: &str) -> String {
    let facts: Vec<_> = lines.lines().enumerate().map(|(n, line)| numbered(n, line)).collect();
    let mut found = facts
        .iter()
        .enumerate()
        .filter_map(|(n, fact)| detect(fact, &Earlier { facts: &facts[..n] }));
    let mut first = found.next().expect("a finding");
    for other in found {
        assert_eq!(other.key, first.key, "one finding");
        first.strengthen(&other);
    }
    format!("{} ×{}", written(&first), first.evidence.count)
}

/// One fact from one line.
pub(crate) fn fact(line: &str) -> Fact {
    numbered(0, line)
}

fn written(found: &Finding) -> String {
    let Window { from, to } = found.window;
    let from = from.unwrap_or(Timestamp::MIN);
    let to = to.map_or("open".to_owned(), |to| to.to_string());
    assert!(!found.title.is_empty() && !found.next.is_empty(), "it reads alone and says what next");
    format!("{} {} {from}..{to}", found.grade, found.key)
}

fn numbered(number: usize, line: &str) -> Fact {
    let words: Vec<_> = line.split_whitespace().collect();
    let at = Timestamp::parse(words[0]).expect("a time");
    Fact {
        id: FactId::from_u128(31 + number as u128),
        at,
        seen_at: at,
        vendor: (words[1] != "mail").then(sendgrid),
        external_id: None,
        source: "test".to_owned(),
        confidence: Confidence::Certain,
        author: None,
        body: body(&words),
    }
}

fn sendgrid() -> VendorName {
    VendorName::parse("sendgrid").expect("a vendor")
}

fn body(words: &[&str]) -> FactBody {
    let has = |word: &str| words.contains(&word);
    match words[1] {
        "event" => FactBody::VendorEvent {
            event: words[2].to_owned(),
            message: None,
            recipient: None,
            reference: reference(words[3]),
        },
        "canary" => FactBody::CanaryMail {
            canary: CanaryId::from_u128(words[2].parse().expect("a number")),
            list: given(words[3]).map(|list| ListName::parse(list).expect("a list")),
            planted_at: Timestamp::parse(words[4]).expect("a time"),
            superseded_at: time(words[5]),
            sender: match words[6] {
                "ours" => SenderKind::Ours,
                "ours-unreferenced" => SenderKind::OursUnreferenced,
                _ => SenderKind::Foreign,
            },
            from_domain: words[7].to_owned(),
            dkim_domains: Vec::new(),
            sha256: String::new(),
        },
        "notice" => FactBody::VendorNotice {
            vendor_aware_at: None,
            access_from: time(words[2]),
            access_to: time(words[3]),
            lists: Vec::new(),
            fields: fields(words[4]),
            fields_denied: fields(words[5]),
            summary: String::new(),
        },
        "mail" => FactBody::ReportedMail {
            from_domain: "flickr.example".to_owned(),
            claims_ours: has("claims-ours"),
            reference: reference(
                words.iter().copied().find(|word| REFERENCES.contains(word)).expect("a reference"),
            ),
            signed_by_us: has("signed"),
            via_vendor: has("via-vendor").then(sendgrid),
            link_domains: Vec::new(),
            recipient: has("only-there").then_some(IdentifierHash([7; 16])),
            sha256: String::new(),
        },
        "token" => token_seen(words),
        "stray" => FactBody::StrayData {
            workload: WorkloadName::parse("shop").expect("a workload"),
            operation: OperationName::parse("mail.send").expect("an operation"),
            caught: words[2].to_owned(),
        },
        other => panic!("no such fact: {other}"),
    }
}

fn token_seen(words: &[&str]) -> FactBody {
    FactBody::TokenSeen {
        token: TokenId::of(&[7; 32]),
        workload: WorkloadName::parse("shop").expect("a workload"),
        how: Sighting::parse(words[2]).expect("a sighting"),
        network: Some(Network::parse("203.0.113.0/24").expect("a network")),
        familiar: words[3] == "familiar",
        live: words[4] == "live",
        door: Some(VendorName::parse("twilio").expect("a vendor")),
        found_at: words.get(5).map(|place| FoundAt::parse(place).expect("a place")),
    }
}

const REFERENCES: &[&str] = &["valid", "absent", "forged", "other-recipient"];

fn reference(word: &str) -> ReferenceCheck {
    let call = CallId::from_u128(1);
    match word {
        "valid" => ReferenceCheck::Valid { call },
        "absent" => ReferenceCheck::Absent,
        "forged" => ReferenceCheck::Forged,
        "other-recipient" => ReferenceCheck::OtherRecipient { call },
        other => panic!("no such reference: {other}"),
    }
}

fn given(word: &str) -> Option<&str> {
    Some(word).filter(|&word| word != "-")
}

fn time(word: &str) -> Option<Timestamp> {
    given(word).map(|word| Timestamp::parse(word).expect("a time"))
}

fn fields(word: &str) -> FieldSet {
    given(word).map_or(FieldSet::EMPTY, |word| FieldSet::parse(word).expect("fields"))
}
