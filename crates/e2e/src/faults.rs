//! Faults of a disk under the running program: its own system calls fail or take their time, as
//! `strace` has them do; or its folder is a real, small file system that fills up.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::{PATIENCE, Program};

/// System calls of a program that go wrong until this is mended.
pub struct Faults(Child);

impl Faults {
    /// Whether this machine lets us do so.
    pub async fn can_be_had() -> bool {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-e", "inject=fdatasync:error=EIO", "true"]);
        strace.output().await.is_ok_and(|output| output.status.success())
    }

    /// From now on, `fault` happens on these files. It is written as `strace --inject` takes it:
    /// `fdatasync:error=EIO`, `fdatasync:delay_enter=200000` (microseconds).
    ///
    /// # Panics
    /// When the program cannot be attached to.
    pub async fn on(program: &Program, fault: &str, files: &[PathBuf]) -> Self {
        let call = fault.split(':').next().unwrap_or_default();
        let mut strace = Command::new("strace");
        strace.args(["-f", "-o", "/dev/null", "-e"]).arg(format!("trace={call}"));
        strace.arg("-e").arg(format!("inject={fault}"));
        for file in files {
            strace.arg("-P").arg(file);
        }
        strace.arg("-p").arg(program.places.process.to_string());
        let started = strace.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn();
        let mut child = started.expect("strace starts");
        let mut lines = BufReader::new(child.stderr.take().expect("what it says")).lines();
        let attached = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if line.contains("attached") {
                    return true;
                }
            }
            false
        };
        let attached = tokio::time::timeout(PATIENCE, attached).await;
        assert!(matches!(attached, Ok(true)), "strace attaches to the program");
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self(child)
    }

    /// Lets the program go on as usual.
    ///
    /// # Panics
    /// When that does not work.
    pub async fn mend(mut self) {
        let process = self.0.id().expect("it has not ended").to_string();
        let sent = Command::new("kill").args(["-INT", &process]).status().await;
        assert!(sent.expect("`kill` runs").success());
        tokio::time::timeout(PATIENCE, self.0.wait()).await.expect("it lets go").expect("a status");
    }
}

/// A small file system in memory; gone when dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Puts one of so many MiB at this folder; `None` where we may not.
    ///
    /// # Panics
    /// When the folder cannot be made.
    pub async fn at(folder: &Path, mebibytes: u32) -> Option<Self> {
        std::fs::create_dir_all(folder).expect("a folder");
        let size = format!("size={mebibytes}m,mode=700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).stderr(Stdio::null());
        let mounted = mount.status().await.is_ok_and(|status| status.success());
        mounted.then(|| Self(folder.to_owned()))
    }

    /// Fills it to the last page; the file that does so can be removed again.
    ///
    /// # Panics
    /// When it cannot be filled.
    pub fn fill(&self) -> PathBuf {
        use std::io::Write as _;
        let path = self.0.join("filler");
        let mut file = std::fs::File::create(&path).expect("a file");
        for size in [1 << 20, 4096] {
            let part = vec![0; size];
            while file.write_all(&part).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let mut unmount = std::process::Command::new("umount");
        if !unmount.arg("-l").arg(&self.0).status().is_ok_and(|status| status.success()) {
            eprintln!("the small disk was not taken away");
        }
    }
}
