//! What policies speak of: the schema, and the names of things as Cedar writes them.

use std::str::FromStr as _;
use std::sync::LazyLock;

use cedar_policy::{EntityId, EntityTypeName, EntityUid, Schema};
use model::{ListName, OperatorName, VendorName, WorkloadName};

/// The schema as operators read it.
pub const SCHEMA: &str = include_str!("cordon.cedarschema");

/// The schema as the validator uses it.
pub(crate) static PARSED: LazyLock<Schema> = LazyLock::new(|| {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).expect("the shipped schema is valid");
    schema
});

/// The three things that are asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Disclose,
    Contain,
    Administer,
}

static ACTIONS: LazyLock<[EntityUid; 3]> = LazyLock::new(|| {
    ["disclose", "contain", "administer"].map(|name| entity(&typed("Action"), name))
});
static WORKLOAD: LazyLock<EntityTypeName> = LazyLock::new(|| typed("Workload"));
static OPERATOR: LazyLock<EntityTypeName> = LazyLock::new(|| typed("Operator"));
static VENDOR: LazyLock<EntityTypeName> = LazyLock::new(|| typed("Vendor"));
static LIST: LazyLock<EntityTypeName> = LazyLock::new(|| typed("List"));

fn typed(name: &str) -> EntityTypeName {
    EntityTypeName::from_str(name).expect("the types of the schema have valid names")
}

fn entity(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

impl Action {
    pub fn uid(self) -> &'static EntityUid {
        &ACTIONS[self as usize]
    }
}

pub(crate) fn workload(name: &WorkloadName) -> EntityUid {
    entity(&WORKLOAD, name.as_str())
}

pub(crate) fn operator(name: &OperatorName) -> EntityUid {
    entity(&OPERATOR, name.as_str())
}

pub(crate) fn vendor(name: &VendorName) -> EntityUid {
    entity(&VENDOR, name.as_str())
}

/// A list's name alone could be another vendor's list too.
pub(crate) fn list(vendor: &VendorName, name: &ListName) -> EntityUid {
    entity(&LIST, &format!("{vendor}/{name}"))
}

/// Whether it is of the type of workloads.
pub(crate) fn is_workload(kind: &EntityTypeName) -> bool {
    *kind == *WORKLOAD
}
