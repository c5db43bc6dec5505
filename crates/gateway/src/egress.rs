//! The one door out: resolve, check, connect to that very address, write once, read the reply.
//!
//! Connections are kept per vendor and origin in a small pool of our own, not in the library's: a
//! request must own its connection from before its first byte, so that what was written of it is
//! known exactly, and no request may ever be written a second time behind our back.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use model::{VendorName, limits};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use crate::address::is_public;
use crate::cx::Patience;
use crate::refused::Refused;
pub use crate::wire::Gate;
use crate::wire::{Metered, Progress, Wire};

/// The way out, and whom it may lead to. Cheap to clone.
#[derive(Clone)]
pub struct Egress(Arc<Inner>);

struct Inner {
    tls: TlsConnector,
    roots: Arc<RootCertStore>,
    /// Hosts as `host:port` to which private addresses and plain HTTP are allowed.
    allowed: HashSet<String>,
    idle: Mutex<HashMap<(VendorName, Origin), Vec<Idle>>>,
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").field("allowed", &self.0.allowed).finish_non_exhaustive()
    }
}

/// The machine's own certificate roots.
///
/// # Errors
/// When there are none.
pub fn native_roots() -> anyhow::Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    anyhow::ensure!(added > 0, "this machine has no certificate roots");
    Ok(roots)
}

/// The certificate roots in a PEM file.
///
/// # Errors
/// When it cannot be read or holds none.
pub fn roots_in(file: &Path) -> anyhow::Result<RootCertStore> {
    let shown = file.display();
    let found =
        CertificateDer::pem_file_iter(file).with_context(|| format!("reading `{shown}`"))?;
    let mut roots = RootCertStore::empty();
    for certificate in found {
        let certificate = certificate.with_context(|| format!("reading `{shown}`"))?;
        roots.add(certificate).with_context(|| format!("a certificate in `{shown}`"))?;
    }
    anyhow::ensure!(!roots.is_empty(), "`{shown}` holds no certificate");
    Ok(roots)
}

/// `host:port` of a base URL, as [`Egress::new`] takes allowed hosts.
///
/// # Errors
/// When it is no URL of a server.
pub fn host_port(base: &str) -> Result<String, Refused> {
    Origin::parse(base).map(|origin| origin.host_port())
}

/// Scheme, host and port of a vendor's API, and the path under which it begins.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    tls: bool,
    host: String,
    port: u16,
    pub prefix: String,
}

impl Origin {
    /// Reads the base URL of a connector or an operator.
    pub fn parse(base: &str) -> Result<Self, Refused> {
        let uri: Uri = base.parse().map_err(|_| Refused::EndpointRefused)?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(Refused::EndpointRefused),
        };
        let authority = uri.authority().ok_or(Refused::EndpointRefused)?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(Refused::EndpointRefused);
        }
        Ok(Self {
            tls,
            host: authority.host().to_ascii_lowercase(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The `Host` header: the port only when it is not the scheme's own.
    pub fn host_header(&self) -> Result<HeaderValue, Refused> {
        let usual = if self.tls { 443 } else { 80 };
        let text = if self.port == usual { self.host.clone() } else { self.host_port() };
        HeaderValue::from_str(&text).map_err(|_| Refused::EndpointRefused)
    }

    /// The host and port to which TLS is spoken; none for plain HTTP.
    pub fn tls_host(&self) -> Option<(&str, u16)> {
        self.tls.then_some((self.host.as_str(), self.port))
    }

    pub fn host_port(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The host without the brackets of an IPv6 address.
    fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

/// What became of one write.
pub(crate) enum Sent {
    /// A whole reply.
    Reply(Response<Bytes>),
    /// Not a byte was written.
    Not(Refused),
    /// Bytes were written, and no whole reply came.
    Unknown(Refused),
}

/// A connection that carries one request at a time.
struct Line {
    sender: SendRequest<Full<Bytes>>,
    wire: Wire,
}

struct Idle {
    line: Line,
    since: Instant,
}

impl Egress {
    /// A way out that trusts these roots; `allowed_hosts` are `host:port` of hosts that may be
    /// private or spoken to in plain HTTP, such as a sandbox.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(roots: RootCertStore, allowed_hosts: Vec<String>) -> anyhow::Result<Self> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots = Arc::new(roots);
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("setting up TLS to vendors")?
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        Ok(Self::over(tls, roots, allowed_hosts))
    }

    /// As [`Egress::new`], over TLS that is set up already.
    pub(crate) fn over(
        mut tls: ClientConfig,
        roots: Arc<RootCertStore>,
        allowed_hosts: Vec<String>,
    ) -> Self {
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self(Arc::new(Inner {
            tls: TlsConnector::from(Arc::new(tls)),
            roots,
            allowed: allowed_hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect(),
            idle: Mutex::default(),
        }))
    }

    /// Writes a request once, on a connection that is its own until the reply is whole.
    pub(crate) async fn send(
        &self,
        patience: &Patience,
        vendor: &VendorName,
        origin: &Origin,
        request: Request<Full<Bytes>>,
        gate: Gate,
    ) -> Sent {
        let mut line = match self.line(patience, vendor, origin).await {
            Ok(line) => line,
            Err(refused) => return Sent::Not(refused),
        };
        line.wire.open(gate);
        let exchange = timeout(patience.reply, exchange(&mut line.sender, request)).await;
        let refused = match exchange {
            Ok(Ok(reply)) if line.wire.has_begun() => {
                self.keep(patience, vendor, origin, line);
                return Sent::Reply(reply);
            }
            // A reply to nothing: the vendor gave the idle connection up.
            Ok(Ok(_)) => Refused::VendorLost,
            Ok(Err(refused)) => refused,
            Err(_) => Refused::VendorSlow,
        };
        match line.wire.close() {
            Progress::Nothing => Sent::Not(Refused::VendorUnreachable),
            Progress::Refused(refused) => Sent::Not(refused),
            Progress::Written => Sent::Unknown(refused),
        }
    }

    /// Asks a server of the company's own, on a connection of its own: nothing is disclosed by it,
    /// so nothing is recorded. The request's URI is the path below `base`.
    ///
    /// # Errors
    /// When no whole reply comes in time.
    pub async fn ask(
        &self,
        base: &str,
        mut request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Response<Bytes>, Refused> {
        let origin = Origin::parse(base)?;
        let path = format!("{}{}", origin.prefix, request.uri());
        *request.uri_mut() = path.parse().map_err(|_| Refused::EndpointRefused)?;
        request.headers_mut().insert(header::HOST, origin.host_header()?);
        let asking = async {
            let mut line = self.connect(&origin).await?;
            line.wire.open(Box::new(|| Ok(())));
            exchange(&mut line.sender, request).await
        };
        timeout(patience, asking).await.map_err(|_| Refused::VendorSlow)?
    }

    /// A connection of this vendor's that is ready, or a new one.
    async fn line(
        &self,
        patience: &Patience,
        vendor: &VendorName,
        origin: &Origin,
    ) -> Result<Line, Refused> {
        while let Some(mut line) = self.take(patience, vendor, origin) {
            if line.sender.ready().await.is_ok() {
                return Ok(line);
            }
        }
        let connecting = timeout(patience.connect, self.connect(origin));
        connecting.await.map_err(|_| Refused::VendorUnreachable)?
    }

    /// Whose certificates are believed.
    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        self.0.roots.clone()
    }

    /// A connection to a host that speaks another protocol than HTTP; the same addresses are
    /// refused. Whether TLS is spoken over it is the caller's to see to.
    pub(crate) async fn dial(
        &self,
        patience: &Patience,
        host: &str,
        port: u16,
    ) -> Result<TcpStream, Refused> {
        let origin =
            Origin { tls: true, host: host.to_ascii_lowercase(), port, prefix: String::new() };
        let allowed = self.0.allowed.contains(&origin.host_port());
        let dialling = timeout(patience.connect, dial(&origin, allowed));
        dialling.await.map_err(|_| Refused::VendorUnreachable)?
    }

    async fn connect(&self, origin: &Origin) -> Result<Line, Refused> {
        let allowed = self.0.allowed.contains(&origin.host_port());
        if !origin.tls && !allowed {
            return Err(Refused::EndpointRefused);
        }
        let stream = dial(origin, allowed).await?;
        if !origin.tls {
            return begin(stream).await;
        }
        let name = ServerName::try_from(origin.bare_host().to_owned());
        let name = name.map_err(|_| Refused::EndpointRefused)?;
        let stream = self.0.tls.connect(name, stream).await.map_err(|_| Refused::VendorTls)?;
        begin(stream).await
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<(VendorName, Origin), Vec<Idle>>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, patience: &Patience, vendor: &VendorName, origin: &Origin) -> Option<Line> {
        let mut idle = self.idle();
        let lines = idle.get_mut(&(vendor.clone(), origin.clone()))?;
        let now = Instant::now();
        while let Some(Idle { line, since }) = lines.pop() {
            if now.duration_since(since) < patience.idle && !line.sender.is_closed() {
                return Some(line);
            }
        }
        None
    }

    /// Keeps a connection for the next request, once its present one is written to the end.
    fn keep(&self, patience: &Patience, vendor: &VendorName, origin: &Origin, mut line: Line) {
        let key = (vendor.clone(), origin.clone());
        if line.sender.is_ready() {
            self.put(patience.idle, key, line);
            return;
        }
        let (egress, idle) = (self.clone(), patience.idle);
        tokio::spawn(async move {
            if matches!(timeout(idle, line.sender.ready()).await, Ok(Ok(()))) {
                egress.put(idle, key, line);
            }
        });
    }

    /// Puts a connection among the idle ones, and drops those that aged.
    fn put(&self, longest: Duration, key: (VendorName, Origin), line: Line) {
        line.wire.close();
        let mut idle = self.idle();
        let now = Instant::now();
        idle.retain(|_, lines| {
            lines.retain(|kept| now.duration_since(kept.since) < longest);
            !lines.is_empty()
        });
        let lines = idle.entry(key).or_default();
        if lines.len() < limits::VENDOR_CONCURRENCY {
            lines.push(Idle { line, since: now });
        }
    }
}

/// Connects to the first address that may be connected to; the check and the connection are about
/// the same address, so that a name cannot change in between.
async fn dial(origin: &Origin, allowed: bool) -> Result<TcpStream, Refused> {
    let found = lookup_host((origin.bare_host(), origin.port)).await;
    let found = found.map_err(|_| Refused::VendorUnreachable)?;
    let addresses: Vec<SocketAddr> =
        found.filter(|address| allowed || is_public(address.ip())).collect();
    if addresses.is_empty() {
        return Err(Refused::AddressRefused);
    }
    for address in addresses {
        if let Ok(stream) = TcpStream::connect(address).await {
            stream.set_nodelay(true).map_err(|_| Refused::VendorUnreachable)?;
            return Ok(stream);
        }
    }
    Err(Refused::VendorUnreachable)
}

async fn begin<S>(stream: S) -> Result<Line, Refused>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let wire = Wire::default();
    let io = TokioIo::new(Metered::new(stream, wire.clone()));
    let (sender, connection) = handshake(io).await.map_err(|_| Refused::VendorUnreachable)?;
    tokio::spawn(async move {
        if let Err(why) = connection.await {
            tracing::debug!(%why, "a connection to a vendor ended");
        }
    });
    Ok(Line { sender, wire })
}

async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, Refused> {
    let reply = sender.send_request(request).await.map_err(|_| Refused::VendorLost)?;
    let (parts, body) = reply.into_parts();
    let body = Limited::new(body, limits::VENDOR_RESPONSE_BYTES).collect().await;
    let body = body.map_err(|why| {
        if why.is::<LengthLimitError>() { Refused::ReplyTooLarge } else { Refused::VendorLost }
    })?;
    Ok(Response::from_parts(parts, body.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_with_its_port_and_prefix_or_refused() {
        let check = |base| {
            let origin = Origin::parse(base).map_err(|refused| refused.to_string());
            origin.map(|origin| {
                let host = origin.host_header().expect("a header").to_str().map(str::to_owned);
                (host.expect("text"), origin.host_port(), origin.prefix)
            })
        };
        let read = |host: &str, port: &str, prefix: &str| {
            Ok((host.to_owned(), port.to_owned(), prefix.to_owned()))
        };
        assert_eq!(
            check("https://API.example.com"),
            read("api.example.com", "api.example.com:443", "")
        );
        assert_eq!(check("http://[::1]:81/eu/"), read("[::1]:81", "[::1]:81", "/eu"));
        for bad in ["api.example.com", "ftp://a", "https://u:p@a", "https://a?b=c", ""] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
