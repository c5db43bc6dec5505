//! `cordon policy …`: what is more than one call of the API, and what is shown in its own way.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use http::Method;
use serde_json::{Value, json};
use server::client::{Client, ClientError};

use super::{call, requests};
use crate::args::Global;
use crate::args::policy::{Detokenise, Explain, PolicyCommand, Replay, Since};
use crate::show;
use crate::show::policy as shown;

/// Runs one of them.
pub async fn run(command: PolicyCommand, global: &Global) -> Result<ExitCode> {
    match command {
        PolicyCommand::Schema => {
            match global.json {
                true => show::answer(&json!({ "schema": server::POLICY_SCHEMA }), true),
                false => show::print(server::POLICY_SCHEMA),
            }
            Ok(ExitCode::SUCCESS)
        }
        PolicyCommand::Show { digest } => {
            let path = digest.map_or_else(
                || "/api/v1/policy".to_owned(),
                |digest| format!("/api/v1/policy/{digest}"),
            );
            let answer = super::client(global)?.get(&path).await?;
            match answer.get("text").and_then(Value::as_str) {
                Some(text) if !global.json => show::print(text),
                _ => show::answer(&answer, global.json),
            }
            Ok(ExitCode::SUCCESS)
        }
        PolicyCommand::Set { file } => {
            let client = super::client(global)?;
            let answer = client.json(Method::PUT, "/api/v1/policy", Some(&named(&file)?)).await?;
            show::answer(&answer, global.json);
            Ok(ExitCode::SUCCESS)
        }
        PolicyCommand::Reload => {
            let answer = super::client(global)?.post("/api/v1/policy/reload", &json!({})).await?;
            show::answer(&answer, global.json);
            Ok(ExitCode::SUCCESS)
        }
        PolicyCommand::Check { file } => check(file.as_deref(), global).await,
        PolicyCommand::Explain(explain) => {
            let body = explain_body(explain)?;
            let answer = super::client(global)?.post("/api/v1/policy/explain", &body).await?;
            print(&answer, shown::explained, global);
            Ok(ExitCode::SUCCESS)
        }
        PolicyCommand::Replay(asked) => replay(asked, global).await,
    }
}

/// Turns tokens back.
pub async fn detokenise(asked: Detokenise, global: &Global) -> Result<ExitCode> {
    let path = format!("/api/v1/vendors/{}/detokenise", asked.vendor);
    let body = json!({ "tokens": asked.tokens, "why": asked.why });
    show::answer(&super::client(global)?.post(&path, &body).await?, global.json);
    Ok(ExitCode::SUCCESS)
}

/// A policy with the name of its file, by which its problems and policies are named.
fn named(file: &Path) -> Result<Value> {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    let text = requests::whole_text_in(file)?;
    Ok(json!({ "name": name.unwrap_or_default(), "text": text }))
}

fn print(answer: &Value, form: fn(&Value) -> String, global: &Global) {
    match global.json {
        true => show::answer(answer, true),
        false => show::print(&form(answer)),
    }
}

/// Asks the server, or looks at the file alone when none runs here.
async fn check(file: Option<&Path>, global: &Global) -> Result<ExitCode> {
    let policy = file.map(named).transpose()?;
    let checked = match ask_to_check(policy.as_ref(), global).await {
        Err(error) if global.server.is_none() && call::is_down(&error) && policy.is_some() => {
            let part = |name| policy.as_ref().and_then(|policy| policy[name].as_str());
            server::check_policy_alone(
                part("name").unwrap_or_default(),
                part("text").unwrap_or_default(),
            )
        }
        Err(error) => return Ok(show::could_not_tell(&error, global.json)),
        Ok(checked) => checked,
    };
    print(&checked, shown::checked, global);
    let valid = checked["valid"].as_bool().unwrap_or(false);
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn ask_to_check(policy: Option<&Value>, global: &Global) -> Result<Value> {
    let body = json!({ "policy": policy });
    Ok(super::client(global)?.post("/api/v1/policy/check", &body).await?)
}

fn explain_body(explain: Explain) -> Result<Value> {
    Ok(json!({
        "workload": explain.workload,
        "vendor": explain.vendor,
        "fields": explain.fields,
        "purpose": explain.purpose,
        "operation": explain.operation,
        "lists": explain.lists,
        "people": explain.people,
        "region": explain.region,
        "consent": explain.consent,
        "mode": explain.mode,
        "at": explain.at,
        "policy": explain.policy.as_deref().map(named).transpose()?,
    }))
}

/// Begins a replay and waits for it; Ctrl-C ends it at the server too.
async fn replay(asked: Replay, global: &Global) -> Result<ExitCode> {
    let client = super::client(global)?;
    let since = match asked.since {
        Since::At(at) => at,
        Since::Ago(seconds) => requests::now().plus_seconds(-seconds),
    };
    let body = json!({ "policy": named(&asked.file)?, "since": since });
    let begun = client.post("/api/v1/policy/replays", &body).await?;
    let path = format!("/api/v1/policy/replays/{}", begun["replay"].as_str().unwrap_or_default());
    let standing = tokio::select! {
        standing = wait(&client, &path) => standing?,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            client.json(Method::DELETE, &path, None).await?
        }
    };
    match standing["state"].as_str() {
        Some("done") => print(&standing["report"], shown::replayed, global),
        _ => {
            show::answer(&standing, global.json);
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn wait(client: &Client, path: &str) -> Result<Value, ClientError> {
    const EVERY: Duration = Duration::from_millis(200);
    let shows = std::io::stderr().is_terminal();
    loop {
        let standing = client.get(path).await?;
        let running = standing["state"] == "running";
        if shows {
            let end = if running { "" } else { "\n" };
            let calls = standing["calls"].as_u64().unwrap_or(0);
            // A closed terminal is no reason to stop.
            drop(write!(std::io::stderr(), "\r{calls} calls read{end}"));
        }
        if !running {
            return Ok(standing);
        }
        tokio::time::sleep(EVERY).await;
    }
}
