//! A vault as HashiCorp and OpenBao document its API, over real TLS: the KV engine's version 2,
//! AppRole, tokens that are looked up and renewed, and the answers of one that is sealed, busy or
//! on standby. Policies are not its subject: a token reads everything or is none.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The role that may log in.
pub const ROLE: &str = "59d6d1ca-47bb-4e7e-a40b-8be3bc5a0ba8";
/// Its secret.
pub const SECRET_ID: &str = "84896a0c-1347-aa90-a4f6-aca8b7558780";
/// The only namespace.
pub const NAMESPACE: &str = "team-a";

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    Serving,
    /// Sealed: 503 to everything.
    Sealed,
    /// Over a quota: 429 with a time to wait.
    Busy,
    /// A standby that sends callers elsewhere.
    Standby,
}

struct State {
    mood: Mood,
    /// Tokens that are good, and how many seconds each lasts.
    tokens: BTreeMap<String, u64>,
    /// How long tokens last that it gives from now on.
    lease: u64,
    /// By path: version and data; no data when the newest version was deleted.
    secrets: BTreeMap<String, (u64, Option<Value>)>,
    asked: Vec<String>,
    made: u64,
}

/// A vault on a local port, until it is dropped.
pub struct Vault {
    /// Where it listens.
    pub address: SocketAddr,
    /// The certificate of its authority, as PEM.
    pub ca: String,
    state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Vault {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Vault {
    /// One on a free port of this machine.
    ///
    /// # Panics
    /// When no port or certificate can be had.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]);
        let made = made.expect("a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a certificate and its key");
        let state = Arc::new(Mutex::new(State {
            mood: Mood::Serving,
            tokens: BTreeMap::new(),
            lease: 1_200,
            secrets: BTreeMap::new(),
            asked: Vec::new(),
            made: 0,
        }));
        let task = tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(tls)), state.clone()));
        Self { address, ca: made.cert.pem(), state, task }
    }

    /// Writes a new version of a secret.
    pub fn put(&self, path: &str, data: Value) {
        let mut state = self.state();
        let version = state.secrets.get(path).map_or(1, |(version, _)| version + 1);
        state.secrets.insert(path.to_owned(), (version, Some(data)));
    }

    /// Deletes the newest version of a secret.
    ///
    /// # Panics
    /// When there is no such secret.
    pub fn delete(&self, path: &str) {
        self.state().secrets.get_mut(path).expect("a secret").1 = None;
    }

    /// Changes how it answers.
    pub fn mood(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// A token for somebody who does not log in.
    pub fn token(&self) -> String {
        self.state().token()
    }

    /// Takes every token back; those that are given from now on last for so many seconds.
    pub fn revoke_tokens(&self, lease: u64) {
        let mut state = self.state();
        state.tokens.clear();
        state.lease = lease;
    }

    /// How often it was asked for what begins so, such as `GET /v1/secret`.
    pub fn asked(&self, what: &str) -> usize {
        self.state().asked.iter().filter(|asked| asked.starts_with(what)).count()
    }

    /// The settings of a company that uses it by AppRole.
    ///
    /// # Panics
    /// When the folder does not take the two files.
    pub fn settings(&self, folder: &Path) -> String {
        let (ca, secret) = (folder.join("vault-ca.pem"), folder.join("vault-secret-id"));
        std::fs::write(&ca, &self.ca).expect("written");
        std::fs::write(&secret, SECRET_ID).expect("written");
        format!(
            "[vault]\naddress = \"https://{}\"\nca_file = {ca:?}\nnamespace = \"{NAMESPACE}\"\n\
             role_id = \"{ROLE}\"\nsecret_id_file = {secret:?}\n",
            self.address
        )
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, state) = (tls.clone(), state.clone());
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let service = service_fn(move |request| {
                let state = state.clone();
                async move { Ok::<_, Infallible>(answer(&state, request).await) }
            });
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
        });
    }
}

async fn answer(state: &Mutex<State>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    const BODY_BYTES: usize = 64 * 1024;
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES).collect().await;
    let body: Value = body
        .ok()
        .and_then(|body| serde_json::from_slice(&body.to_bytes()).ok())
        .unwrap_or_default();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let (status, said) =
        state.lock().expect("no panic").said(&parts.method, parts.uri.path(), &header, &body);
    let mut response = Response::builder().status(status);
    response = match status {
        307 => response.header("location", format!("https://active.example{}", parts.uri.path())),
        429 => response.header("retry-after", "1"),
        _ => response,
    };
    let response = response.header("content-type", "application/json");
    response.body(Full::new(said.to_string().into())).expect("a response")
}

type Header<'a> = &'a dyn Fn(&str) -> Option<&'a str>;

impl State {
    fn said(
        &mut self,
        method: &Method,
        path: &str,
        header: Header<'_>,
        body: &Value,
    ) -> (u16, Value) {
        self.asked.push(format!("{method} {path}"));
        match self.mood {
            Mood::Sealed => return (503, errors("Vault is sealed")),
            Mood::Busy => return (429, errors("request path: rate limit quota exceeded")),
            Mood::Standby => return (307, Value::Null),
            Mood::Serving => {}
        }
        if header("x-vault-request") != Some("true") {
            return (412, errors("missing 'X-Vault-Request' header"));
        }
        if header("x-vault-namespace") != Some(NAMESPACE) {
            return (403, errors("permission denied"));
        }
        if (method, path) == (&Method::POST, "/v1/auth/approle/login") {
            return self.log_in(body);
        }
        let token = header("x-vault-token").unwrap_or_default().to_owned();
        let Some(lease) = self.tokens.get(&token).copied() else {
            return (403, errors("permission denied"));
        };
        match (method.as_str(), path) {
            ("GET", "/v1/auth/token/lookup-self") => {
                (200, json!({ "data": { "ttl": lease, "renewable": true, "id": token } }))
            }
            ("POST", "/v1/auth/token/renew-self") => {
                let lease = self.lease;
                self.tokens.insert(token.clone(), lease);
                (200, authenticated(&token, lease))
            }
            ("GET", path) => self.secret(path.trim_start_matches("/v1/")),
            _ => (405, errors("unsupported operation")),
        }
    }

    fn token(&mut self) -> String {
        self.made += 1;
        let token = format!("hvs.CAESIJ{:040}", self.made);
        self.tokens.insert(token.clone(), self.lease);
        token
    }

    fn log_in(&mut self, body: &Value) -> (u16, Value) {
        if body["role_id"] != ROLE || body["secret_id"] != SECRET_ID {
            return (400, errors("invalid role or secret ID"));
        }
        let token = self.token();
        (200, authenticated(&token, self.lease))
    }

    fn secret(&self, path: &str) -> (u16, Value) {
        let about = |version: u64, deleted: &str| {
            json!({
                "created_time": "2026-02-05T02:24:06.945319214Z", "custom_metadata": null,
                "deletion_time": deleted, "destroyed": false, "version": version,
            })
        };
        let (status, data) = match self.secrets.get(path) {
            None => return (404, json!({ "errors": [] })),
            Some((version, Some(data))) => {
                (200, json!({ "data": data, "metadata": about(*version, "") }))
            }
            Some((version, None)) => {
                let metadata = about(*version, "2026-02-05T03:00:00.000000000Z");
                (404, json!({ "data": null, "metadata": metadata }))
            }
        };
        let said = json!({
            "request_id": "9c6bd2a3-6d3c-4d3f-9a0b-1d2d1d1b1a11", "lease_id": "",
            "renewable": false, "lease_duration": 0, "data": data, "wrap_info": null,
            "warnings": null, "auth": null,
        });
        (status, said)
    }
}

fn errors(why: &str) -> Value {
    json!({ "errors": [why] })
}

fn authenticated(token: &str, lease: u64) -> Value {
    json!({
        "request_id": "b6a4f4a0-0d7a-4a0d-8a55-8a1a1a1a1a1a", "lease_id": "", "renewable": false,
        "lease_duration": 0, "data": null, "wrap_info": null, "warnings": null,
        "auth": {
            "client_token": token, "accessor": "0e9e354a-520f-df04-6867-ee81cae3d42d",
            "policies": ["default", "cordon"], "token_policies": ["default", "cordon"],
            "metadata": { "role_name": "cordon" }, "lease_duration": lease, "renewable": true,
            "entity_id": "7d2e3179-f69b-450c-7179-ac8ee8bd8ca9", "token_type": "service",
            "orphan": true, "mfa_requirement": null, "num_uses": 0,
        },
    })
}
