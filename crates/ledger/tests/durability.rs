//! What a crash, a damaged file, a full disk or a second process may and may not do.

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{call, hash, intent, keys, open, row, scratch, sent, vendor, world};
use ledger::{Ledger, LedgerKeys, OpenRefused};
use model::{CallId, Coded as _, Reach, RootKey, Window};

fn segment(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("wal/{number:010}.wal"))
}

fn refusal(dir: &Path) -> OpenRefused {
    let refused = Ledger::open(dir, keys(), world(9)).err().expect("does not open");
    refused.downcast().expect("a refusal with a code")
}

fn calls(ledger: &Ledger) -> Vec<CallId> {
    let mut calls = Vec::new();
    ledger.disclosures(&mut |row| calls.push(row.call)).expect("reads");
    calls.sort_unstable();
    calls
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copies");
        }
    }
}

#[tokio::test]
async fn a_torn_tail_is_dropped_and_everything_acknowledged_is_kept() {
    let (dir, world) = (scratch(), world(1));
    let (ledger, _) = open(dir.path(), &world);
    for number in 1..=2 {
        let rows = vec![row(&[&format!("person-{number}")], "email", &[])];
        ledger.intend(intent(number, rows)).await.expect("durable");
    }
    let acknowledged = ledger.status().bytes;
    ledger.intend(intent(3, vec![row(&["torn"], "email", &["list"])])).await.expect("durable");
    drop(ledger);
    let whole = fs::read(segment(dir.path(), 1)).expect("a segment");
    assert!(whole.len() as u64 > acknowledged);

    let spoilt = (acknowledged as usize..whole.len()).flat_map(|place| {
        let mut changed = whole.clone();
        changed[place] ^= 0x55;
        let blank_behind = [&changed[..=place], &[0; 5_000]].concat();
        [whole[..place].to_vec(), changed, blank_behind]
    });
    for bytes in spoilt {
        let copied = scratch();
        copy(dir.path(), copied.path());
        fs::write(segment(copied.path(), 1), &bytes).expect("writes");
        let (ledger, recovered) = open(copied.path(), &world);
        assert_eq!(recovered.torn_bytes, bytes.len() as u64 - acknowledged);
        assert_eq!(calls(&ledger), [call(1), call(2)]);
        ledger.intend(intent(4, vec![row(&["later"], "email", &[])])).await.expect("goes on");
        drop(ledger);
        assert_eq!(calls(&open(copied.path(), &world).0), [call(1), call(2), call(4)]);
    }
}

#[tokio::test]
async fn what_lies_blank_ahead_at_a_crash_is_neither_torn_nor_lost() {
    let (dir, world) = (scratch(), world(1));
    let (ledger, _) = open(dir.path(), &world);
    ledger.intend(intent(1, vec![row(&["one"], "email", &[])])).await.expect("durable");
    let crashed = scratch();
    copy(dir.path(), crashed.path());
    let acknowledged = ledger.status().bytes;
    assert!(fs::metadata(segment(crashed.path(), 1)).expect("a segment").len() > acknowledged);
    let (ledger, recovered) = open(crashed.path(), &world);
    assert_eq!((recovered.torn_bytes, recovered.records), (0, 2));
    ledger.intend(intent(2, vec![row(&["two"], "email", &[])])).await.expect("goes on");
    drop(ledger);
    assert_eq!(calls(&open(crashed.path(), &world).0), [call(1), call(2)]);
}

#[tokio::test]
async fn damage_before_the_last_frame_is_refused_and_nothing_is_changed() {
    let (dir, world) = (scratch(), world(1));
    let (ledger, _) = open(dir.path(), &world);
    for number in 1..=3 {
        let rows = vec![row(&[&format!("person-{number}")], "email", &[])];
        ledger.intend(intent(number, rows)).await.expect("durable");
    }
    drop(ledger);
    let whole = fs::read(segment(dir.path(), 1)).expect("a segment");
    for place in 0..whole.len() / 3 {
        let mut changed = whole.clone();
        changed[place] ^= 0x55;
        fs::write(segment(dir.path(), 1), &changed).expect("writes");
        let refused = refusal(dir.path());
        assert_eq!(refused.code(), "ledger-damaged", "byte {place}");
        assert!(refused.to_string().contains("wal/0000000001.wal` at byte 0"), "{refused}");
        assert_eq!(fs::read(segment(dir.path(), 1)).expect("a segment"), changed);
    }
}

#[tokio::test]
async fn a_torn_frame_in_a_completed_segment_is_damage() {
    let (dir, world) = (scratch(), world(1));
    let (ledger, _) = open(dir.path(), &world);
    ledger.intend(intent(1, vec![row(&["one"], "email", &[])])).await.expect("durable");
    drop(ledger);
    let whole = fs::read(segment(dir.path(), 1)).expect("a segment");
    fs::write(segment(dir.path(), 1), &whole[..whole.len() - 1]).expect("writes");
    fs::write(segment(dir.path(), 2), b"").expect("writes");
    assert_eq!(refusal(dir.path()).code(), "ledger-damaged");
}

#[tokio::test]
async fn a_missing_segment_run_or_manifest_is_damage() {
    let (dir, world) = (scratch(), world(1));
    let (ledger, _) = open(dir.path(), &world);
    ledger.intend(intent(1, vec![row(&["one"], "email", &[])])).await.expect("durable");
    ledger.seal().await.expect("seals");
    drop(ledger);
    for gone in [
        "wal/0000000002.wal",
        "log/0000000002.parquet",
        "episodes/0000000002.parquet",
        "state/0000000002.state",
        "manifest/0000000002.json",
    ] {
        let copied = scratch();
        copy(dir.path(), copied.path());
        fs::remove_file(copied.path().join(gone)).expect(gone);
        assert_eq!(refusal(copied.path()).code(), "ledger-damaged", "without {gone}");
    }
    assert_eq!(calls(&open(dir.path(), &world).0), [call(1)]);
}

#[tokio::test]
async fn a_manifest_that_a_crash_left_torn_was_never_published() {
    let (dir, world) = (scratch(), world(1));
    let before = scratch();
    let (ledger, _) = open(dir.path(), &world);
    ledger.intend(intent(1, vec![row(&["one"], "email", &[])])).await.expect("durable");
    drop(ledger);
    copy(dir.path(), before.path());
    let (ledger, _) = open(dir.path(), &world);
    ledger.seal().await.expect("seals");
    drop(ledger);
    // The moment before the manifest was whole: runs, state and both segments are there.
    let manifest = fs::read(dir.path().join("manifest/0000000002.json")).expect("a manifest");
    for length in [0, 1, manifest.len() / 2, manifest.len() - 1] {
        let copied = scratch();
        copy(before.path(), copied.path());
        copy(dir.path(), copied.path());
        let torn = copied.path().join("manifest/0000000002.json");
        fs::write(&torn, &manifest[..length]).expect("writes");
        let (ledger, recovered) = open(copied.path(), &world);
        assert_eq!((recovered.manifest, recovered.runs, recovered.rows), (1, 0, 1));
        assert_eq!(calls(&ledger), [call(1)], "neither lost nor counted twice");
        ledger.seal().await.expect("seals");
        assert_eq!(calls(&ledger), [call(1)]);
    }
}

#[tokio::test]
async fn what_a_crash_after_the_manifest_left_is_not_counted_twice() {
    let (dir, world) = (scratch(), world(1));
    let before = scratch();
    let (ledger, _) = open(dir.path(), &world);
    ledger.intend(intent(1, vec![row(&["one"], "email", &[])])).await.expect("durable");
    copy(dir.path(), before.path());
    ledger.seal().await.expect("seals");
    drop(ledger);
    copy(&before.path().join("wal"), &dir.path().join("wal"));
    copy(&before.path().join("manifest"), &dir.path().join("manifest"));
    assert!(segment(dir.path(), 1).exists(), "the sealed segment is back");
    let (ledger, recovered) = open(dir.path(), &world);
    assert_eq!((recovered.manifest, recovered.rows), (2, 0));
    assert_eq!(calls(&ledger), [call(1)]);
    assert!(!segment(dir.path(), 1).exists(), "and gone for good");
}

#[tokio::test]
async fn two_cannot_have_one_ledger_and_the_next_has_it_when_the_first_is_closed() {
    let dir = scratch();
    let (ledger, _) = open(dir.path(), &world(1));
    let clone = ledger.clone();
    drop(ledger);
    assert_eq!(refusal(dir.path()), OpenRefused::Locked);
    drop(clone);
    open(dir.path(), &world(2));
}

#[test]
fn a_ledger_does_not_open_under_another_identifier_key() {
    let dir = scratch();
    open(dir.path(), &world(1));
    let other = LedgerKeys { identifier: RootKey::new([8; 32]).mac_key("identifier") };
    let refused = Ledger::open(dir.path(), other, world(1)).err().expect("does not open");
    assert_eq!(refused.downcast::<OpenRefused>().expect("coded").code(), "ledger-key");
}

/// Takes in calls until the ledger is down, and says which ones it acknowledged.
async fn fill(dir: &Path) {
    let (ledger, _) = open(dir, &world(3));
    let mut out = std::io::stdout();
    for number in 1.. {
        let rows = (0..200).map(|one| row(&[&format!("{number}-{one}")], "email,name", &["list"]));
        match ledger.intend(intent(number, rows.collect())).await {
            Ok(()) => writeln!(out, "acknowledged {number}").expect("the parent reads"),
            Err(down) => {
                writeln!(out, "refused {}", down.code()).expect("the parent reads");
                break;
            }
        }
    }
    let later = ledger.settle(call(1), sent()).await;
    writeln!(out, "later {}", later.is_err()).expect("the parent reads");
    writeln!(out, "status {}", ledger.status().down).expect("the parent reads");
    let answers = ledger.exposure(&vendor("sendgrid"), Window::default(), &Reach::default());
    writeln!(out, "answers {}", answers.is_ok()).expect("the parent reads");
}

/// The disk is full when a file may not grow: the child runs under a limit on the size of files,
/// with the signal ignored, so that the write fails as it does on a full disk.
#[tokio::test]
async fn a_full_disk_refuses_and_never_acknowledges_what_is_not_durable() {
    const DIR: &str = "CORDON_TEST_FULL_DISK";
    const NAME: &str = "a_full_disk_refuses_and_never_acknowledges_what_is_not_durable";
    if let Some(dir) = std::env::var_os(DIR) {
        return fill(Path::new(&dir)).await;
    }
    let dir = scratch();
    let mut child = Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; ulimit -f 200; exec "$0" "$@""#])
        .arg(std::env::current_exe().expect("this test"))
        .args(["--exact", NAME, "--nocapture"])
        .env(DIR, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let lines: Vec<String> = lines.map(|line| line.expect("text")).collect();
    child.wait().expect("the child ends");
    let starting = |word: &str| -> Vec<String> {
        lines.iter().filter_map(|line| line.strip_prefix(word)).map(str::to_owned).collect()
    };
    let acknowledged = starting("acknowledged ");
    assert!(!acknowledged.is_empty(), "some were written before the disk was full: {lines:?}");
    assert_eq!(starting("refused "), ["ledger-down"]);
    assert_eq!(starting("later "), ["true"], "it stays down");
    assert_eq!(starting("status "), ["true"]);
    assert_eq!(starting("answers "), ["true"], "questions are still answered");

    let (ledger, _) = open(dir.path(), &world(4));
    let mut kept = calls(&ledger);
    assert_eq!(kept.len() % 200, 0, "calls are whole");
    kept.dedup();
    for number in &acknowledged {
        let number: u64 = number.parse().expect("a number");
        assert!(kept.contains(&call(number)), "call {number} was acknowledged");
    }
    assert!(ledger.person(hash("1-0")).is_some());
}
