//! Batch ids and scheduled sends, and the worker that sends what is due.
//!
//! As SendGrid documents it, a list of scheduled sends shows only batches that were paused or
//! cancelled: a send that simply waits cannot be found by anybody who does not know its batch id.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State as Cx};
use axum::http::StatusCode;
use model::{Timestamp, crypto};
use serde::Deserialize;
use serde_json::json;

use super::Sandbox;
use super::caller::Caller;
use super::reply::{self, Refused, Reply, answer, empty};
use super::send::Message;
use super::singlesends;
use super::state::{BatchStatus, State};

/// How often the worker looks for what is due.
const LOOK: Duration = Duration::from_millis(100);

/// `POST /v3/mail/batch`.
pub(super) async fn post_mail_batch(Cx(sandbox): Cx<Sandbox>, caller: Caller) -> Reply {
    caller.may("mail.batch.create")?;
    answer(StatusCode::CREATED, json!({"batch_id": sandbox.new_batch()}))
}

/// `GET /v3/mail/batch/{batch_id}`.
pub(super) async fn get_mail_batch(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    Path(batch_id): Path<String>,
) -> Reply {
    caller.may("mail.batch.read")?;
    if !sandbox.state().batches.contains_key(&batch_id) {
        return Err(bad("invalid batch id"));
    }
    answer(StatusCode::OK, json!({"batch_id": batch_id}))
}

#[derive(Deserialize)]
struct NewStatus {
    batch_id: String,
    status: BatchStatus,
}

/// `POST /v3/user/scheduled_sends`.
pub(super) async fn post_scheduled_send(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    body: Bytes,
) -> Reply {
    caller.may("user.scheduled_sends.create")?;
    let NewStatus { batch_id, status } = reply::parse(&body)?;
    let mut state = sandbox.state();
    match state.batches.get_mut(&batch_id) {
        None => return Err(bad("invalid batch id")),
        Some(Some(_)) => return Err(bad("a status was set already; use PATCH to change it")),
        Some(none) => *none = Some(status),
    }
    answer(StatusCode::CREATED, json!({"batch_id": batch_id, "status": status}))
}

/// `GET /v3/user/scheduled_sends`.
pub(super) async fn get_scheduled_sends(Cx(sandbox): Cx<Sandbox>, caller: Caller) -> Reply {
    caller.may("user.scheduled_sends.read")?;
    answer(StatusCode::OK, rows(&sandbox.state(), |_| true))
}

/// `GET /v3/user/scheduled_sends/{batch_id}`.
pub(super) async fn get_scheduled_send(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    Path(batch_id): Path<String>,
) -> Reply {
    caller.may("user.scheduled_sends.read")?;
    answer(StatusCode::OK, rows(&sandbox.state(), |id| id == batch_id))
}

#[derive(Deserialize)]
struct Status {
    status: BatchStatus,
}

/// `PATCH /v3/user/scheduled_sends/{batch_id}`.
pub(super) async fn patch_scheduled_send(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    Path(batch_id): Path<String>,
    body: Bytes,
) -> Reply {
    caller.may("user.scheduled_sends.update")?;
    let Status { status } = reply::parse(&body)?;
    match sandbox.state().batches.get_mut(&batch_id) {
        Some(Some(held)) => *held = status,
        Some(None) | None => return Err(reply::not_found()),
    }
    empty(StatusCode::NO_CONTENT)
}

/// `DELETE /v3/user/scheduled_sends/{batch_id}`: takes the pause or cancellation back.
pub(super) async fn delete_scheduled_send(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    Path(batch_id): Path<String>,
) -> Reply {
    caller.may("user.scheduled_sends.delete")?;
    match sandbox.state().batches.get_mut(&batch_id) {
        Some(status @ Some(_)) => *status = None,
        Some(None) | None => return Err(reply::not_found()),
    }
    empty(StatusCode::NO_CONTENT)
}

fn rows(state: &State, wanted: impl Fn(&str) -> bool) -> serde_json::Value {
    let rows = state.batches.iter().filter(|(id, _)| wanted(id));
    rows.filter_map(|(id, status)| Some(json!({"batch_id": id, "status": (*status)?}))).collect()
}

fn bad(message: &str) -> Refused {
    reply::refuse(StatusCode::BAD_REQUEST, message, Some("batch_id"))
}

impl Sandbox {
    /// Gives out a batch id.
    pub(super) fn new_batch(&self) -> String {
        let batch_id = crypto::to_hex(&self.0.world.bytes::<16>());
        self.state().batches.insert(batch_id.clone(), None);
        batch_id
    }

    /// Takes out what is due: messages whose time has come and that nobody stopped. A cancelled
    /// message is dropped when its time comes; a paused one waits.
    fn take_due(&self, now: Timestamp) -> Vec<Message> {
        let mut state = self.state();
        let State { held, batches, .. } = &mut *state;
        let status = |message: &Message| *batches.get(message.batch_id.as_ref()?)?;
        let mut due = Vec::new();
        held.retain(|message| {
            let is_due = message.send_at.is_none_or(|at| at <= now);
            match status(message) {
                Some(BatchStatus::Pause) => true,
                Some(BatchStatus::Cancel) => !is_due,
                None => {
                    if is_due {
                        due.push(message.clone());
                    }
                    !is_due
                }
            }
        });
        due
    }
}

/// The worker: looks again and again for messages and single sends whose time has come.
pub(super) async fn send_what_is_due(sandbox: Sandbox) {
    loop {
        // `now` schedules wake the worker at once.
        tokio::time::timeout(LOOK, sandbox.0.due.notified()).await.ok();
        let now = sandbox.0.world.now();
        for message in sandbox.take_due(now) {
            sandbox.dispatch(message).await;
        }
        for message in singlesends::take_due(&sandbox, now) {
            sandbox.accept(message).await;
        }
    }
}
