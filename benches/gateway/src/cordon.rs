//! Cordon itself: the release binary, set up through its own command line as an operator would.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::peers::{Places, VENDOR, Way};
use crate::process::Running;

/// What the vendor knows the company by. Of no use anywhere.
const CREDENTIAL: &str = "SG.benchmarkbenchmarkbenc.benchmarkbenchmarkbenchmarkbenchmarkbenchma";

/// A running Cordon with a vendor and a workload.
pub struct Cordon {
    program: PathBuf,
    data: PathBuf,
    /// The server.
    pub running: Running,
    /// The workload's token.
    pub token: String,
}

/// What the ledger has made durable since the start.
#[derive(Debug, Clone, Copy)]
pub struct Durable {
    /// Intents, outcomes and what belongs to them.
    pub records: u64,
    /// Calls of `fdatasync`.
    pub syncs: u64,
}

impl Cordon {
    /// Starts it on an empty data folder, registers the vendor in `enforce` with one field that is
    /// replaced, and a workload that may send receipts.
    pub fn start(program: &Path, places: &Places) -> Result<Self> {
        let data = places.work.join("cordon-data");
        if data.exists() {
            std::fs::remove_dir_all(&data).context("removing the last run's data")?;
        }
        let config = places.work.join("cordon.toml");
        let text = format!(
            "data = {data:?}\n[listen]\ngateway = \"127.0.0.1:{}\"\napi = \"127.0.0.1:0\"\n\
             portal = \"127.0.0.1:0\"\nsmtp = \"127.0.0.1:0\"\n[gateway]\n\
             allowed_hosts = [\"127.0.0.1:{VENDOR}\"]\n",
            Way::Cordon.port(),
        );
        std::fs::write(&config, text).context("writing Cordon's configuration")?;
        let mut serve = Command::new(program);
        serve.arg("serve").arg("--config").arg(config);
        let running = Running::start(&mut serve, "cordon", Way::Cordon.port(), &places.work)?;
        let mut cordon = Self { program: program.to_owned(), data, running, token: String::new() };
        cordon.ready()?;
        cordon.set_up(places)?;
        Ok(cordon)
    }

    /// Waits until its command line finds it.
    fn ready(&mut self) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(30);
        while let Err(why) = self.call(&["status"]) {
            self.running.expect_alive()?;
            if Instant::now() > until {
                return Err(why);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn set_up(&mut self, places: &Places) -> Result<()> {
        let credential = places.work.join("credential");
        std::fs::write(&credential, CREDENTIAL).context("writing the credential")?;
        let endpoint = format!("http://127.0.0.1:{VENDOR}");
        let credential = credential.display().to_string();
        self.call(&[
            "vendor",
            "add",
            "sendgrid",
            "--credential-file",
            &credential,
            "--endpoint",
            &endpoint,
            "--mode",
            "enforce",
            "--field",
            "name=pseudonymise",
        ])?;
        let made = self.call(&[
            "workload",
            "add",
            "shop",
            "--vendor",
            "sendgrid",
            "--purpose",
            "receipts",
            "--fields",
            "email,name,content,custom",
        ])?;
        let token = made["tokens"][0]["environment"][0][1].as_str();
        self.token = token.context("the workload has no token")?.to_owned();
        Ok(())
    }

    /// What is durable now.
    pub fn durable(&self) -> Result<Durable> {
        let status = self.call(&["status"])?;
        let number = |name: &str| status["ledger"][name].as_u64();
        Ok(Durable {
            records: number("records").context("`status` tells no records")?,
            syncs: number("syncs").context("`status` tells no syncs")?,
        })
    }

    fn call(&self, arguments: &[&str]) -> Result<Value> {
        let output = Command::new(&self.program)
            .args(arguments)
            .arg("--json")
            .arg("--data")
            .arg(&self.data)
            .output()
            .context("starting `cordon`")?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success(),
            "`cordon {}` failed: {said}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_str(&said).context("`cordon` printed no JSON")
    }
}
