//! What an account shows of itself: its webhook, and who was there.

use axum::extract::{Path, Query, State as Cx};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Sandbox;
use super::caller::Caller;
use super::reply::{self, Reply, answer};

const WEBHOOK_ID: &str = "77d4a5da-7015-11ed-a1eb-0242ac120002";

impl Sandbox {
    fn webhook(&self) -> Value {
        let url = self.0.webhook_url.borrow().clone();
        let mut webhook = json!({
            "enabled": url.is_some(), "url": url.unwrap_or_default(), "id": WEBHOOK_ID,
            "friendly_name": null, "created_date": null, "updated_date": self.0.world.now(),
            "oauth_client_id": null, "oauth_token_url": null,
            "public_key": self.webhook_public_key(),
        });
        for event in ["processed", "delivered", "bounce"] {
            webhook[event] = Value::Bool(true);
        }
        for event in ["deferred", "dropped", "open", "click", "spam_report", "unsubscribe"] {
            webhook[event] = Value::Bool(false);
        }
        webhook
    }
}

/// `GET /v3/user/webhooks/event/settings/all`.
pub(super) async fn get_webhooks(Cx(sandbox): Cx<Sandbox>, caller: Caller) -> Reply {
    caller.may("user.webhooks.event.settings.read")?;
    answer(StatusCode::OK, json!({"max_allowed": 5, "webhooks": [sandbox.webhook()]}))
}

/// `GET /v3/user/webhooks/event/settings/signed/{id}`.
pub(super) async fn get_signed_webhook(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    Path(id): Path<String>,
) -> Reply {
    caller.may("user.webhooks.event.settings.read")?;
    if id != WEBHOOK_ID {
        return Err(reply::no_such_webhook());
    }
    answer(StatusCode::OK, json!({"id": id, "public_key": sandbox.webhook_public_key()}))
}

/// `GET /v3/user/webhooks/parse/settings`: none is set up.
pub(super) async fn get_parse_webhooks(caller: Caller) -> Reply {
    caller.may("user.webhooks.parse.settings.read")?;
    answer(StatusCode::OK, json!({"result": []}))
}

/// `GET /v3/teammates`: the account has one user, who is no teammate.
pub(super) async fn get_teammates(caller: Caller) -> Reply {
    caller.may("teammates.read")?;
    answer(StatusCode::OK, json!({"result": []}))
}

#[derive(Deserialize)]
pub(super) struct Limit {
    limit: Option<usize>,
}

/// `GET /v3/access_settings/activity`, latest first.
pub(super) async fn get_activity(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    Query(Limit { limit }): Query<Limit>,
) -> Reply {
    caller.may("access_settings.activity.read")?;
    let state = sandbox.state();
    let mut visits: Vec<_> = state.visits.iter().collect();
    visits.sort_by_key(|visit| std::cmp::Reverse(visit.last_at));
    let row = |visit: &&super::state::Visit| {
        json!({
            "allowed": visit.allowed, "auth_method": visit.auth_method, "ip": visit.ip,
            "location": visit.location, "first_at": visit.first_at.seconds(),
            "last_at": visit.last_at.seconds(),
        })
    };
    let rows: Vec<_> = visits.iter().take(limit.unwrap_or(20)).map(row).collect();
    answer(StatusCode::OK, json!({"result": rows}))
}
