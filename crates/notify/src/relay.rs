//! Whether a relay may carry the notices: not when it is the breached vendor's own.
//!
//! By name alone. A relay under a name of one's own that leads to the vendor is not seen here.

use model::Coded;

/// The relay belongs to the vendor that the notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the relay belongs to the breached vendor")]
pub struct RelayRefused;

impl Coded for RelayRefused {
    fn code(&self) -> &'static str {
        "relay-is-breached-vendor"
    }

    fn hint(&self) -> Option<String> {
        Some("set another relay under `[relay]` in `cordon.toml`".to_owned())
    }
}

/// Refuses a relay whose host is one of the vendor's mail domains or below one.
///
/// # Errors
/// When it is.
pub fn relay_allowed(host: &str, breached_mail_domains: &[&str]) -> Result<(), RelayRefused> {
    let plain = |name: &str| name.trim().trim_matches('.').to_ascii_lowercase();
    let host = plain(host);
    let belongs = breached_mail_domains.iter().map(|domain| plain(domain)).any(|domain| {
        !domain.is_empty()
            && host
                .strip_suffix(&domain)
                .is_some_and(|before| before.is_empty() || before.ends_with('.'))
    });
    if belongs { Err(RelayRefused) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_of_the_breached_vendor_is_refused_under_every_spelling() {
        let domains = ["sendgrid.net", "sendgrid.com"];
        for host in ["smtp.sendgrid.net", "SendGrid.net", "a.b.sendgrid.com.", "sendgrid.com"] {
            assert_eq!(relay_allowed(host, &domains), Err(RelayRefused), "{host}");
        }
        for host in ["mail.flickr.com", "notsendgrid.net", "sendgrid.net.example", "127.0.0.1"] {
            assert_eq!(relay_allowed(host, &domains), Ok(()), "{host}");
        }
        assert_eq!(relay_allowed("mail.flickr.com", &[""]), Ok(()), "no domain is nobody's");
    }
}
