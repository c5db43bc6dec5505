//! What the two Parquet files of a run have in common: column types, properties, durable writing.
//! Does not know their columns.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use arrow_array::builder::{
    FixedSizeBinaryBuilder, StringDictionaryBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::cast::AsArray as _;
use arrow_array::types::Int32Type;
use arrow_array::{DictionaryArray, FixedSizeBinaryArray, RecordBatch, StringArray};
use arrow_schema::{DataType, Schema, TimeUnit};
use model::Timestamp;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::disk;
use crate::manifest::FileEntry;

/// Rows of one row group. Small enough that a look-up of one person decodes little.
pub const GROUP_ROWS: usize = 16_384;

/// An instant; null is [`Timestamp::NEVER`].
pub fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A person's key or a call's id, 16 bytes, big-endian so that bytes sort as keys do.
pub fn key() -> DataType {
    DataType::FixedSizeBinary(16)
}

/// A name.
pub fn name() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// Builds a column of [`name`].
pub type Names = StringDictionaryBuilder<Int32Type>;

/// Builds a column of [`instant`].
pub fn instants() -> TimestampMicrosecondBuilder {
    TimestampMicrosecondBuilder::new().with_timezone("UTC")
}

/// Builds a column of [`key`].
pub fn keys() -> FixedSizeBinaryBuilder {
    FixedSizeBinaryBuilder::new(16)
}

/// Appends a key or null.
pub fn append_key(column: &mut FixedSizeBinaryBuilder, key: Option<u128>) {
    match key {
        Some(key) => {
            column.append_value(key.to_be_bytes()).expect("the column's values are 16 bytes long");
        }
        None => column.append_null(),
    }
}

/// Appends an instant; never is null.
pub fn append_instant(column: &mut TimestampMicrosecondBuilder, at: Timestamp) {
    column.append_option((at != Timestamp::NEVER).then(|| at.micros()));
}

/// The key at a place of a column of [`key`].
pub fn key_at(column: &FixedSizeBinaryArray, place: usize) -> u128 {
    let bytes = column.value(place).first_chunk::<16>();
    u128::from_be_bytes(*bytes.expect("the column's values are 16 bytes long"))
}

/// The name at a place of a column of [`name`], if there is one.
pub fn name_at(column: &DictionaryArray<Int32Type>, place: usize) -> Option<&str> {
    let values: &StringArray = column.values().as_string();
    column.key(place).map(|key| values.value(key))
}

/// Properties for a file whose `plain` columns are random bytes, which no codec makes smaller.
pub fn properties(plain: &[&str], deltas: &[&str]) -> WriterProperties {
    let path =
        |name: &&str| ColumnPath::from(name.split('.').map(str::to_owned).collect::<Vec<_>>());
    let mut properties: WriterPropertiesBuilder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_statistics_truncate_length(None)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_created_by("cordon".to_owned());
    for column in plain {
        properties = properties
            .set_column_dictionary_enabled(path(column), false)
            .set_column_compression(path(column), Compression::UNCOMPRESSED);
    }
    for column in deltas {
        properties = properties
            .set_column_dictionary_enabled(path(column), false)
            .set_column_encoding(path(column), Encoding::DELTA_BINARY_PACKED);
    }
    properties.build()
}

/// Writes the batches that `fill` gives, one row group each, and makes the file durable; its name
/// is made durable by the caller.
pub fn write(
    path: &Path,
    schema: &Arc<Schema>,
    properties: WriterProperties,
    fill: impl FnOnce(&mut dyn FnMut(&RecordBatch) -> anyhow::Result<()>) -> anyhow::Result<()>,
) -> anyhow::Result<FileEntry> {
    let file = disk::create(path).context("creating a run's file")?;
    let mut writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))?;
    fill(&mut |batch| {
        writer.write(batch)?;
        Ok(writer.flush()?)
    })?;
    writer.into_inner()?.sync_all().context("syncing a run's file")?;
    entry(path)
}

/// Size and digest of a file, as a manifest keeps them.
pub fn entry(path: &Path) -> anyhow::Result<FileEntry> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    let sha256 = model::crypto::to_hex(&model::crypto::sha256(&bytes));
    Ok(FileEntry { bytes: bytes.len() as u64, sha256 })
}
