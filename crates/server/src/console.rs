//! The operators' console: one read-only page per incident, behind an operator's token.

mod chart;
mod page;

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use maud::Markup;
use model::{IncidentId, Secret, limits};
use serde::Deserialize;

use crate::api::auth;
use crate::api::error::ApiError;
use crate::api::incidents::clocks;
use crate::app::App;
use crate::respond;

/// The cookie that holds an operator's token in a browser.
pub const COOKIE: &str = "cordon_operator";

/// The console's pages.
pub fn router(app: &App) -> Router<App> {
    Router::new()
        .route("/console", get(home))
        .route("/console/incidents/{incident}", get(incident))
        .route_layer(from_fn_with_state(app.clone(), auth::check_console))
        .route("/console/login", get(login_page).post(login))
        .route("/assets/cordon.css", get(crate::http::style))
}

async fn home(State(app): State<App>) -> Result<Markup, ApiError> {
    let rows = app.store.read(|tx| tx.incidents(limits::PAGE_ROWS)).await?;
    let incidents = rows.iter().map(|row| row.document.read()).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(page::home(&incidents))
}

async fn incident(
    State(app): State<App>,
    Path(id): Path<IncidentId>,
) -> Result<Markup, ApiError> {
    let incident = respond::load(&app, id).await?;
    let clocks = clocks(&app, &incident).await?;
    let notices = app
        .store
        .read(move |tx| {
            let notices = tx.notices_of(id)?.into_iter();
            notices.map(|notice| Ok((tx.delivery_totals(notice.id)?, notice))).collect()
        })
        .await?;
    let evidence = app.store.read(move |tx| tx.evidence_of(id)).await?.len();
    let shown = page::Shown { incident, clocks, notices, evidence, now: app.world.now() };
    Ok(page::incident(&shown))
}

async fn login_page() -> Markup {
    page::login(false)
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

/// Takes a token and, if it is an operator's, keeps it in a cookie that scripts cannot read.
async fn login(State(app): State<App>, Form(form): Form<Token>) -> Result<Response, ApiError> {
    let token = Secret::new(form.token.trim().to_owned());
    if !auth::is_token(&app, &token).await? {
        return Ok((StatusCode::UNAUTHORIZED, page::login(true)).into_response());
    }
    let cookie = format!("{COOKIE}={}; Path=/console; HttpOnly; SameSite=Strict", token.expose());
    let mut response = Redirect::to("/console").into_response();
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    Ok(response)
}
