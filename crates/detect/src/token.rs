//! What the detectors of workloads' tokens share: the fact, read once, and the form of what they
//! conclude. Not a detector itself.

use std::fmt;

use model::{
    Fact, FactBody, FindingGrade, FoundAt, Network, Sighting, TokenId, VendorName, Window,
    WorkloadName,
};

use crate::{Conclusion, day};

/// A sighting of a token.
pub(crate) struct Seen<'a> {
    day: String,
    vendor: Option<&'a VendorName>,
    token: TokenId,
    workload: &'a WorkloadName,
    pub how: Sighting,
    pub network: From,
    pub familiar: bool,
    pub live: bool,
    pub door: Option<&'a VendorName>,
    pub found_at: Option<FoundAt>,
}

/// The network that a token came from, in words.
#[derive(Clone, Copy)]
pub(crate) struct From(Option<Network>);

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(network) => write!(f, "`{network}`"),
            None => f.write_str("an unknown network"),
        }
    }
}

impl<'a> Seen<'a> {
    pub fn of(fact: &'a Fact) -> Option<Self> {
        let FactBody::TokenSeen { token, workload, how, network, familiar, live, door, found_at } =
            &fact.body
        else {
            return None;
        };
        Some(Self {
            day: day(fact.at),
            vendor: fact.vendor.as_ref(),
            token: *token,
            workload,
            how: *how,
            network: From(*network),
            familiar: *familiar,
            live: *live,
            door: door.as_ref(),
            found_at: *found_at,
        })
    }

    /// One finding a day and token.
    pub fn concludes(
        &self,
        detector: &'static str,
        grade: FindingGrade,
        title: String,
        next: &'static [&'static str],
    ) -> Conclusion {
        Conclusion {
            detector,
            bucket: format!("{}/{}", self.token, self.day),
            vendor: self.vendor.cloned(),
            grade,
            title,
            window: Window::default(),
            next,
        }
    }
}

impl fmt::Display for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vendor = self.vendor.map_or("a vendor", |vendor| vendor.as_str());
        write!(f, "the token `{}` of `{}` for `{vendor}`", self.token, self.workload)
    }
}
