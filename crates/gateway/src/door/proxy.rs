//! A workload's token in `Proxy-Authorization`: for callers of the `CONNECT` door, and for
//! sidecars, which do not know in which shape a vendor's SDK would show it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Secret;

/// The texts that may be the token: which one it is, only a look at the known ones can tell.
#[derive(Debug, Clone)]
pub(crate) struct ProxyToken(Vec<Secret<String>>);

impl ProxyToken {
    /// Reads `Basic` (the token as the password, as the user's name, or as both with their colon)
    /// and `Bearer`.
    pub fn read(header: &str) -> Option<Self> {
        let (scheme, given) = header.split_once(' ')?;
        let given = given.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self(vec![Secret::new(given.to_owned())]));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(STANDARD.decode(given).ok()?).ok()?;
        let (user, password) = text.split_once(':').unwrap_or((&text, ""));
        let forms = match password {
            "" => vec![user.to_owned()],
            _ => vec![password.to_owned(), text.clone()],
        };
        Some(Self(forms.into_iter().map(Secret::new).collect()))
    }

    /// The texts, the likelier one first.
    pub fn texts(&self) -> &[Secret<String>] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_wherever_a_proxy_url_may_have_it() {
        let check = |header: &str| {
            let token = ProxyToken::read(header)?;
            Some(token.texts().iter().map(|text| text.expose().clone()).collect::<Vec<_>>())
        };
        let basic = |text: &str| check(&format!("Basic {}", STANDARD.encode(text)));
        assert_eq!(basic("token:SG.a.b"), Some(vec!["SG.a.b".into(), "token:SG.a.b".into()]));
        assert_eq!(basic("SG.a.b:"), Some(vec!["SG.a.b".into()]));
        assert_eq!(basic("SG.a.b"), Some(vec!["SG.a.b".into()]));
        assert_eq!(check("bearer SG.a.b"), Some(vec!["SG.a.b".into()]));
        assert_eq!(check("Digest x"), None);
        assert_eq!(check("Basic ?"), None);
    }
}
