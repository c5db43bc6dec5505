//! Whom a certificate stands for, in the one form in which a workload registers it.

use std::fmt;

use spiffe::SpiffeId;

use crate::error::Malformed;
use crate::limits;
use crate::name::text_form;

/// A name that a certificate proves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// A SPIFFE ID with a path, such as `spiffe://prod.example/shop`.
    Spiffe(SpiffeId),
    /// A DNS name of the company's own certificate authority, written `dns:shop.internal`.
    Dns(Box<str>),
}

impl Identity {
    /// Reads either form.
    ///
    /// # Errors
    /// When it is neither, or a SPIFFE ID without a path: that one names a whole trust domain.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let malformed = Malformed::new(
            "identity",
            "use a SPIFFE ID with a path, `spiffe://domain/path`, or `dns:` and a DNS name",
        );
        if text.len() > limits::IDENTITY_BYTES {
            return Err(malformed);
        }
        if let Some(name) = text.strip_prefix("dns:") {
            return Self::dns(name).ok_or(malformed);
        }
        let id = SpiffeId::new(text).map_err(|_| malformed.clone())?;
        if id.path().is_empty() { Err(malformed) } else { Ok(Self::Spiffe(id)) }
    }

    /// A DNS name, in lower case; `None` when it is not one, or has a wildcard.
    pub fn dns(name: &str) -> Option<Self> {
        let label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let valid = name.len() <= limits::DNS_NAME_BYTES && name.split('.').all(label);
        valid.then(|| Self::Dns(name.to_ascii_lowercase().into()))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spiffe(id) => write!(f, "{id}"),
            Self::Dns(name) => write!(f, "dns:{name}"),
        }
    }
}

text_form!(Identity);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_reads_back_and_has_one_form() {
        let check = |text| Identity::parse(text).map(|identity| identity.to_string()).ok();
        assert_eq!(
            check("spiffe://prod.example/shop").as_deref(),
            Some("spiffe://prod.example/shop")
        );
        assert_eq!(check("dns:Shop.Internal").as_deref(), Some("dns:shop.internal"));
        for bad in [
            "spiffe://prod.example",
            "spiffe://prod.example/",
            "spiffe://prod.example/a/../b",
            "https://prod.example/shop",
            "dns:*.internal",
            "dns:a..b",
            "shop",
            "",
        ] {
            assert_eq!(check(bad), None, "{bad}");
        }
    }
}
