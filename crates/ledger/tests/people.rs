//! Persons: found at the gateway, named by the directory, moved, merged, forgotten.

mod common;

use std::fs;
use std::path::Path;

use common::{at, call, hash, intent, open, row, scratch, sent, vendor, world};
use ledger::{Indexed, Ledger, Outcome, Settled};
use model::{IdentifierHash, PersonKey, Reach, Timestamp, Window};

fn exposed(ledger: &Ledger) -> Vec<PersonKey> {
    let exposure = ledger.exposure(&vendor("sendgrid"), Window::default(), &Reach::default());
    exposure.expect("answers").persons.iter().map(|one| one.person).collect()
}

fn person(ledger: &Ledger, identifier: &str) -> PersonKey {
    ledger.person(hash(identifier)).expect(identifier)
}

fn rows(rows: &[&[&str]]) -> Vec<Vec<IdentifierHash>> {
    rows.iter().map(|row| row.iter().map(|text| hash(text)).collect()).collect()
}

#[tokio::test]
async fn a_changed_address_is_the_same_person_and_the_old_one_still_finds_them() {
    let dir = scratch();
    let (ledger, _) = open(dir.path(), &world(1));
    let first = ledger.index_people(rows(&[&["u1", "old"], &["u2", "two"]])).await.expect("ok");
    assert_eq!(first, Indexed { people: 2, new: 2, changed: 0, merged: 0 });
    let second = ledger.index_people(rows(&[&["u1", "new"], &["u2", "two"]])).await.expect("ok");
    assert_eq!(second, Indexed { people: 2, new: 0, changed: 1, merged: 0 });
    assert_eq!(person(&ledger, "old"), person(&ledger, "new"));
    assert_eq!(person(&ledger, "u1"), person(&ledger, "new"));
}

#[tokio::test]
async fn an_address_that_changes_hands_leaves_old_disclosures_with_whom_they_were_made_to() {
    let (dir, world) = (scratch(), world(1));
    let (ledger, _) = open(dir.path(), &world);
    ledger.index_people(rows(&[&["u1", "shared"], &["u2", "two"]])).await.expect("ok");
    let (one, two) = (person(&ledger, "u1"), person(&ledger, "u2"));
    ledger.intend(intent(1, vec![row(&["shared"], "email", &[])])).await.expect("durable");
    ledger.index_people(rows(&[&["u2", "shared"]])).await.expect("ok");
    assert_eq!(person(&ledger, "shared"), two);
    assert_eq!(exposed(&ledger), [one]);
    ledger.intend(intent(2, vec![row(&["shared"], "email", &[])])).await.expect("durable");
    let mut both = [one, two];
    both.sort_unstable();
    assert_eq!(exposed(&ledger), both);
    let earlier = |ledger: &Ledger| -> Vec<PersonKey> {
        ledger.earlier_persons(hash("shared")).iter().map(|&(person, _)| person).collect()
    };
    assert_eq!(earlier(&ledger), [one]);
    ledger.seal().await.expect("seals");
    drop(ledger);
    let (ledger, _) = open(dir.path(), &world);
    assert_eq!((earlier(&ledger), exposed(&ledger)), (vec![one], both.to_vec()));
}

#[tokio::test]
async fn whom_the_gateway_met_under_two_identifiers_is_one_person_once_indexed() {
    let dir = scratch();
    let (ledger, _) = open(dir.path(), &world(1));
    ledger.intend(intent(1, vec![row(&["email"], "email", &[])])).await.expect("durable");
    ledger.intend(intent(2, vec![row(&["phone"], "phone", &[])])).await.expect("durable");
    ledger.seal().await.expect("seals");
    assert_eq!(exposed(&ledger).len(), 2);
    let indexed = ledger.index_people(rows(&[&["u1", "email", "phone"]])).await.expect("ok");
    assert_eq!(indexed, Indexed { people: 1, new: 1, changed: 0, merged: 2 });
    assert_eq!(exposed(&ledger), [person(&ledger, "u1")]);
    assert_eq!(ledger.holdings(person(&ledger, "u1")).expect("answers").len(), 2);
    assert_eq!(ledger.status().people, 1);
}

#[tokio::test]
async fn a_user_id_met_with_anothers_address_is_not_made_one_person_with_them() {
    let dir = scratch();
    let (ledger, _) = open(dir.path(), &world(1));
    ledger.index_people(rows(&[&["u1", "email"]])).await.expect("ok");
    ledger.intend(intent(1, vec![row(&["u2", "email"], "email", &[])])).await.expect("durable");
    ledger.index_people(rows(&[&["u2", "email"], &["u1", "other"]])).await.expect("ok");
    assert_ne!(person(&ledger, "u1"), person(&ledger, "u2"));
    assert_eq!(person(&ledger, "email"), person(&ledger, "u2"));
}

#[tokio::test]
async fn a_call_that_names_two_persons_together_counts_for_both() {
    let dir = scratch();
    let (ledger, _) = open(dir.path(), &world(1));
    ledger.index_people(rows(&[&["u1", "email"], &["u2", "phone"]])).await.expect("ok");
    let both = row(&["email", "phone"], "email,phone", &[]);
    ledger.intend(intent(1, vec![both])).await.expect("durable");
    assert_eq!(exposed(&ledger).len(), 2);
}

fn contains(dir: &Path, needle: &[u8]) -> bool {
    fs::read_dir(dir).expect("a directory").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return contains(&path, needle);
        }
        let bytes = fs::read(path).expect("a file");
        bytes.windows(needle.len()).any(|window| window == needle)
    })
}

#[tokio::test]
async fn a_forgotten_person_is_hidden_at_once_and_no_keyed_hash_is_left_after_the_next_seal() {
    let (dir, world) = (scratch(), world(1));
    let (ledger, _) = open(dir.path(), &world);
    ledger.intend(intent(1, vec![row(&["gone-phone"], "phone", &["news"])])).await.expect("ok");
    ledger.index_people(rows(&[&["gone", "gone-email", "gone-phone"], &["kept"]])).await.expect("");
    ledger.seal().await.expect("seals");
    let rows = vec![row(&["gone-email"], "email", &[]), row(&["kept"], "email", &[])];
    ledger.intend(intent(2, rows)).await.expect("durable");
    let key = person(&ledger, "gone");

    let forgotten = ledger.forget(&[hash("gone-email"), hash("nobody")]).await.expect("durable");
    assert_eq!((forgotten.persons, forgotten.identifiers), (vec![key], 3));
    let hashes = ["gone", "gone-email", "gone-phone"].map(hash);
    let hidden = |ledger: &Ledger| {
        assert!(hashes.iter().all(|&hash| ledger.person(hash).is_none()));
        assert_eq!(exposed(ledger), [person(ledger, "kept")]);
        assert_eq!(ledger.holdings(key).expect("answers"), []);
    };
    hidden(&ledger);
    ledger.seal().await.expect("seals");
    hidden(&ledger);
    for hash in hashes {
        assert!(!contains(dir.path(), &hash.0), "a keyed hash is left on disk");
    }
    assert!(contains(dir.path(), &hash("kept").0), "the search finds what is there");
    drop(ledger);
    let (ledger, _) = open(dir.path(), &world);
    hidden(&ledger);
    let (mut rows, mut anonymous) = (0, 0);
    ledger
        .disclosures(&mut |row| {
            rows += 1;
            anonymous += u32::from(row.forgotten);
        })
        .expect("reads");
    assert_eq!((rows, anonymous), (3, 2), "the rows stay as proof of what left");

    ledger.intend(intent(3, vec![row(&["gone-email"], "email", &[])])).await.expect("durable");
    assert_ne!(person(&ledger, "gone-email"), key, "whoever comes back is somebody new");
    assert_eq!(exposed(&ledger).len(), 2);
}

#[tokio::test]
async fn a_call_sealed_without_an_outcome_counts_until_it_is_known_not_to_have_left() {
    let (dir, world) = (scratch(), world(1));
    let (ledger, _) = open(dir.path(), &world);
    for number in 1..=3 {
        let rows = vec![row(&["ann"], "email", &[])];
        ledger.intend(intent(number, rows)).await.expect("durable");
    }
    ledger.settle(call(2), sent()).await.expect("durable");
    ledger.settle(call(2), Outcome::NotSent { code: "x" }).await.expect("the first one stands");
    ledger.seal().await.expect("seals");
    assert_eq!(ledger.status().unsettled, 2);
    ledger.settle(call(1), Outcome::NotSent { code: "vendor-unreachable" }).await.expect("ok");
    ledger.settle(call(3), Outcome::Unknown { code: "vendor-silent" }).await.expect("durable");
    let check = |ledger: &Ledger| {
        assert_eq!(ledger.status().unsettled, 0);
        let exposure = ledger.exposure(&vendor("sendgrid"), Window::default(), &Reach::default());
        let persons = exposure.expect("answers").persons;
        assert_eq!((persons[0].first_at, persons[0].last_at), (at(2), at(3)));
        let mut settled = Vec::new();
        ledger.disclosures(&mut |row| settled.push(row.settled)).expect("reads");
        assert_eq!(settled, [Settled::NotSent, Settled::Sent, Settled::Unknown]);
    };
    check(&ledger);
    drop(ledger);
    let (ledger, _) = open(dir.path(), &world);
    check(&ledger);
    ledger.seal().await.expect("seals");
    check(&ledger);
    drop(ledger);
    check(&open(dir.path(), &world).0);
}

#[tokio::test]
async fn an_erasure_dated_before_a_disclosure_inside_a_joined_episode_leaves_that_one() {
    let dir = scratch();
    let (ledger, _) = open(dir.path(), &world(1));
    for (number, held_until) in [(10, 20), (15, 30), (25, 40)] {
        let mut one = intent(number, vec![row(&["ann"], "email", &[])]);
        one.held_until = at(held_until);
        ledger.intend(one).await.expect("durable");
        ledger.settle(call(number), sent()).await.expect("durable");
    }
    assert_eq!(ledger.seal().await.expect("seals").episodes, 1, "they overlap");
    let ann = person(&ledger, "ann");
    let proof = "certificate".to_owned();
    ledger.erased_at_vendor(vendor("sendgrid"), vec![ann], at(18), proof).await.expect("durable");
    let held: Vec<(Timestamp, Timestamp)> = ledger
        .holdings(ann)
        .expect("answers")
        .iter()
        .map(|one| (one.from, one.held_until))
        .collect();
    assert_eq!(held, [(at(10), at(18)), (at(25), at(40))]);
    let window = Window { from: Some(at(18)), to: Some(at(24)) };
    let exposure = ledger.exposure(&vendor("sendgrid"), window, &Reach::default());
    assert_eq!(exposure.expect("answers").persons, []);
}
