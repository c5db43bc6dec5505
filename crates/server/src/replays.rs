//! Replays that run in the background, one thread each, and what came of the last ones. They change
//! nothing, so one that a restart ends is simply begun again.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Result;
use model::{ReplayId, Timestamp, limits};
use policy::Policy;
use serde::Serialize;

use crate::app::App;
use crate::in_force::Actions;
use crate::replay::{Progress, Report, replay};

/// The replays of this process, the newest last.
#[derive(Default)]
pub struct Replays(Mutex<VecDeque<(ReplayId, Arc<Running>)>>);

/// One of them.
#[derive(Default)]
struct Running {
    progress: Progress,
    /// Nothing inside when it was cancelled; the fault in words when it broke.
    outcome: OnceLock<Result<Option<Report>, String>>,
}

/// How a replay stands.
#[derive(Debug, Serialize)]
pub struct Standing {
    /// Which.
    replay: ReplayId,
    /// `running`, `done`, `cancelled` or `failed`.
    state: &'static str,
    /// Calls read so far.
    calls: u64,
    /// What came of it, once it is done.
    report: Option<Report>,
    /// Why it failed.
    fault: Option<String>,
}

impl Replays {
    /// Begins one. What is in no run of the ledger yet is sealed first, so that it is read from
    /// files and not copied under the ledger's lock.
    ///
    /// # Errors
    /// When the ledger cannot seal.
    pub async fn start(
        &self,
        app: &App,
        policy: Arc<Policy>,
        actions: Actions,
        since: Timestamp,
    ) -> Result<ReplayId> {
        app.ledger.seal().await?;
        let (id, running) = (app.world.id(), Arc::new(Running::default()));
        {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            while all.len() >= limits::REPLAYS_KEPT {
                if let Some((_, oldest)) = all.pop_front() {
                    oldest.progress.cancelled.store(true, Ordering::Relaxed);
                }
            }
            all.push_back((id, running.clone()));
        }
        let ledger = app.ledger.clone();
        tokio::task::spawn_blocking(move || {
            let outcome = replay(&ledger, policy, &actions, since, &running.progress);
            let outcome = outcome.map_err(|error| {
                tracing::error!(error = format!("{error:#}"), "a replay failed");
                "the ledger could not be read; the log says why".to_owned()
            });
            drop(running.outcome.set(outcome));
        });
        Ok(id)
    }

    /// How it stands; nothing when it is not known any more.
    pub fn standing(&self, id: ReplayId) -> Option<Standing> {
        let running = self.find(id)?;
        let (state, report, fault) = match running.outcome.get() {
            None => ("running", None, None),
            Some(Ok(Some(report))) => ("done", Some(report.clone()), None),
            Some(Ok(None)) => ("cancelled", None, None),
            Some(Err(fault)) => ("failed", None, Some(fault.clone())),
        };
        let calls = running.progress.calls.load(Ordering::Relaxed);
        Some(Standing { replay: id, state, calls, report, fault })
    }

    /// Ends it early; whether it is known.
    pub fn cancel(&self, id: ReplayId) -> bool {
        let running = self.find(id);
        if let Some(running) = &running {
            running.progress.cancelled.store(true, Ordering::Relaxed);
        }
        running.is_some()
    }

    fn find(&self, id: ReplayId) -> Option<Arc<Running>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|(known, _)| *known == id).map(|(_, running)| running.clone())
    }
}
