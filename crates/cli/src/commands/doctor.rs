//! `cordon doctor`: looks over a live set-up and says what is wrong with it.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use crate::args::Global;
use crate::show;

/// Exit code 0 when all is well, 1 when something was found, 2 when something could not be told.
pub async fn run(global: &Global) -> Result<ExitCode> {
    let report = match examine(global).await {
        Ok(report) => report,
        Err(error) => return Ok(show::could_not_tell(&error, global.json)),
    };
    show::answer(&report, global.json);
    let empty = Vec::new();
    let checks = report.get("checks").and_then(Value::as_array).unwrap_or(&empty);
    let any = |verdict: &str| checks.iter().any(|check| check["verdict"] == verdict);
    Ok(if any("wrong") {
        ExitCode::from(1)
    } else if any("unknown") {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    })
}

async fn examine(global: &Global) -> Result<Value> {
    Ok(super::client(global)?.post("/api/v1/doctor", &json!({})).await?)
}
