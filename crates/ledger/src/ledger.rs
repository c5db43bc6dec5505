//! The ledger as others see it: opens and closes it, hands commands to the writer, asks questions.
//! Decides nothing.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;

use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot};

use model::{
    CallId, FieldSet, IdentifierHash, MacKey, PersonKey, Reach, Timestamp, VendorName, Window,
    World, limits,
};

use crate::calls::Calls;
use crate::disclosure::{
    Disclosure, Holding, Import, Intent, Outcome, RecordedCall, RefusedCall, Settled,
};
use crate::exposure::{Exposure, Holdings, Question, fields_in_run, fields_in_tail};
use crate::lock::Lock;
use crate::manifest::{Manifest, key_check};
use crate::owed::Owed;
use crate::people::{Forgotten, Indexed};
use crate::queue::Queue;
use crate::record::Record;
use crate::refusal::{LedgerDown, OpenRefused};
use crate::sealer::{Request, Sealed, Sealer};
use crate::state::State;
use crate::status::{Counters, LedgerStatus, Recovered};
use crate::wal::{FIRST_SEGMENT, Wal};
use crate::writer::{Command, Reply, VendorErasure, Writer, settlement};
use crate::{disk, log};

/// The disclosure ledger. Cheap to clone; closed, with all that was acknowledged on disk, when the
/// last clone is dropped.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

/// Keys of the ledger.
pub struct LedgerKeys {
    /// Under which identifiers are hashed. A ledger opens only with the key it was made with.
    pub identifier: MacKey,
}

struct Inner {
    shared: Arc<Shared>,
    identifier: MacKey,
    world: World,
    commands: Option<mpsc::Sender<Command>>,
    requests: SyncSender<Request>,
    writer: Option<JoinHandle<()>>,
    sealer: Option<JoinHandle<()>>,
    _lock: Lock,
}

/// What the handle and the two threads share.
pub struct Shared {
    state: RwLock<State>,
    pub counters: Counters,
    owed: Owed,
    /// A segment is sealed beyond this size; [`limits::LEDGER_SEGMENT_BYTES`] but in tests.
    pub segment_bytes: u64,
}

const POISONED: &str = "a thread that died while it changed the state leaves nothing to go on with";

impl Shared {
    /// The state, to ask.
    pub fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().expect(POISONED)
    }

    /// The state with every outcome that was handed in before, to ask.
    pub fn settled(&self) -> RwLockReadGuard<'_, State> {
        drop(self.catch_up());
        self.read()
    }

    /// Lets questions see all that was handed in. Gives back what of it is not on disk.
    pub fn catch_up(&self) -> MutexGuard<'_, Vec<Record>> {
        self.owed.take_in(|records| {
            let mut state = self.write();
            records.iter().for_each(|record| state.take_in(record));
        })
    }

    /// The state, to change.
    pub fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().expect(POISONED)
    }
}

impl Ledger {
    /// Opens the ledger in `dir`, or makes one; reads back what no run has yet, and starts the
    /// writer and the sealer. Blocking.
    ///
    /// # Errors
    /// [`OpenRefused`] when another process has it, when something acknowledged does not read, or
    /// when the key is another one; a fault of the disk otherwise.
    pub fn open(dir: &Path, keys: LedgerKeys, world: World) -> anyhow::Result<(Self, Recovered)> {
        let lock = prepare(dir)?;
        let (manifest, mut state, wal, replayed) = match Manifest::load(dir)? {
            Some(manifest) => {
                if manifest.key_check != key_check(&keys.identifier) {
                    return Err(OpenRefused::OtherKey.into());
                }
                let mut state = State::load(dir, &manifest)?;
                let (wal, replayed) = Wal::recover(dir, manifest.first_segment, &mut |record| {
                    state.replay(record);
                })?;
                manifest.clean(dir).context("removing what a crash left")?;
                (manifest, state, wal, replayed)
            }
            None => {
                let wal = Wal::create(dir)?;
                let manifest = first_manifest(&keys.identifier, &world);
                manifest.publish(dir)?;
                (manifest, State::default(), wal, Default::default())
            }
        };
        state.people.purge();
        let recovered = Recovered {
            manifest: manifest.number,
            runs: manifest.runs.len() as u64,
            segments: replayed.segments,
            records: replayed.records,
            rows: state.tail.rows.len() as u64,
            torn_bytes: replayed.torn_bytes,
            unsettled: state.status().unsettled,
        };
        let counters = Counters::default();
        counters.manifest.store(manifest.number, Ordering::Relaxed);
        counters.segments.store(replayed.segments.max(1), Ordering::Relaxed);
        counters.segment_bytes.store(wal.bytes(), Ordering::Relaxed);
        let segment_bytes = limits::LEDGER_SEGMENT_BYTES;
        let (state, owed) = (RwLock::new(state), Owed::default());
        let shared = Arc::new(Shared { state, counters, owed, segment_bytes });
        Ok((Self::start(dir, shared, manifest, wal, keys, world, lock)?, recovered))
    }

    /// A new ledger with another limit, and with a segment that may fail.
    #[cfg(test)]
    pub(crate) fn open_for_test(
        dir: &Path,
        segment_bytes: u64,
        storage: Option<Box<dyn crate::wal::Storage>>,
    ) -> Self {
        let (world, _) = World::fixed(Timestamp::from_seconds(0), 1);
        let identifier = model::RootKey::new([7; 32]).mac_key("identifier");
        let lock = prepare(dir).expect("a new ledger");
        let mut wal = Wal::create(dir).expect("a segment");
        if let Some(storage) = storage {
            wal.replace_storage(storage);
        }
        let manifest = first_manifest(&identifier, &world);
        let (state, counters) = (RwLock::default(), Counters::default());
        let owed = Owed::default();
        let shared = Arc::new(Shared { state, counters, owed, segment_bytes });
        let keys = LedgerKeys { identifier };
        Self::start(dir, shared, manifest, wal, keys, world, lock).expect("starts")
    }

    fn start(
        dir: &Path,
        shared: Arc<Shared>,
        manifest: Manifest,
        wal: Wal,
        keys: LedgerKeys,
        world: World,
        lock: Lock,
    ) -> anyhow::Result<Self> {
        let (commands, queue) = mpsc::channel(limits::LEDGER_QUEUE_FRAMES);
        let (requests, sealing) = sync_channel(16);
        let sealer = requests.clone();
        let writer = Writer {
            shared: shared.clone(),
            wal,
            queue: Queue::new(queue),
            sealer,
            world: world.clone(),
        };
        let sealer = Sealer {
            shared: shared.clone(),
            dir: dir.to_owned(),
            requests: sealing,
            commands: commands.clone(),
            attempt: manifest.number,
            manifest,
            pending: None,
            world: world.clone(),
        };
        let spawn = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let writer = spawn("ledger-writer").spawn(move || writer.run());
        let sealer = spawn("ledger-sealer").spawn(move || sealer.run());
        Ok(Self(Arc::new(Inner {
            shared,
            identifier: keys.identifier,
            world,
            commands: Some(commands),
            requests,
            writer: Some(writer.context("starting the writer")?),
            sealer: Some(sealer.context("starting the sealer")?),
            _lock: lock,
        })))
    }

    /// Records what is about to leave. Returns once it is durable.
    ///
    /// # Errors
    /// When it is not; the request must not leave.
    pub async fn intend(&self, intent: Intent) -> Result<(), LedgerDown> {
        self.command(|reply| Command::Intend(intent, reply)).await
    }

    /// Records what came of a call. The first outcome stands; a later one, or one of a call that is
    /// not recorded, changes nothing. Later questions see it.
    ///
    /// Returns once it is durable when nothing was sent. Any other outcome leaves the call a
    /// disclosure, as it is without one: that is durable before any later intent, or a few
    /// milliseconds later.
    ///
    /// # Errors
    /// When the ledger is down; the call then counts as disclosed.
    pub async fn settle(&self, call: CallId, outcome: Outcome) -> Result<(), LedgerDown> {
        if matches!(outcome, Outcome::NotSent { .. }) {
            return self.command(|reply| Command::Settle(call, outcome, reply)).await;
        }
        self.owe(Record::Settled(settlement(call, outcome, self.0.world.now()))).await
    }

    /// Records a call that did not leave. Does not wait until it is durable.
    ///
    /// # Errors
    /// When the ledger is down.
    pub async fn refuse(&self, refused: RefusedCall) -> Result<(), LedgerDown> {
        self.owe(Record::Refused(refused)).await
    }

    /// Records a part of what a vendor holds already.
    ///
    /// # Errors
    /// When it is not durable.
    pub async fn import(&self, import: Import) -> Result<(), LedgerDown> {
        self.command(|reply| Command::Import(import, reply)).await
    }

    /// Records that a vendor erased these persons at `at` and proved it: what it was given before
    /// `at` is held until then at the longest. What it was given at `at` or later is untouched.
    ///
    /// # Errors
    /// When it is not durable.
    pub async fn erased_at_vendor(
        &self,
        vendor: VendorName,
        persons: Vec<PersonKey>,
        at: Timestamp,
        proof: String,
    ) -> Result<(), LedgerDown> {
        let erasure = VendorErasure { vendor, persons, at, proof };
        self.command(|reply| Command::Erase(erasure, reply)).await
    }

    /// Forgets the persons to whom these identifiers belong: hidden from every answer at once, no
    /// keyed hash of theirs on disk after the next [`Ledger::seal`].
    ///
    /// # Errors
    /// When it is not durable.
    pub async fn forget(&self, identifiers: &[IdentifierHash]) -> Result<Forgotten, LedgerDown> {
        let identifiers = identifiers.to_vec();
        self.command(|reply| Command::Forget(identifiers, reply)).await
    }

    /// Takes in rows of the directory, each with the hash of its user id first.
    ///
    /// # Errors
    /// When it is not durable.
    pub async fn index_people(
        &self,
        rows: Vec<Vec<IdentifierHash>>,
    ) -> Result<Indexed, LedgerDown> {
        self.command(|reply| Command::Index(rows, reply)).await
    }

    /// Seals what is durable and in no run yet. Without anything new it does nothing.
    ///
    /// # Errors
    /// A fault of the disk; nothing is lost by it, and the next call tries again.
    pub async fn seal(&self) -> anyhow::Result<Sealed> {
        let (reply, answer) = oneshot::channel();
        let requests = self.0.requests.clone();
        let asked = tokio::task::spawn_blocking(move || requests.send(Request::Seal(reply))).await;
        asked.context("asking the sealer")?.map_err(|_| LedgerDown)?;
        answer.await.map_err(|_| LedgerDown)?
    }

    /// The key under which identifiers are hashed.
    pub fn identifier_key(&self) -> &MacKey {
        &self.0.identifier
    }

    /// The person to whom an identifier belongs now.
    pub fn person(&self, identifier: IdentifierHash) -> Option<PersonKey> {
        self.0.shared.read().people.find(identifier)
    }

    /// Every identifier by which a person is found now. Looks at all identifiers there are.
    pub fn identifiers_of(&self, person: PersonKey) -> Vec<IdentifierHash> {
        self.0.shared.read().people.identifiers_of(person)
    }

    /// Persons to whom it belonged before, oldest first, with the time from which it did.
    pub fn earlier_persons(&self, identifier: IdentifierHash) -> Vec<(PersonKey, Timestamp)> {
        self.0.shared.read().people.earlier(identifier)
    }

    /// Whether an intent of this id is recorded. The first question about the time of a run reads
    /// that run's ids, some ten milliseconds; later ones are answered from memory. `false` as well
    /// when a run cannot be read, which is logged: no call is vouched for without being seen.
    pub fn knows_call(&self, call: CallId) -> bool {
        let view = {
            let state = self.0.shared.read();
            if state.tail.knows(call) {
                return true;
            }
            state.view()
        };
        let sealed = |run: &Arc<crate::run::Run>| {
            run.knows(call).unwrap_or_else(|error| {
                tracing::error!(%error, "the calls of a run cannot be read");
                false
            })
        };
        view.frozen.is_some_and(|tail| tail.knows(call)) || view.runs.iter().any(sealed)
    }

    /// Whether it is recorded that nothing of this call left. Asked about calls of moments ago: of
    /// those that are sealed already it says no.
    pub fn certainly_not_sent(&self, call: CallId) -> bool {
        let view = {
            let state = self.0.shared.read();
            if let Some(settled) = state.tail.settled(call) {
                return settled == Settled::NotSent;
            }
            state.view()
        };
        view.frozen.and_then(|tail| tail.settled(call)) == Some(Settled::NotSent)
    }

    /// Who is exposed when an intruder had this reach at the vendor in this window. Blocking.
    ///
    /// # Errors
    /// When a run cannot be read: there is no answer from a part of the record.
    pub fn exposure(
        &self,
        vendor: &VendorName,
        window: Window,
        reach: &Reach,
    ) -> anyhow::Result<Exposure> {
        let state = self.0.shared.settled();
        let view = state.view();
        let mut question = Question::new(&view, vendor, window, reach);
        question.ask_tail(&state.tail);
        drop(state);
        view.frozen.iter().for_each(|tail| question.ask_tail(tail));
        view.runs.iter().try_for_each(|run| question.ask_run(run))?;
        Ok(question.answer())
    }

    /// What every vendor holds or held of a person. Blocking.
    ///
    /// # Errors
    /// When a run cannot be read.
    pub fn holdings(&self, person: PersonKey) -> anyhow::Result<Vec<Holding>> {
        let state = self.0.shared.settled();
        let view = state.view();
        let mut question = Holdings::new(&view, person);
        question.ask_tail(&state.tail);
        drop(state);
        view.frozen.iter().for_each(|tail| question.ask_tail(tail));
        view.runs.iter().try_for_each(|run| question.ask_run(run))?;
        Ok(question.answer())
    }

    /// Every field that was ever disclosed to a vendor, of anybody, forgotten or not. Blocking.
    ///
    /// # Errors
    /// When a run cannot be read.
    pub fn fields_ever(&self, vendor: &VendorName) -> anyhow::Result<FieldSet> {
        let state = self.0.shared.settled();
        let view = state.view();
        let mut fields = fields_in_tail(&view, &state.tail, vendor);
        drop(state);
        if let Some(tail) = &view.frozen {
            fields = fields.union(fields_in_tail(&view, tail, vendor));
        }
        for run in &view.runs {
            fields = fields.union(fields_in_run(&view, run, vendor)?);
        }
        Ok(fields)
    }

    /// Visits every raw row, those that did not leave after all and those of forgotten persons too:
    /// sealed runs first, by time within each. Blocking; `visit` must not call the ledger.
    ///
    /// # Errors
    /// When a run cannot be read.
    pub fn disclosures(&self, visit: &mut dyn FnMut(&Disclosure)) -> anyhow::Result<()> {
        let state = self.0.shared.settled();
        let view = state.view();
        let mut tail = Vec::new();
        let late = |call: CallId| view.corrections.settled(call);
        state.tail.disclosures(&view.links, &late, &mut |row| tail.push(row.clone()));
        drop(state);
        for run in &view.runs {
            log::disclosures(run.log(), &view.links, &late, visit)?;
        }
        view.frozen.iter().for_each(|tail| tail.disclosures(&view.links, &late, visit));
        tail.iter().for_each(visit);
        Ok(())
    }

    /// Visits every call through the gateway from a time on, refused ones too: those of each sealed
    /// run by time, then those that are in no run yet. Blocking; `visit` must not call the ledger.
    ///
    /// # Errors
    /// When a run cannot be read.
    pub fn calls(
        &self,
        since: Timestamp,
        visit: &mut dyn FnMut(RecordedCall),
    ) -> anyhow::Result<()> {
        let state = self.0.shared.settled();
        let view = state.view();
        let late = |call: CallId| view.corrections.settled(call);
        let mut waiting = Vec::new();
        let mut keep = |call| waiting.push(call);
        Calls { since, links: &view.links, late: &late, visit: &mut keep }.in_tail(&state.tail);
        drop(state);
        let mut calls = Calls { since, links: &view.links, late: &late, visit };
        view.runs.iter().try_for_each(|run| calls.in_log(run.log()))?;
        view.frozen.iter().for_each(|tail| calls.in_tail(tail));
        waiting.into_iter().for_each(calls.visit);
        Ok(())
    }

    /// Numbers of the ledger, without personal data.
    pub fn status(&self) -> LedgerStatus {
        let mut status = self.0.shared.settled().status();
        self.0.shared.counters.fill(&mut status);
        status.down = self.writer().is_err();
        status
    }

    async fn command<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, LedgerDown> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        answer.await.map_err(|_| LedgerDown)
    }

    async fn send(&self, command: Command) -> Result<(), LedgerDown> {
        self.writer()?.send(command).await.map_err(|_| LedgerDown)
    }

    fn writer(&self) -> Result<&mpsc::Sender<Command>, LedgerDown> {
        // The writer says that it fails before it hangs up.
        let failed = self.0.shared.counters.down.load(Ordering::SeqCst);
        let writer = self.0.commands.as_ref().filter(|writer| !failed && !writer.is_closed());
        writer.ok_or(LedgerDown)
    }

    /// Hands a record in for which nobody waits, unless too many are owed already.
    async fn owe(&self, record: Record) -> Result<(), LedgerDown> {
        let writer = self.writer()?;
        match self.0.shared.owed.hand_in(record) {
            // The writer learns of the first. A full queue means that it is about to write.
            1 => drop(writer.try_send(Command::Pay(None))),
            many if many > limits::LEDGER_QUEUE_FRAMES => {
                return self.command(|reply| Command::Pay(Some(reply))).await;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Drop for Inner {
    /// The sealer first, since it asks the writer; then the writer, once it has written all that it
    /// was handed.
    fn drop(&mut self) {
        drop(self.requests.send(Request::Stop));
        drop(self.sealer.take().map(JoinHandle::join));
        drop(self.commands.take());
        drop(self.writer.take().map(JoinHandle::join));
    }
}

fn prepare(dir: &Path) -> anyhow::Result<Lock> {
    disk::create_dir(dir).context("creating the ledger's directory")?;
    let lock = Lock::take(dir)?;
    for folder in ["wal", "log", "episodes", "state", "manifest"] {
        disk::create_dir(&dir.join(folder)).context("creating the ledger's directories")?;
    }
    disk::sync_dir(dir).context("syncing the ledger's directory")?;
    dir.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .map_or(Ok(()), disk::sync_dir)
        .context("syncing the directory of the ledger")?;
    Ok(lock)
}

fn first_manifest(key: &MacKey, world: &World) -> Manifest {
    Manifest {
        number: 1,
        sealed_at: world.now(),
        nonce: model::crypto::to_hex(&world.bytes::<16>()),
        key_check: key_check(key),
        first_segment: FIRST_SEGMENT,
        state: None,
        runs: Vec::new(),
    }
}
