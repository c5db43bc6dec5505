//! kill -9 while the ledger takes in, settles and seals, over and over on one directory: nothing
//! acknowledged is lost, nothing is counted twice.

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{call, hash, intent, number, open, row, scratch, sent, world};
use ledger::{Ledger, Outcome, Settled};
use model::{CallId, World};

const NAME: &str = "nothing_acknowledged_is_lost_or_counted_twice_by_kill_9";
const DIR: &str = "CORDON_TEST_KILL_DIR";
const ROUND: &str = "CORDON_TEST_KILL_ROUND";
const ROUNDS: u64 = 60;
const TASKS: u64 = 8;
/// Rows of each call: 0, 1, 2, 0, 1, …
const fn rows_of(number: u64) -> u64 {
    number % 3
}

fn say(word: &str, number: u64) {
    // One write per line, so that a line is whole or was not said.
    let line = format!("{word} {number}\n");
    std::io::stdout().write_all(line.as_bytes()).expect("the parent reads");
}

/// Takes in calls from several tasks at once until it is killed.
async fn ingest(dir: &Path, round: u64) {
    let (ledger, _) = open(dir, &world(round));
    let tasks = (0..TASKS).map(|task| tokio::spawn(one_task(ledger.clone(), round, task)));
    let tasks: Vec<_> = tasks.collect();
    loop {
        let sealed = ledger.seal().await.expect("seals");
        say("sealed", sealed.manifest);
        if tasks.iter().all(tokio::task::JoinHandle::is_finished) {
            return;
        }
    }
}

async fn one_task(ledger: Ledger, round: u64, task: u64) {
    let mut owed = None;
    for step in 0..100_000 {
        let number = (round * TASKS + task) << 32 | step;
        let rows = (0..rows_of(number))
            .map(|one| row(&[&format!("{number}-{one}")], "email", &[]))
            .collect();
        ledger.intend(intent(number, rows)).await.expect("durable");
        say("intended", number);
        if let Some(before) = owed.take() {
            say("settled", before);
        }
        match step % 4 {
            0 => {
                // That something was sent is durable before any later intent is.
                ledger.settle(call(number), sent()).await.expect("taken");
                owed = Some(number);
            }
            1 => {
                let outcome = Outcome::NotSent { code: "vendor-unreachable" };
                ledger.settle(call(number), outcome).await.expect("durable");
                say("settled", number);
            }
            _ => {}
        }
    }
}

/// Starts a child, reads what it says until `lines` lines, and kills it.
fn round(dir: &Path, round: u64, lines: u64, intended: &mut Vec<u64>, settled: &mut Vec<u64>) {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", NAME, "--nocapture"])
        .env(DIR, dir)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let mut output = BufReader::new(child.stdout.take().expect("its output"));
    let (mut line, mut read) = (String::new(), 0);
    loop {
        line.clear();
        if output.read_line(&mut line).expect("text") == 0 {
            break;
        }
        // A line that the kill cut off was not said.
        let said = line.strip_suffix('\n').and_then(|line| line.split_once(' '));
        let said = said.and_then(|(word, number)| Some((word, number.parse().ok()?)));
        match said {
            Some(("intended", number)) => intended.push(number),
            Some(("settled", number)) => settled.push(number),
            _ => {}
        }
        read += 1;
        if read == lines {
            child.kill().expect("SIGKILL");
        }
    }
    child.wait().expect("the child ends");
}

fn check(dir: &Path, world: &World, intended: &[u64], settled: &[u64]) {
    let (ledger, _) = open(dir, world);
    let mut found: BTreeMap<CallId, (u64, Settled)> = BTreeMap::new();
    ledger
        .disclosures(&mut |row| {
            let entry = found.entry(row.call).or_insert((0, row.settled));
            *entry = (entry.0 + 1, row.settled);
        })
        .expect("reads");
    for &number in intended {
        assert!(ledger.knows_call(call(number)), "call {number} was acknowledged");
        let rows = found.get(&call(number)).map_or(0, |found| found.0);
        assert_eq!(rows, rows_of(number), "rows of call {number}");
        for one in 0..rows {
            assert!(ledger.person(hash(&format!("{number}-{one}"))).is_some());
        }
    }
    let expected = |number: u64| if number & 3 == 0 { Settled::Sent } else { Settled::NotSent };
    for &number in settled {
        let Some((_, settled)) = found.get(&call(number)) else { continue };
        assert_eq!(*settled, expected(number & 0xFFFF_FFFF), "the outcome of {number}");
    }
    // What was not acknowledged may be there, but whole and once.
    for (&id, &(rows, _)) in &found {
        let number = model::id::Id::to_u128(&id) as u64;
        assert_eq!(rows, rows_of(number), "rows of call {number}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_counted_twice_by_kill_9() {
    if let (Some(dir), Some(round)) = (std::env::var_os(DIR), number(ROUND)) {
        return ingest(Path::new(&dir), round).await;
    }
    let (dir, own) = (scratch(), world(u64::MAX));
    let (mut intended, mut settled) = (Vec::new(), Vec::new());
    let seed = number("CORDON_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("seed of the moments: {seed}");
    for number in 1..=ROUNDS {
        let moment = model::crypto::sha256(&[seed.to_le_bytes(), number.to_le_bytes()].concat());
        let lines = 5 + u64::from(u16::from_le_bytes([moment[0], moment[1]])) % 400;
        round(dir.path(), number, lines, &mut intended, &mut settled);
        check(dir.path(), &own, &intended, &settled);
    }
    assert!(intended.len() as u64 > ROUNDS, "the rounds took something in");
}
