//! The real binary: as a server in a process of its own, and as a command line.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use model::Secret;
use serde_json::{Value, json};
use server::client::{Client, Running, running};
use tokio::process::{Child, Command};

use crate::{PATIENCE, until};

/// The program under test, built with the profile of these tests.
pub fn binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let this = std::env::current_exe().expect("a test knows its own file");
        let folder = this.ancestors().nth(2).expect("it is in `deps` of the build's folder");
        let release = folder.file_name() == Some(OsStr::new("release"));
        let mut build = std::process::Command::new(env!("CARGO"));
        build
            .args(["build", "--quiet", "--package", "cordon"])
            .args(release.then_some("--release"));
        build.arg("--target-dir").arg(folder.parent().expect("a profile is in the target folder"));
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(build.status().expect("cargo runs").success(), "the program does not build");
        folder.join("cordon")
    })
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Its output stream.
    pub out: String,
    /// Its error stream.
    pub err: String,
}

impl Said {
    /// Its output as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The same, of a command that did what was asked.
    ///
    /// # Panics
    /// When it did not.
    pub fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

/// Runs the program to its end, in `folder`.
pub async fn output<S: AsRef<OsStr>>(folder: &Path, args: &[S]) -> Said {
    let run = Command::new(binary())
        .args(args)
        .current_dir(folder)
        .env("CORDON_LOG", "off")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let run = tokio::time::timeout(PATIENCE, run).await.expect("it ends").expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("it speaks UTF-8");
    Said {
        code: run.status.code().expect("no signal ended it"),
        out: text(run.stdout),
        err: text(run.stderr),
    }
}

/// A running server.
pub struct Program {
    child: Child,
    data: PathBuf,
    /// Where it listens.
    pub places: Running,
    /// Its API, as the first operator.
    pub admin: Client,
}

impl Program {
    /// Starts it on a configuration and waits until its doors are open. Its log is beside `data`.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(config: &Path, data: &Path, environment: &[(&str, &str)]) -> Self {
        let mut child = spawn(config, data, environment);
        let process = child.id().expect("it has not ended");
        let ours = |places: &Running| places.process == process;
        let places = until("the program's doors", || {
            let ended = child.try_wait().expect("a child can be asked");
            assert!(ended.is_none(), "it ended: {}", log_text(data));
            std::future::ready(running(data).ok().filter(ours))
        });
        let places = places.await;
        let admin = Client::local(data).expect("the first operator's token");
        Self { child, data: data.into(), places, admin }
    }

    /// Starts it and ends it at once after a while, wherever its start has got to by then.
    ///
    /// # Panics
    /// When it ends by itself before.
    pub async fn start_and_kill(config: &Path, data: &Path, after: Duration) {
        let mut child = spawn(config, data, &[]);
        let ended = tokio::time::timeout(after, child.wait()).await;
        assert!(ended.is_err(), "it ended: {}", log_text(data));
        child.kill().await.expect("it ran until now");
    }

    /// Another operator, freshly made.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn operator(&self, name: &str, role: &str) -> Client {
        let body = json!({ "name": name, "roles": [role] });
        let made = self.admin.post("/api/v1/operators", &body).await.expect("it is made");
        let token = made["token"].as_str().expect("a token").to_owned();
        self.admin.with_token(Secret::new(token))
    }

    /// What it logged since the beginning.
    pub fn log(&self) -> String {
        log_text(&self.data)
    }

    /// Asks it to stop by SIGTERM and waits until it has.
    ///
    /// # Panics
    /// When it does not.
    pub async fn stop(mut self) -> ExitStatus {
        self.signal("-TERM").await;
        tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .expect("it stops")
            .expect("a status")
    }

    /// Ends it at once, as a crash would.
    ///
    /// # Panics
    /// When it has ended already.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it ran until now");
    }

    async fn signal(&self, signal: &str) {
        let process = self.child.id().expect("it has not ended").to_string();
        let sent = Command::new("kill").args([signal, &process]).status().await;
        assert!(sent.expect("`kill` runs").success());
    }
}

fn spawn(config: &Path, data: &Path, environment: &[(&str, &str)]) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(log_of(data));
    Command::new(binary())
        .arg("serve")
        .arg("--config")
        .arg(config)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log.expect("a log"))
        .kill_on_drop(true)
        .spawn()
        .expect("it runs")
}

fn log_of(data: &Path) -> PathBuf {
    data.with_extension("log")
}

fn log_text(data: &Path) -> String {
    std::fs::read_to_string(log_of(data)).unwrap_or_default()
}
