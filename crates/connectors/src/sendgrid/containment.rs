//! What stops SendGrid: the calls of each step. It makes none itself.

use model::Action;
use serde_json::{Value, json};

use crate::form::encode;
use crate::routine::steps::{Proof, Snapshot, call};
use crate::routine::sweep::{Item, Page, Plan, Sweep};
use crate::routine::{ApiCall, Routine, RoutineInput};

const API_KEYS: &str = "/v3/api_keys";
const SCHEDULED: &str = "/v3/user/scheduled_sends";
const SINGLE_SENDS: &str = "/v3/marketing/singlesends";
const SCOPES: &str = "/v3/scopes";

/// The calls of a step, where SendGrid has any.
pub(super) fn routine(action: Action, input: &RoutineInput) -> Option<Box<dyn Routine>> {
    Some(match action {
        Action::SnapshotEvidence => Box::new(Snapshot::new(looks())),
        Action::CancelScheduledSends => Box::new(Sweep::new(cancel_scheduled())),
        Action::UnscheduleSingleSends => Box::new(Sweep::new(unschedule())),
        Action::DeleteApiKeys => Box::new(Sweep::new(delete_keys(input))),
        Action::ProveKeyRefused => Box::new(Proof::new(SCOPES)),
        Action::CutGateway
        | Action::CloseSessions
        | Action::MoveCriticalMail
        | Action::ProtectLogin
        | Action::DemandLogs
        | Action::DemandDeletion => return None,
    })
}

fn looks() -> Vec<(&'static str, String)> {
    [
        ("api-keys", API_KEYS),
        ("scopes", SCOPES),
        ("scheduled-sends", SCHEDULED),
        ("single-sends", "/v3/marketing/singlesends?page_size=100"),
        ("contact-exports", "/v3/marketing/contacts/exports"),
        ("event-webhooks", "/v3/user/webhooks/event/settings/all"),
        ("parse-webhooks", "/v3/user/webhooks/parse/settings"),
        ("teammates", "/v3/teammates?limit=500"),
        ("access-activity", "/v3/access_settings/activity?limit=500"),
    ]
    .map(|(name, path)| (name, path.to_owned()))
    .to_vec()
}

fn cancel_scheduled() -> Plan {
    Plan {
        action: Action::CancelScheduledSends,
        what: "scheduled sends",
        done: "cancelled",
        list: SCHEDULED.to_owned(),
        page: |json| {
            let waiting = |row: &&Value| row["status"] != "cancel";
            let rows = json.as_array()?.iter().filter(waiting);
            let items = rows.map(|row| item(row, "batch_id")).collect::<Option<_>>()?;
            Some(Page { items, next: None })
        },
        calls: Box::new(|batch: &Item| {
            let why = "cancel a scheduled send";
            let first = json!({"batch_id": batch.id, "status": "cancel"});
            // A batch that was paused has a status already, which only PATCH may change.
            let path = format!("{SCHEDULED}/{}", encode(&batch.id));
            let mut calls = vec![call("POST", SCHEDULED, why), call("PATCH", path, why)];
            calls[0].body = Some(("application/json", first.to_string().into()));
            let second = json!({"status": "cancel"});
            calls[1].body = Some(("application/json", second.to_string().into()));
            calls
        }),
        own: None,
        keeps_its_place: false,
        blind: Some(
            "SendGrid lists only batches that were paused or cancelled before: a send without a \
             batch id, or never paused, is not in the list",
        ),
        by_hand: None,
    }
}

fn unschedule() -> Plan {
    Plan {
        action: Action::UnscheduleSingleSends,
        what: "single sends",
        done: "unscheduled",
        list: format!("{SINGLE_SENDS}?page_size=100"),
        page: |json| {
            let scheduled = |row: &&Value| row["status"] == "scheduled";
            let rows = json["result"].as_array()?.iter().filter(scheduled);
            let items = rows.map(|row| item(row, "id")).collect::<Option<_>>()?;
            let next = json["_metadata"]["next"].as_str().filter(|next| !next.is_empty());
            Some(Page { items, next: next.map(str::to_owned) })
        },
        calls: Box::new(|send: &Item| {
            let path = format!("{SINGLE_SENDS}/{}/schedule", encode(&send.id));
            vec![call("DELETE", path, "unschedule a single send")]
        }),
        own: None,
        keeps_its_place: false,
        blind: None,
        by_hand: None,
    }
}

fn delete_keys(input: &RoutineInput) -> Plan {
    Plan {
        action: Action::DeleteApiKeys,
        what: "API keys",
        done: "deleted",
        list: API_KEYS.to_owned(),
        page: |json| {
            let rows = json["result"].as_array()?.iter();
            let items = rows.map(|row| item(row, "api_key_id")).collect::<Option<_>>()?;
            Some(Page { items, next: None })
        },
        calls: Box::new(|key: &Item| {
            let path = format!("{API_KEYS}/{}", encode(&key.id));
            // A key that may not be deleted loses its rights. One scope must stay.
            let weak = json!({"name": key.name, "scopes": ["user.profile.read"]});
            let strip = ApiCall {
                body: Some(("application/json", weak.to_string().into())),
                ..call("PUT", path.clone(), "take the rights of an API key")
            };
            vec![call("DELETE", path, "delete an API key"), strip]
        }),
        own: input.credential.expose().split('.').nth(1).map(str::to_owned),
        keeps_its_place: true,
        blind: None,
        by_hand: None,
    }
}

fn item(row: &Value, id: &str) -> Option<Item> {
    let id = row[id].as_str().filter(|id| !id.is_empty())?.to_owned();
    Some(Item { id, name: row["name"].as_str().unwrap_or("a key").to_owned() })
}
