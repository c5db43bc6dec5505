//! How answers and errors look: tables for people, the API's own JSON with `--json`.

pub mod policy;

use std::io::Write as _;
use std::process::ExitCode;

use model::Coded;
use serde_json::{Map, Value, json};
use server::client::ClientError;

use crate::commands::Usage;

/// Prints an answer. A list becomes a table, an object its keys and values.
pub fn answer(value: &Value, json: bool) {
    print(&if json { format!("{value:#}\n") } else { shown(value) });
}

/// Prints a text. A reader who has seen enough, such as `head`, is no error.
pub fn print(text: &str) {
    drop(std::io::stdout().lock().write_all(text.as_bytes()));
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "done\n".to_owned(),
        Value::Object(object) if object.len() == 1 && object.values().all(Value::is_array) => {
            object.values().map(|rows| table(rows.as_array().map_or(&[], Vec::as_slice))).collect()
        }
        Value::Object(object) => pairs(object, 0),
        Value::Array(rows) => table(rows),
        other => format!("{}\n", text(other)),
    }
}

/// Prints an error with its code and hint, and gives the exit code.
pub fn failure(error: &anyhow::Error, json: bool) -> ExitCode {
    let (code, hint) = code_and_hint(error);
    let message = format!("{error:#}");
    let mut to = std::io::stderr().lock();
    let written = if json {
        writeln!(to, "{}", json!({ "error": { "code": code, "message": message, "hint": hint } }))
    } else {
        let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        writeln!(to, "error[{code}]: {message}{hint}")
    };
    // With the error stream closed there is nobody left to tell; the exit code still says it.
    drop(written);
    ExitCode::from(exit_code(error))
}

/// The same for a command whose exit code 1 says that something was found: an error found nothing.
pub fn could_not_tell(error: &anyhow::Error, json: bool) -> ExitCode {
    failure(error, json);
    ExitCode::from(2)
}

fn code_and_hint(error: &anyhow::Error) -> (String, Option<String>) {
    if let Some(error) = error.downcast_ref::<ClientError>() {
        return (error.code().to_owned(), error.hint());
    }
    match coded(error) {
        Some(refused) => (refused.code().to_owned(), refused.hint()),
        None => ("fault".to_owned(), None),
    }
}

/// The refusal of this program or its server in an error's chain; none when it is a fault.
fn coded(error: &anyhow::Error) -> Option<&dyn Coded> {
    if let Some(usage) = error.downcast_ref::<Usage>() {
        return Some(usage);
    }
    if let Some(scenario) = error.downcast_ref::<drill::scenario::ScenarioRefused>() {
        return Some(scenario);
    }
    server::coded(error)
}

/// 64 when it was not asked rightly, 1 when somebody said no, 2 when it could not be told.
fn exit_code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::Refused { status, .. }) if *status < 500 => 1,
        Some(_) => 2,
        None if error.is::<Usage>() => 64,
        None if coded(error).is_some() => 1,
        None => 2,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Object(pairs) if pairs.is_empty() => "none".to_owned(),
        Value::Array(items) if items.iter().all(|item| !item.is_object()) => {
            match items.iter().map(setting).collect::<Option<Vec<_>>>() {
                Some(settings) => settings.join(" "),
                None => items.iter().map(text).collect::<Vec<_>>().join(","),
            }
        }
        other => other.to_string(),
    }
}

/// A variable and its value, as a shell takes them: `NAME=value`.
fn setting(value: &Value) -> Option<String> {
    let [name, value] = value.as_array()?.as_slice() else { return None };
    Some(format!("{}={}", name.as_str()?, value.as_str()?))
}

/// Keys and values, the keys as they are in JSON.
fn pairs(object: &Map<String, Value>, indent: usize) -> String {
    let width = object.keys().map(String::len).max().unwrap_or(0);
    let pair = |(key, value): (&String, &Value)| match value {
        Value::Object(inner) if !inner.is_empty() => {
            format!("{:indent$}{key}\n{}", "", pairs(inner, indent + 2))
        }
        Value::Array(rows) if rows.iter().any(Value::is_object) => {
            format!("{:indent$}{key}\n{}", "", table(rows))
        }
        other => format!("{:indent$}{key:width$}  {}\n", "", text(other)),
    };
    object.iter().map(pair).collect()
}

/// Rows in columns, in the order of the first row's keys; nested values as short JSON. What is
/// shown this once, a token, is shown whole.
fn table(rows: &[Value]) -> String {
    let Some(first) = rows.first() else {
        return "none\n".to_owned();
    };
    let Some(columns) = first.as_object().map(|row| row.keys().cloned().collect::<Vec<_>>()) else {
        return rows.iter().map(|row| format!("{}\n", text(row))).collect();
    };
    let cells = |row: &Value| {
        let cell = |name: &String| {
            let cell = text(row.get(name).unwrap_or(&Value::Null));
            if name == "environment" { cell } else { short(&cell) }
        };
        columns.iter().map(cell).collect::<Vec<_>>()
    };
    let lines: Vec<_> = std::iter::once(columns.clone()).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| {
        lines.iter().map(|line: &Vec<String>| line[column].chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |line: &Vec<String>| {
        let padded = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    lines.iter().map(line).collect()
}

fn short(text: &str) -> String {
    const WIDTH: usize = 60;
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}
