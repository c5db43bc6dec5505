//! What was measured, as tables for people and one JSON line last.

use serde_json::json;

use crate::machine::{self, median};
use crate::peers::{self, Places, Way};
use crate::run::{Latency, Results, Sample};
use crate::traffic::Shape;

/// What it was measured on.
pub fn header(places: &Places, file_system: &str) {
    println!("{}; data on {file_system}", machine::describe());
    println!("{}", peers::versions(places).join("; "));
}

/// Requests per second of a way, the median of its rounds.
pub fn rate(samples: &[Sample], way: Way) -> f64 {
    let of_way = samples.iter().filter(|sample| sample.way == way);
    median(&of_way.map(|sample| sample.seen.rate()).collect::<Vec<_>>())
}

/// How many times the requests per second of `peer` Cordon carries: the median of the rounds'
/// ratios. Nothing when the peer was not measured.
fn times(samples: &[Sample], peer: Way) -> Option<f64> {
    let of = |way| samples.iter().filter(move |sample| sample.way == way);
    let ratios = of(Way::Cordon).filter_map(|cordon| {
        let other = of(peer).find(|other| other.round == cordon.round)?;
        Some(cordon.seen.rate() / other.seen.rate())
    });
    let ratios: Vec<f64> = ratios.collect();
    (!ratios.is_empty()).then(|| median(&ratios))
}

/// Prints everything.
pub fn print(results: &Results) {
    for (shape, samples) in &results.throughput {
        throughput(*shape, samples);
    }
    latencies(results);
    sharing(results);
    memory(results);
    closing(results);
}

fn throughput(shape: Shape, samples: &[Sample]) {
    println!("\n{}: requests per second, medians", shape.name());
    println!(
        "{:28} {:>8} {:>10} {:>10} {:>10} {:>12}",
        "", "rps", "cpu µs", "p50 ms", "p99 ms", "cordon is ×"
    );
    for way in Way::ALL {
        let of_way: Vec<&Sample> = samples.iter().filter(|sample| sample.way == way).collect();
        if of_way.is_empty() {
            continue;
        }
        let middle = |value: &dyn Fn(&Sample) -> f64| {
            median(&of_way.iter().map(|sample| value(sample)).collect::<Vec<_>>())
        };
        println!(
            "{:28} {:>8.0} {:>10.0} {:>10.2} {:>10.2} {:>12}",
            way.name(),
            middle(&|sample| sample.seen.rate()),
            middle(&|sample| sample.cpu_us),
            middle(&|sample| sample.seen.p50_ms),
            middle(&|sample| sample.seen.p99_ms),
            times(samples, way).map_or_else(String::new, |times| format!("{times:.2}")),
        );
    }
    let others: Vec<f64> = samples.iter().map(|sample| sample.others).collect();
    let most = others.iter().copied().fold(0.0, f64::max);
    println!("others kept {:.2} processors busy (median; at most {most:.2})", median(&others));
}

/// The medians of a way's rounds: p50 and p99 in milliseconds.
fn took(latency: &[(Way, Latency)], way: Way) -> (f64, f64) {
    let of = |value: fn(&Latency) -> f64| {
        let of_way = latency.iter().filter(|(other, _)| *other == way);
        median(&of_way.map(|(_, latency)| value(latency)).collect::<Vec<_>>())
    };
    (of(|latency| latency.p50_ms), of(|latency| latency.p99_ms))
}

fn latencies(results: &Results) {
    let rate = results.latency.first().map_or(0.0, |(_, latency)| latency.rate);
    println!("\nat half of Cordon's rate ({rate:.0} rps, constant): milliseconds, medians");
    println!("{:28} {:>8} {:>8}", "", "p50", "p99");
    for way in [Way::Direct, Way::Envoy, Way::Cordon] {
        let (p50, p99) = took(&results.latency, way);
        println!("{:28} {p50:>8.3} {p99:>8.3}", way.name());
    }
    let sync = results.sync;
    println!("{:28} {:>8.3} {:>8.3}", "fdatasync of 4 KB alone", sync.p50_ms, sync.p99_ms);
}

fn sharing(results: &Results) {
    println!("\nconnections    rps   records per fdatasync   p50 ms");
    for one in &results.sharing {
        println!(
            "{:>11} {:>6.0} {:>23.1} {:>8.2}",
            one.connections, one.rate, one.records_per_sync, one.p50_ms
        );
    }
}

fn memory(results: &Results) {
    const MIB: f64 = 1024.0 * 1024.0;
    if !results.memory.is_empty() {
        println!("\n  requests   resident MiB");
    }
    for (made, resident) in &results.memory {
        println!("{made:>10} {:>14.1}", *resident as f64 / MIB);
    }
    if let Some(held) = &results.held {
        println!("\n{} idle connections held, {:.0} bytes each", held.alive, held.bytes_each);
    }
}

/// The line that others read. `added` is what a request takes longer through Cordon than straight
/// to the vendor at the same rate, the wait for `fdatasync` included.
fn closing(results: &Results) {
    let samples = &results.throughput[0].1;
    let inspecting = [Way::EnvoyRust, Way::EnvoyPython];
    let harder = inspecting.into_iter().filter_map(|way| times(samples, way)).reduce(f64::min);
    let (direct_p50, direct_p99) = took(&results.latency, Way::Direct);
    let (cordon_p50, cordon_p99) = took(&results.latency, Way::Cordon);
    let at_most = results.sharing.iter().max_by(|a, b| a.rate.total_cmp(&b.rate));
    let short = |value: f64| (value * 1_000.0).round() / 1_000.0;
    println!(
        "{}",
        json!({
            "rps_vs_envoy": times(samples, Way::Envoy).map(short),
            "rps_vs_envoy_inspecting": harder.map(short),
            "rps_vs_mitmproxy": times(samples, Way::Mitmproxy).map(short),
            "added_p50_ms": short(cordon_p50 - direct_p50),
            "added_p99_ms": short(cordon_p99 - direct_p99),
            "fdatasync_p50_ms": short(results.sync.p50_ms),
            "records_per_fdatasync": at_most.map(|one| short(one.records_per_sync)),
        })
    );
}
