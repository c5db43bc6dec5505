//! What the ledger's tests share: opening one, and short ways to name things. Asserts nothing.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::path::Path;

use ledger::{Intent, IntentRow, Ledger, LedgerKeys, Outcome, Recovered};
use model::id::Id as _;
use model::{
    CallId, FieldSet, IdentifierHash, ListName, Mode, OperationName, Purpose, RootKey, Timestamp,
    VendorName, WorkloadName, World,
};

pub fn keys() -> LedgerKeys {
    LedgerKeys { identifier: RootKey::new([7; 32]).mac_key("identifier") }
}

/// A world that must be the same one over all openings of a ledger: it makes the person keys.
pub fn world(seed: u64) -> World {
    World::fixed(Timestamp::from_seconds(1_770_000_000), seed).0
}

pub fn open(dir: &Path, world: &World) -> (Ledger, Recovered) {
    Ledger::open(dir, keys(), world.clone()).expect("the ledger opens")
}

/// A directory in memory where there is one: these tests are about what is written, not how fast.
pub fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
        .expect("a scratch directory")
}

pub fn hash(text: &str) -> IdentifierHash {
    let digest = model::crypto::sha256(text.as_bytes());
    IdentifierHash(digest[..16].try_into().expect("a digest has 32 bytes"))
}

pub fn vendor(text: &str) -> VendorName {
    VendorName::parse(text).expect(text)
}

pub fn list(text: &str) -> ListName {
    ListName::parse(text).expect(text)
}

pub fn fields(text: &str) -> FieldSet {
    FieldSet::parse(text).expect(text)
}

pub fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

pub fn call(number: u64) -> CallId {
    CallId::from_u128(u128::from(number) << 64 | u128::from(number))
}

pub fn row(identifiers: &[&str], of: &str, lists: &[&str]) -> IntentRow {
    IntentRow {
        identifiers: identifiers.iter().map(|text| hash(text)).collect(),
        fields: fields(of),
        lists: lists.iter().map(|text| list(text)).collect(),
    }
}

pub fn intent(number: u64, rows: Vec<IntentRow>) -> Intent {
    Intent {
        call: call(number),
        at: at(number as i64),
        vendor: vendor("sendgrid"),
        operation: OperationName::parse("mail.send").expect("a name"),
        workload: WorkloadName::parse("web").expect("a name"),
        purpose: Purpose::parse("receipts").expect("a name"),
        mode: Mode::Enforce,
        asked: None,
        held_until: Timestamp::NEVER,
        rows,
    }
}

pub fn sent() -> Outcome {
    Outcome::Sent { status: 202, message: Some("m-1".into()) }
}

/// A variable of the environment as a number.
pub fn number(variable: &str) -> Option<u64> {
    std::env::var_os(variable)?.to_str()?.parse().ok()
}
