//! Flows: remembers at the start what workloads gave, by the ledger, and keeps what the gateway
//! counts: in the store what waits for an operator, in the ledger refusals that were too many to
//! record one by one. The gateway alone decides what a burst is.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::{Context as _, Result};
use gateway::{FlowNow, Usual};
use ledger::CallEnd;
use model::{Hour, Timestamp, VendorName, Volume, WorkloadName, limits};
use serde::Serialize;
use serde_json::json;
use store::{Burst, BurstApproval};

use crate::app::App;

/// Tells the gateway what each workload gave each vendor in the last day, before anything leaves;
/// and in the background, what else counts as its history. Until then nothing is usual.
///
/// # Errors
/// When the ledger cannot be read: limits over a day would begin anew.
pub async fn remember(app: &App) -> Result<()> {
    const DAY: i64 = 24;
    let now = app.world.now();
    let day = Hour::of(now).plus(1 - DAY);
    tell(app, given(app, day, Hour::of(now)).await?);
    let later = app.clone();
    app.tasks.spawn(async move {
        match given(&later, oldest(now), day.plus(-1)).await {
            Ok(volumes) => tell(&later, volumes),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "no hour of a workload is usual");
            }
        }
    });
    Ok(())
}

type Volumes = BTreeMap<(WorkloadName, VendorName, Hour), Volume>;

/// What left or may have left in these hours, the last one included.
async fn given(app: &App, first: Hour, last: Hour) -> Result<Volumes> {
    let ledger = app.ledger.clone();
    let counting = tokio::task::spawn_blocking(move || {
        let mut volumes = Volumes::new();
        ledger.calls(first.start(), &mut |call| {
            let hour = Hour::of(call.at);
            let left = matches!(call.end, CallEnd::Recorded(settled) if settled.counts());
            if let (Some(workload), true) = (call.workload, left && hour <= last) {
                let sum = volumes.entry((workload, call.vendor, hour)).or_default();
                *sum = sum.plus(Volume { calls: 1, people: call.people.into() });
            }
        })?;
        anyhow::Ok(volumes)
    });
    counting.await.context("counting what was given did not end")?
}

fn tell(app: &App, volumes: Volumes) {
    for ((workload, vendor, hour), volume) in volumes {
        app.gateway.remember(&workload, &vendor, hour, volume);
    }
}

fn oldest(now: Timestamp) -> Hour {
    Hour::of(now).plus(-(limits::HISTORY_HOURS as i64))
}

/// Keeps what the gateway holds back, until the program stops.
pub async fn keep(app: App) {
    let stopping = app.tasks.stopping();
    let keeping = async {
        const EVERY: Duration = Duration::from_secs(1);
        let mut every = tokio::time::interval(EVERY);
        let mut kept = HashMap::new();
        loop {
            every.tick().await;
            app.gateway.record_counted().await;
            if let Err(error) = keep_new(&app, &mut kept).await {
                tracing::error!(error = format!("{error:#}"), "a held burst cannot be recorded");
            }
        }
    };
    tokio::select! {
        () = stopping => app.gateway.record_counted().await,
        () = keeping => {}
    }
}

type Kept = HashMap<(WorkloadName, VendorName), (Hour, Volume)>;

async fn keep_new(app: &App, kept: &mut Kept) -> Result<()> {
    for flow in app.gateway.flows() {
        let FlowNow { workload, vendor, hour, held, .. } = &flow;
        let key = (workload.clone(), vendor.clone());
        if *held == Volume::default() || kept.get(&key) == Some(&(*hour, *held)) {
            continue;
        }
        record(app, &flow).await?;
        kept.insert(key, (*hour, *held));
    }
    Ok(())
}

async fn record(app: &App, flow: &FlowNow) -> Result<()> {
    let usual = match flow.usual {
        Usual::Known(usual) => usual,
        Usual::TooLittle => Volume::default(),
    };
    let burst = Burst {
        workload: flow.workload.clone(),
        vendor: flow.vendor.clone(),
        hour: flow.hour.start(),
        usual,
        held: flow.held,
    };
    let oldest = oldest(app.world.now()).start();
    let (kept, new) = app
        .store
        .write(move |tx| {
            let new = tx.record_burst(&burst, oldest)?;
            if new {
                let detail = json!({ "vendor": burst.vendor, "usual": burst.usual });
                tx.audit("system", "workload.burst-held", burst.workload.as_str(), &detail)?;
            }
            Ok((burst, new))
        })
        .await?;
    if new {
        tracing::warn!(
            workload = %kept.workload, vendor.id = %kept.vendor,
            "a workload gives a vendor far more than usual: its calls wait for an operator"
        );
    }
    Ok(())
}

/// A burst, and whether somebody let it pass.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// The hour.
    #[serde(flatten)]
    pub burst: Burst,
    /// Who approved it, or one that came after it.
    pub approved_by: Option<String>,
    /// Until when that holds.
    pub until: Option<Timestamp>,
}

impl Listed {
    /// Whether an operator's word is missing: nobody approved it, and it was held lately.
    pub fn waits(&self, now: Timestamp) -> bool {
        let age = Hour::of(now).since(Hour::of(self.burst.hour));
        self.approved_by.is_none() && age < limits::BURST_WAITS_HOURS
    }

    /// With the approval of it, if there is one.
    pub fn of(burst: Burst, approvals: &[BurstApproval]) -> Self {
        let approval = approvals.iter().find(|approval| {
            (&approval.workload, &approval.vendor) == (&burst.workload, &burst.vendor)
                && approval.approved_at >= burst.hour
        });
        Self {
            burst,
            approved_by: approval.map(|approval| approval.approved_by.to_string()),
            until: approval.map(|approval| approval.until),
        }
    }
}

/// Hours in which calls were held, the newest first.
///
/// # Errors
/// Faults of the store.
pub async fn listed(app: &App) -> Result<Vec<Listed>> {
    let question = |tx: &store::Tx<'_>| Ok((tx.bursts(limits::PAGE_ROWS)?, tx.burst_approvals()?));
    let (bursts, approvals) = app.store.read(question).await?;
    Ok(bursts.into_iter().map(|burst| Listed::of(burst, &approvals)).collect())
}
