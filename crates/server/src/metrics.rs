//! What the gateway does, as Prometheus reads it (text exposition format 0.0.4). Labels are names
//! of what is registered, codes, and fields: nothing of any person, and no more than there are.

use std::fmt::{Display, Write as _};

use gateway::{FlowNow, Freshness};
use ledger::LedgerStatus;
use model::{Switch, VendorName};

use crate::app::App;
use crate::histogram::Histogram;
use crate::traffic::Counts;

/// Everything that is told.
pub struct Measured {
    traffic: Vec<(String, String, Counts)>,
    flows: Vec<FlowNow>,
    switches: Vec<(VendorName, Switch)>,
    freshness: Freshness,
    ledger: LedgerStatus,
    traces_dropped: u64,
}

impl Measured {
    /// What there is to tell now.
    pub fn of(app: &App) -> Self {
        let registry = app.gateway.registry();
        let vendors = registry.vendors.values().map(|entry| &entry.vendor);
        let mut switches: Vec<_> =
            vendors.map(|vendor| (vendor.name.clone(), vendor.switch)).collect();
        switches.sort();
        Self {
            traffic: app.traffic.all(),
            flows: app.gateway.flows(),
            switches,
            freshness: app.gateway.freshness(),
            ledger: app.ledger.status(),
            traces_dropped: app.traces.dropped(),
        }
    }

    /// As text.
    pub fn text(&self) -> String {
        let mut page = Page::default();
        self.traffic(&mut page);
        self.durations(&mut page);
        self.flows(&mut page);
        self.house(&mut page);
        page.0
    }

    fn traffic(&self, page: &mut Page) {
        page.head("cordon_requests_total", "counter", "Requests by what became of them.");
        for (vendor, workload, counts) in &self.traffic {
            for (outcome, count) in [
                ("sent", counts.sent),
                ("not-sent", counts.not_sent()),
                ("unknown", counts.unknown),
                ("held", counts.held),
            ] {
                let labels = labels(vendor, workload, &[("outcome", outcome)]);
                page.line("cordon_requests_total", &labels, count);
            }
        }
        type Codes = fn(&Counts) -> Vec<(&'static str, u64)>;
        let by_code: [(&str, &str, &str, Codes); 4] = [
            ("cordon_refused_total", "Requests that did not leave, by code.", "code", |counts| {
                counts.refused.iter().map(|(code, count)| (*code, *count)).collect()
            }),
            ("cordon_would_refuse_total", "What enforce would have refused.", "code", |counts| {
                counts.would_refuse.iter().map(|(code, count)| (*code, *count)).collect()
            }),
            ("cordon_warnings_total", "What deserves a look, by code.", "code", |counts| {
                counts.warnings.iter().map(|(code, count)| (*code, *count)).collect()
            }),
            ("cordon_fields_total", "Requests that give a field.", "field", |counts| {
                counts.fields.iter().map(|(field, count)| (field.name(), *count)).collect()
            }),
        ];
        for (name, help, label, codes) in by_code {
            page.head(name, "counter", help);
            for (vendor, workload, counts) in &self.traffic {
                for (code, count) in codes(counts) {
                    page.line(name, &labels(vendor, workload, &[(label, code)]), count);
                }
            }
        }
        page.head("cordon_people_total", "counter", "People concerned, as often as they were.");
        for (vendor, workload, counts) in &self.traffic {
            page.line("cordon_people_total", &labels(vendor, workload, &[]), counts.people);
        }
    }

    fn durations(&self, page: &mut Page) {
        const NAME: &str = "cordon_duration_seconds";
        page.head(NAME, "histogram", "Where the time of requests went.");
        for (vendor, workload, counts) in &self.traffic {
            let latency = &counts.latency;
            for (part, histogram) in [
                ("ours", &latency.ours),
                ("record", &latency.record),
                ("vendor", &latency.vendor_reply),
            ] {
                page.histogram(NAME, &labels(vendor, workload, &[("part", part)]), histogram);
            }
        }
    }

    fn flows(&self, page: &mut Page) {
        type Gauge = fn(&FlowNow) -> Option<u64>;
        let gauges: [(&str, &str, Gauge); 4] = [
            ("cordon_hour_people", "People given in the present hour.", |flow| {
                Some(flow.this_hour.people)
            }),
            ("cordon_hour_people_limit", "People that an hour may have.", |flow| {
                flow.terms.limits.people_per_hour
            }),
            ("cordon_hour_people_burst", "People beyond which an hour is a burst.", |flow| {
                flow.ceiling.map(|ceiling| ceiling.people)
            }),
            ("cordon_hour_held_calls", "Calls of a burst held in the present hour.", |flow| {
                Some(flow.held.calls)
            }),
        ];
        for (name, help, value) in gauges {
            page.head(name, "gauge", help);
            for flow in &self.flows {
                if let Some(value) = value(flow) {
                    let labels = labels(flow.vendor.as_str(), flow.workload.as_str(), &[]);
                    page.line(name, &labels, value);
                }
            }
        }
    }

    fn house(&self, page: &mut Page) {
        page.head("cordon_switch", "gauge", "1 where a vendor's kill switch stands.");
        for (vendor, at) in &self.switches {
            for switch in Switch::ALL {
                let labels = format!("vendor=\"{vendor}\",switch=\"{switch}\"");
                page.line("cordon_switch", &labels, u8::from(switch == at));
            }
        }
        let (fresh, ledger) = (self.freshness, &self.ledger);
        let single: [(&str, &str, &str, f64); 7] = [
            (
                "cordon_switch_age_seconds",
                "gauge",
                "How long ago the switches were last confirmed.",
                fresh.age.as_secs_f64(),
            ),
            (
                "cordon_switch_fresh",
                "gauge",
                "0 when nothing leaves, since the switches could not be confirmed.",
                f64::from(u8::from(fresh.holds())),
            ),
            (
                "cordon_ledger_down",
                "gauge",
                "1 when nothing leaves, since it cannot be recorded.",
                f64::from(u8::from(ledger.down)),
            ),
            (
                "cordon_ledger_records_total",
                "counter",
                "Records made durable.",
                ledger.records as f64,
            ),
            ("cordon_ledger_syncs_total", "counter", "Syncs that it took.", ledger.syncs as f64),
            (
                "cordon_traces_dropped_total",
                "counter",
                "Calls whose trace was not exported.",
                self.traces_dropped as f64,
            ),
            (
                "cordon_ledger_unsettled",
                "gauge",
                "Calls without an outcome.",
                ledger.unsettled as f64,
            ),
        ];
        for (name, kind, help, value) in single {
            page.head(name, kind, help);
            page.line(name, "", value);
        }
    }
}

/// Names have letters, digits and a few signs, none of which needs an escape.
fn labels(vendor: &str, workload: &str, others: &[(&str, &str)]) -> String {
    let mut labels = format!("vendor=\"{vendor}\",workload=\"{workload}\"");
    for (name, value) in others {
        labels.push_str(&format!(",{name}=\"{value}\""));
    }
    labels
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn line(&mut self, name: &str, labels: &str, value: impl Display) {
        match labels {
            "" => self.write(format_args!("{name} {value}\n")),
            labels => self.write(format_args!("{name}{{{labels}}} {value}\n")),
        }
    }

    fn histogram(&mut self, name: &str, labels: &str, histogram: &Histogram) {
        let bucket = format!("{name}_bucket");
        for (bound, count) in histogram.cumulative() {
            let labels = format!("{labels},le=\"{}\"", seconds(bound));
            self.line(&bucket, &labels, count);
        }
        self.line(&bucket, &format!("{labels},le=\"+Inf\""), histogram.count());
        self.line(&format!("{name}_sum"), labels, seconds(histogram.sum_micros()));
        self.line(&format!("{name}_count"), labels, histogram.count());
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("a string takes all");
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1_000_000.0
}
