//! What the tests of this crate share: a store that is thrown away, and nouns to put into it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::id::Id;
use model::world::Fixed;
use model::{
    Coded, Contract, FieldSet, IncidentId, Mode, NoticeId, OperatorName, PersonKey, Switch,
    Timestamp, Vendor, VendorId, VendorName, World,
};
use serde_json::json;

use crate::columns::Document;
use crate::engine::{Connection, Tx};
use crate::incidents::IncidentRow;
use crate::migrations::migrate;
use crate::notices::{Notice, NoticeKind, NoticeState};
use crate::{Refused, Store};

pub(crate) const START: Timestamp = Timestamp::from_seconds(1_770_256_800);

/// One connection to an empty store, on this thread.
pub(crate) struct Scratch {
    _dir: tempfile::TempDir,
    pub(crate) connection: Connection,
    pub(crate) world: World,
    pub(crate) clock: Arc<Fixed>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (world, clock) = World::fixed(START, 1);
        let connection = Connection::open_writer(&dir.path().join("store.db")).expect("opens");
        migrate(&connection, world.now()).expect("migrates");
        Self { _dir: dir, connection, world, clock }
    }

    pub(crate) fn tx(&self) -> Tx<'_> {
        self.connection.tx(&self.world)
    }
}

/// A whole store.
pub(crate) fn store() -> (tempfile::TempDir, Store, Arc<Fixed>) {
    let dir = tempfile::tempdir().expect("a directory");
    let (world, clock) = World::fixed(START, 1);
    let store = Store::open(&dir.path().join("store.db"), world).expect("opens");
    (dir, store, clock)
}

/// The code of a refusal.
pub(crate) fn code<T: std::fmt::Debug>(refused: anyhow::Result<T>) -> &'static str {
    let error = refused.expect_err("a refusal");
    error.downcast_ref::<Refused>().unwrap_or_else(|| panic!("no refusal: {error:#}")).code()
}

pub(crate) fn vendor_name(text: &str) -> VendorName {
    VendorName::parse(text).expect(text)
}

pub(crate) fn operator_name(text: &str) -> OperatorName {
    OperatorName::parse(text).expect(text)
}

pub(crate) fn person(number: u128) -> PersonKey {
    PersonKey(number << 64 | 7)
}

pub(crate) fn vendor(id: u128, name: &str) -> Vendor {
    Vendor {
        id: VendorId::from_u128(id),
        name: vendor_name(name),
        connector: "sendgrid".to_owned(),
        endpoint: None,
        smtp: None,
        retention_days: Some(30),
        lists: Vec::new(),
        contract: Contract::default(),
        mode: Mode::Enforce,
        switch: Switch::Open,
        actions: BTreeMap::new(),
        impossible: FieldSet::EMPTY,
        automatic: BTreeSet::new(),
        created_at: START,
    }
}

/// An open incident of a new vendor `sendgrid`.
pub(crate) fn incident(tx: &Tx<'_>) -> IncidentRow {
    tx.insert_vendor(&vendor(1, "sendgrid"), None).expect("a vendor");
    let incident = IncidentRow {
        id: IncidentId::from_u128(1),
        vendor: vendor_name("sendgrid"),
        state: "declared".to_owned(),
        open: true,
        version: 1,
        created_at: START,
        document: Document::of(&json!({ "title": "mail through sendgrid" })).expect("JSON"),
    };
    tx.insert_incident(&incident).expect("an incident");
    incident
}

/// A draft to the first scope of a new incident.
pub(crate) fn notice(tx: &Tx<'_>) -> Notice {
    let notice = Notice {
        id: NoticeId::from_u128(1),
        incident: incident(tx).id,
        kind: NoticeKind::Notice,
        scope_version: 1,
        state: NoticeState::Draft,
        author: operator_name("ann"),
        approver: None,
        document: Document::of(&json!({ "subject": "about your data" })).expect("JSON"),
        created_at: START,
    };
    tx.insert_notice(&notice).expect("a notice");
    notice
}
