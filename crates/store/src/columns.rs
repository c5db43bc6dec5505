//! How the model's types stand in columns: the one place that turns a noun into TEXT, BIGINT or
//! BLOB and back. Knows no engine.

use std::borrow::Cow;

use anyhow::{Context, bail};
use model::{
    CallId, CanaryId, EvidenceId, FactId, FieldSet, FindingId, IdentifierHash, IncidentId,
    InquiryId, Language, ListName, NoticeId, OperatorId, OperatorName, PersonKey, Timestamp,
    VendorId, VendorName, WorkloadId, WorkloadName,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The JSON of a noun whose shape the store does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document(Box<str>);

impl Document {
    /// The JSON of this value.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn of(value: &impl Serialize) -> anyhow::Result<Self> {
        Ok(Self(serde_json::to_string(value).context("writing a document")?.into()))
    }

    /// The value that it is the JSON of.
    ///
    /// # Errors
    /// When it is the JSON of something else.
    pub fn read<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        serde_json::from_str(&self.0).context("reading a document")
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Bytes that the caller sealed before they came here. The store opens nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<sealed>")
    }
}

/// A value on its way into a statement.
pub(crate) enum Bind<'a> {
    Null,
    Int(i64),
    Text(Cow<'a, str>),
    Blob(&'a [u8]),
    Key([u8; 16]),
}

/// A value as a row holds it.
#[derive(Clone, Copy)]
pub(crate) enum Cell<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Blob(&'a [u8]),
}

/// A type that a column can hold.
pub(crate) trait Column: Sized {
    fn read(cell: Cell<'_>) -> anyhow::Result<Self>;
}

/// The values for `?1`, `?2`, … in their order.
macro_rules! bind {
    ($($value:expr),* $(,)?) => { &[$($crate::columns::Bind::from($value)),*] };
}
pub(crate) use bind;

impl<'a, T> From<Option<T>> for Bind<'a>
where
    Bind<'a>: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::from)
    }
}

impl<T: Column> Column for Option<T> {
    fn read(cell: Cell<'_>) -> anyhow::Result<Self> {
        match cell {
            Cell::Null => Ok(None),
            cell => T::read(cell).map(Some),
        }
    }
}

impl From<i64> for Bind<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl Column for i64 {
    fn read(cell: Cell<'_>) -> anyhow::Result<Self> {
        match cell {
            Cell::Int(value) => Ok(value),
            _ => bail!("the column does not hold a number"),
        }
    }
}

macro_rules! small_numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for Bind<'_> {
            fn from(value: $number) -> Self {
                Self::Int(i64::from(value))
            }
        }
        impl Column for $number {
            fn read(cell: Cell<'_>) -> anyhow::Result<Self> {
                Self::try_from(i64::read(cell)?).context("the number does not fit")
            }
        }
    )*};
}
small_numbers!(u16, u32);

/// Counts and sequence numbers: none of them reaches 2^63.
impl From<u64> for Bind<'_> {
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl Column for u64 {
    fn read(cell: Cell<'_>) -> anyhow::Result<Self> {
        Self::try_from(i64::read(cell)?).context("the number is negative")
    }
}

impl From<bool> for Bind<'_> {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl Column for bool {
    fn read(cell: Cell<'_>) -> anyhow::Result<Self> {
        match cell {
            Cell::Int(0) => Ok(false),
            Cell::Int(1) => Ok(true),
            _ => bail!("the column holds neither 0 nor 1"),
        }
    }
}

impl From<Timestamp> for Bind<'_> {
    fn from(value: Timestamp) -> Self {
        Self::Int(value.micros())
    }
}

impl Column for Timestamp {
    fn read(cell: Cell<'_>) -> anyhow::Result<Self> {
        i64::read(cell).map(Self::from_micros)
    }
}

impl From<FieldSet> for Bind<'_> {
    fn from(value: FieldSet) -> Self {
        Self::from(value.bits())
    }
}

impl Column for FieldSet {
    fn read(cell: Cell<'_>) -> anyhow::Result<Self> {
        u32::read(cell).map(Self::from_bits)
    }
}

impl<'a> From<&'a str> for Bind<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl<'a> From<&'a String> for Bind<'a> {
    fn from(value: &'a String) -> Self {
        Self::from(value.as_str())
    }
}

impl Column for String {
    fn read(cell: Cell<'_>) -> anyhow::Result<Self> {
        text(cell).map(str::to_owned)
    }
}

impl<'a> From<&'a Document> for Bind<'a> {
    fn from(value: &'a Document) -> Self {
        Self::from(value.as_str())
    }
}

impl Column for Document {
    fn read(cell: Cell<'_>) -> anyhow::Result<Self> {
        text(cell).map(|json| Self(json.into()))
    }
}

impl<'a> From<&'a Sealed> for Bind<'a> {
    fn from(value: &'a Sealed) -> Self {
        Self::Blob(&value.0)
    }
}

impl Column for Sealed {
    fn read(cell: Cell<'_>) -> anyhow::Result<Self> {
        bytes(cell).map(|sealed| Self(sealed.to_vec()))
    }
}

impl<'a> From<&'a [u8]> for Bind<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Blob(value)
    }
}

impl Column for Vec<u8> {
    fn read(cell: Cell<'_>) -> anyhow::Result<Self> {
        bytes(cell).map(<[u8]>::to_vec)
    }
}

impl<'a> From<&'a [u8; 32]> for Bind<'a> {
    fn from(value: &'a [u8; 32]) -> Self {
        Self::Blob(value)
    }
}

impl<const N: usize> Column for [u8; N] {
    fn read(cell: Cell<'_>) -> anyhow::Result<Self> {
        bytes(cell)?.try_into().context("the column holds another number of bytes")
    }
}

impl From<PersonKey> for Bind<'_> {
    fn from(value: PersonKey) -> Self {
        Self::Key(value.0.to_be_bytes())
    }
}

impl Column for PersonKey {
    fn read(cell: Cell<'_>) -> anyhow::Result<Self> {
        <[u8; 16]>::read(cell).map(|key| Self(u128::from_be_bytes(key)))
    }
}

impl From<IdentifierHash> for Bind<'_> {
    fn from(value: IdentifierHash) -> Self {
        Self::Key(value.0)
    }
}

impl Column for IdentifierHash {
    fn read(cell: Cell<'_>) -> anyhow::Result<Self> {
        <[u8; 16]>::read(cell).map(Self)
    }
}

macro_rules! names {
    ($($name:ty),*) => {$(
        impl<'a> From<&'a $name> for Bind<'a> {
            fn from(value: &'a $name) -> Self {
                Self::from(value.as_str())
            }
        }
        impl Column for $name {
            fn read(cell: Cell<'_>) -> anyhow::Result<Self> {
                Ok(Self::parse(text(cell)?)?)
            }
        }
    )*};
}
names!(Language, ListName, OperatorName, VendorName, WorkloadName);

macro_rules! ids {
    ($($id:ty),*) => {$(
        impl From<$id> for Bind<'_> {
            fn from(value: $id) -> Self {
                Self::Text(Cow::Owned(value.to_string()))
            }
        }
        impl Column for $id {
            fn read(cell: Cell<'_>) -> anyhow::Result<Self> {
                Ok(Self::parse(text(cell)?)?)
            }
        }
    )*};
}
ids!(
    CallId, CanaryId, EvidenceId, FactId, FindingId, IncidentId, InquiryId, NoticeId, OperatorId,
    VendorId, WorkloadId
);

fn text(cell: Cell<'_>) -> anyhow::Result<&str> {
    match cell {
        Cell::Text(text) => Ok(text),
        _ => bail!("the column does not hold text"),
    }
}

fn bytes(cell: Cell<'_>) -> anyhow::Result<&[u8]> {
    match cell {
        Cell::Blob(bytes) => Ok(bytes),
        _ => bail!("the column does not hold bytes"),
    }
}
