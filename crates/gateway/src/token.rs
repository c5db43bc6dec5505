//! The life of a token at the door: whether it opens something now and from here, and which one it
//! is when it opens nothing. What that means is for others to say; they are told through
//! [`Seen`](crate::Seen).

use std::net::IpAddr;

use model::{Network, Sighting, Timestamp, VendorName, WorkloadName, limits};

use crate::cx::Cx;
use crate::mark::{mark_of, pieces};
use crate::refused::Refused;
use crate::registry::Registry;
use crate::seen::Account;

/// Whose token it is, with which vendor it works, how long, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenEntry {
    /// The workload that it stands for.
    pub workload: WorkloadName,
    /// The one vendor that it is for.
    pub vendor: VendorName,
    /// From when on it opens nothing.
    pub expires_at: Option<Timestamp>,
    /// Whether it was revoked.
    pub revoked: bool,
    /// From which networks it may come; empty is from anywhere.
    pub networks: Vec<Network>,
}

impl TokenEntry {
    /// A token that opens its vendor for good and from anywhere.
    pub fn new(workload: WorkloadName, vendor: VendorName) -> Self {
        Self { workload, vendor, expires_at: None, revoked: false, networks: Vec::new() }
    }

    /// Whether it opens something at this time.
    pub fn is_live(&self, at: Timestamp) -> bool {
        !self.revoked && !self.has_expired(at)
    }

    fn has_expired(&self, at: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| at >= end)
    }
}

/// A token that a request showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenToken {
    /// The key under which it is found.
    pub key: [u8; 32],
    /// From where it came.
    pub from: IpAddr,
    /// What is wrong with that; the call was refused for it.
    pub wrong: Option<Sighting>,
}

/// Lets a token in that is live and comes from where it may.
pub(crate) fn check(
    account: &mut Account,
    key: [u8; 32],
    token: &TokenEntry,
    from: IpAddr,
) -> Result<(), Refused> {
    let now = account.seen.at;
    let (wrong, refused) = if token.revoked {
        (Sighting::Revoked, Refused::TokenRevoked)
    } else if token.has_expired(now) {
        (Sighting::Expired, Refused::TokenExpired)
    } else if !token.networks.is_empty()
        && !token.networks.iter().any(|network| network.contains(from))
    {
        (Sighting::Outside, Refused::TokenOutside)
    } else {
        account.seen.token = Some(SeenToken { key, from, wrong: None });
        return Ok(());
    };
    account.seen.token = Some(SeenToken { key, from, wrong: Some(wrong) });
    Err(refused)
}

/// Recognises a token for another vendor in what a refused request shows.
pub(crate) fn recognise<'a>(
    cx: &Cx,
    account: &mut Account,
    registry: &Registry,
    texts: impl Iterator<Item = &'a str>,
    from: IpAddr,
) {
    let shown = texts.flat_map(pieces).take(limits::TOKEN_PIECES);
    let mut marks = shown.map(|piece| mark_of(&cx.keys.token, piece));
    if let Some(key) = marks.find_map(|mark| registry.marks.get(&mark)) {
        let wrong = Some(Sighting::OtherDoor);
        account.seen.token = Some(SeenToken { key: *key, from, wrong });
    }
}
