//! What the spool keeps, in which order, within which limits, and through what.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use gateway::{Kind, Lane, NotKept, Spool, SpoolLimits, SpoolRecovered, Taken};
use model::id::Id as _;
use model::{CallId, RootKey, Timestamp, VendorName, World};

const AT: i64 = 1_770_000_000;

fn open_with(dir: &Path, world: &World, limits: SpoolLimits) -> (Spool, SpoolRecovered) {
    let key = RootKey::new([7; 32]).seal_key("spool");
    Spool::open(dir, key, world.clone(), limits).expect("the spool opens")
}

fn open(dir: &Path) -> (Spool, SpoolRecovered) {
    open_with(dir, &world().0, SpoolLimits::default())
}

fn world() -> (World, Arc<model::world::Fixed>) {
    World::fixed(Timestamp::from_seconds(AT), 1)
}

fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
        .expect("a scratch directory")
}

fn vendor(text: &str) -> VendorName {
    VendorName::parse(text).expect(text)
}

fn lane(kind: Kind) -> Lane {
    Lane { vendor: vendor("mailer"), kind }
}

fn call(number: u64) -> CallId {
    CallId::from_u128(u128::from(number))
}

async fn put(spool: &Spool, lane: &Lane, calls: &[u64]) -> Result<(), NotKept> {
    let text = format!("{calls:?} for ann@example.com");
    let calls = calls.iter().map(|number| call(*number)).collect();
    spool.put(lane.clone(), calls, text.clone(), Bytes::from(text)).await
}

fn take(spool: &Spool, lane: &Lane) -> Vec<Taken> {
    std::iter::from_fn(|| spool.take(lane)).collect()
}

fn calls(taken: &[Taken]) -> Vec<u64> {
    taken.iter().map(|taken| taken.call().to_u128() as u64).collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .expect("the folder")
        .map(|file| file.expect("a file").path())
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn what_waits_comes_back_in_order_and_the_ledger_has_to_tell_what_became_of_it() {
    let dir = scratch();
    let mails = lane(Kind::Mail);
    {
        let (spool, recovered) = open(dir.path());
        assert_eq!(recovered, SpoolRecovered::default());
        for number in 1..=20 {
            put(&spool, &mails, &[number]).await.expect("kept");
        }
        let mut taken = take(&spool, &mails);
        assert_eq!(calls(&taken), (1..=20).collect::<Vec<_>>());
        assert!(taken.iter().all(|taken| !taken.is_suspect() && taken.attempts() == 0));
        taken.remove(0).end().await.expect("durable");
    }
    let (spool, recovered) = open(dir.path());
    assert_eq!(recovered.entries, 19);
    let taken = take(&spool, &mails);
    assert_eq!(calls(&taken), (2..=20).collect::<Vec<_>>());
    assert!(taken.iter().all(Taken::is_suspect));
    let (about, body) = taken[0].read().await.expect("opens");
    assert_eq!((about.as_str(), &body[..]), ("[2] for ann@example.com", about.as_bytes()));
    for taken in taken {
        taken.end().await.expect("durable");
    }
    assert_eq!(files(dir.path()), Vec::<PathBuf>::new());
    assert!(spool.lanes().is_empty());
}

#[tokio::test]
async fn each_part_of_an_entry_stands_for_itself() {
    let dir = scratch();
    let mails = lane(Kind::Mail);
    let (clock, later) = world();
    let (spool, _) = open_with(dir.path(), &clock, SpoolLimits::default());
    put(&spool, &mails, &[1, 2, 3]).await.expect("kept");
    let mut taken = take(&spool, &mails);
    assert_eq!(taken.iter().map(Taken::index).collect::<Vec<_>>(), [0, 1, 2]);
    let due = clock.now().plus_seconds(60);
    taken.remove(1).defer(due, call(9)).await.expect("durable");
    taken.remove(0).end().await.expect("durable");
    drop(taken);
    drop(spool);

    let (spool, _) = open_with(dir.path(), &clock, SpoolLimits::default());
    let taken = take(&spool, &mails);
    assert_eq!(calls(&taken), [3], "the first has ended, the second has to wait");
    later.advance_seconds(60);
    let deferred = spool.take(&mails).expect("it is time");
    assert_eq!((deferred.call(), deferred.attempts(), deferred.index()), (call(9), 1, 1));
}

#[tokio::test]
async fn a_call_that_has_to_wait_holds_those_behind_it_and_a_mail_does_not() {
    let dir = scratch();
    let (spool, _) = open(dir.path());
    let due = Timestamp::from_seconds(AT + 60);
    for (kind, next) in [(Kind::Call, vec![]), (Kind::Mail, vec![2, 3])] {
        for number in 1..=3 {
            put(&spool, &lane(kind), &[number]).await.expect("kept");
        }
        let first = spool.take(&lane(kind)).expect("the first");
        first.defer(due, call(9)).await.expect("durable");
        assert_eq!(calls(&take(&spool, &lane(kind))), next, "{kind:?}");
    }
    let backlog = spool.backlog(&vendor("mailer"));
    assert_eq!((backlog.calls, backlog.mails), (3, 3));
    assert_eq!(backlog.oldest, Some(Timestamp::from_seconds(AT)));
}

#[tokio::test]
async fn what_was_taken_and_not_ended_waits_again_and_is_suspect() {
    let dir = scratch();
    let (spool, _) = open(dir.path());
    put(&spool, &lane(Kind::Call), &[1]).await.expect("kept");
    drop(spool.take(&lane(Kind::Call)).expect("it waits"));
    assert!(spool.take(&lane(Kind::Call)).expect("it waits again").is_suspect());
}

#[tokio::test]
async fn the_spool_has_its_limits_and_one_vendor_leaves_room_for_others() {
    let dir = scratch();
    let limits = SpoolLimits { entries: 4, bytes: 2_000, vendor_entries: 2, vendor_bytes: 1_000 };
    let (spool, _) = open_with(dir.path(), &world().0, limits);
    let other = |name: &str| Lane { vendor: vendor(name), kind: Kind::Mail };
    for name in ["one", "one", "two"] {
        put(&spool, &other(name), &[1]).await.expect("kept");
    }
    assert_eq!(put(&spool, &other("one"), &[1]).await, Err(NotKept::Full), "entries of a vendor");
    let large = spool.put(other("two"), vec![call(1)], String::new(), vec![0; 950].into()).await;
    assert_eq!(large, Err(NotKept::Full), "bytes of a vendor");
    put(&spool, &other("two"), &[1]).await.expect("kept");
    assert_eq!(put(&spool, &other("three"), &[1]).await, Err(NotKept::Full), "entries of all");
    spool.take(&other("one")).expect("it waits").end().await.expect("durable");
    put(&spool, &other("three"), &[1]).await.expect("there is room again");
}

#[tokio::test]
async fn nothing_can_be_read_in_a_file_or_moved_to_another() {
    let dir = scratch();
    let (spool, _) = open(dir.path());
    for number in 1..=2 {
        put(&spool, &lane(Kind::Mail), &[number]).await.expect("kept");
    }
    let found = files(dir.path());
    let (one, two) = (&found[0], &found[1]);
    let text = std::fs::read(one).expect("readable");
    for clear in ["ann@example.com", "mailer", "mail"] {
        let is_there = text.windows(clear.len()).any(|window| window == clear.as_bytes());
        assert!(!is_there, "`{clear}` stands in the file");
    }
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(one).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    drop(spool);
    std::fs::copy(one, two).expect("copied");
    let (spool, recovered) = open(dir.path());
    assert_eq!((recovered.entries, recovered.damaged), (1, 1));
    assert_eq!(calls(&take(&spool, &lane(Kind::Mail))), [1]);
    assert!(two.exists(), "what was acknowledged is not thrown away");
}

#[tokio::test]
async fn a_file_cut_anywhere_is_damaged_and_a_note_cut_anywhere_was_never_made() {
    let dir = scratch();
    let mails = lane(Kind::Mail);
    let (spool, _) = open(dir.path());
    put(&spool, &mails, &[1]).await.expect("kept");
    let file = files(dir.path()).remove(0);
    let written = std::fs::read(&file).expect("readable").len();
    let deferred = spool.take(&mails).expect("it waits");
    deferred.defer(Timestamp::from_seconds(AT), call(2)).await.expect("durable");
    drop(spool);
    let whole = std::fs::read(&file).expect("readable");
    assert!(whole.len() > written);
    for length in (0..whole.len()).rev() {
        std::fs::write(&file, &whole[..length]).expect("written");
        let (spool, recovered) = open(dir.path());
        assert_eq!(recovered.damaged, usize::from(length < written), "{length} of {written}");
        let expected: &[u64] = if length < written { &[] } else { &[1] };
        assert_eq!(calls(&take(&spool, &mails)), expected, "{length} of {written}");
    }
    std::fs::write(&file, &whole[..written + 9]).expect("written");
    let (spool, _) = open(dir.path());
    let deferred = spool.take(&mails).expect("it waits");
    deferred.defer(Timestamp::from_seconds(AT), call(3)).await.expect("durable");
    drop(spool);
    assert_eq!(calls(&take(&open(dir.path()).0, &mails)), [3], "a torn note is written over");
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_removed() {
    let dir = scratch();
    std::fs::write(dir.path().join("0000000000000001.part"), "half").expect("written");
    let (spool, recovered) = open(dir.path());
    assert_eq!((recovered.torn, recovered.entries), (1, 0));
    assert!(files(dir.path()).is_empty() && spool.lanes().is_empty());
}

fn say(word: &str, number: u64) {
    std::io::stdout().write_all(format!("{word} {number}\n").as_bytes()).expect("the parent reads");
}

/// Puts in, takes, ends and defers from several tasks until it is killed.
async fn churn(dir: &Path, round: u64) {
    let (spool, _) = open(dir);
    let tasks = (0..4).map(|task| {
        let spool = spool.clone();
        tokio::spawn(async move {
            let own = Lane { vendor: vendor(&format!("v{task}")), kind: Kind::Mail };
            for step in 0..100_000_u64 {
                let number = (round * 4 + task) << 32 | step;
                put(&spool, &own, &[number]).await.expect("kept");
                say("kept", number);
                if step % 3 == 0 {
                    let taken = spool.take(&own).expect("something waits");
                    let number = taken.call().to_u128() as u64;
                    say("ending", number);
                    taken.end().await.expect("durable");
                    say("ended", number);
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("goes on until it is killed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_kept_is_lost_and_nothing_ended_comes_back_by_kill_9() {
    const NAME: &str = "nothing_kept_is_lost_and_nothing_ended_comes_back_by_kill_9";
    const DIR: &str = "CORDON_TEST_SPOOL_DIR";
    const ROUND: &str = "CORDON_TEST_SPOOL_ROUND";
    if let (Some(dir), Some(round)) = (std::env::var_os(DIR), std::env::var_os(ROUND)) {
        let round = round.to_str().and_then(|round| round.parse().ok());
        return churn(Path::new(&dir), round.expect("a number")).await;
    }
    let dir = scratch();
    let (mut kept, mut ending, mut ended) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for round in 1..=25_u64 {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", NAME, "--nocapture"])
            .env(DIR, dir.path())
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        for (read, line) in output.lines().enumerate() {
            let line = line.expect("text");
            let said = line.split_once(' ').and_then(|(word, n)| Some((word, n.parse().ok()?)));
            match said {
                Some(("kept", number)) => kept.insert(number),
                Some(("ending", number)) => ending.insert(number),
                Some(("ended", number)) => ended.insert(number),
                _ => false,
            };
            if read as u64 == 10 + round * 7 {
                child.kill().expect("SIGKILL");
            }
        }
        child.wait().expect("the child ends");
        let (spool, recovered) = open(dir.path());
        assert_eq!(recovered.damaged, 0);
        let lanes = spool.lanes();
        let taken: Vec<Taken> = lanes.iter().flat_map(|lane| take(&spool, lane)).collect();
        let waits: BTreeSet<u64> = calls(&taken).into_iter().collect();
        assert_eq!(waits.len(), taken.len(), "nothing waits twice");
        assert!(kept.iter().all(|number| waits.contains(number) || ending.contains(number)));
        assert!(ended.iter().all(|number: &u64| !waits.contains(number)));
    }
    assert!(kept.len() > 100 && ended.len() > 25, "the rounds did something");
}

async fn fill(dir: &Path) {
    let (spool, _) = open(dir);
    let large = |bytes: usize| {
        let body = Bytes::from(vec![0; bytes]);
        spool.put(lane(Kind::Mail), vec![call(bytes as u64)], String::new(), body)
    };
    let outcome = |kept: Result<(), NotKept>| match kept {
        Ok(()) => "kept",
        Err(why) => model::Coded::code(&why),
    };
    say(outcome(large(1_000).await), 1);
    say(outcome(large(900_000).await), 2);
    say(outcome(large(2_000).await), 3);
}

/// The disk is full when a file may not grow: the child runs under a limit on the size of files,
/// with the signal ignored, so that the write fails as it does on a full disk.
#[tokio::test]
async fn a_full_disk_keeps_nothing_and_goes_on_when_there_is_room() {
    const DIR: &str = "CORDON_TEST_SPOOL_FULL";
    const NAME: &str = "a_full_disk_keeps_nothing_and_goes_on_when_there_is_room";
    if let Some(dir) = std::env::var_os(DIR) {
        return fill(Path::new(&dir)).await;
    }
    let dir = scratch();
    let output = Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; ulimit -f 200; exec "$0" "$@""#])
        .arg(std::env::current_exe().expect("this test"))
        .args(["--exact", NAME, "--nocapture"])
        .env(DIR, dir.path())
        .output()
        .expect("the child runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let said: Vec<&str> = said.lines().filter(|line| line.ends_with(char::is_numeric)).collect();
    let expected = ["kept 1", "spool-down 2", "kept 3"];
    assert!(expected.iter().all(|line| said.contains(line)), "{said:?}");
    let (spool, recovered) = open(dir.path());
    assert_eq!((recovered.entries, recovered.torn, recovered.damaged), (2, 0, 0));
    assert_eq!(calls(&take(&spool, &lane(Kind::Mail))), [1_000, 2_000]);
}
