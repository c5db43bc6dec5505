//! The writer thread: the one place where records are made, written and released. Many callers wait
//! for one `fdatasync`. Does not seal.
//!
//! A batch goes `take → admit → commit → take in → release`. Persons are found or made when a
//! command is admitted, in the order of the queue; rows are seen by questions once they are
//! durable; callers go on after that.
//!
//! What is owed (`owed.rs`) goes first into the next commit, or into one of its own a moment later.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use model::{
    CallId, IdentifierHash, ListName, OperationName, PersonKey, Timestamp, VendorName, World,
    limits,
};

use crate::codec::Encoder;
use crate::corrections::Corrections;
use crate::disclosure::{Import, Intent, IntentRow, Outcome, Settled};
use crate::frame;
use crate::ledger::Shared;
use crate::people::{Changes, Forgotten, Indexed, People};
use crate::queue::{Queue, Woken};
use crate::record::{CallHeader, CallRecord, CallRow, Erasure, Origin, Record, Settlement};
use crate::sealer::Request;
use crate::state::State;
use crate::tail::Tail;
use crate::uniform::UniformSet;
use crate::wal::Wal;

/// Where the answer to a command goes; dropped without one when the ledger is down.
pub type Reply<T> = oneshot::Sender<T>;

/// What callers ask of the writer.
pub enum Command {
    Intend(Intent, Reply<()>),
    Settle(CallId, Outcome, Reply<()>),
    /// Makes durable what is owed: soon, or before the reply.
    Pay(Option<Reply<()>>),
    Import(Import, Reply<()>),
    Erase(VendorErasure, Reply<()>),
    Forget(Vec<IdentifierHash>, Reply<Forgotten>),
    Index(Vec<Vec<IdentifierHash>>, Reply<Indexed>),
    Rotate(Reply<Option<Rotated>>),
}

impl Command {
    /// Whether its caller waits until it is durable.
    fn is_awaited(&self) -> bool {
        !matches!(self, Self::Pay(None))
    }
}

/// What a vendor says it erased.
pub struct VendorErasure {
    pub vendor: VendorName,
    pub persons: Vec<PersonKey>,
    pub at: Timestamp,
    pub proof: String,
}

/// What the writer hands over to be sealed: everything before segment `first_segment`.
pub struct Rotated {
    pub tail: Arc<Tail>,
    pub people: People,
    pub corrections: Arc<Corrections>,
    pub first_segment: u64,
}

/// A command's records, and how its caller is released once they are durable.
struct Admitted {
    records: Vec<Record>,
    release: Box<dyn FnOnce() + Send>,
}

impl Admitted {
    fn new<T: Send + 'static>(records: Vec<Record>, reply: Reply<T>, answer: T) -> Self {
        // A caller that does not wait any more is no concern of the record.
        Self { records, release: Box::new(move || drop(reply.send(answer))) }
    }
}

/// Commands of one batch, beyond which the next caller waits for the next `fdatasync`.
const BATCH_COMMANDS: usize = limits::LEDGER_QUEUE_FRAMES;
/// How long what is owed waits for a commit to share. A crash in that time leaves a call without
/// its outcome, which counts as disclosed all the same.
const OWED: Duration = Duration::from_millis(5);
/// Bytes that the rows of one record may come to; a frame takes several of them.
const RECORD_COST_BYTES: usize = frame::RECORD_BYTES / 4;
/// Lists that one row of a record names; a row in more is written as several.
const LISTS_PER_ROW: usize = 1_024;
/// A vendor's message id beyond this is cut: it is for people to look up, not for us to match.
const MESSAGE_BYTES: usize = 1_024;

/// The writer.
pub struct Writer {
    pub shared: Arc<Shared>,
    pub wal: Wal,
    pub queue: Queue,
    pub sealer: SyncSender<Request>,
    pub world: World,
}

impl Writer {
    /// Runs until every sender is gone, or until a record cannot be made durable.
    pub fn run(mut self) {
        if let Err(error) = self.write() {
            self.shared.counters.down.store(true, Ordering::SeqCst);
            tracing::error!(%error, "the ledger is down: a record could not be made durable");
        }
        // Dropping the queue lets everybody who waits, or comes later, know.
    }

    fn write(&mut self) -> std::io::Result<()> {
        let mut due = None;
        loop {
            let mut commands = Vec::new();
            let woken = self.queue.take(&mut commands, BATCH_COMMANDS, due);
            commands.retain(Command::is_awaited);
            if woken == Woken::Commands && commands.is_empty() {
                due.get_or_insert_with(|| Instant::now() + OWED);
                continue;
            }
            due = None;
            self.batches(commands)?;
            if woken == Woken::Closed {
                return self.wal.end();
            }
        }
    }

    /// Commands in order; a rotation ends a batch.
    fn batches(&mut self, mut commands: Vec<Command>) -> std::io::Result<()> {
        loop {
            let rotation = commands.iter().position(|one| matches!(one, Command::Rotate(_)));
            let Some(rotation) = rotation else {
                return self.batch(commands);
            };
            let later = commands.split_off(rotation + 1);
            let rotate = commands.pop();
            self.batch(commands)?;
            if let Some(Command::Rotate(reply)) = rotate {
                let rotated = self.rotate()?;
                drop(reply.send(rotated));
            }
            commands = later;
        }
    }

    fn batch(&mut self, commands: Vec<Command>) -> std::io::Result<()> {
        let admitted: Vec<Admitted> = if commands.is_empty() {
            Vec::new()
        } else {
            let mut state = self.shared.write();
            let now = self.world.now();
            let admit = |command| admit(&mut state, command, now, &self.world);
            commands.into_iter().map(admit).collect()
        };
        self.commit(&admitted)?;
        if !admitted.is_empty() {
            let mut state = self.shared.write();
            admitted.iter().flat_map(|one| &one.records).for_each(|record| state.take_in(record));
        }
        admitted.into_iter().for_each(|one| (one.release)());
        if self.wal.bytes() > self.shared.segment_bytes {
            // A full queue means that the sealer has more to do already.
            drop(self.sealer.try_send(Request::Wanted));
        }
        Ok(())
    }

    /// Makes all records durable, those that are owed first: in one frame, or in as few as they
    /// fit.
    fn commit(&mut self, admitted: &[Admitted]) -> std::io::Result<()> {
        let owed = std::mem::take(&mut *self.shared.catch_up());
        self.write_all(owed.iter().chain(admitted.iter().flat_map(|one| &one.records)))
    }

    fn write_all<'a>(&mut self, records: impl Iterator<Item = &'a Record>) -> std::io::Result<()> {
        let mut waiting = Encoder::default();
        let mut one = Encoder::default();
        for record in records {
            one.bytes.clear();
            record.encode(&mut one);
            if waiting.bytes.len() + one.bytes.len() > frame::RECORD_BYTES {
                self.sync(&mut waiting)?;
            }
            waiting.bytes.extend_from_slice(&one.bytes);
            self.shared.counters.records.fetch_add(1, Ordering::Relaxed);
        }
        self.sync(&mut waiting)
    }

    fn sync(&mut self, waiting: &mut Encoder) -> std::io::Result<()> {
        if waiting.bytes.is_empty() {
            return Ok(());
        }
        self.wal.commit(&waiting.bytes)?;
        waiting.bytes.clear();
        self.shared.counters.syncs.fetch_add(1, Ordering::Relaxed);
        self.shared.counters.segment_bytes.store(self.wal.bytes(), Ordering::Relaxed);
        Ok(())
    }

    /// Ends the segment and freezes the tail. Nothing when the segment is empty.
    fn rotate(&mut self) -> std::io::Result<Option<Rotated>> {
        let shared = self.shared.clone();
        // Until the end: what the tail has seen must be in the segments that it is sealed for.
        let mut owed = shared.catch_up();
        self.write_all(owed.iter())?;
        owed.clear();
        if self.wal.bytes() == 0 {
            return Ok(None);
        }
        let first_segment = self.wal.rotate()?;
        self.shared.counters.segments.fetch_add(1, Ordering::Relaxed);
        self.shared.counters.segment_bytes.store(0, Ordering::Relaxed);
        let mut state = self.shared.write();
        let tail = Arc::new(std::mem::take(&mut state.tail));
        Arc::make_mut(&mut state.corrections).leave_open(tail.open_calls());
        state.frozen = Some(tail.clone());
        let (people, corrections) = (state.people.clone(), state.corrections.clone());
        Ok(Some(Rotated { tail, people, corrections, first_segment }))
    }
}

fn admit(state: &mut State, command: Command, now: Timestamp, world: &World) -> Admitted {
    match command {
        Command::Intend(intent, reply) => {
            let header = CallHeader {
                call: intent.call,
                origin: Origin::Gateway,
                at: intent.at,
                held_until: intent.held_until,
                vendor: intent.vendor,
                operation: intent.operation,
                workload: Some(intent.workload),
                purpose: Some(intent.purpose),
                mode: Some(intent.mode),
                asked: intent.asked,
            };
            Admitted::new(calls(&mut state.people, &header, intent.rows, now, world), reply, ())
        }
        Command::Import(import, reply) => {
            let header = CallHeader {
                call: import.call,
                origin: Origin::Import,
                at: import.as_of,
                held_until: import.held_until,
                vendor: import.vendor,
                operation: OperationName::parse("import").expect("`import` is a name"),
                workload: None,
                purpose: None,
                mode: None,
                asked: None,
            };
            Admitted::new(calls(&mut state.people, &header, import.rows, now, world), reply, ())
        }
        Command::Erase(erasure, reply) => {
            Admitted::new(erasures(&state.people, erasure, now), reply, ())
        }
        Command::Forget(identifiers, reply) => {
            let (records, forgotten) = forget(&mut state.people, &identifiers);
            Admitted::new(records, reply, forgotten)
        }
        Command::Index(rows, reply) => {
            let (mut changes, mut indexed) = (Changes::default(), Indexed::default());
            for row in rows {
                state.people.index(&row, now, world, &mut changes, &mut indexed);
            }
            Admitted::new(changes.records().collect(), reply, indexed)
        }
        Command::Settle(call, outcome, reply) => {
            Admitted::new(vec![Record::Settled(settlement(call, outcome, now))], reply, ())
        }
        Command::Pay(Some(reply)) => Admitted::new(Vec::new(), reply, ()),
        Command::Pay(None) => unreachable!("nobody waits for it"),
        Command::Rotate(_) => unreachable!("a batch ends before it"),
    }
}

/// The records of a call: new mappings first, rows in parts that fit a frame.
fn calls(
    people: &mut People,
    header: &CallHeader,
    rows: Vec<IntentRow>,
    now: Timestamp,
    world: &World,
) -> Vec<Record> {
    let mut records = Vec::new();
    let mut part = Part::default();
    for row in rows {
        if part.cost > RECORD_COST_BYTES || part.rows.len() >= limits::LEDGER_ROWS_PER_FRAME {
            records.extend(std::mem::take(&mut part).records(header));
        }
        let persons = people.of_call(&row.identifiers, now, world, &mut part.changes);
        part.add(&row, &persons);
    }
    if !part.rows.is_empty() || records.is_empty() {
        records.extend(part.records(header));
    }
    records
}

/// A part of a call's rows, with its own dictionary of lists.
#[derive(Default)]
struct Part {
    changes: Changes,
    lists: Vec<ListName>,
    numbers: HashMap<ListName, u32>,
    rows: Vec<CallRow>,
    cost: usize,
}

impl Part {
    fn add(&mut self, row: &IntentRow, persons: &[PersonKey]) {
        let mut places = Vec::with_capacity(row.lists.len());
        for list in &row.lists {
            let place = *self.numbers.entry(list.clone()).or_insert_with(|| {
                self.cost += list.as_str().len() + 2;
                self.lists.push(list.clone());
                self.lists.len() as u32 - 1
            });
            if !places.contains(&place) {
                places.push(place);
            }
        }
        for &person in persons {
            let mut add = |lists: &[u32]| {
                self.cost += 24 + 5 * lists.len();
                self.rows.push(CallRow { person, fields: row.fields, lists: lists.to_vec() });
            };
            if places.is_empty() {
                add(&[]);
            }
            places.chunks(LISTS_PER_ROW).for_each(&mut add);
        }
        self.cost += 41 * row.identifiers.len();
    }

    fn records(self, header: &CallHeader) -> Vec<Record> {
        let mut records: Vec<Record> = self.changes.records().collect();
        let (lists, rows) = (self.lists, self.rows);
        records.push(Record::Call(CallRecord { header: header.clone(), lists, rows }));
        records
    }
}

/// What came of a call, as a record.
pub fn settlement(call: CallId, outcome: Outcome, at: Timestamp) -> Settlement {
    let (settled, status, message, code) = match outcome {
        Outcome::Sent { status, message } => (Settled::Sent, Some(status), message, None),
        Outcome::NotSent { code } => (Settled::NotSent, None, None, Some(code.into())),
        Outcome::Unknown { code } => (Settled::Unknown, None, None, Some(code.into())),
    };
    let message = message.map(|mut message| {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
        message.into_boxed_str()
    });
    Settlement { call, at, settled, status, message, code }
}

fn erasures(people: &People, erasure: VendorErasure, now: Timestamp) -> Vec<Record> {
    let links = people.links();
    let persons: UniformSet<PersonKey> =
        erasure.persons.iter().filter_map(|&person| links.resolve(person)).collect();
    let parts = links.keys_of(&persons);
    let one = |part: &[PersonKey]| {
        Record::Erased(Erasure {
            vendor: erasure.vendor.clone(),
            at: erasure.at,
            recorded_at: now,
            proof: erasure.proof.as_str().into(),
            persons: part.to_vec(),
        })
    };
    parts.chunks(limits::LEDGER_ROWS_PER_FRAME).map(one).collect()
}

fn forget(people: &mut People, identifiers: &[IdentifierHash]) -> (Vec<Record>, Forgotten) {
    let found = identifiers.iter().filter_map(|&identifier| people.find(identifier));
    let persons: UniformSet<PersonKey> = found.collect();
    if persons.is_empty() {
        return (Vec::new(), Forgotten::default());
    }
    let keys = people.links().keys_of(&persons);
    people.forget(&keys);
    let identifiers = people.purge();
    let records = keys.chunks(crate::people::PER_RECORD).map(|part| Record::Forgot(part.to_vec()));
    let mut persons: Vec<_> = persons.into_iter().collect();
    persons.sort_unstable();
    (records.collect(), Forgotten { persons, identifiers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;
    use crate::wal::Storage;

    struct Failing {
        append: bool,
    }

    impl Storage for Failing {
        fn write(&mut self, _: u64, _: &[u8]) -> std::io::Result<()> {
            if self.append { Err(std::io::Error::other("no space left")) } else { Ok(()) }
        }

        fn sync(&mut self) -> std::io::Result<()> {
            Err(std::io::Error::other("the disk has lost pages"))
        }

        fn end(&mut self, _: u64) -> std::io::Result<()> {
            Ok(())
        }
    }

    async fn check(append: bool) {
        let dir = tempfile::tempdir().expect("a directory");
        let storage = Box::new(Failing { append });
        let ledger = Ledger::open_for_test(dir.path(), 1 << 20, Some(storage));
        let erased = |proof: &str| {
            let vendor = VendorName::parse("sendgrid").expect("a name");
            let person = vec![PersonKey(1)];
            ledger.erased_at_vendor(vendor, person, Timestamp::NEVER, proof.to_owned())
        };
        assert!(erased("first").await.is_err(), "not durable, not acknowledged");
        assert!(erased("second").await.is_err(), "nor is anything later");
        assert!(ledger.seal().await.is_err());
        let status = ledger.status();
        assert!(status.down);
        assert_eq!(status.syncs, 0);
    }

    #[tokio::test]
    async fn a_failed_fdatasync_is_fatal() {
        check(false).await;
    }

    #[tokio::test]
    async fn a_failed_write_is_fatal() {
        check(true).await;
    }
}
