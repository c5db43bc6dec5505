//! What every vendor holds of whom. **Invariant:** knows no vendor's API, no incident, no mail; has
//! no clock and no randomness of its own.
//!
//! # The path
//!
//! [`Ledger::intend`] → the writer thread finds or makes the persons (`people.rs`), writes all
//! waiting records as one frame with one `fdatasync` (`wal.rs`), keeps the rows in the tail in
//! memory (`tail.rs`) and only then lets the callers go on. [`Ledger::seal`] turns the tail into
//! two Parquet files (`log.rs`, `run.rs`) and publishes them, with the position that they cover,
//! in one manifest (`manifest.rs`). [`Ledger::exposure`] asks runs and tail the same question
//! (`exposure.rs`).
//!
//! # On disk
//!
//! | where | what |
//! |---|---|
//! | `lock` | held by the one process that has the ledger open |
//! | `wal/<number>.wal` | frames `[length u32][crc32c u32][payload]` of records |
//! | `log/<run>.parquet` | every disclosure, refusal and late outcome, by time: the evidence |
//! | `episodes/<run>.parquet` | the same by (vendor, person, from): what questions read |
//! | `state/<manifest>.state` | people index, the forgotten, erasures, open calls; as frames |
//! | `manifest/<number>.json` | the runs, and the first segment that is not in them |
//!
//! # What remains of a forgotten person
//!
//! From the moment [`Ledger::forget`] returns, no look-up finds the person and no exposure or
//! holding shows them. After the next [`Ledger::seal`] no file of the ledger has a keyed hash of
//! their identifiers. What remains, as proof of what left, are rows under random keys that nothing
//! maps to any more, and those keys in the list of the forgotten.

mod calls;
mod codec;
mod corrections;
mod disclosure;
mod disk;
mod episodes;
mod exposure;
mod frame;
mod ledger;
mod lock;
mod log;
mod manifest;
mod owed;
mod parquet_file;
mod people;
mod queue;
mod record;
mod refusal;
mod run;
mod sealer;
mod state;
mod status;
mod tail;
mod uniform;
mod wal;
mod writer;

pub use disclosure::{
    Asked, CallEnd, Disclosure, Holding, Import, Intent, IntentRow, Outcome, RecordedCall,
    RefusedCall, Settled, WouldDisclose,
};
pub use exposure::{Exposed, Exposure};
pub use ledger::{Ledger, LedgerKeys};
pub use people::{Forgotten, Indexed};
pub use refusal::{LedgerDown, OpenRefused};
pub use sealer::Sealed;
pub use status::{LedgerStatus, Recovered};
