//! The nouns of Cordon: ids, fields, people, states, limits. **Invariant:** no async, no SQL, no
//! HTTP, no clock and no randomness of its own: time and random bytes come in as arguments.
//!
//! Parse at the door: a value of one of these types is already valid. The serialised form is the
//! one word per thing that the store, the API and the pages share.

pub mod crypto;
pub mod error;
pub mod exposure;
pub mod fact;
pub mod field;
pub mod finding;
pub mod flow;
pub mod id;
pub mod identifier;
pub mod identity;
pub mod limits;
pub mod name;
pub mod person;
pub mod policy;
pub mod secret;
pub mod time;
pub mod token;
pub mod tokenise;
pub mod vendor;
pub mod world;

pub use crypto::{MacKey, RootKey, SealKey};
pub use error::{Blame, Coded};
pub use exposure::{Bound, Count, NotExposed, NotExposedGrade, Reach, ScopeCounts, Window};
pub use fact::{Confidence, Fact, FactBody, ReferenceCheck};
pub use field::{Field, FieldSet, Sensitivity};
pub use finding::{Finding, FindingGrade};
pub use flow::{Hour, Limits, Volume};
pub use id::{
    CallId, CanaryId, DeliveryId, EvidenceId, FactId, FindingId, IncidentId, InquiryId, NoticeId,
    OperatorId, ReplayId, VendorId, WorkloadId,
};
pub use identifier::{Email, Identifier, IdentifierHash, IdentifierKind, Phone};
pub use identity::Identity;
pub use name::{
    Consent, Country, Language, ListName, OperationName, OperatorName, Purpose, Region, VendorName,
    WorkloadName,
};
pub use person::{Contact, PersonKey, Residence};
pub use policy::PolicyDigest;
pub use secret::Secret;
pub use time::{Interval, Timestamp};
pub use token::{FoundAt, Network, Sighting, TokenId};
pub use tokenise::TokeniseKey;
pub use vendor::{Action, Contract, FieldAction, Grant, Misfit, Mode, Switch, Vendor, Workload};
pub use world::World;
