//! The sidecar: carries what a program says in plain HTTP on its own machine to the gateway, over
//! TLS and under the program's certificate or token.
//!
//! It is no second pipeline: it knows no vendor's API, reads no body and decides nothing. What it
//! takes in is framed as at every door, whole, and written to the gateway at most once.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use model::{Coded, VendorName, limits};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;

use crate::authenticate::vendor_in;
use crate::body::{Held, collect};
use crate::cx::Patience;
use crate::door::{Answered, Answers, Facts, Listens, certificates, provider, serve_plain};
use crate::egress::{Egress, Origin, Sent, native_roots};
use crate::framing::Broken;
use crate::guard::BROKEN;
use crate::refused::Refused;
use crate::reload::Reloaded;
use crate::reply::{CODE, OUTCOME, neutral};
use crate::seen::Left;
use crate::transform::connection_options;

/// Files that a sidecar is set up with; all are read anew when they change.
#[derive(Debug, Clone, Default)]
pub struct SidecarFiles {
    /// Authorities of the gateway's certificate, PEM; without them the machine's own.
    pub ca: Option<PathBuf>,
    /// The program's certificate with those that lead to its authority, and its key, PEM.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Tokens: a line for each vendor, its name and the token.
    pub tokens: Option<PathBuf>,
}

/// A sidecar. Cheap to clone.
#[derive(Clone)]
pub struct Sidecar {
    gateway: Origin,
    way: Arc<Reloaded<Way>>,
    bodies: Arc<Semaphore>,
    patience: Patience,
}

/// The way to the gateway, as the files made it last.
struct Way {
    egress: Egress,
    tokens: HashMap<VendorName, HeaderValue>,
}

/// A sidecar that would listen where others than its own machine reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sidecar speaks plain HTTP, so it listens on loopback alone, and not on {0}")]
pub struct NotLoopback(SocketAddr);

impl Coded for NotLoopback {
    fn code(&self) -> &'static str {
        "sidecar-not-loopback"
    }

    fn hint(&self) -> Option<String> {
        Some("listen on 127.0.0.1 or [::1], or on a Unix socket".into())
    }
}

/// Refuses an address that is not this machine's own.
///
/// # Errors
/// When it is not one of loopback.
pub fn check_loopback(at: SocketAddr) -> Result<(), NotLoopback> {
    if at.ip().is_loopback() { Ok(()) } else { Err(NotLoopback(at)) }
}

impl Sidecar {
    /// One that carries to the gateway at this `https` URL.
    ///
    /// # Errors
    /// When the URL is not one, or a file cannot be read.
    pub fn open(gateway: &str, files: SidecarFiles) -> Result<Self> {
        Self::with_patience(gateway, files, Patience::default())
    }

    /// As [`Sidecar::open`], waiting for others as long as `patience` says.
    ///
    /// # Errors
    /// As [`Sidecar::open`].
    pub fn with_patience(gateway: &str, files: SidecarFiles, patience: Patience) -> Result<Self> {
        let origin = Origin::parse(gateway).ok().filter(|origin| origin.tls_host().is_some());
        let origin = origin.with_context(|| format!("`{gateway}` is no https URL"))?;
        let (certificate, key) = files.certificate.clone().unzip();
        let paths = [&files.ca, &certificate, &key, &files.tokens];
        let paths = paths.into_iter().flatten().cloned().collect();
        let allowed = origin.host_port();
        let way = Reloaded::open(paths, move |contents| way(&files, &allowed, contents))?;
        // The gateway itself waits for a caller, for a place, for the vendor.
        let reply = patience.read + patience.busy + patience.connect + patience.reply;
        let patience = Patience { reply, ..patience };
        let bodies = Arc::new(Semaphore::new(limits::GATEWAY_BODIES_BYTES));
        Ok(Self { gateway: origin, way, bodies, patience })
    }

    /// Looks again and again whether the files have changed, until dropped.
    pub async fn keep(&self) {
        self.way.clone().keep().await;
    }

    /// Looks once.
    pub fn look(&self) {
        self.way.look();
    }

    /// Serves `/v/<vendor>/…` in plain HTTP until `stop`.
    pub async fn serve<L: Listens>(self, listener: L, stop: impl Future<Output = ()>) {
        serve_plain(self, listener, stop).await;
    }

    /// Carries one request.
    async fn carry(
        &self,
        parts: Parts,
        mut body: Incoming,
        body_read: &mut bool,
    ) -> Result<Response<Bytes>, Uncarried> {
        if let Some(code) = parts.headers.get(BROKEN) {
            let broken = Broken::from_code(code.as_bytes()).unwrap_or(Broken::Head);
            return Err(Refused::from(broken).into());
        }
        let vendor = vendor_in(parts.uri.path()).ok_or(Refused::VendorUnknown)?;
        let cap = limits::REQUEST_BODY_BYTES;
        let Held { bytes, place, .. } =
            collect(&self.bodies, &self.patience, &mut body, cap).await?;
        *body_read = true;
        let way = self.way.current();
        let request = self.onwards(parts, bytes, way.tokens.get(&vendor))?;
        let gate = Box::new(|| Ok(()));
        let sent = way.egress.send(&self.patience, &vendor, &self.gateway, request, gate).await;
        drop(place);
        match sent {
            Sent::Reply(reply) => Ok(back(reply)),
            Sent::Not(Refused::VendorTls) => Err(Uncarried::Tls),
            Sent::Not(_) => Err(Uncarried::Unreachable),
            Sent::Unknown(Refused::VendorSlow) => Err(Uncarried::Slow),
            Sent::Unknown(_) => Err(Uncarried::Lost),
        }
    }

    /// The request as the gateway gets it: the same, but for what belongs to one connection.
    fn onwards(
        &self,
        parts: Parts,
        body: Bytes,
        token: Option<&HeaderValue>,
    ) -> Result<Request<Full<Bytes>>, Refused> {
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut request = Request::builder()
            .method(parts.method)
            .uri(format!("{}{target}", self.gateway.prefix))
            .body(Full::new(body))
            .map_err(|_| Refused::Fault)?;
        let headers = request.headers_mut();
        *headers = without_connection(parts.headers);
        headers.insert(header::HOST, self.gateway.host_header()?);
        if let Some(token) = token {
            headers.insert(header::PROXY_AUTHORIZATION, token.clone());
        }
        Ok(request)
    }
}

impl Answers for Sidecar {
    fn patience(&self) -> &Patience {
        &self.patience
    }

    async fn answer(self, request: Request<Incoming>, _: Facts) -> Answered {
        let (parts, body) = request.into_parts();
        let mut body_read = false;
        let response = match self.carry(parts, body, &mut body_read).await {
            Ok(reply) => reply.map(Full::new),
            Err(uncarried) => uncarried.response(),
        };
        Answered { response, body_read }
    }
}

fn way(files: &SidecarFiles, allowed: &str, contents: &[Vec<u8>]) -> Result<Way> {
    let mut contents = contents.iter();
    let mut next = || contents.next().map(Vec::as_slice).unwrap_or_default();
    let roots = match &files.ca {
        Some(_) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(next()).context("reading the gateway's authorities")? {
                roots.add(certificate)?;
            }
            roots
        }
        None => native_roots()?,
    };
    let roots = Arc::new(roots);
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .context("choosing TLS versions")?
        .with_root_certificates(roots.clone());
    let tls = match &files.certificate {
        Some(_) => {
            let chain = certificates(next()).context("reading the certificate")?;
            let key = PrivateKeyDer::from_pem_slice(next()).context("reading its key")?;
            builder.with_client_auth_cert(chain, key).context("putting both together")?
        }
        None => builder.with_no_client_auth(),
    };
    let tokens = match &files.tokens {
        Some(_) => tokens(next()).context("reading the tokens")?,
        None => HashMap::new(),
    };
    Ok(Way { egress: Egress::over(tls, roots, vec![allowed.to_owned()]), tokens })
}

/// Lines of a vendor's name and a token; empty ones and those that begin with `#` are passed over.
fn tokens(text: &[u8]) -> Result<HashMap<VendorName, HeaderValue>> {
    let text = std::str::from_utf8(text).context("they are no text")?;
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let token = |(number, line): (usize, &str)| {
        let (vendor, token) = line
            .split_once(char::is_whitespace)
            .with_context(|| format!("line {number} is not a vendor's name and a token"))?;
        let vendor = VendorName::parse(vendor).with_context(|| format!("line {number}"))?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.trim()))
            .with_context(|| format!("the token of line {number} has other characters"))?;
        value.set_sensitive(true);
        Ok((vendor, value))
    };
    let found: Vec<_> = lines.map(token).collect::<Result<_>>()?;
    let count = found.len();
    let tokens = HashMap::from_iter(found);
    ensure!(tokens.len() == count, "a vendor stands there twice");
    Ok(tokens)
}

/// The gateway's reply as the program gets it. One that does not say what became of the call is not
/// the gateway's own: something stands between.
fn back(reply: Response<Bytes>) -> Response<Bytes> {
    let (mut parts, body) = reply.into_parts();
    parts.headers = without_connection(parts.headers);
    if !parts.headers.contains_key(OUTCOME) {
        parts.headers.insert(OUTCOME, HeaderValue::from_static(Left::Unknown.name()));
    }
    Response::from_parts(parts, body)
}

/// Headers of one connection (RFC 9110 §7.6.1), and those that frame a message.
const CONNECTION: [HeaderName; 11] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

fn without_connection(mut headers: HeaderMap) -> HeaderMap {
    let named = connection_options(&headers);
    for name in CONNECTION.iter().map(HeaderName::as_str).chain(named.iter().map(String::as_str)) {
        while headers.remove(name).is_some() {}
    }
    headers
}

/// Why a request was not carried to the gateway, or what became of it is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Uncarried {
    /// It is refused as the gateway would refuse it.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// No connection came about.
    #[error("no connection to the gateway came about")]
    Unreachable,
    /// No TLS came about: one of the two certificates is not believed.
    #[error("no TLS connection to the gateway came about")]
    Tls,
    /// The connection ended before the reply did.
    #[error("the connection to the gateway ended before its reply did")]
    Lost,
    /// The reply did not come in time.
    #[error("the gateway did not reply in time")]
    Slow,
}

impl Coded for Uncarried {
    fn code(&self) -> &'static str {
        match self {
            Self::Refused(refused) => refused.code(),
            Self::Unreachable => "gateway-unreachable",
            Self::Tls => "gateway-tls",
            Self::Lost => "gateway-lost",
            Self::Slow => "gateway-slow",
        }
    }
}

impl Uncarried {
    fn response(&self) -> Response<Full<Bytes>> {
        /// A gateway that restarts is back by then.
        const AGAIN: Duration = Duration::from_secs(2);
        let (status, left) = match self {
            Self::Refused(refused) => (refused.status(), Left::NotSent),
            Self::Unreachable => (503, Left::NotSent),
            Self::Tls => (502, Left::NotSent),
            Self::Lost => (502, Left::Unknown),
            Self::Slow => (504, Left::Unknown),
        };
        let reply = neutral(status, self.code(), &self.to_string());
        let mut response = reply.into_response();
        let headers = response.headers_mut();
        headers.insert(OUTCOME, HeaderValue::from_static(left.name()));
        headers.insert(CODE, HeaderValue::from_static(self.code()));
        if *self == Self::Unreachable {
            headers.insert(header::RETRY_AFTER, AGAIN.as_secs().into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_by_line_and_an_error_names_it_without_the_token() {
        let check = |text: &str| match tokens(text.as_bytes()) {
            Ok(tokens) => Ok(tokens.len()),
            Err(why) => Err(format!("{why:#}")),
        };
        assert_eq!(check("# ours\nsendgrid SG.a.b\n\ntwilio\tAC1:2\n"), Ok(2));
        assert_eq!(
            check("sendgrid SG.a\nsendgrid SG.b"),
            Err("a vendor stands there twice".into())
        );
        let malformed = check("sendgrid SG.a\nSG.secret");
        assert_eq!(malformed, Err("line 2 is not a vendor's name and a token".into()));
        assert!(check("Send SG.secret").is_err_and(|why| !why.contains("secret")));
    }

    #[test]
    fn only_loopback_is_listened_on() {
        for (at, is_allowed) in
            [("127.0.0.1:1", true), ("[::1]:1", true), ("0.0.0.0:1", false), ("10.0.0.1:1", false)]
        {
            assert_eq!(check_loopback(at.parse().expect(at)).is_ok(), is_allowed, "{at}");
        }
    }
}
