//! Real breaches replayed against the real program, over real protocols, and what came of it.
//! **Invariant:** it uses all and is owned by none: no other crate knows of it, it speaks to the
//! program only as an outsider would, and it recomputes the truth without the program's own code.

pub mod contact;
pub mod inbox;
pub mod oracle;
pub mod people;
pub mod run;
pub mod sandbox;
pub mod scenario;
pub mod scorecard;

pub use run::{Options, Played, run};
pub use scenario::Scenario;
pub use scorecard::Scorecard;
