//! `log/<run>.parquet`: the evidence, one row per event, by time. Answers no exposure.
//!
//! `kind` is `call` or `import` (a disclosure; `person` is null when the call concerned nobody),
//! `refused` (nothing left), or `outcome` (a call of an earlier run that was open there is now
//! `settled`). `held_until` null: never. What policy was asked is in `policy`, `asked_fields`,
//! `region` and `consent` (words parted by commas), null in rows of a time when it was not
//! recorded; `people` and `lists` (one a line) are of refused calls, which have no rows of persons;
//! `times` says for how many calls the row of a refused one stands.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use arrow_array::builder::{UInt16Builder, UInt32Builder};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{TimestampMicrosecondType, UInt32Type};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use model::id::Id as _;
use model::{
    CallId, Consent, FieldSet, ListName, Mode, OperationName, PersonKey, PolicyDigest, Timestamp,
    VendorName, WorkloadName,
};

use crate::disclosure::{Asked, Disclosure, RefusedCall, Settled};
use crate::manifest::FileEntry;
use crate::parquet_file::{self as file, GROUP_ROWS};
use crate::people::Links;
use crate::record::{Origin, Settlement};
use crate::tail::{Tail, TailCall, TailRow};

enum Event<'a> {
    Disclosed(&'a TailCall, Option<&'a TailRow>),
    Refused(&'a RefusedCall),
    Outcome(&'a Settlement),
}

impl Event<'_> {
    fn order(&self) -> (Timestamp, CallId) {
        match self {
            Self::Disclosed(call, _) => (call.at, call.call),
            Self::Refused(refused) => (refused.at, refused.call),
            Self::Outcome(outcome) => (outcome.at, outcome.call),
        }
    }
}

/// Writes everything that is in a tail.
pub fn write(path: &Path, tail: &Tail) -> anyhow::Result<FileEntry> {
    let rows = tail.rows.iter().map(|row| (&tail.calls[row.call as usize], Some(row)));
    let alone = tail.calls.iter().filter(|call| call.rows == 0).map(|call| (call, None));
    let mut events: Vec<Event<'_>> =
        rows.chain(alone).map(|(call, row)| Event::Disclosed(call, row)).collect();
    events.extend(tail.refused.iter().map(Event::Refused));
    events.extend(tail.late.iter().map(Event::Outcome));
    events.sort_by_key(Event::order);
    let schema = schema();
    let properties = file::properties(&["person"], &["at", "held_until", "settled_at"]);
    file::write(path, &schema, properties, |write| {
        for group in events.chunks(GROUP_ROWS) {
            let mut columns = Columns::default();
            group.iter().for_each(|event| columns.append(tail, event));
            write(&columns.finish(&schema)?)?;
        }
        Ok(())
    })
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("at", file::instant(), false),
        Field::new("call", file::key(), false),
        Field::new("kind", file::name(), false),
        Field::new("vendor", file::name(), true),
        Field::new("operation", file::name(), true),
        Field::new("workload", file::name(), true),
        Field::new("purpose", file::name(), true),
        Field::new("mode", file::name(), true),
        Field::new("person", file::key(), true),
        Field::new("fields", DataType::UInt32, true),
        Field::new("list", file::name(), true),
        Field::new("held_until", file::instant(), true),
        Field::new("settled", file::name(), true),
        Field::new("settled_at", file::instant(), true),
        Field::new("status", DataType::UInt16, true),
        Field::new("message", file::name(), true),
        Field::new("code", file::name(), true),
        Field::new("policy", file::name(), true),
        Field::new("asked_fields", DataType::UInt32, true),
        Field::new("region", file::name(), true),
        Field::new("consent", file::name(), true),
        Field::new("people", DataType::UInt32, true),
        Field::new("lists", file::name(), true),
        Field::new("times", DataType::UInt32, true),
    ]))
}

struct Columns {
    at: arrow_array::builder::TimestampMicrosecondBuilder,
    call: arrow_array::builder::FixedSizeBinaryBuilder,
    kind: file::Names,
    vendor: file::Names,
    operation: file::Names,
    workload: file::Names,
    purpose: file::Names,
    mode: file::Names,
    person: arrow_array::builder::FixedSizeBinaryBuilder,
    fields: UInt32Builder,
    list: file::Names,
    held_until: arrow_array::builder::TimestampMicrosecondBuilder,
    settled: file::Names,
    settled_at: arrow_array::builder::TimestampMicrosecondBuilder,
    status: UInt16Builder,
    message: file::Names,
    code: file::Names,
    policy: file::Names,
    asked_fields: UInt32Builder,
    region: file::Names,
    consent: file::Names,
    people: UInt32Builder,
    lists: file::Names,
    times: UInt32Builder,
}

impl Default for Columns {
    fn default() -> Self {
        let names = file::Names::new;
        Self {
            at: file::instants(),
            call: file::keys(),
            kind: names(),
            vendor: names(),
            operation: names(),
            workload: names(),
            purpose: names(),
            mode: names(),
            person: file::keys(),
            fields: UInt32Builder::new(),
            list: names(),
            held_until: file::instants(),
            settled: names(),
            settled_at: file::instants(),
            status: UInt16Builder::new(),
            message: names(),
            code: names(),
            policy: names(),
            asked_fields: UInt32Builder::new(),
            region: names(),
            consent: names(),
            people: UInt32Builder::new(),
            lists: names(),
            times: UInt32Builder::new(),
        }
    }
}

impl Columns {
    fn append(&mut self, tail: &Tail, event: &Event<'_>) {
        let (at, call) = event.order();
        self.at.append_value(at.micros());
        file::append_key(&mut self.call, Some(call.to_u128()));
        let times = match event {
            Event::Refused(refused) => Some(u32::try_from(refused.times).unwrap_or(u32::MAX)),
            Event::Disclosed(..) | Event::Outcome(_) => None,
        };
        self.times.append_option(times);
        match event {
            Event::Disclosed(call, row) => self.append_disclosed(tail, call, *row),
            Event::Refused(refused) => {
                self.kind.append_value("refused");
                self.vendor.append_value(refused.vendor.as_str());
                let operation = refused.operation.as_ref().map(OperationName::as_str);
                self.operation.append_option(operation);
                let workload = refused.workload.as_ref().map(WorkloadName::as_str);
                self.workload.append_option(workload);
                let would = refused.would.as_ref();
                self.purpose.append_option(would.map(|would| would.purpose.as_str()));
                self.mode.append_option(would.map(|would| would.mode.name()));
                self.append_row(tail, None, None);
                self.append_outcome(None, None);
                self.code.append_value(&refused.code);
                self.append_asked(would.map(|would| &would.asked));
                self.people.append_option(would.map(|would| would.people));
                self.lists.append_option(would.map(|would| lines(&would.lists)));
            }
            Event::Outcome(outcome) => {
                self.kind.append_value("outcome");
                for names in [&mut self.vendor, &mut self.operation, &mut self.workload] {
                    names.append_null();
                }
                self.purpose.append_null();
                self.mode.append_null();
                self.append_row(tail, None, None);
                self.append_outcome(Some(outcome.settled), Some(outcome));
                self.code.append_option(outcome.code.as_deref());
                self.append_asked(None);
                self.people.append_null();
                self.lists.append_null();
            }
        }
    }

    fn append_disclosed(&mut self, tail: &Tail, call: &TailCall, row: Option<&TailRow>) {
        self.kind.append_value(match call.origin {
            Origin::Gateway => "call",
            Origin::Import => "import",
        });
        self.vendor.append_value(tail.vendors.name(call.vendor).as_str());
        self.operation.append_value(tail.operations.name(call.operation).as_str());
        let workload = call.workload.map(|number| tail.workloads.name(number).as_str());
        self.workload.append_option(workload);
        self.purpose.append_option(call.purpose.map(|number| tail.purposes.name(number).as_str()));
        self.mode.append_option(call.mode.map(Mode::name));
        self.append_row(tail, row, Some(call.held_until));
        self.append_outcome(Some(call.settled()), call.outcome.as_deref());
        let code = call.outcome.as_deref().and_then(|outcome| outcome.code.as_deref());
        self.code.append_option(code);
        self.append_asked(call.asked.map(|number| tail.asked.name(number)));
        self.people.append_null();
        self.lists.append_null();
    }

    fn append_asked(&mut self, asked: Option<&Asked>) {
        self.policy.append_option(asked.map(|asked| asked.policy.to_string()));
        self.asked_fields.append_option(asked.map(|asked| asked.fields.bits()));
        let region = asked.and_then(|asked| asked.region.as_ref());
        self.region.append_option(region.map(ToString::to_string));
        let consent = asked.and_then(|asked| asked.consent.as_ref());
        self.consent.append_option(
            consent
                .map(|consent| consent.iter().map(Consent::as_str).collect::<Vec<_>>().join(",")),
        );
    }

    fn append_row(&mut self, tail: &Tail, row: Option<&TailRow>, held_until: Option<Timestamp>) {
        file::append_key(&mut self.person, row.map(|row| row.person.0));
        self.fields.append_option(row.map(|row| row.fields.bits()));
        let list = row.and_then(|row| row.list);
        self.list.append_option(list.map(|list| tail.lists.name(list).as_str()));
        file::append_instant(&mut self.held_until, held_until.unwrap_or(Timestamp::NEVER));
    }

    fn append_outcome(&mut self, settled: Option<Settled>, outcome: Option<&Settlement>) {
        self.settled.append_option(settled.map(Settled::name));
        self.settled_at.append_option(outcome.map(|outcome| outcome.at.micros()));
        self.status.append_option(outcome.and_then(|outcome| outcome.status));
        self.message.append_option(outcome.and_then(|outcome| outcome.message.as_deref()));
    }

    fn finish(mut self, schema: &Arc<Schema>) -> anyhow::Result<RecordBatch> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.at.finish()),
            Arc::new(self.call.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.vendor.finish()),
            Arc::new(self.operation.finish()),
            Arc::new(self.workload.finish()),
            Arc::new(self.purpose.finish()),
            Arc::new(self.mode.finish()),
            Arc::new(self.person.finish()),
            Arc::new(self.fields.finish()),
            Arc::new(self.list.finish()),
            Arc::new(self.held_until.finish()),
            Arc::new(self.settled.finish()),
            Arc::new(self.settled_at.finish()),
            Arc::new(self.status.finish()),
            Arc::new(self.message.finish()),
            Arc::new(self.code.finish()),
            Arc::new(self.policy.finish()),
            Arc::new(self.asked_fields.finish()),
            Arc::new(self.region.finish()),
            Arc::new(self.consent.finish()),
            Arc::new(self.people.finish()),
            Arc::new(self.lists.finish()),
            Arc::new(self.times.finish()),
        ];
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    }
}

/// Names of lists, one a line: they hold no control character.
fn lines(lists: &[ListName]) -> String {
    lists.iter().map(ListName::as_str).collect::<Vec<_>>().join("\n")
}

/// The ids of all intents in a log, ascending, each once.
pub fn intents(path: &Path) -> anyhow::Result<Vec<CallId>> {
    let file = File::open(path).context("opening a run's log")?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let mask = ProjectionMask::columns(reader.parquet_schema(), ["call", "kind"]);
    let mut calls = Vec::new();
    for batch in reader.with_projection(mask).with_batch_size(GROUP_ROWS).build()? {
        let batch = batch.context("reading a run's log")?;
        let ids = column(&batch, "call")?.as_fixed_size_binary();
        let kinds = column(&batch, "kind")?.as_dictionary();
        let intents =
            (0..batch.num_rows()).filter(|&row| file::name_at(kinds, row) == Some("call"));
        calls.extend(intents.map(|row| CallId::from_u128(file::key_at(ids, row))));
    }
    calls.sort_unstable();
    calls.dedup();
    Ok(calls)
}

/// A column that every version writes.
pub fn column<'a>(batch: &'a RecordBatch, name: &str) -> anyhow::Result<&'a ArrayRef> {
    batch.column_by_name(name).with_context(|| format!("a run's log has no column `{name}`"))
}

/// Every disclosure of a log, by time; `late` says how an open call stands now.
pub fn disclosures(
    path: &Path,
    links: &Links,
    late: &dyn Fn(CallId) -> Settled,
    visit: &mut dyn FnMut(&Disclosure),
) -> anyhow::Result<()> {
    let file = File::open(path).context("opening a run's log")?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(GROUP_ROWS);
    for batch in reader.build()? {
        let batch = batch.context("reading a run's log")?;
        let times =
            |name| anyhow::Ok(column(&batch, name)?.as_primitive::<TimestampMicrosecondType>());
        let names = |name| anyhow::Ok(column(&batch, name)?.as_dictionary());
        let (at, held_until) = (times("at")?, times("held_until")?);
        let (vendors, operations) = (names("vendor")?, names("operation")?);
        let (lists, settled) = (names("list")?, names("settled")?);
        let policies = batch.column_by_name("policy").map(|column| column.as_dictionary());
        let calls = column(&batch, "call")?.as_fixed_size_binary();
        let persons = column(&batch, "person")?.as_fixed_size_binary();
        let fields = column(&batch, "fields")?.as_primitive::<UInt32Type>();
        for row in (0..batch.num_rows()).filter(|&row| persons.is_valid(row)) {
            let call = CallId::from_u128(file::key_at(calls, row));
            let person = links.current(PersonKey(file::key_at(persons, row)));
            let name = |column| file::name_at(column, row);
            let until = held_until.is_valid(row).then(|| held_until.value(row));
            visit(&Disclosure {
                call,
                person,
                forgotten: links.resolve(person).is_none(),
                vendor: VendorName::parse(name(vendors).unwrap_or_default())?,
                operation: OperationName::parse(name(operations).unwrap_or_default())?,
                policy: policies.and_then(name).map(PolicyDigest::parse).transpose()?,
                list: name(lists).map(ListName::parse).transpose()?,
                fields: FieldSet::from_bits(fields.value(row)),
                at: Timestamp::from_micros(at.value(row)),
                held_until: until.map_or(Timestamp::NEVER, Timestamp::from_micros),
                settled: match name(settled) {
                    Some("sent") => Settled::Sent,
                    Some("not-sent") => Settled::NotSent,
                    Some("unknown") => Settled::Unknown,
                    _ => late(call),
                },
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::Calls;
    use crate::record::{CallHeader, CallRecord, CallRow};

    #[test]
    fn a_log_of_a_time_without_policies_still_reads() {
        let mut tail = Tail::default();
        tail.record(&CallRecord {
            header: CallHeader {
                call: CallId::from_u128(7),
                origin: Origin::Gateway,
                at: Timestamp::from_seconds(5),
                held_until: Timestamp::NEVER,
                vendor: VendorName::parse("sendgrid").expect("a name"),
                operation: OperationName::parse("mail.send").expect("a name"),
                workload: None,
                purpose: None,
                mode: Some(Mode::Enforce),
                asked: None,
            },
            lists: Vec::new(),
            rows: vec![CallRow { person: PersonKey(1), fields: FieldSet::EMPTY, lists: vec![] }],
        });
        let dir = tempfile::tempdir().expect("a directory");
        let (new, old) = (dir.path().join("new"), dir.path().join("old"));
        write(&new, &tail).expect("written");
        let file = File::open(&new).expect("there");
        let mut batches =
            ParquetRecordBatchReaderBuilder::try_new(file).and_then(|b| b.build()).expect("reads");
        let batch = batches.next().expect("one batch").expect("reads");
        const COLUMNS_THEN: usize = 17;
        let then = batch.project(&(0..COLUMNS_THEN).collect::<Vec<_>>()).expect("columns");
        assert!(then.column_by_name("code").is_some() && then.column_by_name("policy").is_none());
        let properties = file::properties(&["person"], &["at"]);
        file::write(&old, &then.schema(), properties, |write| write(&then)).expect("written");

        let (links, late) = (Links::default(), |_| Settled::Open);
        let mut rows = Vec::new();
        disclosures(&old, &links, &late, &mut |row| rows.push(row.clone())).expect("reads");
        assert_eq!((rows.len(), rows[0].policy), (1, None));
        let mut calls = Vec::new();
        let since = Timestamp::MIN;
        let mut visit = |call| calls.push(call);
        let mut asking = Calls { since, links: &links, late: &late, visit: &mut visit };
        asking.in_log(&old).expect("reads");
        assert_eq!((calls.len(), calls[0].people, calls[0].asked.clone()), (1, 1, None));
    }
}
