//! Processes that are measured: their processor time and memory, those they started included.

use std::collections::HashMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// A program that runs until this is dropped.
pub struct Running {
    name: String,
    child: Child,
}

impl Running {
    /// Starts it, its output in a log, and waits until its port is open.
    pub fn start(command: &mut Command, name: &str, port: u16, logs: &Path) -> Result<Self> {
        let mut running = Self::spawn(command, name, logs)?;
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            running.expect_alive()?;
            if Instant::now() > until {
                bail!("{name} does not listen on port {port}; its log is in {}", logs.display());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(running)
    }

    /// Starts it, its output in a log.
    pub fn spawn(command: &mut Command, name: &str, logs: &Path) -> Result<Self> {
        let log = File::create(logs.join(format!("{name}.log"))).context("a log")?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("starting {name}"))?;
        Ok(Self { name: name.to_owned(), child })
    }

    /// Fails when it has ended.
    pub fn expect_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}", self.name),
        }
    }

    /// What it has used until now.
    pub fn usage(&self) -> Usage {
        let processes = processes();
        let mut usage = Usage::default();
        for (&id, process) in &processes {
            if descends(&processes, id, self.child.id()) {
                usage.cpu += process.usage.cpu;
                usage.resident_bytes += process.usage.resident_bytes;
            }
        }
        usage
    }
}

impl Drop for Running {
    /// Asks it to end, so that its own children end too; kills it when it does not.
    fn drop(&mut self) {
        let id = self.child.id().to_string();
        drop(Command::new("kill").args(["-TERM", &id]).status());
        let until = Instant::now() + Duration::from_secs(10);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Processor time of this program and of everything that it started, ended or not.
pub fn ours() -> Duration {
    let processes = processes();
    let own = std::process::id();
    let descending = processes.keys().filter(|&&id| descends(&processes, id, own));
    let running: Duration = descending.map(|id| processes[id].usage.cpu).sum();
    running + processes.get(&own).map_or(Duration::ZERO, |process| process.reaped)
}

/// Processor time and memory.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// User and system time since its start.
    pub cpu: Duration,
    /// Resident memory now.
    pub resident_bytes: u64,
}

struct Process {
    parent: u32,
    usage: Usage,
    /// Processor time of its children that have ended.
    reaped: Duration,
}

fn processes() -> HashMap<u32, Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let read = |entry: fs::DirEntry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        Some((id, parse(&stat)?))
    };
    entries.filter_map(read).collect()
}

/// Reads `/proc/<id>/stat` (proc(5)): the name may hold spaces, so fields count from its bracket.
fn parse(stat: &str) -> Option<Process> {
    const TICK: Duration = Duration::from_millis(10);
    const PAGE_BYTES: u64 = 4096;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
    let time = |user, system| Some(TICK * u32::try_from(number(user)? + number(system)?).ok()?);
    let usage = Usage { cpu: time(11, 12)?, resident_bytes: number(21)? * PAGE_BYTES };
    Some(Process { parent: u32::try_from(number(1)?).ok()?, usage, reaped: time(13, 14)? })
}

fn descends(processes: &HashMap<u32, Process>, mut id: u32, from: u32) -> bool {
    while id > 1 {
        if id == from {
            return true;
        }
        let Some(process) = processes.get(&id) else { return false };
        id = process.parent;
    }
    false
}
