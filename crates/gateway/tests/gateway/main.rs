//! The gateway from outside: real sockets, the real ledger, the real connectors.

mod connect;
mod connectors_wrapped;
mod egress;
mod framing;
mod hold;
mod http2;
mod limits;
mod office;
mod own;
mod pki;
mod policy;
mod record;
mod sidecar;
mod stop;
mod submission;
mod support;
mod switch;
mod tls;
mod token;
mod vendor;
mod words;
