//! The API from the other side: what the command line and drills speak.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use model::{Secret, limits};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The file in the data folder that says where a running server listens.
pub const RUNNING_FILE: &str = "running.json";

/// Where a running server listens; written on start, removed on stop.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Running {
    /// The API's base URL.
    pub api: String,
    /// The gateway's base URL.
    pub gateway: String,
    /// The portal's base URL.
    pub portal: String,
    /// The canary receiver's address.
    pub smtp: String,
    /// The submission door's address, if there is one.
    #[serde(default)]
    pub submission: Option<String>,
    /// The address of the one that is encrypted from the first byte, if there is one.
    #[serde(default)]
    pub submissions: Option<String>,
    /// The proxy for tunnels, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<String>,
    /// The process.
    pub process: u32,
}

/// A connection to the API as one operator.
#[derive(Clone)]
pub struct Client {
    base: String,
    token: Secret<String>,
    pool: Pool<HttpConnector, Full<Bytes>>,
}

/// Why a call did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No server runs on this data folder.
    #[error("no server runs on `{}`", data.display())]
    NotRunning {
        /// The data folder.
        data: PathBuf,
    },
    /// The server cannot be reached.
    #[error("the server at `{base}` cannot be reached")]
    Unreachable {
        /// Its base URL.
        base: String,
    },
    /// The server said no.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The stable code.
        code: String,
        /// What it said.
        message: String,
        /// What helps.
        hint: Option<String>,
    },
    /// The answer is not what the API promises.
    #[error("the server's answer is not what its API promises")]
    Garbled,
}

impl ClientError {
    /// The stable code.
    pub fn code(&self) -> &str {
        match self {
            Self::NotRunning { .. } => "not-running",
            Self::Unreachable { .. } => "unreachable",
            Self::Refused { code, .. } => code,
            Self::Garbled => "garbled",
        }
    }

    /// What helps.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotRunning { .. } => {
                Some("start it with `cordon serve`, or name another folder with `--data`".into())
            }
            Self::Unreachable { .. } => Some("`cordon doctor` looks closer".into()),
            Self::Refused { hint, .. } => hint.clone(),
            Self::Garbled => None,
        }
    }
}

impl Client {
    /// To the server at `base`, with an operator's token.
    pub fn new(base: impl Into<String>, token: Secret<String>) -> Self {
        let pool = Pool::builder(TokioExecutor::new()).build_http();
        Self { base: base.into().trim_end_matches('/').to_owned(), token, pool }
    }

    /// To the server that runs on this data folder, as its first operator.
    ///
    /// # Errors
    /// When none runs there, or the token cannot be read.
    pub fn local(data: &Path) -> Result<Self> {
        let running = running(data)?;
        let token = std::fs::read_to_string(data.join("keys/operator.token"))
            .context("reading the operator's token")?;
        Ok(Self::new(running.api, Secret::new(token.trim().to_owned())))
    }

    /// The same server as another operator.
    #[must_use]
    pub fn with_token(&self, token: Secret<String>) -> Self {
        Self { token, ..self.clone() }
    }

    /// `GET`.
    ///
    /// # Errors
    /// As [`ClientError`] says.
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.json(Method::GET, path, None).await
    }

    /// `POST` with a JSON body.
    ///
    /// # Errors
    /// As [`ClientError`] says.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.json(Method::POST, path, Some(body)).await
    }

    /// Any method with a JSON body.
    ///
    /// # Errors
    /// As [`ClientError`] says.
    pub async fn json(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ClientError> {
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let answer = self.send(method, path, "application/json", bytes).await?;
        if answer.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer).map_err(|_| ClientError::Garbled)
    }

    /// `POST` with a body of another type.
    ///
    /// # Errors
    /// As [`ClientError`] says.
    pub async fn upload(
        &self,
        path: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<Value, ClientError> {
        let answer = self.send(Method::POST, path, content_type, body).await?;
        serde_json::from_slice(&answer).map_err(|_| ClientError::Garbled)
    }

    /// The body of a `GET` as it is.
    ///
    /// # Errors
    /// As [`ClientError`] says.
    pub async fn download(&self, path: &str) -> Result<Bytes, ClientError> {
        self.send(Method::GET, path, "application/json", Bytes::new()).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<Bytes, ClientError> {
        let unreachable = || ClientError::Unreachable { base: self.base.clone() };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token.expose()))
            .header(header::CONTENT_TYPE, content_type)
            .body(Full::new(body))
            .map_err(|_| unreachable())?;
        let response = self.pool.request(request).await.map_err(|_| unreachable())?;
        let status = response.status();
        let body = Limited::new(response.into_body(), limits::API_ANSWER_BYTES)
            .collect()
            .await
            .map_err(|_| ClientError::Garbled)?
            .to_bytes();
        if status.is_success() {
            return Ok(body);
        }
        Err(refusal(status.as_u16(), &body))
    }
}

fn refusal(status: u16, body: &[u8]) -> ClientError {
    #[derive(Deserialize)]
    struct Answer {
        error: Error,
    }
    #[derive(Deserialize)]
    struct Error {
        code: String,
        message: String,
        hint: Option<String>,
    }
    match serde_json::from_slice::<Answer>(body) {
        Ok(Answer { error: Error { code, message, hint } }) => {
            ClientError::Refused { status, code, message, hint }
        }
        Err(_) => ClientError::Garbled,
    }
}

/// Where the server on this data folder listens.
///
/// # Errors
/// When none runs there.
pub fn running(data: &Path) -> Result<Running, ClientError> {
    std::fs::read(data.join(RUNNING_FILE))
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| ClientError::NotRunning { data: data.into() })
}
