//! `episodes/<run>.parquet`: what a run says of (vendor, person), read by vendor or by person.
//! Does not know windows and reaches.
//!
//! | column | type | |
//! |---|---|---|
//! | `vendor` | name | one per row group |
//! | `person` | 16 bytes | random key, ascending within the vendor |
//! | `operation`, `list` | name | `list` null: outside any list |
//! | `fields` | u32 | one bit per field, see `model::Field` |
//! | `from`, `held_until` | instant | half-open; null: never |
//! | `call` | 16 bytes | only of a call that had no outcome when it was sealed |
//! | `disclosed_at`, `disclosed_until` | lists of i64 | microseconds; the largest: never |

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use arrow_array::builder::{Int64Builder, ListBuilder, UInt32Builder};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, Int64Type, UInt32Type};
use arrow_array::{
    Array as _, ArrayRef, DictionaryArray, FixedSizeBinaryArray, ListArray, PrimitiveArray,
    RecordBatch,
};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::RowGroupMetaData;

use model::id::Id as _;
use model::{CallId, FieldSet, PersonKey, Timestamp, VendorName};

use crate::disk;
use crate::episodes::{Episodes, call_of};
use crate::log;
use crate::manifest::{FileEntry, RunEntry};
use crate::parquet_file::{self as file, GROUP_ROWS};
use crate::tail::Tail;

/// One sealed run.
pub struct Run {
    /// What the manifest says of it.
    pub entry: RunEntry,
    log: PathBuf,
    episodes: PathBuf,
    footer: OnceLock<ArrowReaderMetadata>,
    calls: OnceLock<Vec<CallId>>,
}

impl Run {
    /// The run that the manifest names so.
    pub fn new(dir: &Path, entry: RunEntry) -> Self {
        let name = disk::name(entry.number, "parquet");
        let (log, episodes) = (dir.join("log").join(&name), dir.join("episodes").join(&name));
        Self { entry, log, episodes, footer: OnceLock::new(), calls: OnceLock::new() }
    }

    /// Whether an intent of this id is in it. The ids are read once, when first asked for.
    pub fn knows(&self, call: CallId) -> anyhow::Result<bool> {
        let (Some(first), Some(last)) = (self.entry.first_call, self.entry.last_call) else {
            return Ok(false);
        };
        if call < first || call > last {
            return Ok(false);
        }
        let calls = match self.calls.get() {
            Some(calls) => calls,
            None => {
                let calls = log::intents(&self.log)?;
                self.calls.get_or_init(|| calls)
            }
        };
        Ok(calls.binary_search(&call).is_ok())
    }

    /// Where its raw rows are.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Reads the episodes of one vendor or of all, of these persons (ascending) or of all, with the
    /// columns that are asked for. A batch may have other persons than those asked for too.
    pub fn scan(
        &self,
        columns: &[Column],
        vendor: Option<&VendorName>,
        persons: Option<&[PersonKey]>,
        visit: &mut dyn FnMut(&Batch),
    ) -> anyhow::Result<()> {
        let file = File::open(&self.episodes).context("opening a run's episodes")?;
        let footer = self.footer(&file)?.clone();
        let groups: Vec<usize> = (0..footer.metadata().num_row_groups())
            .filter(|&group| concerns(footer.metadata().row_group(group), vendor, persons))
            .collect();
        let roots = columns.iter().map(|&column| column as usize);
        let mask = ProjectionMask::roots(footer.parquet_schema(), roots);
        let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer)
            .with_row_groups(groups)
            .with_projection(mask)
            .with_batch_size(GROUP_ROWS)
            .build()?;
        for batch in batches {
            visit(&Batch::new(&batch.context("reading a run's episodes")?));
        }
        Ok(())
    }

    fn footer(&self, file: &File) -> anyhow::Result<&ArrowReaderMetadata> {
        if let Some(footer) = self.footer.get() {
            return Ok(footer);
        }
        let footer = ArrowReaderMetadata::load(file, ArrowReaderOptions::new())
            .context("reading the footer of a run's episodes")?;
        Ok(self.footer.get_or_init(|| footer))
    }
}

/// Whether a row group may have what is asked for, by its statistics; without them it may.
fn concerns(
    group: &RowGroupMetaData,
    vendor: Option<&VendorName>,
    persons: Option<&[PersonKey]>,
) -> bool {
    let bounds = |column: Column| {
        let statistics = group.column(column as usize).statistics()?;
        Some((statistics.min_bytes_opt()?, statistics.max_bytes_opt()?))
    };
    let vendor_may = vendor.zip(bounds(Column::Vendor)).is_none_or(|(vendor, (min, max))| {
        let name = vendor.as_str().as_bytes();
        min <= name && name <= max
    });
    let person_may = persons.zip(bounds(Column::Person)).is_none_or(|(persons, (min, max))| {
        persons.iter().any(|person| {
            let key = person.0.to_be_bytes();
            min <= key.as_slice() && key.as_slice() <= max
        })
    });
    vendor_may && person_may
}

/// A column, by its place in the file. The two lists are last, so that a place is also that of the
/// column's statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Vendor = 0,
    Person = 1,
    Operation = 2,
    List = 3,
    Fields = 4,
    From = 5,
    HeldUntil = 6,
    Call = 7,
    DisclosedAt = 8,
    DisclosedUntil = 9,
}

const NAMES: [&str; 10] = [
    "vendor",
    "person",
    "operation",
    "list",
    "fields",
    "from",
    "held_until",
    "call",
    "disclosed_at",
    "disclosed_until",
];

fn schema() -> Arc<Schema> {
    let times = DataType::List(Arc::new(Field::new("item", DataType::Int64, false)));
    let field = |column: Column, of, nullable| Field::new(NAMES[column as usize], of, nullable);
    Arc::new(Schema::new(vec![
        field(Column::Vendor, file::name(), false),
        field(Column::Person, file::key(), false),
        field(Column::Operation, file::name(), false),
        field(Column::List, file::name(), true),
        field(Column::Fields, DataType::UInt32, false),
        field(Column::From, file::instant(), true),
        field(Column::HeldUntil, file::instant(), true),
        field(Column::Call, file::key(), true),
        field(Column::DisclosedAt, times.clone(), false),
        field(Column::DisclosedUntil, times, false),
    ]))
}

/// Writes the episodes of a tail. Gives back the file and how many there are.
pub fn write(path: &Path, tail: &Tail) -> anyhow::Result<(FileEntry, u64)> {
    let mut episodes = Episodes::of(tail);
    let names = |row: std::ops::Range<usize>| tail.vendors.name(episodes.rows[row.start].vendor);
    let mut order = std::mem::take(&mut episodes.episodes);
    order.sort_by_key(|part| names(part.clone()));
    let properties = file::properties(
        &["person", "call"],
        &["from", "held_until", "disclosed_at.list.item", "disclosed_until.list.item"],
    );
    let schema = schema();
    let entry = file::write(path, &schema, properties, |write| {
        let vendor = |part: &std::ops::Range<usize>| episodes.rows[part.start].vendor;
        for of_vendor in order.chunk_by(|a, b| vendor(a) == vendor(b)) {
            for group in of_vendor.chunks(GROUP_ROWS) {
                write(&batch(&schema, tail, &episodes, group)?)?;
            }
        }
        Ok(())
    })?;
    Ok((entry, order.len() as u64))
}

fn batch(
    schema: &Arc<Schema>,
    tail: &Tail,
    episodes: &Episodes,
    group: &[std::ops::Range<usize>],
) -> anyhow::Result<RecordBatch> {
    let (mut vendors, mut operations, mut lists) =
        (file::Names::new(), file::Names::new(), file::Names::new());
    let (mut persons, mut calls) = (file::keys(), file::keys());
    let mut fields = UInt32Builder::new();
    let (mut from, mut held_until) = (file::instants(), file::instants());
    let item = Arc::new(Field::new("item", DataType::Int64, false));
    let mut at = ListBuilder::new(Int64Builder::new()).with_field(item.clone());
    let mut until = ListBuilder::new(Int64Builder::new()).with_field(item);
    for part in group {
        let rows = &episodes.rows[part.clone()];
        let first = &rows[0];
        vendors.append_value(tail.vendors.name(first.vendor).as_str());
        file::append_key(&mut persons, Some(first.person.0));
        operations.append_value(tail.operations.name(first.operation).as_str());
        lists.append_option(first.list.map(|list| tail.lists.name(list).as_str()));
        fields.append_value(first.fields.bits());
        file::append_instant(&mut from, first.at);
        let end = rows.iter().map(|row| row.held_until.max(row.at)).max();
        file::append_instant(&mut held_until, end.unwrap_or(first.at));
        file::append_key(&mut calls, call_of(tail, first).map(|call| call.to_u128()));
        for row in rows {
            at.values().append_value(row.at.micros());
            until.values().append_value(row.held_until.micros());
        }
        at.append(true);
        until.append(true);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(vendors.finish()),
        Arc::new(persons.finish()),
        Arc::new(operations.finish()),
        Arc::new(lists.finish()),
        Arc::new(fields.finish()),
        Arc::new(from.finish()),
        Arc::new(held_until.finish()),
        Arc::new(calls.finish()),
        Arc::new(at.finish()),
        Arc::new(until.finish()),
    ];
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

/// Episodes as they come out of a file. A column that was not asked for must not be used.
pub struct Batch {
    rows: usize,
    names: [Option<DictionaryArray<Int32Type>>; 3],
    persons: Option<FixedSizeBinaryArray>,
    fields: Option<PrimitiveArray<UInt32Type>>,
    calls: Option<FixedSizeBinaryArray>,
    at: Option<(ListArray, PrimitiveArray<Int64Type>)>,
    until: Option<PrimitiveArray<Int64Type>>,
}

impl Batch {
    fn new(batch: &RecordBatch) -> Self {
        let column = |column: Column| batch.column_by_name(NAMES[column as usize]);
        let names = |of| column(of).map(|array| array.as_dictionary::<Int32Type>().clone());
        let keys = |of| column(of).map(|array| array.as_fixed_size_binary().clone());
        let times = |of| {
            let list: &ListArray = column(of)?.as_list();
            Some((list.clone(), list.values().as_primitive::<Int64Type>().clone()))
        };
        Self {
            rows: batch.num_rows(),
            names: [names(Column::Vendor), names(Column::Operation), names(Column::List)],
            persons: keys(Column::Person),
            fields: column(Column::Fields).map(|array| array.as_primitive().clone()),
            calls: keys(Column::Call),
            at: times(Column::DisclosedAt),
            until: times(Column::DisclosedUntil).map(|(_, values)| values),
        }
    }

    /// How many episodes it has.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// A column of names.
    pub fn names(&self, column: Column) -> Option<&DictionaryArray<Int32Type>> {
        match column {
            Column::Vendor => self.names[0].as_ref(),
            Column::Operation => self.names[1].as_ref(),
            Column::List => self.names[2].as_ref(),
            _ => None,
        }
    }

    /// Whose it is.
    pub fn person(&self, row: usize) -> PersonKey {
        let persons = self.persons.as_ref().expect("the column of persons was asked for");
        PersonKey(file::key_at(persons, row))
    }

    /// Which fields.
    pub fn fields(&self, row: usize) -> FieldSet {
        let fields = self.fields.as_ref().expect("the column of fields was asked for");
        FieldSet::from_bits(fields.value(row))
    }

    /// The call, when it had no outcome.
    pub fn call(&self, row: usize) -> Option<CallId> {
        let calls = self.calls.as_ref().expect("the column of calls was asked for");
        calls.is_valid(row).then(|| CallId::from_u128(file::key_at(calls, row)))
    }

    /// Its disclosures: when, and until when held.
    pub fn disclosures(&self, row: usize) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let (list, at) = self.at.as_ref().expect("the times were asked for");
        let until = self.until.as_ref().expect("the times were asked for");
        let offsets = list.value_offsets();
        let range = offsets[row] as usize..offsets[row + 1] as usize;
        let times = at.values()[range.clone()].iter().zip(&until.values()[range]);
        times.map(|(&at, &until)| (Timestamp::from_micros(at), Timestamp::from_micros(until)))
    }
}
