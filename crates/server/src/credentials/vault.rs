//! HashiCorp Vault and OpenBao over their HTTP API: secrets of the KV engine, version 2; a token
//! from a file, or by AppRole; the token's renewal. It does not know what a secret is for.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use gateway::{Egress, Refused};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use model::{Secret, limits};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::source::{Fetched, SourceRefused, VaultPath};
use crate::config;

/// A vault, and the token that it gave us.
pub struct Vault {
    settings: config::Vault,
    address: String,
    egress: Egress,
    token: Mutex<Option<Token>>,
}

/// A token of the vault's, and how long it holds.
struct Token {
    secret: Secret<String>,
    /// When to renew it; none when it does not end, or cannot be renewed.
    renew_at: Option<Instant>,
    /// When it ends.
    ends_at: Option<Instant>,
}

/// What the vault says of a token.
#[derive(Deserialize)]
struct Lease {
    #[serde(alias = "ttl", default)]
    lease_duration: u64,
    #[serde(default)]
    renewable: bool,
}

impl Token {
    fn new(secret: Secret<String>, lease: &Lease) -> Self {
        let (now, lasts) = (Instant::now(), Duration::from_secs(lease.lease_duration));
        let ends = lease.lease_duration > 0;
        Self {
            secret,
            // Two thirds leave time for a vault that is away for a while.
            renew_at: (ends && lease.renewable).then(|| now + lasts * 2 / 3),
            ends_at: ends.then(|| now + lasts),
        }
    }
}

impl Vault {
    /// The vault of the configuration, if it has one. It is not asked yet.
    ///
    /// # Errors
    /// When its certificates cannot be read or TLS cannot be set up.
    pub fn open(settings: &config::Vault) -> Result<Option<Self>> {
        let Some(address) = &settings.address else {
            return Ok(None);
        };
        let roots = match &settings.ca_file {
            Some(file) => gateway::roots_in(file).context("reading `vault.ca_file`")?,
            None => gateway::native_roots()?,
        };
        let host = gateway::host_port(address).context("reading `vault.address`")?;
        Ok(Some(Self {
            settings: settings.clone(),
            address: address.trim_end_matches('/').to_owned(),
            egress: Egress::new(roots, vec![host]).context("opening the way to the vault")?,
            token: Mutex::default(),
        }))
    }

    /// Reads the newest version of a secret. A token that is no longer taken is replaced once.
    ///
    /// # Errors
    /// As [`SourceRefused`] says.
    pub async fn read(&self, path: &VaultPath) -> Result<Fetched, SourceRefused> {
        let mut token = self.token.lock().await;
        if self.is_held(token.as_ref()) {
            self.renew(&mut token).await;
        } else {
            *token = Some(self.log_in().await?);
        }
        let url = format!("/v1/{}", path.path);
        let mut reply = self.ask(Method::GET, &url, token.as_ref(), None).await?;
        if reply.status() == StatusCode::FORBIDDEN {
            *token = Some(self.log_in().await?);
            reply = self.ask(Method::GET, &url, token.as_ref(), None).await?;
        }
        drop(token);
        secret(&reply, path.key.as_deref())
    }

    /// Whether there is a token that holds, and its file does not hold another by now.
    fn is_held(&self, token: Option<&Token>) -> bool {
        let Some(token) = token else { return false };
        let holds = token.ends_at.is_none_or(|end| Instant::now() < end);
        let in_file = self.settings.token_file.as_deref().map(secret_in);
        let same = match in_file {
            Some(Ok(in_file)) => token.secret.matches(in_file.expose().as_bytes()),
            Some(Err(_)) => true,
            None => true,
        };
        holds && same
    }

    /// Makes the token last longer once two thirds of its time are over. When that fails it is used
    /// until it ends, and then replaced.
    async fn renew(&self, held: &mut Option<Token>) {
        let Some(token) = held.as_mut() else { return };
        if token.renew_at.is_none_or(|at| Instant::now() < at) {
            return;
        }
        let url = "/v1/auth/token/renew-self";
        let asked = self.ask(Method::POST, url, Some(token), Some(&json!({}))).await;
        match asked.ok().and_then(|reply| lease(&reply, "auth")) {
            Some(lease) => *held = Some(Token::new(token.secret.clone(), &lease)),
            None => {
                tracing::warn!("the vault's token could not be renewed");
                token.renew_at = None;
            }
        }
    }

    async fn log_in(&self) -> Result<Token, SourceRefused> {
        match (&self.settings.token_file, &self.settings.role_id) {
            (Some(file), _) => self.token_of(secret_in(file)?).await,
            (None, Some(role)) => self.log_in_as(role).await,
            (None, None) => Err(SourceRefused::NoVault),
        }
    }

    /// A token that somebody else got, and how long it lasts.
    async fn token_of(&self, secret: Secret<String>) -> Result<Token, SourceRefused> {
        let forever = Lease { lease_duration: 0, renewable: false };
        let token = Token::new(secret, &forever);
        let url = "/v1/auth/token/lookup-self";
        let reply = self.ask(Method::GET, url, Some(&token), None).await?;
        match reply.status() {
            StatusCode::OK => {
                let lease = lease(&reply, "data").ok_or(SourceRefused::VaultAnswer(200))?;
                Ok(Token::new(token.secret, &lease))
            }
            StatusCode::FORBIDDEN => Err(SourceRefused::VaultLogin),
            _ => Err(refusal(&reply)),
        }
    }

    async fn log_in_as(&self, role: &str) -> Result<Token, SourceRefused> {
        let file = self.settings.secret_id_file.as_deref();
        let secret_id = file.map(secret_in).transpose()?;
        let body = json!({ "role_id": role, "secret_id": secret_id.as_ref().map(Secret::expose) });
        let url = format!("/v1/auth/{}/login", self.settings.auth_mount);
        let reply = self.ask(Method::POST, &url, None, Some(&body)).await?;
        match reply.status() {
            StatusCode::OK => {}
            StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                return Err(SourceRefused::VaultLogin);
            }
            _ => return Err(refusal(&reply)),
        }
        let said: Value = serde_json::from_slice(reply.body()).unwrap_or_default();
        let token = said["auth"]["client_token"].as_str();
        let token = token.ok_or(SourceRefused::VaultAnswer(200))?.to_owned();
        let lease = lease(&reply, "auth").ok_or(SourceRefused::VaultAnswer(200))?;
        Ok(Token::new(Secret::new(token), &lease))
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        token: Option<&Token>,
        body: Option<&Value>,
    ) -> Result<Response<Bytes>, SourceRefused> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT, "application/json")
            .header("x-vault-request", "true");
        if let Some(namespace) = &self.settings.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        if let Some(token) = token {
            request = request.header("x-vault-token", token.secret.expose());
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request.body(Full::new(body)).map_err(|_| SourceRefused::VaultToken)?;
        let patience = Duration::from_secs(limits::VAULT_SECONDS);
        let reply = self.egress.ask(&self.address, request, patience).await;
        reply.map_err(|refused| match refused {
            Refused::VendorTls => SourceRefused::VaultTls,
            _ => SourceRefused::VaultUnreachable,
        })
    }
}

/// The value of a secret's key in the vault's reply.
fn secret(reply: &Response<Bytes>, key: Option<&str>) -> Result<Fetched, SourceRefused> {
    let said: Value = serde_json::from_slice(reply.body()).unwrap_or_default();
    let (data, about) = (&said["data"]["data"], &said["data"]["metadata"]);
    let deleted = data.is_null() && about["version"].is_u64();
    match reply.status() {
        StatusCode::OK if !deleted => {}
        StatusCode::OK | StatusCode::NOT_FOUND if deleted => {
            return Err(SourceRefused::VaultDeleted);
        }
        _ => return Err(refusal(reply)),
    }
    let data = data.as_object().ok_or(SourceRefused::VaultAnswer(200))?;
    let value = match key {
        Some(key) => data.get(key),
        None => data.values().next().filter(|_| data.len() == 1),
    };
    let value = value.and_then(Value::as_str).map(str::trim).filter(|value| !value.is_empty());
    let value = Secret::new(value.ok_or(SourceRefused::VaultKey)?.to_owned());
    Ok(Fetched { value, version: about["version"].as_u64() })
}

/// What a status that gives nothing means, by the vault's documentation of its API.
fn refusal(reply: &Response<Bytes>) -> SourceRefused {
    let after = reply.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after_seconds = after.and_then(|seconds| seconds.parse().ok());
    match reply.status().as_u16() {
        403 => SourceRefused::VaultForbidden,
        404 => SourceRefused::VaultNotFound,
        307 => SourceRefused::VaultStandby,
        // 412: it has not yet seen what another of its servers has; 429: a quota.
        412 | 429 => SourceRefused::VaultBusy { after_seconds },
        503 => SourceRefused::VaultSealed,
        status => SourceRefused::VaultAnswer(status),
    }
}

fn lease(reply: &Response<Bytes>, at: &str) -> Option<Lease> {
    let mut said: Value = serde_json::from_slice(reply.body()).ok()?;
    if reply.status() != StatusCode::OK {
        return None;
    }
    serde_json::from_value(said[at].take()).ok()
}

fn secret_in(file: &Path) -> Result<Secret<String>, SourceRefused> {
    let text = std::fs::read_to_string(file).map_err(|_| SourceRefused::VaultToken)?;
    let text = Secret::new(text);
    match text.expose().trim() {
        "" => Err(SourceRefused::VaultToken),
        trimmed => Ok(Secret::new(trimmed.to_owned())),
    }
}
