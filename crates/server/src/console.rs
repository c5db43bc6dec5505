//! The operators' console: read-only pages of incidents, of the gateway and of what opens what,
//! behind an operator's token.

mod access;
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
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use incident::Incident;
use maud::Markup;
use model::{IncidentId, Secret, limits};
use serde::Deserialize;

use crate::api::auth;
use crate::api::error::ApiError;
use crate::api::extract::Path;
use crate::api::tokens;
use crate::app::App;
use crate::{bursts, credentials, flows, respond};

/// The cookie that holds an operator's token in a browser.
pub const COOKIE: &str = "cordon_operator";

/// The console's pages.
pub fn router(app: &App) -> Router<App> {
    Router::new()
        .route("/console", get(home))
        .route("/console/access", get(access_page))
        .route("/console/incidents/{incident}", get(incident))
        .route("/console/gateway", get(traffic))
        .route_layer(from_fn_with_state(app.clone(), auth::check_console))
        .route("/console/login", get(login_page).post(login))
        .route("/console/logout", post(logout))
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

async fn access_page(State(app): State<App>) -> Result<Markup, ApiError> {
    let (vendors, tokens) = app
        .store
        .read(|tx| {
            let workloads = tx.workloads()?.into_iter();
            let tokens = workloads.map(|one| Ok((one.name.clone(), tx.tokens_of(&one.name)?)));
            Ok((tx.vendors()?, tokens.collect::<anyhow::Result<Vec<_>>>()?))
        })
        .await?;
    let mut shown = Vec::new();
    for vendor in vendors {
        let credential = credentials::shown(&app, &vendor.name).await?;
        shown.push((vendor.name, credential));
    }
    let tokens = tokens.into_iter().map(|(workload, tokens)| {
        let tokens = tokens.into_iter().map(|token| tokens::Shown::of(&app, token));
        (workload, tokens.collect())
    });
    Ok(access::access(&shown, &tokens.collect::<Vec<_>>()))
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
    headers: HeaderMap,
    form: Result<Form<Token>, FormRejection>,
) -> Result<Response, ApiError> {
    let Ok(Form(form)) = form else {
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page::login(true)).into_response());
    };
    let token = Secret::new(form.token.trim().to_owned());
    if !auth::may_view(&app, &token).await? {
        return Ok((StatusCode::UNAUTHORIZED, page::login(true)).into_response());
    }
    Ok(with_cookie("/console", &cookie(&app, &headers, token.expose(), "")))
}

/// Lets the browser forget the token. The token itself stays good.
async fn logout(State(app): State<App>, headers: HeaderMap) -> Response {
    with_cookie("/console/login", &cookie(&app, &headers, "", "; Max-Age=0"))
}

fn with_cookie(to: &str, cookie: &str) -> Response {
    let mut response = Redirect::to(to).into_response();
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// The cookie; sent over HTTPS alone where the console is reached by it: by what the configuration
/// says, or the proxy before it. Anybody may claim to be such a proxy, to their own loss.
fn cookie(app: &App, headers: &HeaderMap, token: &str, more: &str) -> String {
    let forwarded = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let public = app.config.public.console_url.as_deref();
    let secure = if forwarded || public.is_some_and(is_https) { "; Secure" } else { "" };
    format!("{COOKIE}={token}; Path=/console; HttpOnly; SameSite=Strict{secure}{more}")
}

fn is_https(url: &str) -> bool {
    url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}
