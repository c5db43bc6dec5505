//! Who calls the portal: the peer of the connection, or whom a proxy of ours says it speaks for.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;

use crate::api::error::ApiError;
use crate::app::App;

/// The address for which forms are limited. Never stored, never logged.
pub struct Caller(pub IpAddr);

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
        let peer = parts.extensions.get().map_or(unspecified, |ConnectInfo(peer)| *peer).ip();
        let forwarded = parts.headers.get_all("x-forwarded-for").iter().next_back();
        let forwarded = forwarded.and_then(|value| value.to_str().ok());
        Ok(Self(address(peer, forwarded, &app.config.public.proxies)))
    }
}

/// The last address that was forwarded, if the peer is a proxy of ours: it alone wrote that one.
fn address(peer: IpAddr, forwarded: Option<&str>, proxies: &[IpAddr]) -> IpAddr {
    let named = forwarded.and_then(|all| all.rsplit(',').next()?.trim().parse().ok());
    named.filter(|_| proxies.contains(&peer)).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxy_of_ours_is_believed_and_only_its_own_word() {
        let ip = |text: &str| text.parse::<IpAddr>().expect(text);
        let (proxy, caller, liar) = (ip("10.0.0.1"), ip("192.0.2.7"), ip("198.51.100.9"));
        let said = Some("203.0.113.1, 192.0.2.7");
        assert_eq!(address(proxy, said, &[proxy]), caller);
        assert_eq!(address(liar, said, &[proxy]), liar);
        assert_eq!(address(proxy, Some("unknown"), &[proxy]), proxy);
        assert_eq!(address(proxy, None, &[proxy]), proxy);
    }
}
