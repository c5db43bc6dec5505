//! What stops Twilio: the calls of each step, and what an operator does by hand. It makes no calls
//! itself. The auth token is changed at another host, so by hand.

use model::Action;
use serde_json::Value;

use super::account::Account;
use crate::form::encode;
use crate::routine::{ApiCall, Guide, Routine, RoutineInput};
use crate::steps::{Proof, Snapshot, call};
use crate::sweep::{Item, Page, Plan, Sweep};

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

/// What an operator does by hand.
pub(super) fn guide(action: Action) -> Guide {
    let (steps, proof): (&[&str], &str) = match action {
        Action::SnapshotEvidence => (
            &[
                "In the Twilio console, open Monitor, Audit Events, and export the window of the \
                 incident.",
                "Keep pictures of API keys and tokens, users, phone numbers and messaging services.",
            ],
            "the files and pictures, with the time at which each was taken",
        ),
        Action::CutGateway => (
            &["Cordon does this itself: nothing is done at Twilio."],
            "the switch of this vendor in Cordon",
        ),
        Action::CancelScheduledSends => (
            &[
                "Cancel each scheduled message whose SID your programs keep: POST to the message \
                 with `Status=canceled`.",
                "Where that is not enough, suspend the subaccount: POST to the account with \
                 `Status=suspended`.",
            ],
            "the message or the account as the console shows it after the change",
        ),
        Action::UnscheduleSingleSends => (
            &[
                "Twilio has no campaigns of this kind.",
                "In Studio, end the executions of flows that send messages and unpublish them.",
            ],
            "a picture of the flows with nothing running",
        ),
        Action::DeleteApiKeys => (
            &[
                "In the console, open Account, API keys and tokens, and delete every key, main \
                 keys and signing keys included.",
                "Make a secondary auth token, promote it, and delete the old one.",
                "Give Cordon the new token: until then it cannot check Twilio's callbacks.",
                "Do the same in each subaccount.",
            ],
            "a picture of the empty list of keys, and the time of the promotion",
        ),
        Action::ProveKeyRefused => (
            &["Call GET …/Keys.json with the old token: the answer must be 401 or 403."],
            "the status and the time of the answer",
        ),
        Action::CloseSessions => (
            &[
                "In the console, open Admin, Users, and remove everybody who is not known.",
                "Reset the passwords of those who stay and require two-factor authentication.",
                "Remove OAuth applications that are not yours.",
            ],
            "the list of users and applications after the change",
        ),
        Action::MoveCriticalMail => (
            &[
                "Name the messages that must go out, such as sign-in codes.",
                "Point those programs at the standby provider's vendor in Cordon.",
                "Send one of each to a number of your own.",
            ],
            "one received message of each kind",
        ),
        Action::ProtectLogin => (
            &[
                "Take codes by text message out of log-in and password reset where another factor \
                 is there.",
                "Raise the rate limits and challenges of log-in, password reset and sign-up.",
                "Restrict the countries to which messages go in Messaging, Geo permissions.",
            ],
            "the change to the log-in's configuration, with its time",
        ),
        Action::DemandLogs => (
            &[
                "Open a ticket of the highest urgency with Twilio's support and write to its \
                 security team.",
                "Ask for audit events, use of keys and tokens, sign-ins, and every message sent or \
                 read, for the window of the incident.",
                "Ask for the affected data set and for when Twilio first knew.",
            ],
            "the ticket's number and the time at which it was opened",
        ),
        Action::DemandDeletion => (
            &[
                "Take out the text of messages (POST with an empty `Body`) or delete them.",
                "Ask in writing for a confirmation with the time, backups included.",
                "From now on send with `ContentRetention=discard` and \
                 `AddressRetention=obfuscate`.",
            ],
            "Twilio's written confirmation",
        ),
    };
    Guide { steps: steps.iter().map(|&step| step.to_owned()).collect(), proof: proof.to_owned() }
}
