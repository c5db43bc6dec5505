//! A process that writes is killed with SIGKILL, again and again; whatever it had acknowledged is
//! there. The process is this test binary, run again with a directory to write to.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use model::{Timestamp, World};
use store::Store;

const ROUNDS: u64 = 10;
const WRITERS: u64 = 8;
/// The child of one round is killed as soon as it has acknowledged so many.
const ACKNOWLEDGED: usize = 40;
const DIRECTORY: &str = "CORDON_STORE_CRASH_DIRECTORY";
const ROUND: &str = "CORDON_STORE_CRASH_ROUND";

#[test]
fn every_acknowledged_change_survives_kill_9() {
    if let (Some(dir), Some(round)) = (std::env::var_os(DIRECTORY), std::env::var_os(ROUND)) {
        let round = round.to_str().expect("digits").parse().expect("digits");
        write_until_killed(&PathBuf::from(dir), round);
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let new = run_and_kill(dir.path(), round);
        assert!(new.len() >= ACKNOWLEDGED, "round {round}: {} acknowledged", new.len());
        acknowledged.extend(new);

        let store = open(dir.path(), round);
        let names = acknowledged.clone();
        let (missing, verified) = store
            .read_now(move |tx| {
                let mut missing = Vec::new();
                for name in names {
                    let entry = tx.audit_of(&name, 1)?;
                    if tx.setting::<u64>(&name)?.is_none() || entry.is_empty() {
                        missing.push(name);
                    }
                }
                Ok((missing, tx.verify_audit(1)?))
            })
            .expect("reads");
        assert!(missing.is_empty(), "round {round}: {missing:?} were acknowledged");
        let entries = verified.expect("the log is whole").entries;
        assert!(entries >= acknowledged.len() as u64);
    }
}

/// What the child said that it had kept, in whole lines.
fn run_and_kill(dir: &Path, round: u64) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "every_acknowledged_change_survives_kill_9", "--nocapture"])
        .env(DIRECTORY, dir)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut said = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut acknowledged = Vec::new();
    let mut line = String::new();
    while said.read_line(&mut line).expect("reads") > 0 {
        if let Some(name) = line.strip_prefix("kept ").and_then(|rest| rest.strip_suffix('\n')) {
            acknowledged.push(name.to_owned());
            if acknowledged.len() == ACKNOWLEDGED {
                child.kill().expect("kills");
            }
        }
        line.clear();
    }
    let status = child.wait().expect("ends");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{status}");
    acknowledged
}

fn open(dir: &Path, seed: u64) -> Store {
    let (world, _) = World::fixed(Timestamp::from_seconds(1_770_256_800), seed);
    Store::open(&dir.join("store.db"), world).expect("opens, since a lock dies with its process")
}

fn write_until_killed(dir: &Path, round: u64) -> ! {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let store = open(dir, round);
    runtime.block_on(async {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(write_on(store.clone(), format!("{round}/{writer}"))))
            .collect();
        for writer in writers {
            writer.await.expect("it goes on until the process is killed");
        }
    });
    unreachable!("writers do not end")
}

async fn write_on(store: Store, writer: String) {
    for number in 0u64.. {
        let name = format!("{writer}/{number}");
        let kept = name.clone();
        store
            .write(move |tx| {
                tx.set_setting(&kept, &number)?;
                tx.audit("system", "kept", &kept, &number)
            })
            .await
            .expect("kept");
        let mut out = std::io::stdout().lock();
        out.write_all(format!("kept {name}\n").as_bytes()).expect("the parent listens");
        out.flush().expect("the parent listens");
    }
}
