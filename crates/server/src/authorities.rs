//! Private authorities of vendors' hosts: one for each host to which tunnels may be opened, made
//! when the host first occurs, and again before it ends.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use gateway::{Authority, KeptAuthority, Registry, VendorEntry};
use model::{Timestamp, limits};
use serde_json::json;
use store::{AuthorityRow, Sealed, Tx};

use crate::app::App;

/// The authorities that are kept for hosts at which this registry has a vendor. Those that the
/// gateway has already stay the same, with their leaves.
///
/// # Errors
/// Faults of the store, or a key that does not open.
pub fn opened(app: &App, tx: &Tx<'_>, registry: &Registry) -> Result<Authorities> {
    let hosts = hosts(registry);
    let present = app.gateway.registry();
    let mut opened = Authorities::new();
    for row in tx.authorities(app.world.now())? {
        if !hosts.contains(&row.host) {
            continue;
        }
        let mut known = present.authorities.get(&row.host).into_iter().flatten();
        let authority = match known.find(|one| one.fingerprint() == row.fingerprint) {
            Some(known) => known.clone(),
            None => Arc::new(open(app, &row)?),
        };
        opened.entry(row.host).or_default().push(authority);
    }
    Ok(opened)
}

/// Authorities by host.
type Authorities = HashMap<String, Vec<Arc<Authority>>>;

fn hosts(registry: &Registry) -> BTreeSet<String> {
    registry.vendors.values().flat_map(VendorEntry::hosts).collect()
}

fn open(app: &App, row: &AuthorityRow) -> Result<Authority> {
    let key = app.unseal(&label(&row.host), &row.issuing_key.0)?;
    Authority::open(&KeptAuthority {
        host: row.host.clone(),
        root: row.root.clone(),
        issuing: row.issuing.clone(),
        key,
        fingerprint: row.fingerprint.clone(),
        expires_at: row.expires_at,
    })
}

/// Makes an authority for each of the gateway's hosts that has none, or one that ends soon; whether
/// there was any.
///
/// # Errors
/// Faults of the store.
pub async fn issue_missing(app: &App) -> Result<bool> {
    let now = app.world.now();
    let enough = renewal(now);
    let mut missing = hosts(&app.gateway.registry());
    let rows = app.store.read(move |tx| tx.authorities(now)).await?;
    for row in rows.iter().filter(|row| row.expires_at > enough) {
        missing.remove(&row.host);
    }
    if missing.is_empty() {
        return Ok(false);
    }
    let made = missing.iter().map(|host| issue(app, host)).collect::<Result<Vec<_>>>()?;
    app.store
        .write(move |tx| {
            for row in &made {
                if tx.insert_authority(row, enough)? {
                    let detail = json!({ "fingerprint": row.fingerprint });
                    tx.audit("system", "authority.issued", &row.host, &detail)?;
                }
            }
            Ok(())
        })
        .await?;
    Ok(true)
}

fn issue(app: &App, host: &str) -> Result<AuthorityRow> {
    let made = KeptAuthority::issue(host, &app.world)?;
    let sealed = app.seal(&label(host), made.key.expose().as_bytes());
    Ok(AuthorityRow {
        fingerprint: made.fingerprint,
        host: made.host,
        root: made.root,
        issuing: made.issuing,
        issuing_key: Sealed(sealed),
        expires_at: made.expires_at,
    })
}

/// An authority that ends before this gets a successor.
pub fn renewal(now: Timestamp) -> Timestamp {
    const DAY_SECONDS: i64 = 24 * 60 * 60;
    now.plus_seconds(limits::AUTHORITY_RENEWAL_DAYS * DAY_SECONDS)
}

/// What a host's issuing key is sealed for.
fn label(host: &str) -> String {
    format!("authority/{host}")
}

/// Looks every day for authorities that end soon.
pub async fn keep(app: App) {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let mut stopping = std::pin::pin!(app.tasks.stopping());
    loop {
        tokio::select! {
            () = &mut stopping => return,
            () = tokio::time::sleep(DAY) => {}
        }
        if let Err(why) = app.refresh_gateway().await {
            tracing::error!(why = format!("{why:#}"), "the gateway's authorities were not renewed");
        }
    }
}
