//! The gateway from outside: real sockets, the real ledger, the real connectors.

mod connectors_wrapped;
mod downgrade;
mod egress;
mod framing;
mod hold;
mod injection;
mod limits;
mod office;
mod own;
mod policy;
mod record;
mod slow;
mod smuggling;
mod ssrf;
mod stop;
mod submission;
mod support;
mod switch;
mod token;
mod vendor;
mod vendor_wire;
mod words;
