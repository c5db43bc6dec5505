//! Looks over a live set-up: what is right, what is wrong, and what could not be told.

use std::time::Duration;

use anyhow::Result;
use model::{Mode, Switch};
use serde::Serialize;

use crate::app::App;
use crate::credentials::{self, Shown};
use crate::notices;

/// How a check ended. «Could not tell» is never «right».
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should be.
    Right,
    /// Works, and deserves a look.
    Look,
    /// Not as it should be.
    Wrong,
    /// Could not be told.
    Unknown,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub struct Check {
    verdict: Verdict,
    what: String,
    detail: String,
}

fn check(verdict: Verdict, what: impl Into<String>, detail: impl Into<String>) -> Check {
    Check { verdict, what: what.into(), detail: detail.into() }
}

/// Every check, in the order in which an operator would make them.
///
/// # Errors
/// Faults of the store.
pub async fn examine(app: &App) -> Result<Vec<Check>> {
    let mut checks = vec![ledger(app), switches(app), policy(app), directory(app).await];
    checks.extend(doors(app).await?);
    checks.push(relay(app).await);
    checks.extend(audit(app).await);
    checks.extend(spool(app));
    checks.extend(vendors(app).await?);
    checks.extend(dkim(app));
    Ok(checks)
}

fn ledger(app: &App) -> Check {
    let status = app.ledger.status();
    match status.down {
        true => check(Verdict::Wrong, "ledger", "it cannot record, so nothing leaves"),
        false => check(Verdict::Right, "ledger", format!("{} people known", status.people)),
    }
}

fn switches(app: &App) -> Check {
    let freshness = app.gateway.freshness();
    let (age, limit) = (freshness.age.as_secs_f64(), freshness.limit.as_secs());
    match freshness.holds() {
        true => check(Verdict::Right, "kill switches", format!("confirmed within {limit} s")),
        false => check(
            Verdict::Wrong,
            "kill switches",
            format!("not confirmed for {age:.1} s, more than {limit} s: nothing leaves"),
        ),
    }
}

/// What waits in the gateway, and the door that mail comes in by.
fn spool(app: &App) -> Vec<Check> {
    let mut checks = Vec::new();
    if app.spool_damaged > 0 {
        let detail = format!("{} entries do not open: see the log", app.spool_damaged);
        checks.push(check(Verdict::Wrong, "spool", detail));
    }
    let registry = app.gateway.registry();
    let backlogs = registry.vendors.keys().map(|name| (name, app.gateway.backlog(name)));
    let waiting: Vec<_> =
        backlogs.filter(|(_, backlog)| backlog.calls + backlog.mails > 0).collect();
    for (name, backlog) in &waiting {
        let (calls, mails) = (backlog.calls, backlog.mails);
        let detail = format!("{calls} calls and {mails} mails wait for `{name}`");
        checks.push(check(Verdict::Look, "spool", detail));
    }
    if checks.is_empty() {
        checks.push(check(Verdict::Right, "spool", "nothing waits"));
    }
    let listens = app.addresses.submission.is_some() || app.addresses.submissions.is_some();
    if listens && app.config.submission.certificate.is_none() {
        let detail = "nobody vouches for its certificate: workloads must be told to trust it";
        checks.push(check(Verdict::Look, "submission door", detail));
    }
    checks
}

fn policy(app: &App) -> Check {
    let digest = app.gateway.registry().policy.digest();
    match app.own_policy.is_rejected() {
        true => {
            let detail = format!("what is set does not validate, so {digest} stays in force");
            check(Verdict::Wrong, "policy", detail)
        }
        false => check(Verdict::Right, "policy", format!("{digest} is in force")),
    }
}

async fn directory(app: &App) -> Check {
    let directory = app.directory.clone();
    let read = tokio::task::spawn_blocking(move || {
        directory.contacts().map(|contacts| {
            contacts.fold((0u64, 0u64), |(good, bad), row| match row {
                Ok(_) => (good + 1, bad),
                Err(_) => (good, bad + 1),
            })
        })
    });
    match read.await {
        Ok(Ok((good, 0))) => check(Verdict::Right, "directory", format!("{good} people")),
        Ok(Ok((good, bad))) => check(
            Verdict::Look,
            "directory",
            format!("{good} people, {bad} rows that cannot be read"),
        ),
        Ok(Err(error)) => check(Verdict::Wrong, "directory", error.to_string()),
        Err(_) => check(Verdict::Unknown, "directory", "reading it did not end"),
    }
}

async fn relay(app: &App) -> Check {
    const PATIENCE: Duration = Duration::from_secs(10);
    let relay = match notices::relay(app) {
        Ok(relay) => relay,
        Err(error) => return check(Verdict::Wrong, "relay", format!("{error:#}")),
    };
    match tokio::time::timeout(PATIENCE, mail::Session::open(&relay)).await {
        Ok(Ok(session)) => {
            session.quit().await;
            check(Verdict::Right, "relay", "it answers")
        }
        Ok(Err(error)) => check(Verdict::Wrong, "relay", error.to_string()),
        Err(_) => check(Verdict::Unknown, "relay", "it did not answer in time"),
    }
}

/// The doors for workloads.
async fn doors(app: &App) -> Result<Vec<Check>> {
    let (listen, tls) = (&app.config.listen, app.tls.as_ref());
    let trouble = tls.and_then(|tls| tls.trouble());
    let how = |door: &str, at: std::net::SocketAddr, risk: &str| match (tls, &trouble) {
        (_, Some(why)) => check(Verdict::Wrong, door, format!("changed files are not used: {why}")),
        (Some(_), None) => check(Verdict::Right, door, "TLS"),
        (None, None) if at.ip().is_loopback() => {
            check(Verdict::Right, door, "plain HTTP on loopback")
        }
        (None, None) => check(Verdict::Look, door, format!("plain HTTP on {at}: {risk}")),
    };
    let mut checks = vec![how("base-URL door", listen.gateway, "tokens and people in the clear")];
    match listen.connect {
        Some(at) => checks.push(how("CONNECT door", at, "hosts and proxy tokens in the clear")),
        None => checks.push(check(Verdict::Right, "CONNECT door", "closed: `listen.connect`")),
    }
    if listen.connect.is_some() {
        let now = app.world.now();
        let renewal = crate::authorities::renewal(now);
        for row in app.store.read(move |tx| tx.authorities(now)).await? {
            let what = format!("authority of {}", row.host);
            let until = format!("until {}", row.expires_at);
            checks.push(match row.expires_at > renewal {
                true => check(Verdict::Right, what, until),
                false => check(
                    Verdict::Look,
                    what,
                    format!("{until}: hand out its successor, `cordon gateway ca`"),
                ),
            });
        }
    }
    Ok(checks)
}

async fn audit(app: &App) -> Option<Check> {
    Some(match app.store.read(|tx| tx.verify_audit(1)).await {
        Ok(Ok(verified)) => {
            check(Verdict::Right, "audit log", format!("{} entries", verified.entries))
        }
        Ok(Err(broken)) => {
            check(Verdict::Wrong, "audit log", format!("broken at {}: {}", broken.seq, broken.why))
        }
        Err(_) => check(Verdict::Unknown, "audit log", "it could not be read"),
    })
}

async fn vendors(app: &App) -> Result<Vec<Check>> {
    let vendors = app
        .store
        .read(|tx| {
            let mut all = Vec::new();
            for vendor in tx.vendors()? {
                let secrets = tx.vendor_secrets(&vendor.name)?;
                all.push((vendor, secrets.webhook.is_some()));
            }
            Ok(all)
        })
        .await?;
    let mut checks = Vec::new();
    for (vendor, webhook) in vendors {
        let what = format!("vendor {}", vendor.name);
        let shown = credentials::shown(app, &vendor.name).await?;
        let credential = shown.state == "ready";
        checks.extend(credential_of(&what, &shown));
        if !webhook {
            checks.push(check(Verdict::Look, &what, "no webhook key: its events are not believed"));
        }
        if vendor.mode != Mode::Enforce {
            let detail = format!("mode `{}`: what policy forbids leaves all the same", vendor.mode);
            checks.push(check(Verdict::Look, &what, detail));
        }
        if vendor.retention_days.is_none() {
            checks.push(check(Verdict::Look, &what, "retention unknown: counts as held for ever"));
        }
        match vendor.switch {
            Switch::Open if credential => checks.push(check(Verdict::Right, &what, "open")),
            Switch::Open => {}
            cut => checks.push(check(Verdict::Look, &what, format!("cut off: `{cut}`"))),
        }
    }
    Ok(checks)
}

/// What is wrong with a vendor's credential, if something is.
fn credential_of(what: &str, shown: &Shown) -> Option<Check> {
    let why = shown.failure.map(|code| format!("; `{}` says `{code}`", shown.source));
    let why = why.unwrap_or_default();
    match (shown.state, shown.failure) {
        ("ready", None) => None,
        ("ready", Some(_)) => {
            let until = shown.stale_at.map(|until| format!(" until {until}")).unwrap_or_default();
            let detail = format!("its credential is not confirmed, and is used{until}{why}");
            Some(check(Verdict::Look, what, detail))
        }
        (state, _) => {
            let detail = format!("credential {state}: nothing is sent to it{why}");
            Some(check(Verdict::Wrong, what, detail))
        }
    }
}

/// The records that must stand in DNS for notices to be believed; not looked up from here.
fn dkim(app: &App) -> Vec<Check> {
    let records = app.keys.dkim.dns_records();
    let shown = records.into_iter().map(|(name, value)| {
        check(Verdict::Look, format!("DNS {name}"), format!("must be a TXT record: {value}"))
    });
    shown.collect()
}
