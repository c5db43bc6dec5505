//! Who may give what to whom, and why, as Cedar policies. **Invariant:** no I/O, no clock, no
//! randomness, and no knowledge of vendors' APIs or of storage: texts and questions come in,
//! answers with their reasons go out, so that a policy can be asked about last year's calls.
//!
//! Everything is one policy: what is built in (`built_in.cedar`), the grants of workloads
//! (`grants.rs`), and an operator's own text. [`Policy::compile`] takes it whole or not at all;
//! [`Policy::judge`] decides a call; `explain.rs` says which policies decided it.

mod cache;
mod compile;
mod decide;
mod explain;
mod grants;
mod operator;
mod question;
mod reads;
mod rejected;
mod schema;

pub use compile::{Effect, Listed, Policy, Text};
pub use explain::{Explained, FieldFate};
pub use grants::OWN_WORKLOAD;
pub use operator::{Act, OperatorDenied, OperatorQuestion};
pub use question::{Denied, PolicyId, Question};
pub use rejected::{Problem, Rejected};
pub use schema::SCHEMA;
