//! Authenticate: which workload is calling which vendor. A certificate says who, a token says who
//! and for which vendor; where both are given they must agree.

use std::collections::BTreeMap;

use connectors::{Asking, Operation, Presented};
use http::request::Parts;
use http::{Method, header};
use model::{Secret, VendorName, WorkloadName};

use crate::admit::single;
use crate::cx::Cx;
use crate::door::{Facts, ProxyToken};
use crate::refused::Refused;
use crate::registry::{Place, Registry, VendorEntry, secret_of, token_key};
use crate::token::TokenEntry;

/// A vendor that a request may be for, and the path below the base of its API.
pub(crate) struct Addressed<'a> {
    pub entry: &'a VendorEntry,
    pub path: &'a str,
}

impl Addressed<'_> {
    /// Which operation it is there.
    pub fn operation(&self, method: &Method) -> Option<&'static Operation> {
        self.entry.connector.operation(method.as_str(), self.path)
    }
}

/// The vendors that a request may be for: the one that its path names, or, inside a tunnel, those
/// at the tunnel's host.
pub(crate) fn addressed<'a>(
    registry: &'a Registry,
    facts: &Facts,
    path: &'a str,
) -> Vec<Addressed<'a>> {
    let Some(target) = &facts.target else {
        let (name, path) = split(path);
        let entry = name.and_then(|name| registry.vendors.get(&name));
        return entry.map(|entry| Addressed { entry, path }).into_iter().collect();
    };
    let mut found: BTreeMap<&VendorName, &str> = BTreeMap::new();
    for Place { vendor, prefix } in registry.places_at(&target.host, target.port) {
        if let Some(path) = below(path, prefix) {
            let shortest = found.entry(vendor).or_insert(path);
            *shortest = if path.len() < shortest.len() { path } else { *shortest };
        }
    }
    let entry = |(name, path)| Some(Addressed { entry: registry.vendors.get(name)?, path });
    found.into_iter().filter_map(entry).collect()
}

/// The path below a base.
fn below<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(prefix)?;
    rest.starts_with('/').then_some(rest)
}

/// `/v/<vendor>/<path>` into the vendor's name and the path below its base.
fn split(path: &str) -> (Option<VendorName>, &str) {
    let Some(rest) = path.strip_prefix("/v/") else {
        return (None, path);
    };
    let (name, below) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    (VendorName::parse(name).ok(), if below.is_empty() { "/" } else { below })
}

/// The vendor that a path names.
pub(crate) fn vendor_in(path: &str) -> Option<VendorName> {
    split(path).0
}

/// Who is calling which vendor, and the tokens that were shown for it; whether these are good at
/// this time and from there is not asked yet.
pub(crate) struct Caller<'a> {
    pub addressed: Addressed<'a>,
    pub workload: WorkloadName,
    pub tokens: Vec<([u8; 32], &'a TokenEntry)>,
}

/// Who is calling which of these vendors.
pub(crate) fn authenticate<'a>(
    cx: &Cx,
    registry: &'a Registry,
    facts: &Facts,
    mut addressed: Vec<Addressed<'a>>,
    parts: &Parts,
    body: &[u8],
) -> Result<Caller<'a>, Refused> {
    let certified = certified(registry, facts)?;
    if parts.headers.get_all(header::AUTHORIZATION).iter().count() > 1 {
        return Err(Refused::TokenUnknown);
    }
    let proxy = facts.proxy.clone().or_else(|| proxy_token(parts));
    let (mut tokens, mut presents_one) = (Vec::new(), false);
    // The SDK's own credential says more of which vendor is meant than the proxy's.
    let (mut by_sdk, mut by_proxy) = (None, None);
    for (index, Addressed { entry, path }) in addressed.iter().enumerate() {
        let presented = presented(cx, entry, path, parts, body);
        presents_one |= presented.is_some();
        let find = |text| registry.token(cx, &entry.vendor.name, text);
        if let Some(found) = presented.as_ref().and_then(|presented| find(&presented.token)) {
            by_sdk.get_or_insert(index);
            tokens.push(found);
        }
        for found in proxy.iter().flat_map(ProxyToken::texts).filter_map(find) {
            by_proxy.get_or_insert(index);
            tokens.push(found);
        }
    }
    let shown = tokens.iter().map(|(_, token)| &token.workload);
    let mut workloads = certified.into_iter().chain(shown);
    let Some(workload) = workloads.next().cloned() else {
        return Err(if presents_one { Refused::TokenUnknown } else { Refused::TokenMissing });
    };
    if workloads.any(|other| *other != workload) {
        return Err(Refused::IdentityMismatch);
    }
    let addressed = match by_sdk.or(by_proxy) {
        Some(index) => addressed.swap_remove(index),
        None => only(registry, addressed, &workload)?,
    };
    tokens.retain(|(_, token)| token.vendor == addressed.entry.vendor.name);
    Ok(Caller { addressed, workload, tokens })
}

/// Whom the caller's certificate stands for, if it has shown one.
fn certified<'a>(
    registry: &'a Registry,
    facts: &Facts,
) -> Result<Option<&'a WorkloadName>, Refused> {
    let Some(peer) = &facts.peer else {
        return Ok(None);
    };
    let mut workloads = peer.names.iter().filter_map(|name| registry.identities.get(name));
    let first = workloads.next().ok_or(Refused::IdentityUnknown)?;
    if workloads.all(|workload| workload == first) {
        Ok(Some(first))
    } else {
        Err(Refused::IdentityUnknown)
    }
}

/// The one vendor that a caller can mean who shows no token: the only one there is, or the only one
/// that the workload may call.
fn only<'a>(
    registry: &Registry,
    mut addressed: Vec<Addressed<'a>>,
    workload: &WorkloadName,
) -> Result<Addressed<'a>, Refused> {
    if addressed.len() > 1 {
        let workload = registry.workloads.get(workload);
        let may_call = |vendor| workload.is_some_and(|workload| workload.grant(vendor).is_some());
        addressed.retain(|addressed| may_call(&addressed.entry.vendor.name));
    }
    match (addressed.pop(), addressed.is_empty()) {
        (Some(one), true) => Ok(one),
        _ => Err(Refused::VendorAmbiguous),
    }
}

/// The token that a sidecar adds; inside a tunnel the one that opened it goes first.
fn proxy_token(parts: &Parts) -> Option<ProxyToken> {
    ProxyToken::read(parts.headers.get(header::PROXY_AUTHORIZATION)?.to_str().ok()?)
}

/// What a request shows in the vendor's own way.
fn presented(
    cx: &Cx,
    entry: &VendorEntry,
    path: &str,
    parts: &Parts,
    body: &[u8],
) -> Option<Presented> {
    let asking = Asking {
        method: parts.method.as_str(),
        prefix: parts.uri.path().strip_suffix(path).unwrap_or_default(),
        path,
        query: parts.uri.query(),
        header: &|name| single(&parts.headers, name),
        body,
        at: cx.world.now(),
        secret_of: &|id| secret_of(&cx.keys.token, id),
    };
    entry.connector.presented(&asking).ok()
}

/// Holds a request inside a tunnel to the host that the tunnel was opened to.
pub(crate) fn check_host(facts: &Facts, parts: &Parts) -> Result<(), Refused> {
    let Some(target) = &facts.target else {
        return Ok(());
    };
    let named = match parts.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()),
    };
    if named.is_some_and(|named| target.is_named(named)) {
        Ok(())
    } else {
        Err(Refused::HostMismatch)
    }
}

impl Registry {
    /// What is known of a token for this vendor, and the key under which it is.
    pub(crate) fn token(
        &self,
        cx: &Cx,
        vendor: &VendorName,
        token: &Secret<String>,
    ) -> Option<([u8; 32], &TokenEntry)> {
        let key = token_key(&cx.keys.token, vendor, token);
        let found = self.tokens.get(&key)?;
        (found.vendor == *vendor).then_some((key, found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_below_a_base_is_cut_at_a_whole_segment() {
        assert_eq!(below("/eu/v3/send", "/eu"), Some("/v3/send"));
        assert_eq!(below("/v3/send", ""), Some("/v3/send"));
        assert_eq!(below("/europe/v3", "/eu"), None);
        assert_eq!(below("/v3/send", "/eu"), None);
    }

    #[test]
    fn the_door_names_a_vendor_and_the_path_below_its_base() {
        let check = |path| {
            let (vendor, below) = split(path);
            (vendor.map(|name| name.to_string()), below)
        };
        assert_eq!(check("/v/mail/v3/send"), (Some("mail".to_owned()), "/v3/send"));
        assert_eq!(check("/v/mail"), (Some("mail".to_owned()), "/"));
        assert_eq!(check("/v//v3/send").0, None);
        assert_eq!(check("/w/mail/v3"), (None, "/w/mail/v3"));
    }
}
