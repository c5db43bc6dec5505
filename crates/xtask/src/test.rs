//! Runs every test of the workspace and closes with one line that adds them up.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result};

use crate::install;

/// Runs `cargo test` over the workspace; `filter` is handed on.
pub fn run(filter: &[String]) -> Result<ExitCode> {
    let installed = install::all()?;
    let mut child = Command::new(env!("CARGO"))
        .args(["test", "--workspace", "--no-fail-fast"])
        .args(filter)
        .envs(installed)
        .stdout(Stdio::piped())
        .spawn()
        .context("starting `cargo test`")?;
    let output = child.stdout.take().context("reading what `cargo test` prints")?;
    let mut total = Total::default();
    for line in BufReader::new(output).lines() {
        let line = line.context("reading what `cargo test` prints")?;
        total.add(&line);
        println!("{line}");
    }
    let status = child.wait().context("waiting for `cargo test`")?;
    println!("{} passed, {} failed, {} skipped", total.passed, total.failed, total.ignored);
    Ok(if status.success() && total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the runner's closing lines add up to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Total {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Total {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 0 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|l| l.split_once(". "))
        else {
            return;
        };
        for part in counts.split("; ") {
            match part.split_once(' ').map(|(count, what)| (count.parse().unwrap_or(0), what)) {
                Some((count, "passed")) => self.passed += count,
                Some((count, "failed")) => self.failed += count,
                Some((count, "ignored")) => self.ignored += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_add_up() {
        let mut total = Total::default();
        total.add("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
        total.add("running 2 tests");
        total.add("test result: FAILED. 1 passed; 2 failed; 1 ignored; 0 measured");
        assert_eq!(total, Total { passed: 4, failed: 2, ignored: 1 });
    }
}
