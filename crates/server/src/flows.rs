//! How each workload and vendor do: what the traffic counts, what the gateway holds them to, and
//! where the vendor's switch stands, in one row.

use gateway::{FlowNow, Usual};
use model::{Limits, Mode, Switch, Timestamp, VendorName, Volume, WorkloadName};
use serde::Serialize;

use crate::app::App;
use crate::histogram::Latency;
use crate::traffic::Counts;

/// One workload and vendor.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The workload; `unknown` for callers that nobody knows.
    pub workload: String,
    /// The vendor.
    pub vendor: String,
    /// Where its kill switch stands.
    pub switch: Option<Switch>,
    /// How far the gateway goes with it; none for callers that nobody knows.
    pub mode: Option<Mode>,
    /// When the last request began.
    pub last_at: Option<Timestamp>,
    /// Requests since the start.
    pub requests: u64,
    /// Those that the vendor answered.
    pub sent: u64,
    /// Those that did not leave.
    pub refused: u64,
    /// People concerned since the start.
    pub people: u64,
    /// In Cordon, upper bounds.
    pub ours: Latency,
    /// Until the record was durable.
    pub record: Latency,
    /// At the vendor.
    pub vendor_reply: Latency,
    /// What was given in the present hour.
    pub this_hour: Volume,
    /// People in it and the 23 hours before.
    pub people_per_day: u64,
    /// What an hour usually has; none when too little is known of it.
    pub usual: Option<Volume>,
    /// Beyond what an hour is a burst.
    pub burst_beyond: Option<Volume>,
    /// What a burst had held in the present hour.
    pub held: Volume,
    /// Until when a burst is approved.
    pub burst_until: Option<Timestamp>,
    /// What was set.
    pub limits: Limits,
    /// Everything that was counted.
    #[serde(skip)]
    pub counts: Counts,
}

/// Every workload and vendor with traffic now or in their history, by name.
pub fn all(app: &App) -> Vec<Row> {
    let mut traffic = app.traffic.all();
    let mut rows = Vec::new();
    for flow in app.gateway.flows() {
        let same = |(vendor, workload, _): &(String, String, Counts)| {
            vendor == flow.vendor.as_str() && workload == flow.workload.as_str()
        };
        let place = traffic.iter().position(same);
        let counts = place.map(|place| traffic.swap_remove(place).2).unwrap_or_default();
        rows.push(row(
            app,
            &flow.workload.to_string(),
            &flow.vendor.to_string(),
            counts,
            Some(&flow),
        ));
    }
    rows.extend(
        traffic
            .into_iter()
            .map(|(vendor, workload, counts)| row(app, &workload, &vendor, counts, None)),
    );
    rows.sort_by(|a, b| (&a.workload, &a.vendor).cmp(&(&b.workload, &b.vendor)));
    rows
}

fn row(app: &App, workload: &str, vendor: &str, counts: Counts, flow: Option<&FlowNow>) -> Row {
    let registry = app.gateway.registry();
    let entry = VendorName::parse(vendor).ok().and_then(|name| registry.vendors.get(&name));
    let known = WorkloadName::parse(workload).ok().and_then(|name| registry.workloads.get(&name));
    Row {
        workload: workload.to_owned(),
        vendor: vendor.to_owned(),
        switch: entry.map(|entry| entry.vendor.switch),
        mode: known.and_then(|known| known.mode.or(entry.map(|entry| entry.vendor.mode))),
        last_at: counts.last_at,
        requests: counts.requests,
        sent: counts.sent,
        refused: counts.not_sent(),
        people: counts.people,
        ours: Latency::of(&counts.latency.ours),
        record: Latency::of(&counts.latency.record),
        vendor_reply: Latency::of(&counts.latency.vendor_reply),
        this_hour: flow.map(|flow| flow.this_hour).unwrap_or_default(),
        people_per_day: flow.map_or(0, |flow| flow.people_per_day),
        usual: flow.and_then(|flow| match flow.usual {
            Usual::Known(usual) => Some(usual),
            Usual::TooLittle => None,
        }),
        burst_beyond: flow.and_then(|flow| flow.ceiling),
        held: flow.map(|flow| flow.held).unwrap_or_default(),
        burst_until: flow.and_then(|flow| flow.terms.burst_until),
        limits: flow.map(|flow| flow.terms.limits).unwrap_or_default(),
        counts,
    }
}
