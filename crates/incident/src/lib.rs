//! The response to a breach as a state machine; containment plans, scope versions, statements of
//! what was not exposed, legal clocks. **Invariant:** no I/O, no mail, no HTTP, no clock: time
//! comes in as an argument, and what is to be done goes out as [`Effect`]s.
//!
//! ```text
//!         cut, intruder stopped        scope known      notice approved      all rows ended
//!   Declared ──────────────► Contained ──────► Scoped ────────────► Notifying ──────► Monitoring
//!      │                                        ▲                      ▲                  │
//!      └─ a scope does not wait for a failed ───┘                      └─ another notice ─┘
//!         step, and a notice waits for neither                            approved
//!
//!   any but Notifying ── close, with nothing under way ──► Closed
//!   Closed ── reopen ──► where it stood
//! ```
//!
//! After every command the state is computed from the record, so the two cannot disagree.
//! *Contained* is when the gateway is cut and every step that stops the intruder ended well or was
//! skipped with a reason. A failed step keeps the incident *Declared*, loudly, and keeps nobody
//! from scoping or telling people. A correction is one more approved notice.
//!
//! An effect is done at least once: after a crash [`resume`] gives again what is still open.

pub mod calendar;
pub mod clocks;
mod command;
mod containment;
pub mod diff;
mod incident;
mod publication;
pub mod regime;
mod scope;
pub mod statement;
mod step;

pub use clocks::{Clock, ClockInput, CompanyProfile, ContractClock, Due, contract_clock};
pub use command::{Actor, Author, Command, Effect, Question, Refused, Role, Said, ScopeAnswer};
pub use containment::plan;
pub use diff::{Changed, Member, ScopeDiff, diff};
pub use incident::{
    Asked, Bulletin, BulletinState, BulletinText, BulletinVersion, Cut, Incident, Lift, Notice,
    NoticeState, PlannedStep, Reversal, ScopeVersion, Source, State, Statement, StepMode,
    StepState, TimelineEntry,
};
pub use statement::{StatementInput, not_exposed};
pub use step::{Declare, declare, resume, step};
