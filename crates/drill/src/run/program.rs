//! The program under drill: the real binary as a process of its own, stopped by SIGTERM.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use server::client::{Client, Running, running};
use tokio::process::{Child, Command};

/// How long the program may take to open its doors, and to close them.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the file that says where it listens is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// A running program.
pub struct Program {
    child: Child,
    data: PathBuf,
    /// Where it listens.
    pub places: Running,
    /// Its API, as the first operator.
    pub client: Client,
}

impl Program {
    /// Starts it on a configuration and waits until its doors are open.
    ///
    /// # Errors
    /// When it ends by itself or does not open its doors in time.
    pub async fn start(program: &Path, config: &Path, data: &Path) -> Result<Self> {
        let log = std::fs::File::create(data.with_extension("log")).context("making its log")?;
        let mut child = Command::new(program)
            .arg("serve")
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("starting the program")?;
        let opened = async {
            loop {
                if let Ok(places) = running(data) {
                    return Ok(places);
                }
                if let Some(status) = child.try_wait()? {
                    bail!("the program ended with {status}; its log says why");
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let places = tokio::time::timeout(PATIENCE, opened)
            .await
            .context("the program did not open its doors in time")??;
        let client = Client::local(data)?;
        Ok(Self { child, data: data.into(), places, client })
    }

    /// Where its data is.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Errors
    /// When it does not stop in time, or not cleanly.
    pub async fn stop(mut self) -> Result<()> {
        let process = self.child.id().context("the program has ended already")?;
        Command::new("kill").arg("-TERM").arg(process.to_string()).status().await?;
        let status = tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .context("the program did not stop in time")??;
        anyhow::ensure!(status.success(), "the program ended with {status}");
        Ok(())
    }
}
