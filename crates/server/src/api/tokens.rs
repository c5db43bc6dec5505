//! Workloads' tokens: list, rotate, revoke, and hand in one that was found somewhere.

use axum::extract::State;
use axum::http::StatusCode;
use model::{
    Confidence, Fact, FactBody, FoundAt, Network, Secret, Sighting, Timestamp, TokenId, Vendor,
    VendorName, WorkloadName, crypto, limits,
};
use policy::Act;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{NewToken, Token};

use super::auth::{Asking, Operator};
use super::error::{Answer, ApiError};
use super::extract::{Json, Path};
use crate::app::App;
use crate::observe;

/// How long a token is to live, and from where it may come.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenTerms {
    /// After so many seconds it opens nothing; without it, it does until it is rotated or revoked.
    pub expires_seconds: Option<u32>,
    /// Networks that it may come from; empty is from anywhere.
    pub networks: Vec<Network>,
}

/// How a program is told to go through the gateway; shown once.
#[derive(Serialize)]
pub struct Issued {
    token: TokenId,
    vendor: VendorName,
    base_url: String,
    environment: Vec<(String, String)>,
    expires_at: Option<Timestamp>,
    networks: Vec<Network>,
}

/// Makes a token of a workload for a vendor: what is kept of it, and what its program is told.
///
/// # Errors
/// When the vendor's connector is gone.
pub fn issue(
    app: &App,
    workload: &WorkloadName,
    vendor: &Vendor,
    terms: &TokenTerms,
) -> anyhow::Result<(NewToken, Issued)> {
    let minted = app.mint(vendor)?;
    let hash = app.token_hash(&vendor.name, &minted.token);
    let seconds = terms.expires_seconds.map(i64::from);
    let expires_at = seconds.map(|seconds| app.world.now().plus_seconds(seconds));
    let kept = NewToken {
        hash,
        marks: gateway::token_marks(&app.keys.workload_token, &minted.token),
        workload: workload.clone(),
        vendor: vendor.name.clone(),
        networks: terms.networks.clone(),
        expires_at,
    };
    let environment = minted.environment.iter();
    let issued = Issued {
        token: TokenId::of(&hash),
        vendor: vendor.name.clone(),
        base_url: format!("{}/v/{}", app.addresses.gateway, vendor.name),
        environment: environment
            .map(|(name, value)| ((*name).to_owned(), value.expose().clone()))
            .collect(),
        expires_at,
        networks: terms.networks.clone(),
    };
    Ok((kept, issued))
}

/// A token as operators see it.
#[derive(Serialize)]
pub struct Shown {
    /// What it is called.
    pub token: TokenId,
    /// For which vendor.
    pub vendor: VendorName,
    /// `live`, `in-grace`, `expired` or `revoked`.
    pub state: &'static str,
    /// From where it may come; empty is from anywhere.
    pub networks: Vec<Network>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, or ended.
    pub expires_at: Option<Timestamp>,
    /// Since when another stands in its place.
    pub rotated_at: Option<Timestamp>,
    /// When somebody revoked it.
    pub revoked_at: Option<Timestamp>,
    /// To the minute.
    pub last_used_at: Option<Timestamp>,
    /// How often it was used.
    pub uses: u64,
}

impl Shown {
    /// With the uses that are counted and not written yet.
    pub fn of(app: &App, token: Token) -> Self {
        let (uses, last_used_at) = app.token_book.uses(&token.hash);
        let state = match (token.is_live(app.world.now()), token.rotated_at) {
            (true, None) => "live",
            (true, Some(_)) => "in-grace",
            (false, _) if token.revoked_at.is_some() => "revoked",
            (false, _) => "expired",
        };
        Self {
            token: token.id(),
            vendor: token.vendor,
            state,
            networks: token.networks,
            created_at: token.created_at,
            expires_at: token.expires_at,
            rotated_at: token.rotated_at,
            revoked_at: token.revoked_at,
            last_used_at,
            uses,
        }
    }
}

pub async fn list_tokens(
    _: Operator,
    State(app): State<App>,
    Path(name): Path<WorkloadName>,
) -> Answer<Json<Value>> {
    let tokens = app.store.read(move |tx| {
        tx.workload(&name)?;
        tx.tokens_of(&name)
    });
    let tokens = tokens.await?.into_iter().map(|token| Shown::of(&app, token));
    Ok(Json(json!({ "tokens": tokens.collect::<Vec<_>>() })))
}

/// A new token for a vendor, and how long the old ones go on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    vendor: VendorName,
    /// For so many seconds from now the old tokens still open the vendor.
    grace_seconds: u32,
    expires_seconds: Option<u32>,
    /// Without them the new token may come from where the newest old one may.
    networks: Option<Vec<Network>>,
}

pub async fn rotate_token(
    asking: Asking,
    State(app): State<App>,
    Path(name): Path<WorkloadName>,
    Json(asked): Json<Rotation>,
) -> Answer<(StatusCode, Json<Value>)> {
    let by = asking.may(&app, Act::Workload { workload: &name, operation: "rotate_token" })?;
    if asked.grace_seconds > limits::TOKEN_GRACE_SECONDS {
        let message = format!("a grace is at most {} seconds", limits::TOKEN_GRACE_SECONDS);
        return Err(ApiError::refused(StatusCode::UNPROCESSABLE_ENTITY, "grace-long", message));
    }
    let (now, vendor) = (app.world.now(), app.vendor(&asked.vendor).await?);
    let before = {
        let (name, vendor) = (name.clone(), asked.vendor.clone());
        app.store.read(move |tx| {
            tx.workload(&name)?;
            let mut tokens = tx.tokens_of(&name)?;
            tokens.retain(|token| token.vendor == vendor && token.is_live(now));
            Ok(tokens.pop())
        })
    };
    let before = before.await?.map(|token| token.networks).unwrap_or_default();
    let networks = asked.networks.unwrap_or(before);
    let terms = TokenTerms { expires_seconds: asked.expires_seconds, networks };
    let (kept, issued) = issue(&app, &name, &vendor, &terms)?;
    let until = now.plus_seconds(i64::from(asked.grace_seconds));
    let ending = app.store.write(move |tx| {
        let ending = tx.rotate_tokens(&kept.workload, &kept.vendor, until)?;
        tx.insert_token(&kept)?;
        let detail = json!({
            "vendor": kept.vendor, "token": TokenId::of(&kept.hash), "ending": ending,
            "until": until,
        });
        by.audit(tx, kept.workload.as_str(), detail)?;
        Ok(ending)
    });
    let ending = ending.await?;
    app.refresh_gateway().await?;
    let answer = json!({ "token": issued, "ending": ending, "until": until });
    Ok((StatusCode::CREATED, Json(answer)))
}

pub async fn revoke_token(
    asking: Asking,
    State(app): State<App>,
    Path((name, token)): Path<(WorkloadName, TokenId)>,
) -> Answer<StatusCode> {
    let by = asking.may(&app, Act::Workload { workload: &name, operation: "revoke_token" })?;
    let revoked = app.store.write(move |tx| {
        let revoked = tx.revoke_token(&name, token)?;
        by.audit(tx, name.as_str(), json!({ "vendor": revoked.vendor, "token": token }))
    });
    revoked.await?;
    app.refresh_gateway().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Something in which a token of ours may stand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Find {
    found_at: FoundAt,
    /// A token, or any text that may hold one, such as a line of a log.
    text: Option<String>,
    /// The SHA-256 of a token, in hexadecimal, by whoever will not pass it on.
    sha256: Option<String>,
}

pub async fn report_token(
    by: Operator,
    State(app): State<App>,
    Json(find): Json<Find>,
) -> Answer<Json<Value>> {
    let marks = marks(&app, find.text.map(Secret::new), find.sha256.as_deref())?;
    let registry = app.gateway.registry();
    let mut keys: Vec<_> =
        marks.iter().filter_map(|mark| registry.marks.get(mark)).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    let (found_at, now) = (find.found_at, app.world.now());
    let facts = keys.iter().filter_map(|key| {
        let token = registry.tokens.get(key)?;
        let id = TokenId::of(key);
        Some(Fact {
            id: app.world.id(),
            at: now,
            seen_at: now,
            vendor: Some(token.vendor.clone()),
            external_id: None,
            source: format!("operator/{}", by.name),
            confidence: Confidence::Stated,
            author: Some(by.name.clone()),
            body: FactBody::TokenSeen {
                token: id,
                workload: token.workload.clone(),
                how: Sighting::Found,
                network: None,
                familiar: false,
                live: token.is_live(now),
                door: None,
                found_at: Some(found_at),
            },
        })
    });
    let facts: Vec<Fact> = facts.collect();
    let ids: Vec<TokenId> = keys.iter().map(TokenId::of).collect();
    let detail = json!({ "found_at": found_at, "tokens": ids });
    app.store.write(move |tx| by.audit(tx, "token", detail)).await?;
    let observed = observe::observe(&app, facts, "operator".to_owned()).await?;
    Ok(Json(json!({ "tokens": ids, "findings": observed.findings })))
}

fn marks(
    app: &App,
    text: Option<Secret<String>>,
    sha256: Option<&str>,
) -> Result<Vec<[u8; 32]>, ApiError> {
    let key = &app.keys.workload_token;
    match (text, sha256.map(crypto::from_hex)) {
        (Some(text), None) => {
            let pieces = gateway::pieces(text.expose());
            Ok(pieces.into_iter().map(|piece| gateway::mark_of(key, piece)).collect())
        }
        (None, Some(Some(digest))) => Ok(vec![gateway::mark_of_digest(key, &digest)]),
        _ => {
            let message = "give either `text`, or `sha256` with 64 hexadecimal digits";
            Err(ApiError::refused(StatusCode::UNPROCESSABLE_ENTITY, "body-mismatch", message))
        }
    }
}
