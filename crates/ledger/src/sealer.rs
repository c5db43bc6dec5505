//! The sealing thread: what is durable in segments becomes runs, in the background or on demand.
//! Does not take in records.
//!
//! `rotate → write log, episodes, state → publish the manifest → swap → clean`. Before the manifest
//! everything written is a leftover that the next opening removes; after it the segments are.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use anyhow::Context as _;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use model::World;

use crate::ledger::Shared;
use crate::manifest::{Manifest, RunEntry};
use crate::record::Origin;
use crate::refusal::LedgerDown;
use crate::run::{self, Run};
use crate::tail::Tail;
use crate::writer::{Command, Rotated};
use crate::{disk, log, state};

/// What a seal did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
pub struct Sealed {
    /// The manifest that holds now.
    pub manifest: u64,
    /// Disclosures sealed by this.
    pub rows: u64,
    /// Episodes that they make.
    pub episodes: u64,
    /// Their calls and imports.
    pub calls: u64,
}

/// What the sealer is asked.
pub enum Request {
    /// Somebody waits for it.
    Seal(oneshot::Sender<anyhow::Result<Sealed>>),
    /// A segment is full.
    Wanted,
    /// The ledger is closed.
    Stop,
}

/// The sealer.
pub struct Sealer {
    pub shared: Arc<Shared>,
    pub dir: PathBuf,
    pub requests: Receiver<Request>,
    pub commands: mpsc::Sender<Command>,
    pub manifest: Manifest,
    /// The number that was tried last: a number that failed may or may not be on disk, and is not
    /// used again.
    pub attempt: u64,
    /// What was rotated and could not be sealed yet.
    pub pending: Option<Rotated>,
    pub world: World,
}

impl Sealer {
    /// Runs until it is stopped.
    pub fn run(mut self) {
        while let Ok(request) = self.requests.recv() {
            match request {
                Request::Seal(reply) => drop(reply.send(self.seal())),
                // Asked for several times while one seal ran, it is not wanted any more.
                Request::Wanted if !self.is_due() => {}
                Request::Wanted => {
                    if let Err(error) = self.seal() {
                        tracing::error!(%error, "sealing failed and is tried again later");
                    }
                }
                Request::Stop => return,
            }
        }
    }

    fn is_due(&self) -> bool {
        let bytes = self.shared.counters.segment_bytes.load(Ordering::Relaxed);
        self.pending.is_some() || bytes > self.shared.segment_bytes
    }

    fn seal(&mut self) -> anyhow::Result<Sealed> {
        let mut sealed = Sealed::default();
        if let Some(rotated) = self.pending.take() {
            self.publish(rotated, &mut sealed)?;
        }
        let (reply, rotated) = oneshot::channel();
        self.commands.blocking_send(Command::Rotate(reply)).map_err(|_| LedgerDown)?;
        if let Some(rotated) = rotated.blocking_recv().map_err(|_| LedgerDown)? {
            self.publish(rotated, &mut sealed)?;
        }
        // An earlier seal may have failed after it had published.
        self.manifest.clean(&self.dir).context("removing what is sealed")?;
        sealed.manifest = self.manifest.number;
        Ok(sealed)
    }

    /// Publishes what was rotated, or keeps it for the next time.
    fn publish(&mut self, rotated: Rotated, sealed: &mut Sealed) -> anyhow::Result<()> {
        let manifest = match self.write(&rotated) {
            Ok(manifest) => manifest,
            Err(error) => {
                self.pending = Some(rotated);
                return Err(error);
            }
        };
        let run = manifest.runs.last().filter(|run| run.number == manifest.number).cloned();
        self.manifest = manifest;
        {
            let mut state = self.shared.write();
            state.frozen = None;
            state.runs.extend(run.iter().map(|run| Arc::new(Run::new(&self.dir, run.clone()))));
        }
        let counters = &self.shared.counters;
        counters.manifest.store(self.manifest.number, Ordering::Relaxed);
        counters.segments.store(1, Ordering::Relaxed);
        if let Some(run) = run {
            sealed.rows += run.rows;
            sealed.episodes += run.episodes;
            sealed.calls += run.calls;
        }
        Ok(())
    }

    fn write(&mut self, rotated: &Rotated) -> anyhow::Result<Manifest> {
        self.attempt += 1;
        let number = self.attempt;
        let mut runs = self.manifest.runs.clone();
        if !rotated.tail.is_empty() {
            runs.push(self.write_run(number, &rotated.tail)?);
        }
        let state = state::write(&self.dir, number, &rotated.people, &rotated.corrections)?;
        let manifest = Manifest {
            number,
            sealed_at: self.world.now(),
            nonce: model::crypto::to_hex(&self.world.bytes::<16>()),
            key_check: self.manifest.key_check.clone(),
            first_segment: rotated.first_segment,
            state: Some(state),
            runs,
        };
        manifest.publish(&self.dir)?;
        Ok(manifest)
    }

    fn write_run(&self, number: u64, tail: &Tail) -> anyhow::Result<RunEntry> {
        let name = disk::name(number, "parquet");
        let (log_dir, episodes_dir) = (self.dir.join("log"), self.dir.join("episodes"));
        let log_file = log::write(&log_dir.join(&name), tail)?;
        let (episodes_file, episodes) = run::write(&episodes_dir.join(&name), tail)?;
        disk::sync_dir(&log_dir).context("syncing the runs' directory")?;
        disk::sync_dir(&episodes_dir).context("syncing the runs' directory")?;
        let intents = || tail.calls.iter().filter(|call| call.origin == Origin::Gateway);
        Ok(RunEntry {
            number,
            rows: tail.rows.len() as u64,
            calls: tail.calls.len() as u64,
            episodes,
            first_call: intents().map(|call| call.call).min(),
            last_call: intents().map(|call| call.call).max(),
            log_file,
            episodes_file,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use model::id::Id as _;
    use model::{CallId, FieldSet, IdentifierHash, Reach, Timestamp, VendorName, Window};

    use crate::disclosure::{Import, IntentRow};
    use crate::ledger::Ledger;

    const PERSONS: u32 = 50;

    fn import(number: u32) -> Import {
        let row = |person: u32| IntentRow {
            identifiers: vec![IdentifierHash(u128::from(person).to_le_bytes())],
            fields: FieldSet::from_bits(1),
            lists: vec![],
        };
        Import {
            call: CallId::from_u128(u128::from(number)),
            vendor: VendorName::parse("sendgrid").expect("a name"),
            as_of: Timestamp::from_micros(number.into()),
            held_until: Timestamp::NEVER,
            rows: (0..PERSONS).map(row).collect(),
        }
    }

    fn check(ledger: &Ledger, imports: u32) {
        let vendor = VendorName::parse("sendgrid").expect("a name");
        let exposure = ledger.exposure(&vendor, Window::default(), &Reach::default());
        let persons = exposure.expect("answers").persons;
        assert_eq!(persons.len() as u32, PERSONS);
        assert!(persons.iter().all(|one| one.first_at == Timestamp::from_micros(1)));
        assert_eq!(ledger.status().rows, u64::from(imports * PERSONS));
    }

    #[tokio::test]
    async fn a_full_segment_is_sealed_without_being_asked_and_answers_stay_whole_meanwhile() {
        let dir = tempfile::tempdir().expect("a directory");
        let ledger = Ledger::open_for_test(dir.path(), 10_000, None);
        let mut imports = 0;
        while ledger.status().runs < 3 {
            imports += 1;
            ledger.import(import(imports)).await.expect("durable");
            check(&ledger, imports);
        }
    }

    #[tokio::test]
    async fn a_seal_that_failed_loses_nothing_and_the_next_one_makes_up_for_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let ledger = Ledger::open_for_test(dir.path(), 1 << 30, None);
        ledger.import(import(1)).await.expect("durable");
        // A file in the place of the directory: no run can be written.
        let (episodes, aside) = (dir.path().join("episodes"), dir.path().join("aside"));
        fs::rename(&episodes, &aside).expect("moves");
        fs::write(&episodes, b"").expect("writes");
        for imports in 2..4 {
            assert!(ledger.seal().await.is_err());
            check(&ledger, imports - 1);
            ledger.import(import(imports)).await.expect("goes on");
        }
        fs::remove_file(&episodes).expect("removes");
        fs::rename(&aside, &episodes).expect("moves");
        assert_eq!(ledger.seal().await.expect("seals").rows, u64::from(3 * PERSONS));
        assert_eq!(ledger.status().runs, 2);
        check(&ledger, 3);
    }
}
