//! The machine: what it is, how busy others keep it, and what its disk takes to make 4 KB durable.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

/// Processor time that all processes have used since the machine started.
pub fn busy() -> Result<Duration> {
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
    let line = stat.lines().next().context("an empty /proc/stat")?;
    let ticks: Vec<u32> = line.split_whitespace().skip(1).flat_map(str::parse).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    let at = |place: usize| ticks.get(place).copied().unwrap_or(0);
    Ok(TICK * (at(0) + at(1) + at(2) + at(5) + at(6)))
}

/// One line on the machine.
pub fn describe() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{cores} × {}, Linux {}", model.map_or("?", |model| model.1), kernel.trim())
}

/// The file system on which a folder is.
pub fn file_system(folder: &Path) -> Result<String> {
    let folder = folder.canonicalize().context("the folder of the data")?;
    let mounts = fs::read_to_string("/proc/self/mounts").context("reading the mounts")?;
    let mounted = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (point, kind) = (words.next()?, words.next()?);
        folder.starts_with(point).then_some((point.len(), kind))
    });
    let kind = mounted.max_by_key(|(length, _)| *length).context("no mount holds the folder")?.1;
    ensure!(
        !matches!(kind, "tmpfs" | "ramfs"),
        "`{}` is on {kind}; records are to be durable on a disk",
        folder.display()
    );
    Ok(kind.to_owned())
}

/// How long the disk takes.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Sync {
    /// Half of the syncs took no longer, in milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 took no longer, in milliseconds.
    pub p99_ms: f64,
}

/// Appends 4 KB and calls `fdatasync`, a thousand times.
pub fn measure_sync(folder: &Path) -> Result<Sync> {
    let path = folder.join("fdatasync");
    let mut file = File::create(&path).context("a file to sync")?;
    let mut took = Vec::new();
    for round in 0..1_000_u32 {
        let block: Vec<u8> = (0..1_024_u32).flat_map(|word| (word ^ round).to_le_bytes()).collect();
        let began = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        took.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    fs::remove_file(path)?;
    Ok(Sync { p50_ms: percentile(&mut took, 50.0), p99_ms: percentile(&mut took, 99.0) })
}

/// The value that so many percent do not exceed.
pub fn percentile(values: &mut [f64], percent: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// The middle value.
pub fn median(values: &[f64]) -> f64 {
    percentile(&mut values.to_vec(), 50.0)
}
