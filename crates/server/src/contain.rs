//! Runs one containment step at a vendor, call by call through the gateway's way out, and keeps
//! the evidence.

use anyhow::{Context as _, Result};
use connectors::routine::{Next, RoutineInput, StepOutcome};
use incident::Command;
use model::{Action, IncidentId, Secret, VendorName, crypto};
use serde_json::json;
use store::Evidence;

use crate::app::{App, credential_label};
use crate::respond;

/// More calls than this in one step is a vendor that never ends its pages.
const CALLS_PER_STEP: usize = 10_000;

/// Runs the step and reports how it ended, a fault included.
pub async fn run(app: App, id: IncidentId, action: Action) {
    let outcome = match execute(&app, id, action).await {
        Ok(outcome) => outcome,
        Err(error) => {
            tracing::error!(incident.id = %id, step = %action, error = format!("{error:#}"), "a step failed");
            StepOutcome {
                ok: false,
                verified: false,
                detail: vec!["something broke here while the step ran; the log says what".into()],
                evidence: Vec::new(),
            }
        }
    };
    let done = Command::StepDone { action, outcome };
    if let Err(error) = respond::report(&app, id, done, |_| Ok(())).await {
        tracing::error!(incident.id = %id, step = %action, error = format!("{error:#}"), "a step's end was not recorded");
    }
}

async fn execute(app: &App, id: IncidentId, action: Action) -> Result<StepOutcome> {
    let incident = respond::load(app, id).await?;
    let vendor = app.vendor(&incident.vendor).await?;
    let connector = app.connector(&vendor)?;
    let (held, revoked) = credentials(app, &vendor.name).await?;
    let credential =
        held.or_else(|| revoked.clone()).context("there is no credential for this vendor")?;
    let mut routine = connector
        .routine(action, RoutineInput { credential })
        .with_context(|| format!("`{}` has no routine for `{action}`", connector.name()))?;
    let mut reply = None;
    for _ in 0..CALLS_PER_STEP {
        match routine.next(reply.as_ref()) {
            Next::Call(call) => {
                tracing::info!(incident.id = %id, step = %action, call = call.why, "calling the vendor");
                reply = Some(app.gateway.call_vendor(&vendor.name, &call, revoked.as_ref()).await);
            }
            Next::Done(outcome) => {
                keep_evidence(app, id, action, &outcome).await?;
                if action == Action::DeleteApiKeys && outcome.ok {
                    revoke(app, &vendor.name).await?;
                }
                return Ok(outcome);
            }
        }
    }
    anyhow::bail!("the step did not end within {CALLS_PER_STEP} calls")
}

/// The credential that Cordon holds, and the one that was taken away.
async fn credentials(
    app: &App,
    vendor: &VendorName,
) -> Result<(Option<Secret<String>>, Option<Secret<String>>)> {
    let name = vendor.clone();
    let secrets = app.store.read(move |tx| tx.vendor_secrets(&name)).await?;
    let open = |sealed: Option<store::Sealed>| {
        sealed.map(|sealed| app.unseal(&credential_label(vendor), &sealed.0)).transpose()
    };
    let held = match app.credentials.secret(vendor) {
        Some(from_source) => from_source,
        None => open(secrets.credential)?,
    };
    Ok((held, open(secrets.revoked)?))
}

/// The key no longer works at the vendor: it is kept only to prove that.
async fn revoke(app: &App, vendor: &VendorName) -> Result<()> {
    let name = vendor.clone();
    let from_source = app.credentials.secret(vendor).flatten();
    app.credentials.revoke(vendor);
    let sealed =
        from_source.map(|secret| app.seal(&credential_label(vendor), secret.expose().as_bytes()));
    app.store
        .write(move |tx| {
            if let Some(sealed) = sealed {
                tx.replace_credential(&name, &sealed)?;
            }
            tx.revoke_credential(&name)?;
            tx.audit("system", "vendor.credential-revoked", name.as_str(), &json!({}))
        })
        .await?;
    app.refresh_gateway().await
}

async fn keep_evidence(
    app: &App,
    id: IncidentId,
    action: Action,
    outcome: &StepOutcome,
) -> Result<()> {
    for (name, bytes) in &outcome.evidence {
        keep(app, id, name, bytes, &format!("step/{action}")).await?;
    }
    Ok(())
}

/// Keeps evidence: sealed, with the digest of what it was.
///
/// # Errors
/// Faults of the store.
pub async fn keep(app: &App, id: IncidentId, name: &str, bytes: &[u8], by: &str) -> Result<()> {
    let evidence = Evidence {
        id: app.world.id(),
        incident: Some(id),
        name: name.to_owned(),
        sha256: crypto::sha256(bytes),
        size: bytes.len() as u64,
        taken_by: by.to_owned(),
        taken_at: app.world.now(),
    };
    let sealed = app.seal(&evidence_label(&evidence), bytes);
    app.store
        .write(move |tx| {
            tx.insert_evidence(&evidence, &sealed)?;
            let detail =
                json!({ "name": evidence.name, "sha256": crypto::to_hex(&evidence.sha256) });
            tx.audit(&evidence.taken_by, "evidence.kept", &id.to_string(), &detail)
        })
        .await
}

/// What a piece of evidence is sealed for.
pub fn evidence_label(evidence: &Evidence) -> String {
    format!("evidence/{}", evidence.id)
}
