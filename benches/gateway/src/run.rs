//! The comparison: everything started once, measured in turn in short rounds, so that whatever else
//! the machine does meets all of them alike. What counts is the ratio within a round.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::Deserialize;

use crate::cordon::Cordon;
use crate::load::Target;
use crate::machine::{self, Sync};
use crate::peers::{self, Places, Way};
use crate::process::{Running, ours};
use crate::report;
use crate::throughput::{self, Throughput};
use crate::traffic::Shape;

/// What to measure, and with what.
#[derive(Args, Clone)]
pub struct Plan {
    /// The program `cordon`, built for release
    #[arg(long)]
    pub cordon: PathBuf,
    /// The virtual environment with the peers from PyPI
    #[arg(long)]
    pub venv: PathBuf,
    /// The folder of the peers' configurations
    #[arg(long)]
    pub peers: PathBuf,
    /// Where to write; must be on a disk
    #[arg(long)]
    pub work: PathBuf,
    /// How often everybody is measured
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// How long each measurement lasts
    #[arg(long, default_value_t = 5)]
    pub seconds: u64,
    /// Connections of the load
    #[arg(long, default_value_t = 64)]
    pub connections: u32,
    /// Measure memory over ten million requests instead of some hundred thousand
    #[arg(long)]
    pub long: bool,
    /// Compare with plain Envoy alone, and leave out memory and idle connections
    #[arg(long)]
    pub quick: bool,
}

/// One measurement of one way.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Whom it went through.
    pub way: Way,
    /// Which round it belongs to.
    pub round: usize,
    /// What `wrk` saw.
    pub seen: Throughput,
    /// Processor time per request of the proxy and what belongs to it, in microseconds.
    pub cpu_us: f64,
    /// Processors that others kept busy meanwhile.
    pub others: f64,
}

/// What an open loop saw.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Latency {
    /// Requests per second that were made.
    pub rate: f64,
    /// Half took no longer, in milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 took no longer, in milliseconds.
    pub p99_ms: f64,
}

/// How well calls share their syncs at so many connections.
#[derive(Debug, Clone, Copy)]
pub struct Sharing {
    /// Connections of the load.
    pub connections: u32,
    /// Requests per second.
    pub rate: f64,
    /// Records per `fdatasync`.
    pub records_per_sync: f64,
    /// Half took no longer, in milliseconds.
    pub p50_ms: f64,
}

/// Idle connections.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// How many were still open in the end.
    pub alive: usize,
    /// Cordon's memory for each, in bytes.
    pub bytes_each: f64,
}

/// Everything that was measured.
pub struct Results {
    /// The disk before the load.
    pub sync: Sync,
    /// By shape.
    pub throughput: Vec<(Shape, Vec<Sample>)>,
    /// Pairs of one round: way and what it took at half of Cordon's rate.
    pub latency: Vec<(Way, Latency)>,
    /// By connections.
    pub sharing: Vec<Sharing>,
    /// Requests made so far, and Cordon's resident memory in bytes then.
    pub memory: Vec<(u64, u64)>,
    /// Idle connections.
    pub held: Option<Held>,
}

/// Measures everything and prints it.
pub fn run(plan: &Plan) -> Result<()> {
    std::fs::create_dir_all(&plan.work).context("making the work folder")?;
    let bench = Bench::start(plan)?;
    report::header(&bench.places, &machine::file_system(&plan.work)?);
    let sync = machine::measure_sync(&plan.work)?;
    let mut throughput = Vec::new();
    for shape in [Shape::One, Shape::Thousand] {
        throughput.push((shape, bench.throughput(shape)?));
    }
    let rate = report::rate(&throughput[0].1, Way::Cordon) / 2.0;
    let results = Results {
        sync,
        latency: bench.latency(rate)?,
        sharing: bench.sharing()?,
        memory: if plan.quick { Vec::new() } else { bench.memory()? },
        held: if plan.quick { None } else { Some(bench.held()?) },
        throughput,
    };
    report::print(&results);
    Ok(())
}

/// Everything that runs.
struct Bench<'a> {
    plan: &'a Plan,
    places: Places,
    ways: Vec<(Way, Vec<Running>)>,
    cordon: Cordon,
    _vendor: Running,
}

impl<'a> Bench<'a> {
    fn start(plan: &'a Plan) -> Result<Self> {
        let whole = |path| std::path::absolute(path).context("a folder's whole name");
        let (venv, peers, work) = (whole(&plan.venv)?, whole(&plan.peers)?, whole(&plan.work)?);
        let places = Places { venv, peers, work };
        let vendor = peers::vendor(&places)?;
        let quick = [Way::Direct, Way::Envoy, Way::Cordon];
        let ways = Way::ALL.into_iter().filter(|way| !plan.quick || quick.contains(way));
        let ways = ways.map(|way| Ok((way, peers::start(way, &places)?))).collect::<Result<_>>()?;
        let cordon = Cordon::start(&plan.cordon, &places)?;
        Ok(Self { plan, places, ways, cordon, _vendor: vendor })
    }

    fn target(&self, way: Way, shape: Shape) -> Result<Target> {
        let below = if way == Way::Cordon { "/v/sendgrid" } else { "" };
        Ok(Target {
            port: way.port(),
            path: format!("{below}/v3/mail/send"),
            token: self.cordon.token.clone(),
            bodies: shape.write(&self.places.work)?,
        })
    }

    fn running(&self, way: Way) -> impl Iterator<Item = &Running> {
        let peers = self.ways.iter().filter(move |(other, _)| *other == way);
        let cordon = (way == Way::Cordon).then_some(&self.cordon.running);
        peers.flat_map(|(_, running)| running).chain(cordon)
    }

    fn cpu(&self, way: Way) -> Duration {
        self.running(way).map(|running| running.usage().cpu).sum()
    }

    /// Everybody in turn, round after round, after one round that does not count.
    fn throughput(&self, shape: Shape) -> Result<Vec<Sample>> {
        let mut samples = Vec::new();
        for round in 0..=self.plan.rounds {
            for (way, _) in &self.ways {
                let sample = self.sample(*way, shape, round);
                let sample = sample.with_context(|| format!("{}, {}", way.name(), shape.name()))?;
                eprintln!("  {} {}: {:.0} rps", shape.name(), way.name(), sample.seen.rate());
                samples.extend((round > 0).then_some(sample));
            }
        }
        Ok(samples)
    }

    fn sample(&self, way: Way, shape: Shape, round: usize) -> Result<Sample> {
        let target = self.target(way, shape)?;
        target.probe()?;
        let (cpu, busy, own, began) = (self.cpu(way), machine::busy()?, ours(), Instant::now());
        let seconds = if round == 0 { 2 } else { self.plan.seconds };
        let seen =
            throughput::measure(&target, self.plan.connections, seconds, &self.places.peers)?;
        ensure!(way != Way::Cordon || seen.failed() == 0, "Cordon refused some: {seen:?}");
        let elapsed = began.elapsed().as_secs_f64();
        let cpu = self.cpu(way).saturating_sub(cpu);
        let others = (machine::busy()? - busy).saturating_sub(ours().saturating_sub(own));
        Ok(Sample {
            way,
            round,
            seen,
            cpu_us: cpu.as_secs_f64() * 1e6 / seen.requests as f64,
            others: others.as_secs_f64() / elapsed,
        })
    }

    /// The same rate straight to the vendor, through Envoy and through Cordon, in turn.
    fn latency(&self, rate: f64) -> Result<Vec<(Way, Latency)>> {
        let mut measured = Vec::new();
        for _ in 0..self.plan.rounds {
            for way in [Way::Direct, Way::Envoy, Way::Cordon] {
                let target = self.target(way, Shape::One)?;
                let output = peers::ourselves()?
                    .args(["load", "--port", &target.port.to_string(), "--path", &target.path])
                    .args(["--token", &target.token, "--bodies"])
                    .arg(&target.bodies)
                    .args(["--rate", &rate.to_string()])
                    .args(["--connections", &self.plan.connections.to_string()])
                    .args(["--seconds", &(2 * self.plan.seconds).to_string()])
                    .stderr(Stdio::inherit())
                    .output()?;
                let latency: Latency =
                    serde_json::from_slice(&output.stdout).context("the load failed")?;
                eprintln!("  at {rate:.0} rps {}: {latency:?}", way.name());
                measured.push((way, latency));
            }
        }
        Ok(measured)
    }

    fn sharing(&self) -> Result<Vec<Sharing>> {
        let target = self.target(Way::Cordon, Shape::One)?;
        let mut measured = Vec::new();
        for connections in [1, 4, 16, 64, 256] {
            let before = self.cordon.durable()?;
            let seconds = self.plan.seconds;
            let seen = throughput::measure(&target, connections, seconds, &self.places.peers)?;
            let after = self.cordon.durable()?;
            let syncs = (after.syncs - before.syncs) as f64;
            measured.push(Sharing {
                connections,
                rate: seen.rate(),
                records_per_sync: (after.records - before.records) as f64 / syncs,
                p50_ms: seen.p50_ms,
            });
        }
        Ok(measured)
    }

    /// Cordon's memory while it carries very many requests.
    fn memory(&self) -> Result<Vec<(u64, u64)>> {
        const STEPS: u64 = 10;
        let requests: u64 = if self.plan.long { 10_000_000 } else { 300_000 };
        let target = self.target(Way::Cordon, Shape::One)?;
        let mut measured = vec![(0, self.cordon.running.usage().resident_bytes)];
        let mut made = 0;
        while made < requests {
            let goal = requests * measured.len() as u64 / STEPS;
            while made < goal {
                let (all, seconds) = (self.plan.connections, if self.plan.long { 30 } else { 2 });
                made += throughput::measure(&target, all, seconds, &self.places.peers)?.requests;
            }
            measured.push((made, self.cordon.running.usage().resident_bytes));
        }
        Ok(measured)
    }

    /// Holds very many connections for a while, during which calls go through.
    fn held(&self) -> Result<Held> {
        const CONNECTIONS: usize = 10_000;
        let target = self.target(Way::Cordon, Shape::One)?;
        let before = self.cordon.running.usage().resident_bytes;
        let mut holder = peers::ourselves()?
            .args(["idle", "--port", &target.port.to_string(), "--path", &target.path])
            .args(["--token", &target.token, "--connections", &CONNECTIONS.to_string(), "--bodies"])
            .arg(&target.bodies)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut said = BufReader::new(holder.stdout.take().context("its output")?).lines();
        let first = said.next().context("the connections were not held")??;
        ensure!(first == format!("{CONNECTIONS} held"), "{first}");
        let after = self.cordon.running.usage().resident_bytes;
        throughput::measure(&target, self.plan.connections, 2, &self.places.peers)?;
        let alive = release(&mut holder, &mut said)?;
        Ok(Held { alive, bytes_each: (after - before) as f64 / CONNECTIONS as f64 })
    }
}

/// Ends the holder's wait and gives back how many of its connections were still open.
fn release(
    holder: &mut Child,
    said: &mut impl Iterator<Item = std::io::Result<String>>,
) -> Result<usize> {
    drop(holder.stdin.take());
    let last = said.next().context("the holder said nothing")??;
    holder.wait()?;
    let alive = last.split(' ').next().and_then(|count| count.parse().ok());
    alive.context("the holder said no number")
}
