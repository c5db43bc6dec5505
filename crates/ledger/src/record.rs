//! The records of the write-ahead record and of the state files, and their bytes. Does not say what
//! they do: `state.rs` applies them.
//!
//! A record is one tag byte and its body. Names stand in full once per record; rows name lists by
//! their place in the record's own dictionary, so that every record reads alone. Tags never change
//! their meaning.

use model::id::Id as _;
use model::{
    CallId, FieldSet, IdentifierHash, ListName, Mode, OperationName, PersonKey, Purpose, Timestamp,
    VendorName, WorkloadName,
};

use crate::codec::{Decoder, Encoder, Unreadable};
use crate::disclosure::{RefusedCall, Settled};

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
                to.byte(1);
                encode_call(call, to);
            }
            Self::Settled(settlement) => {
                to.byte(2);
                encode_settlement(settlement, to);
            }
            Self::Refused(refused) => {
                to.byte(3);
                to.wide(refused.call.to_u128());
                to.time(refused.at);
                to.text(refused.vendor.as_str());
                to.maybe(refused.workload.as_ref().map(WorkloadName::as_str));
                to.maybe(refused.operation.as_ref().map(OperationName::as_str));
                to.text(&refused.code);
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
            1 => Self::Call(decode_call(from)?),
            2 => Self::Settled(decode_settlement(from)?),
            3 => Self::Refused(RefusedCall {
                call: CallId::from_u128(from.wide()?),
                at: from.time()?,
                vendor: from.name(VendorName::parse)?,
                workload: from.maybe_name(WorkloadName::parse)?,
                operation: from.maybe_name(OperationName::parse)?,
                code: from.text()?.to_owned(),
            }),
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

fn decode_call(from: &mut Decoder<'_>) -> Result<CallRecord, Unreadable> {
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
    };
    let lists = from.many(|from| from.name(ListName::parse))?;
    let small = |from: &mut Decoder<'_>| u32::try_from(from.count()?).map_err(|_| Unreadable);
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
