//! The records of the write-ahead record and of the state files, and their bytes. Does not say what
//! they do: `state.rs` applies them.
//!
//! A record is one tag byte and its body. Names stand in full once per record; rows name lists by
//! their place in the record's own dictionary, so that every record reads alone. Tags never change
//! their meaning: a call is 1, or 9 with what policy was asked; a refusal is 3, or 10 with what it
//! would have disclosed.

use model::id::Id as _;
use model::{
    CallId, Consent, FieldSet, IdentifierHash, ListName, Mode, OperationName, PersonKey,
    PolicyDigest, Purpose, Residence, Timestamp, VendorName, WorkloadName,
};

use crate::codec::{Decoder, Encoder, Unreadable};
use crate::disclosure::{Asked, RefusedCall, Settled, WouldDisclose};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A call or import with its rows, or a part of one.
    Call(CallRecord),
    /// What came of a call.
    Settled(Settlement),
    /// A call did not leave.
    Refused(RefusedCall),
    /// Identifiers belong to persons from now on.
    Mapped(Vec<Mapping>),
    /// Persons turned out to be others: (who, really).
    Merged(Vec<(PersonKey, PersonKey)>),
    /// A vendor erased persons, with proof.
    Erased(Erasure),
    /// Persons are forgotten; every key that was theirs.
    Forgot(Vec<PersonKey>),
    /// Only in state files: calls that were sealed without an outcome.
    Open(Vec<CallId>),
}

/// How rows came into the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Through the gateway.
    Gateway,
    /// From the vendor's own export.
    Import,
}

/// What all rows of a call share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallHeader {
    pub call: CallId,
    pub origin: Origin,
    pub at: Timestamp,
    pub held_until: Timestamp,
    pub vendor: VendorName,
    pub operation: OperationName,
    pub workload: Option<WorkloadName>,
    pub purpose: Option<Purpose>,
    pub mode: Option<Mode>,
    pub asked: Option<Asked>,
}

/// A call with its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    pub header: CallHeader,
    pub lists: Vec<ListName>,
    pub rows: Vec<CallRow>,
}

/// One person in a call; `lists` are places in the record's dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRow {
    pub person: PersonKey,
    pub fields: FieldSet,
    pub lists: Vec<u32>,
}

/// What came of a call, and when that was known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    pub call: CallId,
    pub at: Timestamp,
    pub settled: Settled,
    pub status: Option<u16>,
    pub message: Option<Box<str>>,
    pub code: Option<Box<str>>,
}

/// An identifier belongs to a person from a time on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    pub identifier: IdentifierHash,
    pub person: PersonKey,
    pub from: Timestamp,
    /// Whether it is the company's own id of the person, by the directory.
    pub anchor: bool,
}

/// What a vendor erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    pub vendor: VendorName,
    pub at: Timestamp,
    pub recorded_at: Timestamp,
    pub proof: Box<str>,
    /// Every key that was theirs when it was recorded.
    pub persons: Vec<PersonKey>,
}

impl Record {
    /// Appends its bytes.
    pub fn encode(&self, to: &mut Encoder) {
        match self {
            Self::Call(call) => {
                to.byte(if call.header.asked.is_some() { 9 } else { 1 });
                encode_call(call, to);
            }
            Self::Settled(settlement) => {
                to.byte(2);
                encode_settlement(settlement, to);
            }
            Self::Refused(refused) => {
                to.byte(match refused {
                    RefusedCall { would: Some(_), .. } => 10,
                    RefusedCall { times: 1, .. } => 3,
                    RefusedCall { .. } => 11,
                });
                encode_refused(refused, to);
            }
            Self::Mapped(mappings) => {
                to.byte(4);
                to.count(mappings.len());
                for mapping in mappings {
                    to.wide(u128::from_le_bytes(mapping.identifier.0));
                    to.wide(mapping.person.0);
                    to.time(mapping.from);
                    to.byte(mapping.anchor.into());
                }
            }
            Self::Merged(merges) => {
                to.byte(5);
                to.count(merges.len());
                for (from, into) in merges {
                    to.wide(from.0);
                    to.wide(into.0);
                }
            }
            Self::Erased(erasure) => {
                to.byte(6);
                to.text(erasure.vendor.as_str());
                to.time(erasure.at);
                to.time(erasure.recorded_at);
                to.text(&erasure.proof);
                encode_wide(erasure.persons.iter().map(|person| person.0), to);
            }
            Self::Forgot(persons) => {
                to.byte(7);
                encode_wide(persons.iter().map(|person| person.0), to);
            }
            Self::Open(calls) => {
                to.byte(8);
                encode_wide(calls.iter().map(CallId::to_u128), to);
            }
        }
    }

    /// Reads the next record.
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self, Unreadable> {
        Ok(match from.byte()? {
            1 => Self::Call(decode_call(from, false)?),
            2 => Self::Settled(decode_settlement(from)?),
            3 => Self::Refused(decode_refused(from)?),
            4 => Self::Mapped(from.many(|from| {
                Ok(Mapping {
                    identifier: IdentifierHash(from.wide()?.to_le_bytes()),
                    person: PersonKey(from.wide()?),
                    from: from.time()?,
                    anchor: from.byte()? != 0,
                })
            })?),
            5 => Self::Merged(
                from.many(|from| Ok((PersonKey(from.wide()?), PersonKey(from.wide()?))))?,
            ),
            6 => Self::Erased(Erasure {
                vendor: from.name(VendorName::parse)?,
                at: from.time()?,
                recorded_at: from.time()?,
                proof: from.text()?.into(),
                persons: decode_persons(from)?,
            }),
            7 => Self::Forgot(decode_persons(from)?),
            8 => Self::Open(from.many(|from| from.wide().map(CallId::from_u128))?),
            9 => Self::Call(decode_call(from, true)?),
            10 => {
                let refused = decode_refused(from)?;
                Self::Refused(RefusedCall { would: Some(decode_would(from)?), ..refused })
            }
            11 => {
                let refused = decode_refused(from)?;
                Self::Refused(RefusedCall { times: from.count()? as u64, ..refused })
            }
            _ => return Err(Unreadable),
        })
    }
}

fn encode_wide(values: impl ExactSizeIterator<Item = u128>, to: &mut Encoder) {
    to.count(values.len());
    values.for_each(|value| to.wide(value));
}

fn decode_persons(from: &mut Decoder<'_>) -> Result<Vec<PersonKey>, Unreadable> {
    from.many(|from| from.wide().map(PersonKey))
}

fn encode_call(call: &CallRecord, to: &mut Encoder) {
    let header = &call.header;
    to.wide(header.call.to_u128());
    to.byte(matches!(header.origin, Origin::Import).into());
    to.time(header.at);
    to.time(header.held_until);
    to.text(header.vendor.as_str());
    to.text(header.operation.as_str());
    to.maybe(header.workload.as_ref().map(WorkloadName::as_str));
    to.maybe(header.purpose.as_ref().map(Purpose::as_str));
    to.maybe(header.mode.map(Mode::name));
    if let Some(asked) = &header.asked {
        encode_asked(asked, to);
    }
    to.count(call.lists.len());
    call.lists.iter().for_each(|list| to.text(list.as_str()));
    to.count(call.rows.len());
    for row in &call.rows {
        to.wide(row.person.0);
        to.count(row.fields.bits() as usize);
        to.count(row.lists.len());
        row.lists.iter().for_each(|&list| to.count(list as usize));
    }
}

fn decode_call(from: &mut Decoder<'_>, asked: bool) -> Result<CallRecord, Unreadable> {
    let header = CallHeader {
        call: CallId::from_u128(from.wide()?),
        origin: if from.byte()? == 0 { Origin::Gateway } else { Origin::Import },
        at: from.time()?,
        held_until: from.time()?,
        vendor: from.name(VendorName::parse)?,
        operation: from.name(OperationName::parse)?,
        workload: from.maybe_name(WorkloadName::parse)?,
        purpose: from.maybe_name(Purpose::parse)?,
        mode: from.maybe_name(Mode::parse)?,
        asked: if asked { Some(decode_asked(from)?) } else { None },
    };
    let lists = from.many(|from| from.name(ListName::parse))?;
    let rows = from.many(|from| {
        Ok(CallRow {
            person: PersonKey(from.wide()?),
            fields: FieldSet::from_bits(small(from)?),
            lists: from.many(small)?,
        })
    })?;
    if rows.iter().flat_map(|row| &row.lists).any(|&list| list as usize >= lists.len()) {
        return Err(Unreadable);
    }
    Ok(CallRecord { header, lists, rows })
}

fn small(from: &mut Decoder<'_>) -> Result<u32, Unreadable> {
    u32::try_from(from.count()?).map_err(|_| Unreadable)
}

fn encode_asked(asked: &Asked, to: &mut Encoder) {
    asked.policy.0.iter().for_each(|&byte| to.byte(byte));
    to.count(asked.fields.bits() as usize);
    to.maybe(asked.region.as_ref().map(ToString::to_string).as_deref());
    to.byte(asked.consent.is_some().into());
    let consent = asked.consent.as_deref().unwrap_or_default();
    to.count(consent.len());
    consent.iter().for_each(|consent| to.text(consent.as_str()));
}

fn decode_asked(from: &mut Decoder<'_>) -> Result<Asked, Unreadable> {
    let mut policy = [0; 8];
    for byte in &mut policy {
        *byte = from.byte()?;
    }
    let fields = FieldSet::from_bits(small(from)?);
    let region = from.maybe_name(Residence::parse)?;
    let stated = from.byte()? != 0;
    let consent = from.many(|from| from.name(Consent::parse))?;
    let consent = stated.then_some(consent);
    Ok(Asked { policy: PolicyDigest(policy), fields, region, consent })
}

fn encode_refused(refused: &RefusedCall, to: &mut Encoder) {
    to.wide(refused.call.to_u128());
    to.time(refused.at);
    to.text(refused.vendor.as_str());
    to.maybe(refused.workload.as_ref().map(WorkloadName::as_str));
    to.maybe(refused.operation.as_ref().map(OperationName::as_str));
    to.text(&refused.code);
    if let Some(would) = &refused.would {
        to.text(would.purpose.as_str());
        to.text(would.mode.name());
        to.count(would.people as usize);
        to.count(would.lists.len());
        would.lists.iter().for_each(|list| to.text(list.as_str()));
        encode_asked(&would.asked, to);
    } else if refused.times != 1 {
        to.count(refused.times as usize);
    }
}

fn decode_refused(from: &mut Decoder<'_>) -> Result<RefusedCall, Unreadable> {
    Ok(RefusedCall {
        call: CallId::from_u128(from.wide()?),
        at: from.time()?,
        vendor: from.name(VendorName::parse)?,
        workload: from.maybe_name(WorkloadName::parse)?,
        operation: from.maybe_name(OperationName::parse)?,
        code: from.text()?.to_owned(),
        times: 1,
        would: None,
    })
}

fn decode_would(from: &mut Decoder<'_>) -> Result<WouldDisclose, Unreadable> {
    Ok(WouldDisclose {
        purpose: from.name(Purpose::parse)?,
        mode: from.name(Mode::parse)?,
        people: small(from)?,
        lists: from.many(|from| from.name(ListName::parse))?,
        asked: decode_asked(from)?,
    })
}

fn encode_settlement(settlement: &Settlement, to: &mut Encoder) {
    to.wide(settlement.call.to_u128());
    to.time(settlement.at);
    to.byte(match settlement.settled {
        Settled::Sent => 0,
        Settled::NotSent => 1,
        Settled::Unknown => 2,
        Settled::Open => 3,
    });
    to.count(settlement.status.map_or(0, |status| usize::from(status) + 1));
    to.maybe(settlement.message.as_deref());
    to.maybe(settlement.code.as_deref());
}

fn decode_settlement(from: &mut Decoder<'_>) -> Result<Settlement, Unreadable> {
    Ok(Settlement {
        call: CallId::from_u128(from.wide()?),
        at: from.time()?,
        settled: match from.byte()? {
            0 => Settled::Sent,
            1 => Settled::NotSent,
            2 => Settled::Unknown,
            3 => Settled::Open,
            _ => return Err(Unreadable),
        },
        status: match from.count()? {
            0 => None,
            status => Some(u16::try_from(status - 1).map_err(|_| Unreadable)?),
        },
        message: from.maybe()?.map(Into::into),
        code: from.maybe()?.map(Into::into),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Record {
        let mut from = Decoder { bytes };
        let record = Record::decode(&mut from).expect("it reads");
        assert!(from.bytes.is_empty(), "nothing is left");
        record
    }

    fn written(record: &Record) -> Vec<u8> {
        let mut to = Encoder::default();
        record.encode(&mut to);
        to.bytes
    }

    /// A call and a refusal as they were written before policies were recorded.
    fn without_policy() -> [Vec<u8>; 2] {
        let time = |seconds: i64| (seconds * 1_000_000).to_le_bytes().to_vec();
        let call = [
            vec![1],
            7u128.to_le_bytes().to_vec(),
            vec![0],
            time(5),
            i64::MAX.to_le_bytes().to_vec(),
            b"\x08sendgrid\x09mail.send\x05shop\x09receipts\x08enforce".to_vec(),
            b"\x01\x05Weeks".to_vec(),
            b"\x01".to_vec(),
            9u128.to_le_bytes().to_vec(),
            vec![3, 1, 0],
        ];
        let refused = [
            vec![3],
            8u128.to_le_bytes().to_vec(),
            time(6),
            b"\x08sendgrid\x05shop\x00\x0Dtoken-unknown".to_vec(),
        ];
        [call.concat(), refused.concat()]
    }

    #[test]
    fn records_of_a_time_without_policies_still_read_and_are_written_the_same() {
        for bytes in without_policy() {
            let record = read(&bytes);
            let asked = match &record {
                Record::Call(call) => call.header.asked.is_some(),
                Record::Refused(refused) => refused.would.is_some(),
                _ => panic!("a call or a refusal"),
            };
            assert!(!asked);
            assert_eq!(written(&record), bytes);
        }
    }

    #[test]
    fn what_policy_was_asked_reads_back() {
        let asked = |region: Option<&str>, consent: Option<&[&str]>| Asked {
            policy: PolicyDigest([1, 2, 3, 4, 5, 6, 7, 0xFF]),
            fields: FieldSet::from_bits(5),
            region: region.map(|text| Residence::parse(text).expect("a region")),
            consent: consent.map(|words| {
                words.iter().map(|word| Consent::parse(word).expect("a consent")).collect()
            }),
        };
        let [call, refused] = without_policy().map(|bytes| read(&bytes));
        for asked in [
            asked(None, None),
            asked(Some("US-CA"), Some(&[])),
            asked(None, Some(&["marketing", "sms"])),
        ] {
            let mut call = call.clone();
            if let Record::Call(call) = &mut call {
                call.header.asked = Some(asked.clone());
            }
            assert_eq!(read(&written(&call)), call);
            let mut refused = refused.clone();
            if let Record::Refused(refused) = &mut refused {
                refused.would = Some(WouldDisclose {
                    purpose: Purpose::parse("receipts").expect("a purpose"),
                    mode: Mode::Enforce,
                    people: 1_000,
                    lists: vec![ListName::parse("Weekly, news").expect("a list")],
                    asked,
                });
            }
            assert_eq!(read(&written(&refused)), refused);
        }
    }
}
