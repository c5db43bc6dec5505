//! Who calls: the API key of a request, its scopes, and the trace that the request leaves.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};

use super::Sandbox;
use super::reply::{self, Refused};
use super::state::Visit;

const UNAUTHORISED: &str = "The provided authorization grant is invalid, expired, or revoked";

/// A caller with a valid key. Extracting it is the check; each route then asks for its scope.
pub(super) struct Caller {
    /// The id of the key.
    pub key_id: String,
    scopes: Vec<String>,
}

impl Caller {
    /// Admits the caller to what this scope covers.
    pub(super) fn may(&self, scope: &str) -> Result<(), Refused> {
        if self.scopes.iter().any(|held| held == scope) {
            return Ok(());
        }
        Err(reply::refuse(StatusCode::FORBIDDEN, "access forbidden", None))
    }

    /// The scopes of the key.
    pub(super) fn scopes(&self) -> &[String] {
        &self.scopes
    }
}

impl FromRequestParts<Sandbox> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, sandbox: &Sandbox) -> Result<Self, Refused> {
        let key = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .unwrap_or_default();
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let ip = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0.ip());
        let mut state = sandbox.state();
        let caller = state
            .key_of(key)
            .map(|key| Self { key_id: key.id.clone(), scopes: key.scopes.clone() });
        state.visited(Visit {
            allowed: caller.is_some(),
            auth_method: "API key",
            ip: ip.to_string(),
            location: "unknown",
            first_at: sandbox.0.world.now(),
            last_at: sandbox.0.world.now(),
        });
        caller.ok_or_else(|| reply::refuse(StatusCode::UNAUTHORIZED, UNAUTHORISED, None))
    }
}
