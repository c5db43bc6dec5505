//! What the second net caught in free text, as facts: one a day for each workload, vendor,
//! operation and kind, however many calls there were.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use gateway::{Seen, SeenCall};
use model::time::MICROS_PER_SECOND;
use model::{
    Confidence, Fact, FactBody, OperationName, Timestamp, VendorName, WorkloadName, limits,
};
use tokio::sync::mpsc;

use crate::app::App;
use crate::observe;

/// How the codes of what the net catches begin.
const CAUGHT: &str = "text-holds-";

/// Who is told of the day.
pub struct Strays {
    today: Mutex<Today>,
    noted: mpsc::Sender<Stray>,
    unread: Mutex<Option<mpsc::Receiver<Stray>>>,
}

#[derive(Default)]
struct Today {
    day: i64,
    told: BTreeSet<Stray>,
}

/// What was caught, without the time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Stray {
    vendor: VendorName,
    workload: WorkloadName,
    operation: OperationName,
    caught: &'static str,
    day: i64,
}

impl Strays {
    /// With nothing told yet.
    pub fn new() -> Self {
        let (noted, unread) = mpsc::channel(limits::STRAYS_PER_DAY);
        Self { today: Mutex::default(), noted, unread: Mutex::new(Some(unread)) }
    }
}

impl Today {
    fn is_news(&mut self, stray: &Stray) -> bool {
        if self.day != stray.day {
            *self = Self { day: stray.day, told: BTreeSet::new() };
        }
        self.told.len() < limits::STRAYS_PER_DAY && self.told.insert(stray.clone())
    }
}

impl Seen for Strays {
    fn call(&self, seen: &SeenCall) {
        let caught = seen.warnings.iter().filter(|code| code.starts_with(CAUGHT));
        let (Some(vendor), Some(workload), Some(operation)) =
            (&seen.vendor, &seen.workload, &seen.operation)
        else {
            return;
        };
        for caught in caught {
            let stray = Stray {
                vendor: vendor.clone(),
                workload: workload.clone(),
                operation: operation.clone(),
                caught,
                day: day(seen.at),
            };
            let mut today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
            if today.is_news(&stray) && self.noted.try_send(stray).is_err() {
                tracing::warn!(%caught, "what was caught in free text could not be noted");
            }
        }
    }
}

fn day(at: Timestamp) -> i64 {
    at.micros().div_euclid(24 * 3_600 * MICROS_PER_SECOND)
}

/// Makes facts of what was caught, until the program stops.
pub async fn work(app: App) {
    let unread = app.strays.unread.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut unread) = unread else { return };
    let stopping = app.tasks.stopping();
    tokio::pin!(stopping);
    loop {
        tokio::select! {
            () = &mut stopping => break,
            Some(stray) = unread.recv() => tell(&app, stray).await,
        }
    }
}

async fn tell(app: &App, stray: Stray) {
    let Stray { vendor, workload, operation, caught, day } = stray;
    let at = app.world.now();
    let fact = Fact {
        id: app.world.id(),
        at,
        seen_at: at,
        vendor: Some(vendor),
        external_id: Some(format!("{workload}/{operation}/{caught}/{day}")),
        source: "gateway".to_owned(),
        confidence: Confidence::Likely,
        author: None,
        body: FactBody::StrayData { workload, operation, caught: caught.to_owned() },
    };
    let id = fact.id;
    if let Err(error) = observe::observe(app, vec![fact], "gateway".to_owned()).await {
        tracing::error!(fact.id = %id, error = format!("{error:#}"), "a stray is not recorded");
    }
}
