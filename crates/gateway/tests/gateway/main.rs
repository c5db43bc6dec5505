//! The gateway from outside: real sockets, the real ledger, the real connectors.

mod connectors_wrapped;
mod egress;
mod framing;
mod hold;
mod limits;
mod office;
mod own;
mod policy;
mod record;
mod stop;
mod submission;
mod support;
mod switch;
mod token;
mod vendor;
mod words;
