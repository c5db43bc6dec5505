//! Every way in which a call does not get through, each with its code and HTTP status.

use connectors::Unreadable;
use model::{Blame, Coded, limits};
use policy::Denied;

use crate::framing::Broken;
use crate::spool::NotKept;

/// Why a call was not carried, or what became of it at the vendor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The request is not framed without doubt.
    #[error("{0}")]
    Broken(Broken),
    /// The path does not name a registered vendor.
    #[error("no such vendor is registered; paths start with `/v/<vendor>/`")]
    VendorUnknown,
    /// The request presents no token of the vendor's shape.
    #[error("the request has no token of this vendor's shape")]
    TokenMissing,
    /// Nobody has this token, or it is for another vendor.
    #[error("the token is not one that Cordon issued for this vendor")]
    TokenUnknown,
    /// The token's time is over.
    #[error("the token has expired, or the grace after its rotation is over")]
    TokenExpired,
    /// The token was revoked.
    #[error("the token was revoked")]
    TokenRevoked,
    /// The token may not come from this network.
    #[error("the token may not be used from this network")]
    TokenOutside,
    /// The certificate is valid, and stands for no one workload.
    #[error("the certificate's identity is not registered for one workload")]
    IdentityUnknown,
    /// Certificate and token are of two workloads.
    #[error("certificate and token are of two workloads")]
    IdentityMismatch,
    /// The tunnel's target is no host of a registered vendor.
    #[error("this host is none of a registered vendor, or not its port")]
    HostUnknown,
    /// Inside a tunnel, another host was named than the tunnel was opened to.
    #[error("inside the tunnel another host is named than it was opened to")]
    HostMismatch,
    /// A proxy was asked to carry a request in the clear.
    #[error("nothing is carried in the clear: use an `https` URL")]
    ProxyPlain,
    /// Something else than a tunnel was asked of the proxy.
    #[error("this door only opens tunnels, by `CONNECT`")]
    ConnectOnly,
    /// The token for the proxy is not one for a vendor at the host.
    #[error("the token in `Proxy-Authorization` is not one for a vendor at this host")]
    ProxyTokenUnknown,
    /// Several vendors are at this host, and nothing tells which is meant.
    #[error("several vendors are at this host: use the token of the one that is meant")]
    VendorAmbiguous,
    /// `X-Cordon-Purpose` is not a purpose's name.
    #[error("`X-Cordon-Purpose` is not a purpose's name")]
    PurposeMalformed,
    /// The body is over what the operation takes.
    #[error("the body is over {0} bytes, the most that this operation takes")]
    BodyTooLarge(usize),
    /// The body did not arrive in time.
    #[error("the body did not arrive in time")]
    BodySlow,
    /// The caller went away, or its chunks are broken.
    #[error("the body ended before its end, or its chunks are not well-formed")]
    BodyCut,
    /// The `Content-Encoding` is none that is read.
    #[error("the only `Content-Encoding`s are `gzip` and `aws-chunked` of unsigned chunks")]
    EncodingUnknown,
    /// The body does not unpack.
    #[error("the body does not unpack as its `Content-Encoding` says")]
    EncodingBroken,
    /// The gzip body grows too much.
    #[error("the gzip body grows to more than {} times its size", limits::DECOMPRESSION_RATIO)]
    Inflates,
    /// The gateway holds as many bodies as it may.
    #[error("the gateway holds as many bodies as it may")]
    Busy,
    /// The kill switch says `hold`.
    #[error("calls to this vendor are on hold; try again later")]
    Held,
    /// The kill switch says `stop`.
    #[error("calls to this vendor are stopped")]
    Stopped,
    /// Where the kill switch stands could not be confirmed for too long.
    #[error("where this vendor's kill switch stands cannot be confirmed, so nothing leaves")]
    SwitchUnknown,
    /// What it discloses cannot be read without doubt.
    #[error("{0}")]
    Unreadable(Unreadable),
    /// `X-Cordon-Region` is not a region's code.
    #[error("`X-Cordon-Region` is not a region's code, such as `DE` or `US-CA`")]
    RegionMalformed,
    /// `X-Cordon-Consent` is not a list of consents.
    #[error("`X-Cordon-Consent` is not a list of consents, such as `marketing,sms`")]
    ConsentMalformed,
    /// Policy does not let it leave.
    #[error("{0}")]
    Policy(Denied),
    /// The workload makes more calls in a second than it may.
    #[error("the workload makes more calls to this vendor in a second than it may")]
    RateLimit {
        /// When there is room.
        retry_seconds: u64,
    },
    /// The call concerns more people than the workload may give this vendor within the hour.
    #[error("more people than the workload may give this vendor within an hour")]
    PeoplePerHour {
        /// When there is room, if the call ever fits.
        retry_seconds: Option<u64>,
    },
    /// Likewise within 24 hours.
    #[error("more people than the workload may give this vendor within a day")]
    PeoplePerDay {
        /// When there is room, if the call ever fits.
        retry_seconds: Option<u64>,
    },
    /// Far more than the workload usually gives this vendor; an operator has not approved it.
    #[error("far more than this workload usually gives this vendor: it waits for an operator")]
    BurstHeld,
    /// The record cannot be written, so nothing leaves.
    #[error("the call cannot be recorded, so it does not leave")]
    LedgerDown,
    /// As many calls to this vendor are under way as may be.
    #[error("{} calls to this vendor are under way, as many as may be", limits::VENDOR_CONCURRENCY)]
    VendorBusy,
    /// Cordon holds no credential for this vendor.
    #[error("no credential for this vendor is registered")]
    CredentialMissing,
    /// The credential's source has been silent for too long.
    #[error("the source of this vendor's credential has not confirmed it for too long")]
    CredentialStale,
    /// The vendor's endpoint is no URL, or it is plain HTTP to a host that is not allowed.
    #[error("the vendor's endpoint is not an `https` address, nor an allowed host")]
    EndpointRefused,
    /// The vendor's host has only addresses to which nothing is sent.
    #[error("the vendor's host has no public address, and it is not an allowed host")]
    AddressRefused,
    /// No connection came about.
    #[error("no connection to the vendor came about")]
    VendorUnreachable,
    /// The vendor's certificate is not valid for its host, or TLS failed otherwise.
    #[error("no TLS connection to the vendor came about")]
    VendorTls,
    /// The connection ended before the reply did.
    #[error("the connection to the vendor ended before its reply did")]
    VendorLost,
    /// The reply did not come in time.
    #[error("the vendor did not reply in time")]
    VendorSlow,
    /// The reply is over its limit.
    #[error("the vendor's reply is over {} bytes", limits::VENDOR_RESPONSE_BYTES)]
    ReplyTooLarge,
    /// The reply sends the caller elsewhere, where nothing would be recorded.
    #[error("the vendor's reply sends the caller to another address")]
    ReplyRedirects,
    /// The reply is in an encoding that cannot be searched for the credential.
    #[error("the vendor's reply is in an encoding that cannot be read")]
    ReplyEncoding,
    /// The vendor does not take mail over SMTP.
    #[error("this vendor takes no mail over SMTP")]
    NoSmtp,
    /// The vendor's SMTP host does not take the credential.
    #[error("the vendor's SMTP host does not take the credential")]
    VendorLogin,
    /// The vendor's SMTP host cannot be given such an envelope.
    #[error("the vendor's SMTP host takes no mail from or to such an address")]
    MailUnfit,
    /// The connection to the vendor's SMTP host ended before the mail did.
    #[error("the connection to the vendor ended before the mail did")]
    MailCut,
    /// It cannot be kept until it may leave.
    #[error("{0}")]
    NotKept(NotKept),
    /// What waited does not read any more.
    #[error("what waited for the vendor cannot be read any more")]
    SpoolDamaged,
    /// It waited longer than it may.
    #[error("it waited {} seconds for the vendor, as long as may be", limits::SPOOL_AGE_SECONDS)]
    HeldExpired,
    /// It waited, and then calls to the vendor were stopped.
    #[error("it waited for the vendor, to which calls are stopped now")]
    HeldDiscarded,
    /// The process ended while it was under way.
    #[error("the process ended while the call was under way")]
    Interrupted,
    /// A defect in Cordon.
    #[error("the gateway failed at this call")]
    Fault,
}

impl Refused {
    /// The HTTP status of the refusal.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Broken(broken) => broken.status(),
            Self::VendorAmbiguous
            | Self::PurposeMalformed
            | Self::RegionMalformed
            | Self::ConsentMalformed
            | Self::BodyCut
            | Self::EncodingBroken
            | Self::Unreadable(_) => 400,
            Self::TokenMissing
            | Self::TokenUnknown
            | Self::TokenExpired
            | Self::TokenRevoked
            | Self::IdentityUnknown => 401,
            Self::IdentityMismatch
            | Self::HostUnknown
            | Self::ProxyPlain
            | Self::Stopped
            | Self::TokenOutside
            | Self::Policy(_)
            | Self::HeldExpired
            | Self::HeldDiscarded
            | Self::NoSmtp
            | Self::MailUnfit => 403,
            Self::VendorUnknown => 404,
            Self::ConnectOnly => 405,
            Self::ProxyTokenUnknown => 407,
            Self::BodySlow => 408,
            Self::BodyTooLarge(_) | Self::Inflates => 413,
            Self::EncodingUnknown => 415,
            Self::HostMismatch => 421,
            Self::Held
            | Self::NotKept(NotKept::Full)
            | Self::RateLimit { .. }
            | Self::PeoplePerHour { .. }
            | Self::PeoplePerDay { .. }
            | Self::BurstHeld => 429,
            Self::Fault | Self::Interrupted | Self::SpoolDamaged => 500,
            Self::EndpointRefused
            | Self::AddressRefused
            | Self::VendorUnreachable
            | Self::VendorTls
            | Self::VendorLost
            | Self::VendorLogin
            | Self::MailCut
            | Self::ReplyTooLarge
            | Self::ReplyRedirects
            | Self::ReplyEncoding => 502,
            Self::NotKept(NotKept::Disk)
            | Self::Busy
            | Self::SwitchUnknown
            | Self::LedgerDown
            | Self::VendorBusy
            | Self::CredentialMissing
            | Self::CredentialStale => 503,
            Self::VendorSlow => 504,
        }
    }

    /// After how many seconds the same call may get through, if waiting helps.
    pub const fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::Held | Self::NotKept(NotKept::Full) | Self::BurstHeld => {
                Some(limits::HOLD_RETRY_SECONDS)
            }
            Self::RateLimit { retry_seconds } => Some(*retry_seconds),
            Self::PeoplePerHour { retry_seconds } | Self::PeoplePerDay { retry_seconds } => {
                *retry_seconds
            }
            Self::SwitchUnknown => Some(limits::SWITCH_STALE_SECONDS),
            Self::Busy | Self::VendorBusy => Some(limits::VENDOR_BUSY_SECONDS),
            _ => None,
        }
    }

    /// Whether it is its workload that has to wait, and not all who call the vendor.
    pub const fn is_limit(&self) -> bool {
        matches!(
            self,
            Self::RateLimit { .. }
                | Self::PeoplePerHour { .. }
                | Self::PeoplePerDay { .. }
                | Self::BurstHeld
        )
    }

    /// Whether the same request may get through later, with nothing changed by its caller.
    pub const fn passes(&self) -> bool {
        matches!(self.status(), 429 | 502 | 503 | 504) || matches!(self, Self::VendorUnknown)
    }
}

impl Coded for Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::Broken(broken) => broken.code(),
            Self::VendorUnknown => "vendor-unknown",
            Self::TokenMissing => "token-missing",
            Self::TokenUnknown => "token-unknown",
            Self::TokenExpired => "token-expired",
            Self::TokenRevoked => "token-revoked",
            Self::TokenOutside => "token-outside",
            Self::IdentityUnknown => "identity-unknown",
            Self::IdentityMismatch => "identity-mismatch",
            Self::HostUnknown => "host-unknown",
            Self::HostMismatch => "host-mismatch",
            Self::ProxyPlain => "proxy-plain",
            Self::ConnectOnly => "connect-only",
            Self::ProxyTokenUnknown => "proxy-token-unknown",
            Self::VendorAmbiguous => "vendor-ambiguous",
            Self::PurposeMalformed => "purpose-malformed",
            Self::BodyTooLarge(_) => "body-too-large",
            Self::BodySlow => "too-slow",
            Self::BodyCut => "body-cut",
            Self::EncodingUnknown => "encoding-unknown",
            Self::EncodingBroken => "encoding-broken",
            Self::Inflates => "body-inflates",
            Self::Busy => "gateway-busy",
            Self::Held => "vendor-held",
            Self::Stopped => "vendor-stopped",
            Self::SwitchUnknown => "switch-unknown",
            Self::Unreadable(why) => why.code(),
            Self::RegionMalformed => "region-malformed",
            Self::ConsentMalformed => "consent-malformed",
            Self::Policy(denied) => denied.code(),
            Self::RateLimit { .. } => "rate-limit",
            Self::PeoplePerHour { .. } => "people-per-hour",
            Self::PeoplePerDay { .. } => "people-per-day",
            Self::BurstHeld => "burst-held",
            Self::LedgerDown => "ledger-down",
            Self::VendorBusy => "vendor-busy",
            Self::CredentialMissing => "credential-missing",
            Self::CredentialStale => "credential-stale",
            Self::EndpointRefused => "endpoint-refused",
            Self::AddressRefused => "address-refused",
            Self::VendorUnreachable => "vendor-unreachable",
            Self::VendorTls => "vendor-tls",
            Self::VendorLost => "vendor-lost",
            Self::VendorSlow => "vendor-slow",
            Self::ReplyTooLarge => "reply-too-large",
            Self::ReplyRedirects => "reply-redirects",
            Self::ReplyEncoding => "reply-encoding",
            Self::NoSmtp => "no-smtp",
            Self::VendorLogin => "vendor-login",
            Self::MailUnfit => "mail-unfit",
            Self::MailCut => "mail-cut",
            Self::NotKept(why) => why.code(),
            Self::SpoolDamaged => "spool-damaged",
            Self::HeldExpired => "held-expired",
            Self::HeldDiscarded => "held-discarded",
            Self::Interrupted => "interrupted",
            Self::Fault => "gateway-fault",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::VendorUnreachable
            | Self::VendorTls
            | Self::VendorLost
            | Self::VendorSlow
            | Self::ReplyTooLarge
            | Self::ReplyRedirects
            | Self::ReplyEncoding
            | Self::VendorLogin
            | Self::MailCut => Blame::Vendor,
            Self::Held
            | Self::Stopped
            | Self::SwitchUnknown
            | Self::Busy
            | Self::LedgerDown
            | Self::VendorBusy
            | Self::CredentialMissing
            | Self::CredentialStale
            | Self::EndpointRefused
            | Self::AddressRefused
            | Self::NotKept(_)
            | Self::SpoolDamaged
            | Self::HeldExpired
            | Self::HeldDiscarded
            | Self::Interrupted
            | Self::Fault => Blame::Ours,
            _ => Blame::Caller,
        }
    }
}

impl From<Broken> for Refused {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl From<NotKept> for Refused {
    fn from(why: NotKept) -> Self {
        Self::NotKept(why)
    }
}

impl From<Unreadable> for Refused {
    fn from(why: Unreadable) -> Self {
        Self::Unreadable(why)
    }
}

impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        Self::Policy(denied)
    }
}
