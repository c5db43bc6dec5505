//! Calls as a whole, read back for questions about policy: the rows of one call put together again.
//! Does not judge them.

use std::fs::File;
use std::path::Path;

use anyhow::Context as _;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, TimestampMicrosecondType, UInt32Type};
use arrow_array::{Array as _, DictionaryArray, FixedSizeBinaryArray, PrimitiveArray, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use model::error::Malformed;
use model::id::Id as _;
use model::{
    CallId, Consent, FieldSet, ListName, Mode, OperationName, PersonKey, PolicyDigest, Purpose,
    Residence, Timestamp, VendorName, WorkloadName,
};

use crate::disclosure::{Asked, CallEnd, RecordedCall, Settled};
use crate::log::column;
use crate::parquet_file::{self as file, GROUP_ROWS};
use crate::people::Links;
use crate::record::Origin;
use crate::tail::{Tail, TailCall, TailRow};

/// What is asked of runs and tails: every call from a time on.
pub struct Calls<'a> {
    pub since: Timestamp,
    pub links: &'a Links,
    /// How a call stands now that was open when it was sealed.
    pub late: &'a dyn Fn(CallId) -> Settled,
    pub visit: &'a mut dyn FnMut(RecordedCall),
}

impl Calls<'_> {
    /// Those of a tail, in the order in which they came; refused ones last.
    pub fn in_tail(&mut self, tail: &Tail) {
        let since = self.since;
        let wanted = |call: &TailCall| call.origin == Origin::Gateway && call.at >= since;
        for rows in tail.rows.chunk_by(|a, b| a.call == b.call) {
            let call = &tail.calls[rows[0].call as usize];
            if wanted(call) {
                self.tell(tail, call, rows);
            }
        }
        for call in tail.calls.iter().filter(|call| call.rows == 0 && wanted(call)) {
            self.tell(tail, call, &[]);
        }
        for refused in tail.refused.iter().filter(|refused| refused.at >= since) {
            let would = refused.would.as_ref();
            (self.visit)(RecordedCall {
                call: refused.call,
                at: refused.at,
                vendor: refused.vendor.clone(),
                workload: refused.workload.clone(),
                operation: refused.operation.clone(),
                purpose: would.map(|would| would.purpose.clone()),
                mode: would.map(|would| would.mode),
                asked: would.map(|would| would.asked.clone()),
                lists: would.map(|would| would.lists.clone()).unwrap_or_default(),
                disclosed: FieldSet::EMPTY,
                people: would.map_or(0, |would| would.people),
                persons: Vec::new(),
                end: CallEnd::Refused(refused.code.clone()),
            });
        }
    }

    fn tell(&mut self, tail: &Tail, call: &TailCall, rows: &[TailRow]) {
        let settled = match call.settled() {
            Settled::Open => (self.late)(call.call),
            known => known,
        };
        let mut whole = Whole::default();
        for row in rows {
            let list = row.list.map(|list| tail.lists.name(list).clone());
            whole.add(row.person, row.fields, list);
        }
        let recorded = RecordedCall {
            call: call.call,
            at: call.at,
            vendor: tail.vendors.name(call.vendor).clone(),
            workload: call.workload.map(|number| tail.workloads.name(number).clone()),
            operation: Some(tail.operations.name(call.operation).clone()),
            purpose: call.purpose.map(|number| tail.purposes.name(number).clone()),
            mode: call.mode,
            asked: call.asked.map(|number| tail.asked.name(number).clone()),
            lists: Vec::new(),
            disclosed: FieldSet::EMPTY,
            people: 0,
            persons: Vec::new(),
            end: CallEnd::Recorded(settled),
        };
        (self.visit)(whole.finish(recorded, self.links));
    }

    /// Those of a run's log, by time.
    pub fn in_log(&mut self, path: &Path) -> anyhow::Result<()> {
        let file = File::open(path).context("opening a run's log")?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
        let metadata = builder.metadata().clone();
        let groups = (0..metadata.num_row_groups())
            .filter(|&group| reaches(metadata.row_group(group), self.since));
        let batches = builder.with_row_groups(groups.collect()).with_batch_size(GROUP_ROWS);
        let mut open: Option<(RecordedCall, Whole)> = None;
        for batch in batches.build()? {
            let batch = batch.context("reading a run's log")?;
            let columns = Columns::of(&batch)?;
            for row in 0..batch.num_rows() {
                let Some(kind) = columns.kind(row, self.since) else { continue };
                let call = CallId::from_u128(file::key_at(columns.calls, row));
                if open.as_ref().is_none_or(|(known, _)| known.call != call) {
                    self.close(open.take());
                    let header = columns.header(row, call, kind, self.late)?;
                    open = Some((header, Whole::default()));
                }
                if let Some((_, whole)) = &mut open
                    && columns.persons.is_valid(row)
                {
                    let list = columns.name("list", row).map(ListName::parse).transpose()?;
                    let person = PersonKey(file::key_at(columns.persons, row));
                    whole.add(person, FieldSet::from_bits(columns.fields.value(row)), list);
                }
            }
        }
        self.close(open);
        Ok(())
    }

    fn close(&mut self, open: Option<(RecordedCall, Whole)>) {
        if let Some((header, whole)) = open {
            (self.visit)(whole.finish(header, self.links));
        }
    }
}

/// Whether a row group may have rows from this time on, by its statistics.
fn reaches(group: &RowGroupMetaData, since: Timestamp) -> bool {
    match group.column(0).statistics() {
        Some(Statistics::Int64(at)) => at.max_opt().is_none_or(|&last| last >= since.micros()),
        _ => true,
    }
}

/// The rows of one call, put together.
#[derive(Default)]
struct Whole {
    persons: Vec<PersonKey>,
    fields: FieldSet,
    lists: Vec<ListName>,
}

impl Whole {
    fn add(&mut self, person: PersonKey, fields: FieldSet, list: Option<ListName>) {
        self.persons.push(person);
        self.fields = self.fields.union(fields);
        self.lists.extend(list);
    }

    fn finish(mut self, mut call: RecordedCall, links: &Links) -> RecordedCall {
        if matches!(call.end, CallEnd::Refused(_)) {
            return call;
        }
        for person in &mut self.persons {
            *person = links.current(*person);
        }
        self.persons.sort_unstable();
        self.persons.dedup();
        call.people = u32::try_from(self.persons.len()).unwrap_or(u32::MAX);
        self.persons.retain(|&person| links.resolve(person).is_some());
        self.lists.sort_unstable();
        self.lists.dedup();
        RecordedCall { persons: self.persons, lists: self.lists, disclosed: self.fields, ..call }
    }
}

/// The columns of one batch of a log.
struct Columns<'a> {
    batch: &'a RecordBatch,
    at: &'a PrimitiveArray<TimestampMicrosecondType>,
    calls: &'a FixedSizeBinaryArray,
    persons: &'a FixedSizeBinaryArray,
    fields: &'a PrimitiveArray<UInt32Type>,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> anyhow::Result<Self> {
        Ok(Self {
            batch,
            at: column(batch, "at")?.as_primitive(),
            calls: column(batch, "call")?.as_fixed_size_binary(),
            persons: column(batch, "person")?.as_fixed_size_binary(),
            fields: column(batch, "fields")?.as_primitive(),
        })
    }

    /// The kind of a row that is wanted.
    fn kind(&self, row: usize, since: Timestamp) -> Option<&'a str> {
        let recent = self.at.value(row) >= since.micros();
        self.name("kind", row).filter(|kind| recent && matches!(*kind, "call" | "refused"))
    }

    fn header(
        &self,
        row: usize,
        call: CallId,
        kind: &str,
        late: &dyn Fn(CallId) -> Settled,
    ) -> anyhow::Result<RecordedCall> {
        let lists = self.name("lists", row).unwrap_or_default();
        Ok(RecordedCall {
            call,
            at: Timestamp::from_micros(self.at.value(row)),
            vendor: VendorName::parse(self.name("vendor", row).unwrap_or_default())?,
            workload: self.parsed("workload", row, WorkloadName::parse)?,
            operation: self.parsed("operation", row, OperationName::parse)?,
            purpose: self.parsed("purpose", row, Purpose::parse)?,
            mode: self.parsed("mode", row, Mode::parse)?,
            asked: self.asked(row)?,
            lists: lists.lines().map(ListName::parse).collect::<Result<_, _>>()?,
            disclosed: FieldSet::EMPTY,
            people: self.number("people", row).unwrap_or(0),
            persons: Vec::new(),
            end: match kind {
                "refused" => CallEnd::Refused(self.name("code", row).unwrap_or_default().into()),
                _ => CallEnd::Recorded(match self.name("settled", row) {
                    Some("sent") => Settled::Sent,
                    Some("not-sent") => Settled::NotSent,
                    Some("unknown") => Settled::Unknown,
                    _ => late(call),
                }),
            },
        })
    }

    fn asked(&self, row: usize) -> anyhow::Result<Option<Asked>> {
        let Some(policy) = self.parsed("policy", row, PolicyDigest::parse)? else {
            return Ok(None);
        };
        let consent = self.name("consent", row).map(|words| {
            let words = words.split(',').filter(|word| !word.is_empty());
            words.map(Consent::parse).collect::<Result<Vec<_>, _>>()
        });
        Ok(Some(Asked {
            policy,
            fields: FieldSet::from_bits(self.number("asked_fields", row).unwrap_or(0)),
            region: self.parsed("region", row, Residence::parse)?,
            consent: consent.transpose()?,
        }))
    }

    /// A name, if the column is there and has one: earlier versions wrote fewer columns.
    fn name(&self, column: &str, row: usize) -> Option<&'a str> {
        let column: &DictionaryArray<Int32Type> =
            self.batch.column_by_name(column)?.as_dictionary();
        file::name_at(column, row)
    }

    fn number(&self, column: &str, row: usize) -> Option<u32> {
        let column = self.batch.column_by_name(column)?.as_primitive::<UInt32Type>();
        column.is_valid(row).then(|| column.value(row))
    }

    fn parsed<T>(
        &self,
        column: &str,
        row: usize,
        parse: fn(&str) -> Result<T, Malformed>,
    ) -> anyhow::Result<Option<T>> {
        Ok(self.name(column, row).map(parse).transpose()?)
    }
}
