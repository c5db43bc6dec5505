//! What stops Twilio: the calls of each step. It makes none itself. The auth token is changed at
//! another host, so by hand.

use model::Action;
use serde_json::Value;

use super::account::Account;
use crate::form::encode;
use crate::routine::steps::{Proof, Snapshot, call};
use crate::routine::sweep::{Item, Page, Plan, Sweep};
use crate::routine::{ApiCall, Routine, RoutineInput};

/// The calls of a step, where Twilio has any.
pub(super) fn routine(action: Action, input: &RoutineInput) -> Option<Box<dyn Routine>> {
    let account = Account::parse(input.credential.expose())?;
    Some(match action {
        Action::SnapshotEvidence => Box::new(Snapshot::new(looks(account))),
        Action::CancelScheduledSends => Box::new(Sweep::new(cancel_scheduled(account))),
        Action::DeleteApiKeys => Box::new(Sweep::new(delete_keys(account))),
        Action::ProveKeyRefused => Box::new(Proof::new(account.path("Keys.json?PageSize=1"))),
        Action::CutGateway
        | Action::UnscheduleSingleSends
        | Action::CloseSessions
        | Action::MoveCriticalMail
        | Action::ProtectLogin
        | Action::DemandLogs
        | Action::DemandDeletion => return None,
    })
}

/// Not the log of messages, which is full of numbers and texts.
fn looks(account: Account<'_>) -> Vec<(&'static str, String)> {
    [
        ("keys", "Keys.json?PageSize=1000"),
        ("signing-keys", "SigningKeys.json?PageSize=1000"),
        ("phone-numbers", "IncomingPhoneNumbers.json?PageSize=1000"),
    ]
    .map(|(name, resource)| (name, account.path(resource)))
    .to_vec()
}

fn cancel_scheduled(account: Account<'_>) -> Plan {
    let messages = account.path("Messages");
    Plan {
        action: Action::CancelScheduledSends,
        what: "scheduled messages",
        done: "cancelled",
        list: account.path("Messages.json?PageSize=1000"),
        page: |json| page(json, "messages", |row| row["status"] == "scheduled"),
        calls: Box::new(move |message: &Item| {
            let path = format!("{messages}/{}.json", encode(&message.id));
            vec![ApiCall {
                body: Some(("application/x-www-form-urlencoded", b"Status=canceled".to_vec())),
                ..call("POST", path, "cancel a scheduled message")
            }]
        }),
        keeps_its_place: false,
        own: None,
        blind: None,
        by_hand: None,
    }
}

fn delete_keys(account: Account<'_>) -> Plan {
    let keys = account.path("Keys");
    Plan {
        action: Action::DeleteApiKeys,
        what: "API keys",
        done: "deleted",
        list: account.path("Keys.json?PageSize=1000"),
        page: |json| page(json, "keys", |_| true),
        calls: Box::new(move |key: &Item| {
            let path = format!("{keys}/{}.json", encode(&key.id));
            vec![call("DELETE", path, "delete an API key")]
        }),
        keeps_its_place: false,
        own: None,
        blind: None,
        by_hand: Some(
            "the account's auth token works until it is changed by hand; main keys are not listed",
        ),
    }
}

fn page(json: &Value, rows: &str, wanted: fn(&Value) -> bool) -> Option<Page> {
    let rows = json[rows].as_array()?.iter().filter(|row| wanted(row));
    let items = rows
        .map(|row| {
            let id = row["sid"].as_str().filter(|id| !id.is_empty())?.to_owned();
            Some(Item { id, name: String::new() })
        })
        .collect::<Option<_>>()?;
    let next = json["next_page_uri"].as_str().filter(|next| !next.is_empty());
    Some(Page { items, next: next.map(str::to_owned) })
}
