//! What stops SendGrid: the calls of each step, and what an operator does by hand. It makes no
//! calls itself.

use model::Action;
use serde_json::{Value, json};

use crate::form::encode;
use crate::routine::{ApiCall, Guide, Routine, RoutineInput};
use crate::steps::{Proof, Snapshot, call};
use crate::sweep::{Item, Page, Plan, Sweep};

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

/// What an operator does by hand.
pub(super) fn guide(action: Action) -> Guide {
    let (steps, proof): (&[&str], &str) = match action {
        Action::SnapshotEvidence => (
            &[
                "In the SendGrid console, open Settings and keep pictures of API Keys, Teammates, \
                 Mail Settings and Subuser Management.",
                "Open Settings, IP Access Management, and keep the recent access attempts.",
                "Open Activity, search the window of the incident, and export it as CSV.",
                "Open Marketing, Contacts, and keep the list of exports with their times.",
            ],
            "the pictures and files, with the time at which each was taken",
        ),
        Action::CutGateway => (
            &["Cordon does this itself: nothing is done at SendGrid."],
            "the switch of this vendor in Cordon",
        ),
        Action::CancelScheduledSends => (
            &[
                "Cancel each batch id that your programs keep: POST /v3/user/scheduled_sends with \
                 the status `cancel`.",
                "A send that was scheduled without a batch id cannot be cancelled: ask SendGrid's \
                 support to suspend sending.",
                "A cancellation less than ten minutes before the time is not guaranteed.",
            ],
            "the list of scheduled sends, each with the status `cancel`",
        ),
        Action::UnscheduleSingleSends => (
            &[
                "In Marketing, Single Sends, unschedule each campaign that is scheduled.",
                "In Marketing, Automations, pause each automation that is live.",
            ],
            "a picture of both lists with nothing scheduled or live",
        ),
        Action::DeleteApiKeys => (
            &[
                "In Settings, API Keys, delete every key.",
                "In Settings, Subuser Management, do the same within each subuser.",
            ],
            "a picture of the empty lists",
        ),
        Action::ProveKeyRefused => (
            &["Call GET /v3/scopes with the old key: the answer must be 401 or 403."],
            "the status and the time of the answer",
        ),
        Action::CloseSessions => (
            &[
                "In Settings, Teammates, remove everybody who is not known, and pending \
                 invitations.",
                "Change the password of the account and of each teammate that stays; require \
                 two-factor authentication.",
                "In Settings, SSO, remove what is not yours.",
                "In Settings, IP Access Management, allow only your own addresses.",
            ],
            "the list of teammates and the allow list after the change",
        ),
        Action::MoveCriticalMail => (
            &[
                "Name the mail that must go out: password resets, sign-in codes, receipts.",
                "Point those programs at the standby provider's vendor in Cordon.",
                "Send one of each to an address of your own, and check SPF, DKIM and DMARC.",
                "Leave SendGrid's DKIM keys in DNS until the domain no longer needs them.",
            ],
            "one received message of each kind, with its headers",
        ),
        Action::ProtectLogin => (
            &[
                "Raise the rate limits and challenges of log-in, password reset and sign-up.",
                "Watch for log-ins that follow a mail or use what SendGrid held.",
            ],
            "the change to the log-in's configuration, with its time",
        ),
        Action::DemandLogs => (
            &[
                "Open a ticket of the highest urgency with SendGrid's support and write to \
                 Twilio's security team.",
                "Ask for access logs of the account, exports of contacts, sign-ins, changes of \
                 keys, users and settings, and every message sent, for the window of the incident.",
                "Ask for the affected data set and for when SendGrid first knew.",
            ],
            "the ticket's number and the time at which it was opened",
        ),
        Action::DemandDeletion => (
            &[
                "Delete the contacts that are not needed: DELETE /v3/marketing/contacts, or \
                 `delete_all_contacts`.",
                "Ask for the erasure of recipients' data: POST /v3/recipients/erasejob.",
                "Ask in writing for a confirmation with the time, backups included.",
            ],
            "SendGrid's written confirmation",
        ),
    };
    Guide { steps: steps.iter().map(|&step| step.to_owned()).collect(), proof: proof.to_owned() }
}
