//! What the responders do, all of it through the API: two operators, one of whom approves what the
//! other wrote.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use model::{Reach, VendorName, Window};
use serde_json::{Value, json};

use super::progress::Progress;
use super::stage::{Stage, text};

/// How long something may take before the drill calls it stuck.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// How often the program is asked how far it is.
const LOOK: Duration = Duration::from_millis(100);

/// What is remembered of the response.
#[derive(Debug)]
pub struct Responded {
    /// The incident, as it stood at the end.
    pub incident: Value,
    /// The notice, as it stood at the end.
    pub notice: Value,
    /// Every recipient's row.
    pub deliveries: String,
    /// The window and the reach that were set.
    pub window: Window,
    /// What could be reached.
    pub reach: Reach,
}

/// The open incident of a vendor, waiting for it to be declared.
///
/// # Errors
/// When none is declared in time.
pub async fn incident_of(stage: &Stage, vendor: &VendorName) -> Result<String> {
    let declared = until(|| async {
        let all = stage.program.client.get("/api/v1/incidents").await?;
        let empty = Vec::new();
        let mut incidents = all["incidents"].as_array().unwrap_or(&empty).iter();
        let found = incidents.find(|one| one["vendor"] == vendor.as_str());
        Ok(found.and_then(|one| one["id"].as_str()).map(str::to_owned))
    });
    declared.await.context("waiting for an incident to be declared")
}

/// Contains, scopes, publishes and tells.
pub async fn respond(stage: &Stage, progress: &mut Progress) -> Result<Responded> {
    let vendor = &stage.scenario.response.vendor;
    let id = incident_of(stage, vendor).await?;
    progress.begin("containing");
    contained(stage, &id).await?;
    by_hand(stage, &id).await?;
    progress.begin("scoping");
    let (window, reach) = scope(stage, &id).await?;
    progress.begin("publishing");
    publish(stage, &id).await?;
    let notice = draft(stage, &id).await?;
    let approve = json!({ "command": "approve-notice", "notice": notice });
    stage.second.post(&format!("/api/v1/incidents/{id}/commands"), &approve).await?;
    told(stage, &notice, progress).await?;
    Ok(Responded {
        incident: incident(stage, &id).await?,
        notice: stage.program.client.get(&format!("/api/v1/notices/{notice}")).await?,
        deliveries: rows(stage, &notice).await?,
        window,
        reach,
    })
}

async fn incident(stage: &Stage, id: &str) -> Result<Value> {
    Ok(stage.program.client.get(&format!("/api/v1/incidents/{id}")).await?)
}

async fn rows(stage: &Stage, notice: &str) -> Result<String> {
    let path = format!("/api/v1/notices/{notice}/deliveries.csv");
    let csv = stage.program.client.download(&path).await?;
    String::from_utf8(csv.to_vec()).context("rows are text")
}

/// Waits until every step that runs by itself has ended.
async fn contained(stage: &Stage, id: &str) -> Result<()> {
    let ended = until(|| async {
        let incident = incident(stage, id).await?;
        let empty = Vec::new();
        let under_way = incident["plan"].as_array().unwrap_or(&empty).iter().any(|step| {
            let waits = step["mode"] == "automatic" && step["state"]["is"] == "planned";
            waits || step["state"]["is"] == "running"
        });
        Ok((!under_way).then_some(()))
    });
    ended.await.context("waiting for the containment to end")
}

/// Does by hand what the vendor offers no call for and what keeps it from being contained.
async fn by_hand(stage: &Stage, id: &str) -> Result<()> {
    let confirm = json!({
        "command": "confirm-manual", "action": "close-sessions",
        "proof": "the vendor's list of users and sessions, looked at by two operators: ours alone",
    });
    stage.program.client.post(&format!("/api/v1/incidents/{id}/commands"), &confirm).await?;
    Ok(())
}

/// Sets what is established, and waits for the ledger's answer.
async fn scope(stage: &Stage, id: &str) -> Result<(Window, Reach)> {
    let (set, start) = (&stage.scenario.response, stage.start);
    let setup = &stage.vendor(&set.vendor)?.setup;
    let window =
        Window { from: set.from.map(|at| at.after(start)), to: set.to.map(|at| at.after(start)) };
    let lists =
        set.lists.as_ref().map(|names| names.iter().filter_map(|name| setup.list(name)).collect());
    let reach = Reach { lists, operations: None, fields: set.fields };
    let body = json!({ "window": window, "reach": reach, "reason": "what is established so far" });
    stage.program.client.post(&format!("/api/v1/incidents/{id}/scopes"), &body).await?;
    let answered = until(|| async {
        let incident = incident(stage, id).await?;
        let waits = !incident["asked"].is_null() || incident["scopes"][0].is_null();
        Ok((!waits).then_some(()))
    });
    answered.await.context("waiting for the scope")?;
    Ok((window, reach))
}

/// One operator writes the bulletin, the other publishes it.
async fn publish(stage: &Stage, id: &str) -> Result<()> {
    let company = &stage.scenario.company.name;
    let body = format!(
        "A company that works for {company} had a security incident. We have cut it off from our \
         systems.\n\nEverybody whose data was exposed gets a mail from us that says what it was. That \
         mail has no links and carries a code that you can check on this site.\n\nOur own systems are \
         not concerned. Passwords and payment data were never given to that company."
    );
    let texts =
        json!([{ "language": "en", "title": "Security incident at a provider", "body": body }]);
    let draft = json!({ "command": "draft-bulletin", "bulletin": null, "texts": texts });
    let path = format!("/api/v1/incidents/{id}/commands");
    stage.program.client.post(&path, &draft).await?;
    let approve = json!({ "command": "approve-bulletin", "bulletin": 1, "version": 1 });
    stage.second.post(&path, &approve).await?;
    Ok(())
}

async fn draft(stage: &Stage, id: &str) -> Result<String> {
    let body = json!({
        "what_happened": {
            "en": "Somebody got unauthorised access to a system of a company that sends mail for us.",
            "de": "Unbefugte hatten Zugang zu einem System eines Unternehmens, das für uns Mails versendet.",
            "pt-BR": "Alguém teve acesso não autorizado a um sistema de uma empresa que envia e-mails por nós.",
        },
        "measures": {
            "en": "We have cut that company off from our systems and made its keys invalid.",
            "de": "Wir haben dieses Unternehmen von unseren Systemen getrennt und seine Schlüssel ungültig gemacht.",
            "pt-BR": "Desligamos essa empresa dos nossos sistemas e invalidamos as chaves dela.",
        },
    });
    let path = format!("/api/v1/incidents/{id}/notices");
    text(&stage.program.client.post(&path, &body).await?, "notice")
}

/// Waits until every recipient's row has ended.
async fn told(stage: &Stage, notice: &str, progress: &mut Progress) -> Result<()> {
    let path = format!("/api/v1/notices/{notice}");
    let mut counting = false;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while tokio::time::Instant::now() < deadline {
        let shown = stage.program.client.get(&path).await?;
        let count = |name: &str| shown["totals"][name].as_u64().unwrap_or(0);
        if !counting && count("audience") > 0 {
            progress.count("telling people", count("audience"));
            counting = true;
        }
        progress.at(count("audience") - count("pending"));
        if shown["state"] == "done" {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    bail!("people were not told in time")
}

/// Asks until there is an answer.
async fn until<T, F: Future<Output = Result<Option<T>>>>(ask: impl Fn() -> F) -> Result<T> {
    let asking = async {
        loop {
            if let Some(found) = ask().await? {
                return Ok(found);
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.context("nothing came in time")?
}
