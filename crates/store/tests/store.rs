//! The store as its callers see it: many at once, opened again, locked, copied.

use std::path::Path;
use std::sync::Arc;

use model::world::Fixed;
use model::{Coded, OperatorName, Timestamp, World};
use store::{Refused, Store};

fn world() -> (World, Arc<Fixed>) {
    World::fixed(Timestamp::from_seconds(1_770_256_800), 1)
}

fn open(dir: &Path) -> anyhow::Result<Store> {
    Store::open(&dir.join("store.db"), world().0)
}

fn code(refused: anyhow::Result<Store>) -> &'static str {
    let error = refused.err().expect("a refusal");
    error.downcast_ref::<Refused>().expect("a refusal").code()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_share_commits_and_lose_nothing() {
    const WRITERS: u64 = 64;
    const CHANGES: u64 = 8;
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).expect("opens");
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for change in 0..CHANGES {
                    store
                        .write(move |tx| {
                            let total: u64 = tx.setting("total")?.unwrap_or(0);
                            tx.set_setting("total", &(total + 1))?;
                            tx.audit("system", "counted", &writer.to_string(), &change)
                        })
                        .await
                        .expect("kept");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("runs");
    }
    let status = store.status();
    assert_eq!(status.changes, WRITERS * CHANGES);
    assert!(status.commits < status.changes, "{} commits", status.commits);
    let (total, verified) = store
        .read(|tx| Ok((tx.setting::<u64>("total")?, tx.verify_audit(1)?)))
        .await
        .expect("reads");
    assert_eq!(total, Some(WRITERS * CHANGES), "each saw the one before");
    assert_eq!(verified.expect("whole").entries, WRITERS * CHANGES);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_when_it_is_opened_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).expect("opens");
    store.write(|tx| tx.set_setting("kept", &1)).await.expect("kept");
    drop(store);
    let store = open(dir.path()).expect("opens again, for the lock is gone with the last clone");
    assert_eq!(store.read_now(|tx| tx.setting::<u32>("kept")).expect("reads"), Some(1));
}

#[tokio::test]
async fn a_second_one_is_refused_while_the_first_is_open() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = open(dir.path()).expect("opens");
    assert_eq!(code(open(dir.path())), "store-locked");
    let clone = first.clone();
    drop(first);
    assert_eq!(code(open(dir.path())), "store-locked", "a clone holds it too");
    drop(clone);
    assert!(open(dir.path()).is_ok());
}

#[tokio::test]
async fn a_watch_sees_each_change_once_whoever_made_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).expect("opens");
    let mut watch = store.watch().expect("watches");
    let mut look = || watch.look(|tx| tx.setting::<u32>("number"));
    assert_eq!(look().expect("looks"), Some(None), "the first look sees what there is");
    assert_eq!(look().expect("looks"), None);
    store.write(|tx| tx.set_setting("number", &1)).await.expect("kept");
    assert_eq!(look().expect("looks"), Some(Some(1)));
    assert_eq!(look().expect("looks"), None);

    let path = dir.path().join("store.db");
    let beside = Store::open_beside(&path, world().0).expect("no lock keeps it out");
    beside.write(|tx| tx.set_setting("number", &2)).await.expect("kept");
    assert_eq!(look().expect("looks"), Some(Some(2)));
    drop(beside);
    assert_eq!(look().expect("looks"), None);
    store.write(|tx| tx.set_setting("number", &3)).await.expect("both go on");
    assert_eq!(look().expect("looks"), Some(Some(3)));
}

#[tokio::test]
async fn changes_of_two_processes_make_one_audit_log() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).expect("opens");
    let path = dir.path().join("store.db");
    let beside = Store::open_beside(&path, world().0).expect("opens");
    for number in 0..20 {
        for writer in [&store, &beside] {
            writer
                .write(move |tx| tx.audit("system", "counted", "x", &number))
                .await
                .expect("kept");
        }
    }
    let verified = store.read(|tx| tx.verify_audit(1)).await.expect("can tell");
    assert_eq!(verified.expect("whole").entries, 40);
}

#[tokio::test]
async fn a_watch_says_so_when_it_cannot_tell() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).expect("opens");
    let path = dir.path().join("store.db");
    let mut watch = store.watch().expect("watches");
    watch.look(|_| Ok(())).expect("looks");

    let copy = dir.path().join("copy.db");
    store.copy_to(&copy).expect("copies");
    let aside = dir.path().join("aside.db");
    std::fs::rename(&path, &aside).expect("moved");
    let gone = watch.look(|_| Ok(())).expect_err("it is gone");
    assert_eq!(gone.downcast_ref::<Refused>().expect("a refusal").code(), "store-replaced");
    std::fs::rename(&copy, &path).expect("moved");
    let other = watch.look(|_| Ok(())).expect_err("it is another one");
    assert_eq!(other.downcast_ref::<Refused>().expect("a refusal").code(), "store-replaced");
    std::fs::remove_file(&path).expect("removed");
    std::fs::rename(&aside, &path).expect("moved back");
    assert_eq!(watch.look(|_| Ok(())).expect("it is the one that was opened"), None);
}

#[tokio::test]
async fn only_a_store_of_this_schema_is_opened_beside() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("store.db");
    assert_eq!(code(Store::open_beside(&path, world().0)), "not-found");
    assert!(!path.exists(), "none is made");
    std::fs::write(&path, "").expect("an empty file");
    assert_eq!(code(Store::open_beside(&path, world().0)), "older-schema");
}

#[tokio::test]
async fn a_question_sees_one_state_and_changes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).expect("opens");
    store.write(|tx| tx.set_setting("number", &1)).await.expect("kept");
    let (seen, go_on) = std::sync::mpsc::sync_channel::<()>(0);
    let (started, has_started) = tokio::sync::oneshot::channel();
    let reader = store.clone();
    let question = tokio::spawn(async move {
        reader
            .read(move |tx| {
                let before: Option<u32> = tx.setting("number")?;
                assert!(started.send(()).is_ok());
                assert!(go_on.recv().is_err(), "it goes on when the sender is dropped");
                Ok((before, tx.setting::<u32>("number")?))
            })
            .await
    });
    has_started.await.expect("it started");
    store.write(|tx| tx.set_setting("number", &2)).await.expect("a reader holds up no writer");
    drop(seen);
    assert_eq!(question.await.expect("runs").expect("reads"), (Some(1), Some(1)));
    assert_eq!(store.read(|tx| tx.setting::<u32>("number")).await.expect("reads"), Some(2));

    let name = OperatorName::parse("ann").expect("a name");
    let change = store.read(move |tx| tx.insert_operator(&name, &[1; 32], &["viewer"])).await;
    assert!(change.is_err(), "a question cannot change anything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_questions_than_connections_are_all_answered_and_a_panic_gives_its_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).expect("opens");
    for _ in 0..2 * model::limits::STORE_READERS {
        let panicked = store.read(|_| -> anyhow::Result<()> { panic!("as this test wants") }).await;
        assert!(panicked.is_err());
    }
    let questions: Vec<_> = (0..8 * model::limits::STORE_READERS)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.read(|tx| tx.audit_head()).await })
        })
        .collect();
    for question in questions {
        assert_eq!(question.await.expect("runs").expect("reads").seq, 0);
    }
}

#[tokio::test]
async fn a_copy_is_a_store_and_overwrites_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).expect("opens");
    store.write(|tx| tx.audit("system", "counted", "copy", &1)).await.expect("kept");
    let path = dir.path().join("copy.db");
    store.copy_to(&path).expect("copies");
    let again = store.copy_to(&path).expect_err("there is a file");
    assert_eq!(again.downcast_ref::<Refused>().expect("a refusal").code(), "exists");
    let copy = Store::open(&path, world().0).expect("opens");
    let verified = copy.read(|tx| tx.verify_audit(1)).await.expect("can tell");
    assert_eq!(verified.expect("whole").entries, 1);
}

#[tokio::test]
async fn what_is_no_store_is_a_fault_and_stays_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let text = "this is a letter, and longer than the header of a database file. ".repeat(20);
    std::fs::write(dir.path().join("store.db"), &text).expect("writes");
    let fault = open(dir.path()).err().expect("a fault");
    assert!(!fault.is::<Refused>());
    let kept = std::fs::read_to_string(dir.path().join("store.db")).expect("reads");
    assert_eq!(kept, text);
}
