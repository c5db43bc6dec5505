//! Canaries: contacts that nobody has but one vendor, and the mail that reaches them. Looks like
//! anybody's contact; which addresses are canaries is known only to the store that issued them, so
//! that there is nothing in an address to recognise or to guess.

use mail::{ReadMail, ReceivedMail};
use model::crypto::{sha256, to_hex};
use model::error::Malformed;
use model::fact::SenderKind;
use model::{
    CanaryId, Confidence, Contact, Email, Fact, FactBody, ListName, ReferenceCheck, Timestamp,
    VendorName,
};

use crate::{WatchCx, own_sender};

/// Given names and family names as they are common in many places; none stands out.
const GIVEN: [&str; 64] = [
    "adam", "alice", "amelie", "ana", "andre", "anna", "antonio", "arthur", "astrid", "ben",
    "bruno", "camila", "carla", "chloe", "clara", "daniel", "david", "diego", "elena", "elias",
    "emil", "emma", "erik", "eva", "felix", "filip", "freya", "gabriel", "greta", "hannah",
    "helena", "hugo", "ida", "ines", "isabel", "jakob", "james", "jan", "joana", "jonas", "julia",
    "karin", "laura", "lea", "leo", "lina", "lucas", "magda", "marco", "maria", "marta", "mateo",
    "max", "mia", "nina", "noah", "olivia", "oscar", "paula", "peter", "rosa", "sara", "thomas",
    "victor",
];
const FAMILY: [&str; 64] = [
    "almeida", "andersen", "bauer", "becker", "berg", "braun", "brown", "bianchi", "carter",
    "castro", "clark", "costa", "cruz", "davies", "dubois", "evans", "fischer", "ferrari",
    "fontaine", "garcia", "gomez", "green", "hansen", "harris", "hoffmann", "horvat", "jansen",
    "johnson", "keller", "klein", "kowalski", "larsen", "lambert", "lopez", "martin", "meyer",
    "miller", "moreau", "morris", "moreno", "nielsen", "novak", "olsen", "peters", "petit",
    "pereira", "ramos", "ricci", "richter", "roberts", "romero", "rossi", "santos", "schmidt",
    "silva", "simon", "smith", "taylor", "torres", "vogel", "wagner", "walker", "weber", "wilson",
];
/// Without those that are taken for each other in print.
const ENDING: &[u8; 32] = b"23456789abcdefghijkmnpqrstuvwxyz";
const ENDING_LEAST: usize = 6;

/// A contact at the company's canary domain, from random bytes. Name and address belong together,
/// like those of a person who found `first.last` taken.
///
/// Nobody finds it by trying: six to eight letters and digits beside two names make 42 to 52 bits,
/// and the receiver ends a session after a few misses. That the mailbox exists is known by its row
/// in the store, never by its form.
///
/// # Errors
/// When `domain` is no mail domain.
pub fn identity(random: [u8; 24], domain: &str) -> Result<Contact, Malformed> {
    let pick = |at: usize, names: &[&'static str; 64]| names[usize::from(random[at]) % 64];
    let (given, family) = (pick(0, &GIVEN), pick(1, &FAMILY));
    let length = ENDING_LEAST + usize::from(random[2]) % 3;
    let letters = random[3..3 + length].iter().map(|byte| ENDING[usize::from(byte % 32)]);
    let ending: String = letters.map(char::from).collect();
    Ok(Contact {
        person_id: to_hex(&random[12..24]).into(),
        email: Some(Email::parse(&format!("{given}.{family}{ending}@{domain}"))?),
        phone: None,
        name: Some(format!("{} {}", capitalised(given), capitalised(family)).into()),
        country: None,
        region: None,
        language: None,
        two_factor: None,
    })
}

fn capitalised(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_ascii_uppercase() + rest
}

/// What the store knows of a canary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// Which one.
    pub id: CanaryId,
    /// The one vendor that was given it.
    pub vendor: VendorName,
    /// The list that it was planted in, if in one.
    pub list: Option<ListName>,
    /// When it was planted.
    pub planted_at: Timestamp,
    /// When the next newer canary of the same vendor and list was planted, if one was.
    pub superseded_at: Option<Timestamp>,
}

/// The fact that a mail arrived at a canary. A mail that cannot be read (`read` is `None`) arrived
/// all the same, and so did one without `From`: its sender is then the envelope's.
pub fn arrived(
    received: &ReceivedMail,
    read: Option<&ReadMail>,
    address: &Email,
    planted: &Planted,
    cx: &WatchCx<'_>,
) -> Fact {
    let sha256 = to_hex(&sha256(&received.raw));
    let now = cx.world.now();
    let header = read.map(|mail| mail.from_domain.clone()).filter(|domain| !domain.is_empty());
    let from_domain = header.unwrap_or_else(|| envelope_domain(received));
    let dkim = read.map(|mail| mail.dkim.as_slice()).unwrap_or_default();
    Fact {
        id: cx.world.id(),
        at: now,
        seen_at: now,
        vendor: Some(planted.vendor.clone()),
        external_id: Some(format!("{}/{sha256}", planted.id)),
        source: "smtp/canary".to_owned(),
        confidence: Confidence::Certain,
        author: None,
        body: FactBody::CanaryMail {
            canary: planted.id,
            list: planted.list.clone(),
            planted_at: planted.planted_at,
            superseded_at: planted.superseded_at,
            sender: sender(&from_domain, read, address, planted, cx),
            from_domain,
            dkim_domains: dkim.iter().map(|(domain, _)| domain.clone()).collect(),
            sha256,
        },
    }
}

/// Ours only with a reference to this very address that we made: for a notice of our own, or for a
/// call through this vendor that the ledger knows.
fn sender(
    from_domain: &str,
    read: Option<&ReadMail>,
    address: &Email,
    planted: &Planted,
    cx: &WatchCx<'_>,
) -> SenderKind {
    if !cx.is_ours(from_domain) {
        return SenderKind::Foreign;
    }
    let Some(mail) = read else { return SenderKind::OursUnreferenced };
    let check = |sender: &VendorName| cx.reference_in(mail, &[address], &[sender]);
    let own = matches!(check(&own_sender()), ReferenceCheck::Valid { .. });
    let through_vendor = match check(&planted.vendor) {
        ReferenceCheck::Valid { call } => (cx.known_call)(call),
        _ => false,
    };
    if own || through_vendor { SenderKind::Ours } else { SenderKind::OursUnreferenced }
}

fn envelope_domain(received: &ReceivedMail) -> String {
    Email::parse(&received.from).map_or_else(|_| String::new(), |from| from.domain().to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use model::CallId;
    use model::id::Id as _;

    use super::*;
    use crate::sample::{Sample, assert_no_addresses, email, read, received, time, vendor};

    const CANARY: &str = "anna.berg4k7x2m@canary.example";

    fn planted() -> Planted {
        Planted {
            id: CanaryId::from_u128(1),
            vendor: vendor("sendgrid"),
            list: Some(ListName::parse("newsletter").expect("a list")),
            planted_at: time("2026-01-05"),
            superseded_at: Some(time("2026-01-12")),
        }
    }

    fn fact_of(sample: &Sample, from: &str, raw: &[u8]) -> Fact {
        let received = received(raw, from, CANARY);
        let read = mail::read(raw).ok();
        let fact =
            sample.with(|cx| arrived(&received, read.as_ref(), &email(CANARY), &planted(), cx));
        assert_no_addresses(&fact);
        fact
    }

    fn sender_of(sample: &Sample, from: &str, reference: Option<&str>) -> SenderKind {
        let raw = sample.mail(from, CANARY, "Hello", reference);
        match fact_of(sample, from, &raw).body {
            FactBody::CanaryMail { sender, .. } => sender,
            other => panic!("not canary mail: {}", other.kind()),
        }
    }

    #[test]
    fn an_identity_looks_like_a_person_and_follows_from_its_bytes() {
        let contact = identity([9; 24], "Canary.example").expect("a domain");
        let again = identity([9; 24], "canary.example").expect("a domain");
        assert!(contact == again);
        let email = contact.email.expect("an address");
        let name = contact.name.expect("a name");
        let (given, family) = name.split_once(' ').expect("two names");
        let start = format!("{}.{}", given.to_lowercase(), family.to_lowercase());
        let ending = email.local().strip_prefix(&start).expect("name and address belong together");
        assert!((6..=8).contains(&ending.len()) && !email.as_str().contains('+'), "{email}");
        assert_eq!(email.domain(), "canary.example");
        assert!(identity([9; 24], "no domain").is_err());
    }

    #[test]
    fn identities_do_not_collide() {
        let sample = Sample::new();
        let made: HashSet<_> = (0..2_000)
            .map(|_| identity(sample.world.bytes(), "canary.example").expect("a domain"))
            .map(|contact| contact.email.expect("an address").to_string())
            .collect();
        assert_eq!(made.len(), 2_000);
    }

    #[test]
    fn mail_is_ours_only_with_a_reference_made_for_this_address() {
        let sample = Sample::new();
        let from = "news@em.flickr.example";
        let unknown = CallId::from_u128(99);
        let ours = sample.reference("sendgrid", sample.call, CANARY);
        assert_eq!(sender_of(&sample, from, Some(&ours)), SenderKind::Ours);
        let notice = sample.reference("cordon", unknown, CANARY);
        assert_eq!(sender_of(&sample, from, Some(&notice)), SenderKind::Ours);
        assert_eq!(sender_of(&sample, from, None), SenderKind::OursUnreferenced);
        for (sender, call, to, why) in [
            ("sendgrid", sample.call, "ben.rossi2k3f4g@canary.example", "for somebody else"),
            ("twilio", sample.call, CANARY, "through another vendor"),
            ("sendgrid", unknown, CANARY, "of a call that the ledger does not know"),
        ] {
            let reference = sample.reference(sender, call, to);
            let kind = sender_of(&sample, from, Some(&reference));
            assert_eq!(kind, SenderKind::OursUnreferenced, "{why}");
        }
        assert_eq!(sender_of(&sample, "x@evil.example", Some(&ours)), SenderKind::Foreign);
    }

    #[test]
    fn a_mail_that_cannot_be_read_arrived_all_the_same() {
        let sample = Sample::new();
        let fact = fact_of(&sample, "Mallory@Evil.example", b"");
        assert_eq!(fact.vendor, Some(vendor("sendgrid")));
        match fact.body {
            FactBody::CanaryMail { sender, from_domain, planted_at, .. } => {
                assert_eq!(sender, SenderKind::Foreign);
                assert_eq!(from_domain, "evil.example");
                assert_eq!(planted_at, time("2026-01-05"));
            }
            other => panic!("not canary mail: {}", other.kind()),
        }
        let claims_ours = fact_of(&sample, "news@flickr.example", b"\xff\xfe");
        assert!(matches!(
            claims_ours.body,
            FactBody::CanaryMail { sender: SenderKind::OursUnreferenced, .. }
        ));
    }

    #[test]
    fn the_same_mail_to_the_same_canary_is_a_duplicate() {
        let sample = Sample::new();
        let raw = sample.mail("x@evil.example", CANARY, "Hello", None);
        let (first, second) = (fact_of(&sample, "", &raw), fact_of(&sample, "", &raw));
        assert_eq!(first.external_id, second.external_id);
        let other = sample.mail("x@evil.example", CANARY, "Hello again", None);
        assert_ne!(fact_of(&sample, "", &other).external_id, first.external_id);
        assert_eq!(read(&raw).from_domain, "evil.example");
    }
}
