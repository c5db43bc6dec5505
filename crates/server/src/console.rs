//! The operators' console: one read-only page per incident, and one of the gateway, behind an
//! operator's token.

mod chart;
mod clocks;
mod exposure;
mod gateway;
mod page;
mod response;
mod words;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use incident::Incident;
use maud::Markup;
use model::{IncidentId, Secret, limits};
use serde::Deserialize;

use crate::api::auth;
use crate::api::error::ApiError;
use crate::api::extract::Path;
use crate::app::App;
use crate::{bursts, flows, respond};

/// The cookie that holds an operator's token in a browser.
pub const COOKIE: &str = "cordon_operator";

/// The console's pages.
pub fn router(app: &App) -> Router<App> {
    Router::new()
        .route("/console", get(home))
        .route("/console/incidents/{incident}", get(incident))
        .route("/console/gateway", get(traffic))
        .route_layer(from_fn_with_state(app.clone(), auth::check_console))
        .route("/console/login", get(login_page).post(login))
        .route("/assets/cordon.css", get(crate::http::style))
        .route("/assets/icon.svg", get(crate::http::icon))
}

async fn home(State(app): State<App>) -> Result<Markup, ApiError> {
    let rows = app.store.read(|tx| tx.incidents(limits::PAGE_ROWS)).await?;
    let incidents =
        rows.iter().map(|row| row.document.read()).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(page::home(&incidents))
}

async fn traffic(State(app): State<App>) -> Result<Markup, ApiError> {
    let shown = gateway::Shown {
        freshness: app.gateway.freshness(),
        rows: flows::all(&app),
        bursts: bursts::listed(&app).await?,
        now: app.world.now(),
    };
    Ok(gateway::gateway(&shown))
}

async fn incident(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Markup), ApiError> {
    let Some(incident) = find(&app, &id).await? else {
        return Ok((StatusCode::NOT_FOUND, page::not_found()));
    };
    let (id, vendor) = (incident.id, app.vendor(&incident.vendor).await?);
    let (notices, evidence) = app
        .store
        .read(move |tx| {
            let notices = tx.notices_of(id)?.into_iter();
            let notices = notices.map(|notice| Ok((tx.delivery_totals(notice.id)?, notice)));
            Ok((notices.collect::<anyhow::Result<_>>()?, tx.evidence_of(id)?.len()))
        })
        .await?;
    let shown = page::Shown {
        clocks: incident.clocks(&app.config.company.profile()),
        contract: incident::contract_clock(
            &vendor.contract,
            incident.vendor_aware_at,
            incident.vendor_told_at,
        ),
        incident,
        notices,
        evidence,
        now: app.world.now(),
    };
    Ok((StatusCode::OK, page::incident(&shown)))
}

async fn find(app: &App, id: &str) -> anyhow::Result<Option<Incident>> {
    let Ok(id) = IncidentId::parse(id) else { return Ok(None) };
    match respond::load(app, id).await {
        Err(error) if matches!(error.downcast_ref(), Some(store::Refused::NotFound { .. })) => {
            Ok(None)
        }
        found => found.map(Some),
    }
}

async fn login_page() -> Markup {
    page::login(false)
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

/// Takes a token and, if it is an operator's, keeps it in a cookie that scripts cannot read.
async fn login(
    State(app): State<App>,
    form: Result<Form<Token>, FormRejection>,
) -> Result<Response, ApiError> {
    let Ok(Form(form)) = form else {
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page::login(true)).into_response());
    };
    let token = Secret::new(form.token.trim().to_owned());
    if !auth::may_view(&app, &token).await? {
        return Ok((StatusCode::UNAUTHORIZED, page::login(true)).into_response());
    }
    let cookie = format!("{COOKIE}={}; Path=/console; HttpOnly; SameSite=Strict", token.expose());
    let mut response = Redirect::to("/console").into_response();
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    Ok(response)
}
