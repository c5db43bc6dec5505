//! The HTTP API under `/api/v1`: what operators, the command line and drills speak.

pub mod audit;
pub mod auth;
pub mod authorities;
pub mod canaries;
pub mod error;
pub mod extract;
pub mod facts;
pub mod gateway;
pub mod holdings;
pub mod imports;
pub mod incidents;
pub mod notices;
pub mod operators;
pub mod people;
pub mod policy;
pub mod routes;
pub mod scopes;
pub mod status;
pub mod tokens;
pub mod vendors;
pub mod workloads;
