//! `cordon gateway status` and `tail`: how the gateway does, in a table that fits a terminal, and
//! calls as they end, one line each.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use crate::args::{Global, Tail};
use crate::show;

/// A row for each workload and vendor. Times are upper bounds in milliseconds, of half of all calls
/// and of 99 in 100.
pub async fn status(global: &Global) -> Result<ExitCode> {
    let answer = super::client(global)?.get("/api/v1/gateway").await?;
    if global.json {
        show::answer(&answer, true);
        return Ok(ExitCode::SUCCESS);
    }
    let age = answer["switches_age_ms"].as_u64().unwrap_or(0) as f64 / 1_000.0;
    show::print(&match answer["fresh"].as_bool() {
        Some(true) => format!("kill switches confirmed {age:.1} s ago\n"),
        _ => format!("kill switches not confirmed for {age:.1} s: nothing leaves\n"),
    });
    let flows = answer["flows"].as_array().map_or(&[][..], Vec::as_slice);
    let rows: Vec<Value> = flows.iter().map(row).collect();
    show::answer(&json!({ "flows": rows }), false);
    Ok(ExitCode::SUCCESS)
}

fn row(flow: &Value) -> Value {
    let ms = |part: &str| {
        let bound = |key| flow[part][key].as_f64().map_or("-".to_owned(), |ms| ms.to_string());
        format!("{}/{}", bound("p50_ms"), bound("p99_ms"))
    };
    let hour = match flow["limits"]["people_per_hour"].as_u64() {
        Some(most) => format!("{}/{most}", flow["this_hour"]["people"]),
        None => flow["this_hour"]["people"].to_string(),
    };
    json!({
        "workload": flow["workload"], "vendor": flow["vendor"], "switch": flow["switch"],
        "last_at": flow["last_at"], "calls": flow["requests"], "sent": flow["sent"],
        "refused": flow["refused"], "people": flow["people"], "hour": hour,
        "usual": flow["usual"]["people"], "ours": ms("ours"), "record": ms("record"),
        "reply": ms("vendor_reply"),
    })
}

/// Asks for the next calls again and again. Calls that were missed are counted and said.
pub async fn tail(tail: &Tail, global: &Global) -> Result<ExitCode> {
    let client = super::client(global)?;
    let mut wanted = String::new();
    if let Some(workload) = &tail.workload {
        wanted.push_str(&format!("&workload={workload}"));
    }
    if let Some(vendor) = &tail.vendor {
        wanted.push_str(&format!("&vendor={vendor}"));
    }
    if tail.refused {
        wanted.push_str("&refused=true");
    }
    let mut after = String::new();
    loop {
        let followed = client.get(&format!("/api/v1/gateway/calls?{after}{wanted}")).await?;
        if let Some(missed @ 1..) = followed["dropped"].as_u64() {
            missing(missed, global.json);
        }
        for call in followed["calls"].as_array().unwrap_or(&Vec::new()) {
            let line = if global.json { call.to_string() } else { line(call) };
            show::print(&format!("{line}\n"));
        }
        if tail.once {
            return Ok(ExitCode::SUCCESS);
        }
        after = format!("after={}", followed["next"]);
    }
}

fn missing(calls: u64, json: bool) {
    match json {
        true => show::print(&format!("{{\"dropped\":{calls}}}\n")),
        false => show::print(&format!("… {calls} calls came too fast to be shown\n")),
    }
}

/// `02:00:00.123  shop → sendgrid  mail-send  2 people  sent 202  0.3+1.2+48.0 ms  cal_…`.
fn line(call: &Value) -> String {
    let text = |key: &str| call[key].as_str().unwrap_or("-");
    let ms = |key: &str| format!("{:.1}", call[key].as_u64().unwrap_or(0) as f64 / 1_000.0);
    let time = text("at").split_once('T').map_or("-", |(_, time)| time.trim_end_matches('Z'));
    let at = time.get(..12).unwrap_or(time);
    let left = match (call["status"].as_u64(), call["code"].as_str()) {
        (Some(status), None) => format!("{} {status}", text("outcome")),
        (Some(status), Some(code)) => format!("{} {status} {code}", text("outcome")),
        (None, code) => format!("{} {}", text("outcome"), code.unwrap_or_default()),
    };
    let people = match call["people"].as_u64() {
        Some(1) => "1 person".to_owned(),
        people => format!("{} people", people.unwrap_or(0)),
    };
    let remarks = std::iter::once(&call["would_refuse"])
        .filter_map(Value::as_str)
        .map(|code| format!("  would refuse: {code}"))
        .chain(
            call["warnings"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|warning| warning.as_str().map(|code| format!("  {code}"))),
        );
    format!(
        "{at:<12}  {} → {}  {}  {people}  {left}  {}+{}+{} ms  {}{}",
        text("workload"),
        text("vendor"),
        text("operation"),
        ms("ours_us"),
        ms("record_us"),
        ms("vendor_us"),
        text("call"),
        remarks.collect::<String>(),
    )
}
