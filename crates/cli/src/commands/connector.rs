//! `cordon connector check` and `test`: a connector file is read and tried without a server.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use connectors::recording::{Recording, merged, people};
use connectors::{Changes, Connector, Described};
use model::{Coded as _, Field, FieldAction, FieldSet};
use serde_json::{Value, json};

use super::requests::text_in;
use crate::args::{ConnectorCommand, Global};
use crate::show;

/// Exit code 0 when the file is a connector and reads every recording as it says, else 1.
pub fn run(command: &ConnectorCommand, global: &Global) -> Result<ExitCode> {
    match command {
        ConnectorCommand::List => unreachable!("it is a call of the API"),
        ConnectorCommand::Check { file } => {
            show::answer(&described(load(file)?), global.json);
            Ok(ExitCode::SUCCESS)
        }
        ConnectorCommand::Test { connector, recordings } => {
            let name = connector.to_str().unwrap_or_default();
            let connector = match connectors::connector(name) {
                Some(known) => known,
                None => load(connector)?,
            };
            let mut agree = true;
            let mut tried = Vec::new();
            for file in recordings {
                let result = attempt(connector, file)?;
                agree &= result["agrees"] != false && result["refused"].is_null();
                tried.push(result);
            }
            show::answer(&json!({ "connector": connector.name(), "tried": tried }), global.json);
            Ok(if agree { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
    }
}

fn load(file: &Path) -> Result<&'static Described> {
    let text = text_in(file)?;
    Described::load(&text).with_context(|| format!("`{}` is no connector", file.display()))
}

fn described(connector: &dyn Connector) -> Value {
    let operations = connector.operations().iter().map(|operation| {
        json!({
            "operation": operation.name,
            "fields": operation.carries,
            "bytes": operation.body_bytes,
            "retention_days": operation.retention_days,
            "idempotency": operation.idempotency,
        })
    });
    json!({
        "connector": connector.name(),
        "api": connector.hosts().iter().map(|host| host.url).collect::<Vec<_>>(),
        "operations": operations.collect::<Vec<_>>(),
    })
}

/// What a connector reads in one recording, and what would leave of it under `enforce`.
fn attempt(connector: &dyn Connector, file: &Path) -> Result<Value> {
    let text = text_in(file)?;
    let recording: Recording = serde_json::from_str(&text)
        .with_context(|| format!("`{}` is no recorded request", file.display()))?;
    let body = recording.request.body()?;
    let call = match recording.request.read(connector, &body) {
        Ok(call) => call,
        Err(why) => {
            return Ok(json!({
                "recording": file,
                "refused": { "code": why.code(), "message": why.to_string() },
            }));
        }
    };
    let found = people(&call.parties);
    let agrees = recording.discloses.map(|truth| merged(truth) == found);
    let disclosed = call.parties.iter().fold(FieldSet::EMPTY, |all, one| all.union(one.fields));
    Ok(json!({
        "recording": file,
        "operation": call.operation.name,
        "people": found,
        "agrees": agrees,
        "undocumented": call.unknown,
        "warnings": call.warnings,
        "leaves": leaves(&call),
        "droppable": disclosed.iter().filter(|field| can_drop(&call, *field)).collect::<Vec<_>>(),
    }))
}

/// The body as it leaves under `enforce` when every field is allowed.
fn leaves(call: &connectors::Call) -> Option<String> {
    let written = write(call, &|_| FieldAction::Allow).ok()?;
    String::from_utf8(written).ok()
}

fn can_drop(call: &connectors::Call, dropped: Field) -> bool {
    let action = |field| if field == dropped { FieldAction::Drop } else { FieldAction::Allow };
    write(call, &action).is_ok()
}

fn write(
    call: &connectors::Call,
    action: &dyn Fn(Field) -> FieldAction,
) -> Result<Vec<u8>, connectors::Unreadable> {
    call.body.write(&Changes {
        action,
        replace: &|_, _, text| text.to_owned(),
        drop_unknown: true,
        reference: &|_| "c1.reference".to_owned(),
        callback_url: None,
    })
}
