//! The policy: shown, set, checked, explained, run against history; and tokens turned back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use model::{
    Consent, Field, FieldSet, ListName, Mode, OperationName, PolicyDigest, Purpose, ReplayId,
    Residence, Timestamp, VendorName, WorkloadName, limits,
};
use policy::{Explained, Problem, Question, Rejected, Text};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Operator;
use super::error::{Answer, ApiError};
use super::extract::{Json, Path};
use crate::app::App;
use crate::in_force::{Actions, Own, Stored};
use crate::replays::Standing;
use crate::unused::unused;

pub async fn show_policy(_: Operator, State(app): State<App>) -> Answer<Json<Value>> {
    let stored = app.store.read(Stored::of).await?;
    let policy = app.gateway.registry().policy.clone();
    let policies: Vec<_> = policy.listed().collect();
    Ok(Json(json!({
        "digest": policy.digest(),
        "file": app.config.policy.file,
        "stored": stored.map(|stored| stored.name),
        "policies": policies,
        "text": policy.text(),
    })))
}

pub async fn show_kept_policy(
    _: Operator,
    State(app): State<App>,
    Path(digest): Path<PolicyDigest>,
) -> Answer<Json<Value>> {
    let kept = app.store.read(move |tx| tx.kept_policy(digest)).await?;
    let kept = kept.ok_or_else(|| ApiError::not_found("policy", &digest))?;
    Ok(Json(json!({ "digest": digest, "first_at": kept.first_at, "text": kept.text })))
}

/// An operator's own text, with the name of the file that it was read from.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPolicy {
    name: String,
    text: String,
}

impl NewPolicy {
    /// The name stands in places and ids.
    fn parse(self) -> Answer<Text> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if self.name.is_empty()
            || self.name.len() > limits::NAME_BYTES
            || !self.name.chars().all(plain)
        {
            let message = "the name of a policy is that of a file, without its folder";
            return Err(ApiError::refused(StatusCode::UNPROCESSABLE_ENTITY, "malformed", message));
        }
        if self.text.len() > limits::POLICY_TEXT_BYTES {
            let message = format!("a policy has at most {} bytes", limits::POLICY_TEXT_BYTES);
            return Err(ApiError::refused(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body-too-large",
                message,
            ));
        }
        Ok(Text { origin: self.name, text: self.text })
    }
}

/// Stores a policy in the place of the one stored before. No policy is asked about this: whoever
/// administers can always mend what another policy forbids.
pub async fn set_policy(
    by: Operator,
    State(app): State<App>,
    Json(new): Json<NewPolicy>,
) -> Answer<Json<Value>> {
    let text = new.parse()?;
    let policy = app.compile_policy(Own::Stored(text.clone())).await?;
    let before = app.gateway.registry().policy.digest();
    let detail = json!({ "name": text.origin, "from": before, "to": policy.digest() });
    let stored = Stored { name: text.origin, text: text.text };
    app.store
        .write(move |tx| {
            stored.keep(tx)?;
            by.audit(tx, "policy", detail)
        })
        .await?;
    app.refresh_gateway().await?;
    Ok(Json(json!({
        "digest": app.gateway.registry().policy.digest(),
        "warnings": policy.warnings(),
    })))
}

/// Nothing to say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Reads the file anew that the configuration names.
pub async fn reload_policy(
    by: Operator,
    State(app): State<App>,
    Json(Nothing {}): Json<Nothing>,
) -> Answer<Json<Value>> {
    if app.config.policy.file.is_none() {
        let message = "the configuration names no policy file";
        return Err(ApiError::refused(StatusCode::CONFLICT, "policy-file-none", message)
            .hint("set `policy.file` in cordon.toml, or use `cordon policy set`"));
    }
    let policy = app.reload_policy_file().await?;
    let before = app.gateway.registry().policy.digest();
    let detail = json!({ "from": before, "to": policy.digest() });
    app.store.write(move |tx| by.audit(tx, "policy", detail)).await?;
    app.refresh_gateway().await?;
    Ok(Json(json!({
        "digest": app.gateway.registry().policy.digest(),
        "warnings": policy.warnings(),
    })))
}

/// A text to check, or none for the policy in force.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    policy: Option<NewPolicy>,
}

/// Says what is wrong with a text, what is odd about it, and which grants nobody used for a while.
pub async fn check_policy(
    _: Operator,
    State(app): State<App>,
    Json(check): Json<Check>,
) -> Answer<Json<Value>> {
    let policy = match check.policy {
        None => app.gateway.registry().policy.clone(),
        Some(new) => match app.compile_policy(Own::All(new.parse()?)).await {
            Ok(policy) => Arc::new(policy),
            Err(error) => {
                let rejected = error.downcast::<Rejected>()?;
                return Ok(Json(json!({ "valid": false, "problems": rejected.problems })));
            }
        },
    };
    let (workloads, vendors) = app.store.read(|tx| Ok((tx.workloads()?, tx.vendors()?))).await?;
    let names = workloads.iter().map(|workload| workload.name.clone()).collect::<BTreeSet<_>>();
    let vendors = vendors.into_iter().map(|vendor| vendor.name).collect::<BTreeSet<_>>();
    let mut warnings: Vec<Problem> = policy.warnings().to_vec();
    warnings.extend(policy.unknown_names(&names, &vendors));
    let since = app.world.now().plus_seconds(-UNUSED_SECONDS);
    let ledger = app.ledger.clone();
    let unused = tokio::task::spawn_blocking(move || unused(&ledger, &workloads, since))
        .await
        .map_err(anyhow::Error::from)??;
    Ok(Json(json!({
        "valid": true,
        "digest": policy.digest(),
        "warnings": warnings,
        "unused_since": since,
        "unused": unused,
    })))
}

/// A grant that no call of 30 days used is worth a question.
const UNUSED_SECONDS: i64 = 30 * 24 * 60 * 60;

/// A call to explain; what is left out is as in a plain call of one person now.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explain {
    workload: WorkloadName,
    vendor: VendorName,
    fields: FieldSet,
    purpose: Option<Purpose>,
    operation: Option<OperationName>,
    #[serde(default)]
    lists: Vec<ListName>,
    people: Option<usize>,
    region: Option<String>,
    consent: Option<Vec<Consent>>,
    mode: Option<Mode>,
    at: Option<Timestamp>,
    /// Another policy in the place of an operator's own.
    policy: Option<NewPolicy>,
}

pub async fn explain_policy(
    _: Operator,
    State(app): State<App>,
    Json(asked): Json<Explain>,
) -> Answer<Json<Explained>> {
    let registry = app.gateway.registry();
    let policy = match asked.policy {
        None => registry.policy.clone(),
        Some(new) => Arc::new(app.compile_policy(Own::All(new.parse()?)).await?),
    };
    let vendor = app.vendor(&asked.vendor).await?;
    let name = asked.workload.clone();
    let workload = app.store.read(move |tx| tx.workload(&name)).await?;
    let usual = workload.grant(&asked.vendor).and_then(|grant| grant.purposes.first()).cloned();
    let unstated = Purpose::parse("unstated").map_err(anyhow::Error::from)?;
    let region = asked.region.as_deref().map(Residence::parse).transpose();
    let region = region.map_err(anyhow::Error::from)?;
    let unknown = OperationName::parse("unknown").map_err(anyhow::Error::from)?;
    let question = Question {
        workload: &asked.workload,
        vendor: &asked.vendor,
        operation: &asked.operation.unwrap_or(unknown),
        purpose: &asked.purpose.or(usual).unwrap_or(unstated),
        fields: asked.fields,
        lists: &asked.lists,
        people: asked.people.unwrap_or(1),
        region: region.as_ref(),
        consent: asked.consent.as_deref(),
        mode: asked.mode.or(workload.mode).unwrap_or(vendor.mode),
        at: asked.at.unwrap_or_else(|| app.world.now()),
    };
    Ok(Json(policy.explain(&question, &vendor.actions)))
}

/// A policy to run recorded calls against, in the place of an operator's own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewReplay {
    policy: NewPolicy,
    since: Timestamp,
}

pub async fn start_replay(
    by: Operator,
    State(app): State<App>,
    Json(new): Json<NewReplay>,
) -> Answer<(StatusCode, Json<Value>)> {
    let policy = app.compile_policy(Own::All(new.policy.parse()?)).await?;
    let vendors = app.store.read(|tx| tx.vendors()).await?;
    let actions: Actions =
        vendors.into_iter().map(|vendor| (vendor.name, vendor.actions)).collect();
    let detail = json!({ "policy": policy.digest(), "since": new.since });
    let replay = app.replays.start(&app, Arc::new(policy), actions, new.since).await?;
    app.store.write(move |tx| by.audit(tx, &replay.to_string(), detail)).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "replay": replay }))))
}

pub async fn show_replay(
    _: Operator,
    State(app): State<App>,
    Path(replay): Path<ReplayId>,
) -> Answer<Json<Standing>> {
    let standing = app.replays.standing(replay);
    Ok(Json(standing.ok_or_else(|| ApiError::not_found("replay", &replay))?))
}

pub async fn cancel_replay(
    by: Operator,
    State(app): State<App>,
    Path(replay): Path<ReplayId>,
) -> Answer<StatusCode> {
    if !app.replays.cancel(replay) {
        return Err(ApiError::not_found("replay", &replay));
    }
    app.store.write(move |tx| by.audit(tx, &replay.to_string(), json!({}))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tokens that a vendor has in the place of values, and why somebody wants to know them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    tokens: Vec<String>,
    why: String,
}

/// Turns tokens back into values. On record before the answer is given; neither tokens nor values
/// are.
pub async fn detokenise(
    by: Operator,
    State(app): State<App>,
    Path(vendor): Path<VendorName>,
    Json(asked): Json<Tokens>,
) -> Answer<Json<Value>> {
    app.vendor(&vendor).await?;
    if asked.tokens.len() > limits::DETOKENISE_TOKENS || asked.why.trim().is_empty() {
        let most = limits::DETOKENISE_TOKENS;
        let message = format!("give a reason, and at most {most} tokens");
        return Err(ApiError::refused(StatusCode::UNPROCESSABLE_ENTITY, "malformed", message));
    }
    let mut by_field: BTreeMap<Field, usize> = BTreeMap::new();
    let mut values = Vec::new();
    for token in asked.tokens {
        let value = app.keys.tokenise.value(&vendor, &token);
        if let Some((field, _)) = &value {
            *by_field.entry(*field).or_default() += 1;
        }
        let (field, value) = value.unzip();
        let value = value.map(|value| value.expose().clone());
        values.push(json!({ "token": token, "field": field, "value": value }));
    }
    let detail = json!({ "why": asked.why, "tokens": values.len(), "values": by_field });
    app.store.write(move |tx| by.audit(tx, vendor.as_str(), detail)).await?;
    Ok(Json(json!({ "values": values })))
}
