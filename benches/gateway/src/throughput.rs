//! The most requests per second, by `wrk`: so many connections, each with its next request as soon
//! as it has its answer.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::load::Target;

/// What `peers/post.lua` prints.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Throughput {
    /// Requests that were answered.
    pub requests: u64,
    /// How long it took.
    pub seconds: f64,
    /// Answers that were no 2xx or 3xx.
    refused: u64,
    /// Connections that failed.
    broken: u64,
    /// Half of the requests took no longer, in milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 took no longer, in milliseconds.
    pub p99_ms: f64,
}

impl Throughput {
    /// Accepted requests per second.
    pub fn rate(&self) -> f64 {
        (self.requests - self.refused) as f64 / self.seconds
    }

    /// Requests that were not accepted.
    pub fn failed(&self) -> u64 {
        self.refused + self.broken
    }
}

/// Loads a target for so long. Fails unless 9 of 10 requests were accepted: a peer may turn a few
/// away when it is full, which then count for nothing.
pub fn measure(
    target: &Target,
    connections: u32,
    seconds: u64,
    peers: &Path,
) -> Result<Throughput> {
    let output = Command::new("wrk")
        .args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), "--timeout", "30s"])
        .arg("-s")
        .arg(peers.join("post.lua"))
        .arg(format!("http://127.0.0.1:{}", target.port))
        .args(["--", &target.path, &target.token])
        .arg(&target.bodies)
        .output()
        .context("starting `wrk`")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().next_back().context("`wrk` said nothing")?;
    let measured: Throughput =
        serde_json::from_str(last).with_context(|| format!("`wrk` said: {text}"))?;
    let mostly = measured.failed() * 10 <= measured.requests;
    ensure!(mostly && measured.requests > 0, "requests failed: {measured:?}");
    Ok(measured)
}
