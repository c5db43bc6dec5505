//! The console's page of the gateway: what each workload gives each vendor, what was refused, where
//! the time goes, what waits for an operator. It only shows; the commands stand beside.

use std::collections::BTreeMap;

use gateway::Freshness;
use maud::{Markup, html};
use model::{Switch, Timestamp};

use super::page::page;
use super::words::{counted, grouped, plain, span};
use crate::bursts::Listed;
use crate::flows::Row;
use crate::histogram::Latency;
use crate::portal::pages::human;

/// Everything that the page shows.
pub struct Shown {
    /// Whether the switches are known to stand where they stood.
    pub freshness: Freshness,
    /// Workloads and vendors, by name.
    pub rows: Vec<Row>,
    /// Held bursts, the newest first.
    pub bursts: Vec<Listed>,
    /// The time now.
    pub now: Timestamp,
}

/// The page.
pub fn gateway(shown: &Shown) -> Markup {
    let content = html! {
        h1 { "Gateway" }
        (figures(shown))
        (bursts(&shown.bursts, shown.now))
        (traffic(shown))
        (latency(&shown.rows))
        (limits(&shown.rows))
        (codes(&shown.rows))
    };
    page("Gateway", &content)
}

fn figures(shown: &Shown) -> Markup {
    let sum = |of: fn(&Row) -> u64| grouped(shown.rows.iter().map(of).sum());
    let waiting = shown.bursts.iter().filter(|burst| burst.waits(shown.now)).count();
    let age = span(shown.freshness.age.as_secs_f64());
    html! {
        ul .figures {
            li {
                @if shown.freshness.holds() {
                    b { "confirmed" } "kill switches, " (age) " ago"
                } @else {
                    b .past { "unknown" } "kill switches, for " (age) ": nothing leaves"
                }
            }
            li { b { (sum(|row| row.sent)) } "calls sent since the start" }
            li { b { (sum(|row| row.refused)) } "calls that did not leave" }
            li { b { (waiting) } "bursts to approve" }
        }
    }
}

fn bursts(bursts: &[Listed], now: Timestamp) -> Markup {
    html! {
        section aria-labelledby="bursts" {
            h2 #bursts { "Bursts to approve" }
            @if bursts.is_empty() {
                p { "None was held in the last two weeks." }
            }
            @for listed in bursts {
                @let burst = &listed.burst;
                article {
                    h3 { (burst.workload) " to " (burst.vendor) ", " (human(burst.hour)) }
                    p {
                        (tag(listed, now)) " "
                        (counted(burst.held.calls as usize, "call")) " with "
                        (grouped(burst.held.people)) " people held; an hour usually has "
                        (grouped(burst.usual.calls)) " with " (grouped(burst.usual.people)) "."
                    }
                    @if listed.waits(now) {
                        p {
                            "To let it pass: "
                            code {
                                "cordon workload approve-burst " (burst.workload) " "
                                (burst.vendor) " --hours 4"
                            }
                        }
                    }
                }
            }
        }
    }
}

fn tag(listed: &Listed, now: Timestamp) -> Markup {
    html! {
        @match (&listed.approved_by, listed.until) {
            (Some(by), Some(until)) if until > now => {
                span .tag.ok { "approved" } " by " (by) " until " (human(until)) ":"
            }
            (Some(by), _) => { span .tag.ok { "approved" } " by " (by) ", over:" }
            (None, _) if listed.waits(now) => { span .tag.no { "waits" } }
            (None, _) => { span .tag { "over" } }
        }
    }
}

/// A table of workloads and vendors; `head` names the columns after these two, and its last
/// `numbers` of them stand to the right.
fn table(caption: &str, head: &[&str], numbers: usize, rows: &[(&Row, Vec<Markup>)]) -> Markup {
    let class = |column| (column + numbers >= head.len()).then_some("number");
    html! {
        div .scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr {
                    th scope="col" { "workload" }
                    th scope="col" { "vendor" }
                    @for (column, name) in head.iter().enumerate() {
                        th class=[class(column)] scope="col" { (name) }
                    }
                } }
                tbody {
                    @for (row, cells) in rows {
                        tr {
                            th scope="row" { (row.workload) }
                            td { (row.vendor) }
                            @for (column, cell) in cells.iter().enumerate() {
                                td class=[class(column)] { (cell) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn number(count: u64) -> Markup {
    html! { (grouped(count)) }
}

fn traffic(shown: &Shown) -> Markup {
    let cells = |row: &Row| {
        vec![
            switch(row.switch),
            number(row.requests),
            number(row.sent),
            number(row.refused),
            number(row.people),
            html! {
                @match row.last_at {
                    Some(at) => { (span(shown.now.seconds_since(at))) " ago" },
                    None => "–",
                }
            },
        ]
    };
    let rows: Vec<_> = shown.rows.iter().map(|row| (row, cells(row))).collect();
    html! {
        section aria-labelledby="traffic" {
            h2 #traffic { "Traffic" }
            @if rows.is_empty() { p { "No workload called yet." } }
            @else {
                (table(
                    "Since the start",
                    &["switch", "calls", "sent", "not sent", "people", "last call"],
                    5,
                    &rows,
                ))
            }
        }
    }
}

fn switch(switch: Option<Switch>) -> Markup {
    html! {
        @match switch {
            Some(Switch::Open) => span .tag.ok { "open" },
            Some(Switch::Hold) => span .tag.wait { "hold" },
            Some(Switch::Stop) => span .tag.no { "stop" },
            None => "–",
        }
    }
}

fn latency(rows: &[Row]) -> Markup {
    let cells = |row: &Row| {
        [row.ours, row.record, row.vendor_reply]
            .into_iter()
            .flat_map(|latency: Latency| [latency.p50_ms, latency.p99_ms])
            .map(|ms| html! { @match ms { Some(ms) => (ms), None => "–" } })
            .collect()
    };
    let rows: Vec<_> =
        rows.iter().filter(|row| row.requests > 0).map(|row| (row, cells(row))).collect();
    html! {
        @if !rows.is_empty() {
            section aria-labelledby="latency" {
                h2 #latency { "Where the time goes" }
                (table(
                    "Milliseconds at most, of half of all calls and of 99 in 100",
                    &["ours, half", "99", "record, half", "99", "vendor, half", "99"],
                    6,
                    &rows,
                ))
            }
        }
    }
}

fn limits(rows: &[Row]) -> Markup {
    let of = |given: u64, most: Option<u64>| {
        html! { (grouped(given)) @if let Some(most) = most { " of " (grouped(most)) } }
    };
    let cells = |row: &Row| {
        let limits = &row.limits;
        vec![
            html! {
                @match limits.requests_per_second { Some(rate) => (rate), None => "–" }
            },
            of(row.this_hour.people, limits.people_per_hour),
            of(row.people_per_day, limits.people_per_day),
            html! {
                @match row.usual {
                    Some(usual) => (grouped(usual.people)),
                    None => "not known yet",
                }
            },
            html! {
                @match (row.burst_beyond, limits.burst_factor) {
                    (_, Some(0)) => "never",
                    (Some(most), Some(_)) => { (grouped(most.people)) ", held" },
                    (Some(most), None) => { (grouped(most.people)) ", reported" },
                    (None, _) => "–",
                }
            },
        ]
    };
    let rows: Vec<_> = rows
        .iter()
        .filter(|row| row.workload != policy::OWN_WORKLOAD && row.mode.is_some())
        .map(|row| (row, cells(row)))
        .collect();
    html! {
        @if !rows.is_empty() {
            section aria-labelledby="limits" {
                h2 #limits { "Limits" }
                (table(
                    "People, and calls a second",
                    &["calls a second", "this hour", "this day", "usual hour", "burst beyond"],
                    5,
                    &rows,
                ))
                p { "To set them: " code { "cordon workload limit WORKLOAD VENDOR --help" } }
            }
        }
    }
}

fn codes(rows: &[Row]) -> Markup {
    type Codes = fn(&Row) -> &BTreeMap<&'static str, u64>;
    let all: [(&str, Codes); 3] = [
        ("refused", |row| &row.counts.refused),
        ("enforce would refuse", |row| &row.counts.would_refuse),
        ("worth a look", |row| &row.counts.warnings),
    ];
    let lines: Vec<(&Row, Vec<Markup>)> = rows
        .iter()
        .flat_map(|row| {
            all.iter().flat_map(move |(kind, codes)| {
                codes(row).iter().map(move |(code, count)| {
                    let cells = vec![html! { (plain(code)) }, html! { (kind) }, number(*count)];
                    (row, cells)
                })
            })
        })
        .collect();
    html! {
        @if !lines.is_empty() {
            section aria-labelledby="refusals" {
                h2 #refusals { "Refusals" }
                (table("By code", &["code", "what", "calls"], 1, &lines))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gateway::{Left, Micros, Seen as _, SeenCall};
    use model::id::Id as _;
    use model::{CallId, Field, FieldSet, Limits, Mode, VendorName, Volume, WorkloadName};
    use store::{Burst, BurstApproval};

    use super::*;
    use crate::http::tests::{assert_sound, lines};
    use crate::traffic::Traffic;

    fn now() -> Timestamp {
        Timestamp::parse("2026-02-05T07:30:00Z").expect("a time")
    }

    fn row(code: Option<&'static str>) -> Row {
        let traffic = Traffic::default();
        let seen = SeenCall {
            vendor: VendorName::parse("sendgrid").ok(),
            workload: WorkloadName::parse("shop").ok(),
            people: 3,
            fields: FieldSet::EMPTY.with(Field::Email),
            mode: Some(Mode::Enforce),
            outcome: if code.is_some() { Left::NotSent } else { Left::Sent(202) },
            code,
            micros: Micros { ours: 240, record: 1_900, vendor: 41_000 },
            ..SeenCall::begun(CallId::from_u128(1), now().plus_seconds(-12))
        };
        traffic.call(&seen);
        let (vendor, workload, counts) = traffic.all().remove(0);
        Row {
            workload,
            vendor,
            switch: Some(Switch::Open),
            mode: Some(Mode::Enforce),
            last_at: counts.last_at,
            requests: counts.requests,
            sent: counts.sent,
            refused: counts.not_sent(),
            people: counts.people,
            ours: Latency::of(&counts.latency.ours),
            record: Latency::of(&counts.latency.record),
            vendor_reply: Latency::of(&counts.latency.vendor_reply),
            this_hour: Volume { calls: 40, people: 1_200 },
            people_per_day: 9_000,
            usual: Some(Volume { calls: 10, people: 300 }),
            burst_beyond: Some(Volume { calls: 100, people: 3_000 }),
            held: Volume::default(),
            burst_until: None,
            limits: Limits { people_per_hour: Some(5_000), ..Limits::default() },
            counts,
        }
    }

    fn burst(hours_ago: i64, approved_hours: Option<i64>) -> Listed {
        let hour = model::Hour::of(now()).plus(-hours_ago).start();
        let burst = Burst {
            workload: WorkloadName::parse("shop").expect("a name"),
            vendor: VendorName::parse("sendgrid").expect("a name"),
            hour,
            usual: Volume { calls: 10, people: 300 },
            held: Volume { calls: 1, people: 250_000 },
        };
        let approvals = approved_hours.map(|hours| BurstApproval {
            workload: burst.workload.clone(),
            vendor: burst.vendor.clone(),
            approved_by: model::OperatorName::parse("grace").expect("a name"),
            approved_at: hour,
            until: hour.plus_seconds(hours * 3_600),
        });
        Listed::of(burst, approvals.as_slice())
    }

    fn pages() -> Vec<(&'static str, Markup)> {
        let limit = Duration::from_secs(5);
        let fresh = Freshness { age: Duration::from_millis(80), limit };
        let busy = Shown {
            freshness: fresh,
            rows: vec![row(None), row(Some("burst-held"))],
            bursts: vec![burst(0, None), burst(1, Some(4)), burst(9, Some(2)), burst(30, None)],
            now: now(),
        };
        let stale = Freshness { age: Duration::from_secs(9), limit };
        let quiet = Shown { freshness: stale, rows: Vec::new(), bursts: Vec::new(), now: now() };
        vec![("gateway", gateway(&busy)), ("gateway_quiet", gateway(&quiet))]
    }

    #[test]
    fn every_page_reads_as_it_was_last_looked_at() {
        for (name, page) in pages() {
            insta::assert_snapshot!(name, lines(&page.into_string()));
        }
    }

    #[test]
    fn every_page_is_whole_without_script_and_asks_no_other_host() {
        for (_, page) in pages() {
            assert_sound(&page.into_string());
        }
    }
}
