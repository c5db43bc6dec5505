//! One command, one call: sends it, shows or saves the answer.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use server::client::ClientError;

use super::requests;
use crate::args::{AuditCommand, Command, Global, NoticeCommand, VendorCommand};
use crate::show;

/// A call of the API.
pub struct Call {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// What is sent.
    pub body: Body,
    /// Where the answer goes instead of the terminal.
    pub save: Option<PathBuf>,
}

/// What a call sends.
pub enum Body {
    /// Nothing.
    None,
    /// JSON.
    Json(Value),
    /// A file as it is, under its type.
    File(&'static str, PathBuf),
}

impl Call {
    /// `GET path`.
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: Body::None, save: None }
    }

    /// `POST path` with JSON.
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::POST, path: path.into(), body: Body::Json(body), save: None }
    }

    /// `POST path` with a file.
    pub fn upload(path: impl Into<String>, kind: &'static str, file: PathBuf) -> Self {
        Self { method: Method::POST, path: path.into(), body: Body::File(kind, file), save: None }
    }

    /// With another method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// With the answer saved to a file.
    #[must_use]
    pub fn save(mut self, file: PathBuf) -> Self {
        self.save = Some(file);
        self
    }
}

/// Runs a command that is one call.
pub async fn run(command: Command, global: &Global) -> Result<ExitCode> {
    if let Command::Audit(AuditCommand::Verify) = command {
        return verify(global).await;
    }
    if let Command::Vendor(VendorCommand::Switch { vendor, switch, direct: true }) = command {
        let token = super::token(global)?;
        let changed = server::switch_beside(&global.data, &token, vendor, switch).await?;
        show::answer(&json!(changed), global.json);
        return Ok(ExitCode::SUCCESS);
    }
    let html = matches!(&command, Command::Notice(NoticeCommand::Preview { html: true, .. }));
    let bundle = matches!(&command, Command::Gateway(_));
    let preview = matches!(&command, Command::Notice(NoticeCommand::Preview { .. }));
    let call = requests::of(command)?;
    let client = super::client(global)?;
    if let Some(file) = call.save {
        let answer = client.download(&call.path).await?;
        std::fs::write(&file, &answer).with_context(|| format!("writing `{}`", file.display()))?;
        show::answer(&json!({ "file": file, "bytes": answer.len() }), global.json);
        return Ok(ExitCode::SUCCESS);
    }
    let answer = match call.body {
        Body::None => client.json(call.method, &call.path, None).await?,
        Body::Json(body) => client.json(call.method, &call.path, Some(&body)).await?,
        Body::File(kind, file) => {
            let bytes = requests::read(&file)?;
            client.upload(&call.path, kind, Bytes::from(bytes)).await?
        }
    };
    if preview && !global.json {
        let part =
            |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let body = part(if html { "html" } else { "text" });
        show::print(&format!("Subject: {}\n\n{body}\n", part("subject")));
        return Ok(ExitCode::SUCCESS);
    }
    if bundle && !global.json {
        show::print(&pem(&answer));
        return Ok(ExitCode::SUCCESS);
    }
    show::answer(&answer, global.json);
    Ok(ExitCode::SUCCESS)
}

/// Certificates as one PEM file, which readers take with the lines between them.
fn pem(answer: &Value) -> String {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let rows = answer["authorities"].as_array().into_iter().flatten();
    let block = |row: &Value| {
        let [host, fingerprint, until] =
            ["host", "fingerprint", "expires_at"].map(|n| text(row, n));
        format!("# {host}, until {until}, SHA-256 {fingerprint}\n{}", text(row, "certificate"))
    };
    rows.map(block).collect()
}

/// Checks the audit log: asks the server, or looks into the data folder when none runs there.
/// Exit code 1 when the chain is broken.
async fn verify(global: &Global) -> Result<ExitCode> {
    let asked = match ask_to_verify(global).await {
        Err(error) if global.server.is_none() && is_down(&error) => {
            server::verify_audit_offline(&global.data)
        }
        asked => asked,
    };
    let verified = match asked {
        Ok(verified) => verified,
        Err(error) => return Ok(show::could_not_tell(&error, global.json)),
    };
    show::answer(&verified, global.json);
    let ok = verified.get("ok").and_then(Value::as_bool).unwrap_or(false);
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn ask_to_verify(global: &Global) -> Result<Value> {
    let call = requests::of(Command::Audit(AuditCommand::Verify))?;
    Ok(super::client(global)?.get(&call.path).await?)
}

/// Whether no server answers.
pub fn is_down(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(ClientError::NotRunning { .. } | ClientError::Unreachable { .. })
    )
}
