//! The public pages, on an address of their own, and vendors' webhooks beside them. No log-in, no
//! cookie, no script; says to nobody who was told or who is known.

mod caller;
pub mod feeds;
pub mod pages;
mod well_known;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use axum::Router;
use axum::extract::multipart::MultipartRejection;
use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Form, Multipart, OriginalUri, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::Markup;
use model::{Coded as _, Email, IncidentId, Timestamp, VendorName, limits};
use serde::Deserialize;

use self::caller::Caller;
use self::feeds::Feed;
use self::pages::{Asked, Bulletin, Checked, Frame};
use crate::api::error::ApiError;
use crate::api::extract::Upload;
use crate::app::App;
use crate::intake::{self, Hook, HookRefused};
use crate::{inquiries, notices};

/// Every public route.
pub fn router(app: &App) -> Router {
    let form = DefaultBodyLimit::max(16 * 1024);
    Router::new()
        .route("/", get(home))
        .route("/incidents/{incident}", get(incident))
        .route("/check", get(check_page).post(check_code).layer(form))
        .route("/affected", get(affected_page).post(ask_affected).layer(form))
        .route(
            "/report",
            get(report_page)
                .post(report_mail)
                .layer(DefaultBodyLimit::max(limits::REPORTED_MAIL_BYTES + 64 * 1024)),
        )
        .route("/protect", get(protect))
        .route("/feed.atom", get(atom))
        .route("/feed.rss", get(rss))
        .route("/feed.json", get(json_feed))
        .route("/robots.txt", get(async || well_known::ROBOTS))
        .route("/.well-known/security.txt", get(security_txt))
        .route("/assets/cordon.css", get(crate::http::style))
        .route("/assets/icon.svg", get(crate::http::icon))
        .route("/hooks/{vendor}", post(webhook))
        .fallback(not_found)
        .layer(axum::middleware::from_fn(crate::http::strict))
        .with_state(app.clone())
}

fn frame<'a>(app: &'a App, path: &'a str) -> Frame<'a> {
    Frame { company: &app.config.company, path }
}

async fn bulletins(app: &App) -> Result<Vec<Bulletin>, ApiError> {
    Ok(mark(app.store.read(|tx| tx.bulletins(limits::PAGE_ROWS)).await?))
}

/// Newest first; each version that has a newer one is marked so.
fn mark(rows: Vec<store::Bulletin>) -> Vec<Bulletin> {
    let newest = rows.iter().fold(HashMap::new(), |mut newest, row| {
        let known: &mut u32 = newest.entry((row.incident, row.number)).or_default();
        *known = row.version.max(*known);
        newest
    });
    rows.into_iter()
        .map(|row| Bulletin {
            superseded: newest.get(&(row.incident, row.number)) != Some(&row.version),
            incident: row.incident.to_string(),
            number: row.number,
            version: row.version,
            title: row.title,
            text: row.text,
            published_at: row.published_at,
        })
        .collect()
}

async fn home(State(app): State<App>) -> Result<Markup, ApiError> {
    Ok(pages::home(&frame(&app, "/"), &bulletins(&app).await?))
}

async fn incident(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Markup), ApiError> {
    let rows = match IncidentId::parse(&id) {
        Ok(id) => mark(app.store.read(move |tx| tx.bulletins_of(id)).await?),
        Err(_) => Vec::new(),
    };
    let frame = frame(&app, "/");
    if rows.is_empty() {
        return Ok((StatusCode::NOT_FOUND, pages::not_found(&frame)));
    }
    Ok((StatusCode::OK, pages::incident(&frame, &rows)))
}

async fn check_page(State(app): State<App>) -> Markup {
    pages::check(&frame(&app, "/check"), Checked::NotAsked)
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

async fn check_code(
    State(app): State<App>,
    Caller(caller): Caller,
    form: Result<Form<Code>, FormRejection>,
) -> Result<(StatusCode, Markup), ApiError> {
    let (status, checked) = if !app.portal_rate.allows(caller, app.world.now()) {
        (StatusCode::TOO_MANY_REQUESTS, Checked::TooMany)
    } else if let Ok(Form(form)) = form {
        let genuine = notices::is_genuine(&app, form.code).await?;
        (StatusCode::OK, if genuine { Checked::Genuine } else { Checked::Unknown })
    } else {
        (StatusCode::UNPROCESSABLE_ENTITY, Checked::NotAsked)
    };
    Ok((status, pages::check(&frame(&app, "/check"), checked)))
}

async fn affected_page(State(app): State<App>) -> Markup {
    pages::affected(&frame(&app, "/affected"), Asked::NotYet)
}

#[derive(Deserialize)]
struct Address {
    email: String,
}

/// The same page at the same speed whoever asks: whether an address is known is looked up later,
/// by a worker, and answered to that address.
async fn ask_affected(
    State(app): State<App>,
    Caller(caller): Caller,
    form: Result<Form<Address>, FormRejection>,
) -> Result<(StatusCode, Markup), ApiError> {
    let (status, asked) = if !app.portal_rate.allows(caller, app.world.now()) {
        (StatusCode::TOO_MANY_REQUESTS, Asked::TooMany)
    } else if let Ok(Form(form)) = form {
        let address = Email::parse(&form.email).map(|email| email.to_string()).unwrap_or_default();
        inquiries::ask(&app, &address).await?;
        (StatusCode::OK, Asked::Taken)
    } else {
        (StatusCode::UNPROCESSABLE_ENTITY, Asked::NotYet)
    };
    Ok((status, pages::affected(&frame(&app, "/affected"), asked)))
}

async fn report_page(State(app): State<App>) -> Markup {
    pages::report(&frame(&app, "/report"), None)
}

async fn report_mail(
    State(app): State<App>,
    Caller(caller): Caller,
    form: Result<Multipart, MultipartRejection>,
) -> (StatusCode, Markup) {
    let (status, received) = if app.portal_rate.allows(caller, app.world.now()) {
        let received = match form {
            Ok(mut form) => take_mail(&app, &mut form).await,
            Err(_) => Err(NO_FILE),
        };
        (if received.is_ok() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }, received)
    } else {
        (
            StatusCode::TOO_MANY_REQUESTS,
            Err("Too many at once. Please wait a minute and try again."),
        )
    };
    (status, pages::report(&frame(&app, "/report"), Some(received)))
}

const NO_FILE: &str = "Please choose the message as an .eml file of at most 5 MB.";

async fn take_mail(app: &App, form: &mut Multipart) -> Result<(), &'static str> {
    let field = form.next_field().await.map_err(|_| NO_FILE)?.ok_or(NO_FILE)?;
    let raw = field.bytes().await.map_err(|_| NO_FILE)?;
    match intake::reported_mail(app, &raw, "portal").await {
        Ok(_) => Ok(()),
        Err(error) if error.is::<mail::Unreadable>() => {
            Err("That file is not a mail message. Save the whole message as an .eml file.")
        }
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "a reported mail was not taken");
            Err("Something broke on our side. Please try again later.")
        }
    }
}

async fn protect(State(app): State<App>) -> Markup {
    pages::protect(&frame(&app, "/protect"))
}

async fn not_found(State(app): State<App>) -> (StatusCode, Markup) {
    (StatusCode::NOT_FOUND, pages::not_found(&frame(&app, "")))
}

async fn security_txt(State(app): State<App>) -> String {
    let contact = &app.config.company.privacy_contact;
    well_known::security_txt(contact, app.portal_url(), app.world.now())
}

async fn feed(app: &App, kind: &'static str, write: impl Fn(&Feed<'_>) -> String) -> Response {
    match bulletins(app).await {
        Ok(bulletins) => {
            let feed = Feed {
                company: &app.config.company,
                base: app.portal_url(),
                bulletins: &bulletins,
            };
            ([(header::CONTENT_TYPE, kind)], write(&feed)).into_response()
        }
        Err(error) => error.into_response(),
    }
}

async fn atom(State(app): State<App>) -> Response {
    feed(&app, "application/atom+xml; charset=utf-8", |feed| feed.atom()).await
}

async fn rss(State(app): State<App>) -> Response {
    feed(&app, "application/rss+xml; charset=utf-8", |feed| feed.rss()).await
}

async fn json_feed(State(app): State<App>) -> Response {
    feed(&app, "application/feed+json", |feed| feed.json().to_string()).await
}

/// A vendor's webhook. A vendor tries again on 5xx; what is refused it need not send again.
async fn webhook(
    State(app): State<App>,
    Path(vendor): Path<String>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Result<Upload<{ limits::WEBHOOK_BODY_BYTES }>, ApiError>,
) -> Response {
    let Upload(body) = match body {
        Ok(body) => body,
        Err(refused) => return refused.into_response(),
    };
    let Ok(vendor) = VendorName::parse(&vendor) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let path = uri.path_and_query().map_or(uri.path(), |path| path.as_str());
    let hook = Hook { vendor, path, header: &header, body: &body };
    match intake::webhook(&app, hook).await {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(HookRefused::Unexpected) => StatusCode::NOT_FOUND.into_response(),
        Err(HookRefused::Webhook(refused)) => {
            tracing::warn!(error.code = refused.code(), "a webhook was refused");
            ApiError::refused(StatusCode::FORBIDDEN, refused.code(), refused.to_string())
                .into_response()
        }
        Err(HookRefused::Fault(error)) => ApiError::from(error).into_response(),
    }
}

/// How often each address may use the forms, in a window of one minute.
#[derive(Default)]
pub struct Rate(Mutex<HashMap<IpAddr, (Timestamp, u32)>>);

impl Rate {
    /// More addresses than this in one minute are a flood: the oldest are forgotten.
    const ADDRESSES: usize = 100_000;

    /// Counts a request and says whether it may go on.
    pub fn allows(&self, peer: IpAddr, now: Timestamp) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= Self::ADDRESSES {
            seen.retain(|_, (since, _)| now.seconds_since(*since) < 60.0);
        }
        if seen.len() >= Self::ADDRESSES {
            seen.clear();
        }
        let (since, count) = seen.entry(peer).or_insert((now, 0));
        if now.seconds_since(*since) >= 60.0 {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count <= limits::PORTAL_REQUESTS_PER_MINUTE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_asks_too_often_waits_for_a_minute() {
        let rate = Rate::default();
        let (peer, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let start = Timestamp::from_seconds(1_000);
        for _ in 0..limits::PORTAL_REQUESTS_PER_MINUTE {
            assert!(rate.allows(peer, start));
        }
        assert!(!rate.allows(peer, start) && rate.allows(other, start));
        assert!(rate.allows(peer, start.plus_seconds(60)));
    }
}
