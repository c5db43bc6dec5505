//! The `CONNECT` door: a tunnel to a vendor's host, as callers believe, that ends here.
//!
//! The tunnel's TLS is spoken with a leaf of the host's own authority, and what is inside goes
//! through the same pipeline. The target, the server name inside, and the host that each request
//! names must be one and the same: what was let through for one host must not reach another.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::{BodyExt as _, Full};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::proxy::ProxyToken;
use super::tls::{DoorTls, chose_http2};
use super::{Facts, Stay, attend, http2, serve};
use crate::Gateway;
use crate::framing::{self, Asked, Broken};
use crate::refused::Refused;
use crate::registry::Registry;
use crate::reply::respond;

/// The host and port to which a tunnel was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub host: String,
    pub port: u16,
}

impl Target {
    /// Reads `host:port`.
    fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let valid = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| valid)?;
        let host = host.to_ascii_lowercase();
        (!host.is_empty()).then_some(Self { host, port })
    }

    /// Whether a request's host is this one; the port of `https` may be left out.
    pub fn is_named(&self, named: &str) -> bool {
        const HTTPS: u16 = 443;
        let bare = named.eq_ignore_ascii_case(&self.host) && self.port == HTTPS;
        bare || Self::parse(named).as_ref() == Some(self)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Serves tunnels until `stop`. With `tls`, callers may speak TLS to the proxy itself, too.
pub(crate) async fn serve_connect(
    gateway: Gateway,
    listener: TcpListener,
    tls: Option<Arc<DoorTls>>,
    stop: impl Future<Output = ()>,
) {
    let patience = gateway.cx.patience;
    let attend =
        |stream: TcpStream, facts, stay| attend(gateway.clone(), stream, tls.clone(), facts, stay);
    serve(listener, &patience, stop, attend).await;
}

async fn attend(
    gateway: Gateway,
    stream: TcpStream,
    tls: Option<Arc<DoorTls>>,
    mut facts: Facts,
    mut stay: Stay,
) {
    /// The first byte of a TLS handshake; no HTTP method begins with it.
    const HANDSHAKE: u8 = 22;
    let patience = gateway.cx.patience.handshake;
    let mut stream = BufReader::new(stream);
    let first = timeout_at(Instant::now() + patience, stream.fill_buf()).await;
    let Ok(Ok(&[first, ..])) = first else {
        return;
    };
    match tls {
        Some(tls) if first == HANDSHAKE => match tls.accept(stream, patience).await {
            Ok((stream, peer)) => {
                facts.peer = peer;
                stay.end_with(&facts, &gateway.cx.world);
                tunnel(gateway, BufReader::new(stream), facts, stay).await;
            }
            Err(why) => tracing::debug!(%why, "a caller's handshake failed"),
        },
        _ => tunnel(gateway, stream, facts, stay).await,
    }
}

/// Opens one tunnel and serves what is in it.
async fn tunnel<S>(gateway: Gateway, mut stream: BufReader<S>, mut facts: Facts, stay: Stay)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let deadline = Instant::now() + gateway.cx.patience.handshake;
    let asked = match timeout_at(deadline, read_head(&mut stream)).await {
        Ok(Some(head)) => head.and_then(|head| ask(&gateway, &head)),
        Ok(None) => return,
        Err(_) => Err(Broken::Slow.into()),
    };
    let opened = match asked {
        Ok((target, proxy)) => {
            facts.proxy = proxy;
            facts.target = Some(Arc::new(target));
            timeout_at(deadline, open(&gateway, stream, &facts)).await
        }
        Err(refused) => {
            let answer = turn_away(&gateway, refused).await;
            let said = timeout_at(deadline, async {
                stream.write_all(&answer).await?;
                stream.flush().await
            });
            if matches!(said.await, Ok(Ok(()))) {
                attend::linger(stream).await;
            }
            return;
        }
    };
    match opened {
        Ok(Ok(stream)) if chose_http2(&stream) => http2::http2(gateway, stream, facts, stay).await,
        Ok(Ok(stream)) => attend::http1(gateway, stream, facts, stay).await,
        Ok(Err(why)) => tracing::debug!(%why, "a tunnel did not come about"),
        Err(_) => tracing::debug!("a caller's handshake took too long"),
    }
}

/// The head of the first request, its empty line included; `None` when the caller goes away. What
/// follows it is left in the stream.
async fn read_head<S: AsyncRead + Unpin>(
    stream: &mut BufReader<S>,
) -> Option<Result<Vec<u8>, Refused>> {
    let mut head = Vec::new();
    loop {
        let arrived = stream.fill_buf().await.ok().filter(|arrived| !arrived.is_empty())?;
        let (held, count) = (head.len(), arrived.len());
        head.extend_from_slice(arrived);
        match framing::proxy_head_end(&head) {
            Ok(Some(end)) => {
                stream.consume(end - held);
                head.truncate(end);
                return Some(Ok(head));
            }
            Ok(None) => stream.consume(count),
            Err(broken) => return Some(Err(broken.into())),
        }
    }
}

/// Whether a tunnel may be opened: to which host, and with which token.
fn ask(gateway: &Gateway, head: &[u8]) -> Result<(Target, Option<ProxyToken>), Refused> {
    let connect = match framing::proxy_head(head)? {
        Asked::Connect(connect) => connect,
        Asked::Plain => return Err(Refused::ProxyPlain),
        Asked::Else => return Err(Refused::ConnectOnly),
    };
    let target = Target::parse(connect.target).ok_or(Broken::Target)?;
    let registry = gateway.registry();
    let places = registry.places_at(&target.host, target.port);
    if places.is_empty() || !registry.authorities.contains_key(&target.host) {
        return Err(Refused::HostUnknown);
    }
    let Some(given) = connect.authorization else {
        return Ok((target, None));
    };
    let proxy = ProxyToken::read(given).ok_or(Refused::ProxyTokenUnknown)?;
    let is_known = places.iter().any(|place| {
        let is_one = |text| registry.token(&gateway.cx, &place.vendor, text).is_some();
        proxy.texts().iter().any(is_one)
    });
    if is_known { Ok((target, Some(proxy))) } else { Err(Refused::ProxyTokenUnknown) }
}

/// Says that the tunnel is open, and speaks TLS in it as the host.
async fn open<S>(
    gateway: &Gateway,
    mut stream: BufReader<S>,
    facts: &Facts,
) -> anyhow::Result<TlsStream<BufReader<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let host = facts.target.as_ref().map_or("", |target| target.host.as_str());
    let tls = leaf(gateway, &gateway.registry(), host)?;
    stream.write_all(b"HTTP/1.1 200 Connection Established\r\n\r\n").await?;
    stream.flush().await?;
    let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
    let named = start.client_hello().server_name().map(str::to_ascii_lowercase);
    if named.as_deref() != Some(host) {
        gateway.tell(&Refused::HostMismatch);
        anyhow::bail!("the server name is not the tunnel's host");
    }
    Ok(start.into_stream(tls).await?)
}

fn leaf(
    gateway: &Gateway,
    registry: &Registry,
    host: &str,
) -> anyhow::Result<Arc<rustls::ServerConfig>> {
    let world = &gateway.cx.world;
    let mut authorities = registry.authorities.get(host).into_iter().flatten();
    let authority = authorities.find(|authority| authority.signs_at(world.now()));
    let authority = authority.ok_or_else(|| anyhow::anyhow!("no authority for `{host}`"))?;
    authority.tls(world)
}

/// The bytes of a refusal before there is a tunnel.
async fn turn_away(gateway: &Gateway, refused: Refused) -> Vec<u8> {
    let seen = gateway.tell(&refused);
    let wants_token = matches!(refused, Refused::ProxyTokenUnknown);
    let mut response = respond(Err(refused), None, seen.call, seen.outcome);
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if wants_token {
        let basic = HeaderValue::from_static("Basic realm=\"cordon\"");
        headers.insert(header::PROXY_AUTHENTICATE, basic);
    }
    to_bytes(response).await
}

async fn to_bytes(response: Response<Full<Bytes>>) -> Vec<u8> {
    let (parts, body) = response.into_parts();
    let Ok(body) = body.collect().await;
    let body = body.to_bytes();
    let mut bytes = format!("HTTP/1.1 {}\r\n", parts.status).into_bytes();
    for (name, value) in &parts.headers {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend(format!("content-length: {}\r\n\r\n", body.len()).into_bytes());
    bytes.extend(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_the_tunnels_host_with_or_without_its_usual_port() {
        let target = Target::parse("API.example.com:443").expect("a target");
        assert_eq!(target.to_string(), "api.example.com:443");
        for named in ["api.example.com", "api.example.COM:443"] {
            assert!(target.is_named(named), "{named}");
        }
        for named in
            ["api.example.com:80", "example.com", "api.example.com.", "", "@api.example.com"]
        {
            assert!(!target.is_named(named), "{named}");
        }
        let odd = Target::parse("api.example.com:8443").expect("a target");
        assert!(odd.is_named("api.example.com:8443") && !odd.is_named("api.example.com"));
        for bad in
            ["api.example.com", "api.example.com:", "api.example.com:+443", ":443", "a:99999"]
        {
            assert_eq!(Target::parse(bad), None, "{bad}");
        }
    }
}
