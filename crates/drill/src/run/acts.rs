//! The acts, each at its time: what the intruder does, and what others say.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use mail::Letter;
use model::{Email, Timestamp};
use serde_json::{Value, json};

use super::portal::Portal;
use super::progress::Progress;
use super::response::incident_of;
use super::stage::{Stage, Vendor};
use crate::sandbox::Fraud;
use crate::scenario::{Act, Kind, Means};

/// What is remembered of the acts.
#[derive(Debug, Default)]
pub struct Acts {
    /// When the first one was played.
    pub began_at: Option<Timestamp>,
}

/// Plays every act at its time.
pub async fn play(stage: &Stage, progress: &mut Progress) -> Result<Acts> {
    let mut acts: Vec<&Act> = stage.scenario.acts.iter().collect();
    acts.sort_by_key(|act| act.at);
    let mut played = Acts::default();
    let start = stage.world.now();
    progress.begin("the intruder acts");
    for act in acts {
        let due = act.at.after(start);
        let wait = due.seconds_since(stage.world.now()).max(0.0);
        tokio::time::sleep(std::time::Duration::from_secs_f64(wait)).await;
        played.began_at.get_or_insert_with(|| stage.world.now());
        let told = one(stage, act).await.with_context(|| format!("at {}", act.at))?;
        progress.line(&format!("  {:>6}  {told}", act.at.to_string()));
    }
    for vendor in &stage.vendors {
        vendor.sandbox.idle().await;
    }
    Ok(played)
}

async fn one(stage: &Stage, act: &Act) -> Result<String> {
    match &act.kind {
        Kind::Export { vendor, list } => {
            let vendor = stage.vendor(vendor)?;
            let list = list.as_deref().and_then(|name| vendor.setup.list_id(name));
            let taken = vendor.sandbox.intruder().export_contacts(list);
            Ok(format!("intruder: takes {taken} contacts out of {}", vendor.setup.name))
        }
        Kind::SendFromAccount { .. } => send_from_account(stage, &act.kind).await,
        Kind::ScheduleSend { .. } => schedule_send(stage, &act.kind).await,
        Kind::CreateKey { vendor, name, scopes } => {
            let scopes: Vec<_> = scopes.iter().map(String::as_str).collect();
            stage.vendor(vendor)?.sandbox.intruder().create_api_key(name, &scopes);
            Ok(format!("intruder: makes a key at {vendor}"))
        }
        other => said(stage, other).await,
    }
}

fn fraud(stage: &Stage, subject: &str, text: &str) -> Fraud {
    let company = &stage.scenario.company;
    Fraud {
        from: format!("hello@{}", company.mail_domain),
        from_name: Some(company.name.clone()),
        subject: subject.to_owned(),
        text: text.to_owned(),
    }
}

/// A part of a list as the intruder sees it, planted contacts apart from the rest.
fn recipients(stage: &Stage, vendor: &Vendor, list: Option<&str>, share: f64) -> [Vec<String>; 2] {
    let list = list.and_then(|name| vendor.setup.list_id(name));
    let domain = format!("@{}", stage.scenario.company.canary_domain);
    let all = vendor.sandbox.intruder().addresses(list).into_iter();
    let (planted, mut people): (Vec<_>, Vec<_>) = all.partition(|one| one.ends_with(&domain));
    people.truncate((people.len() as f64 * share).ceil() as usize);
    [people, planted]
}

async fn send_from_account(stage: &Stage, kind: &Kind) -> Result<String> {
    let Kind::SendFromAccount { vendor, list, share, canaries, subject, text } = kind else {
        unreachable!("only called for this kind");
    };
    let vendor = stage.vendor(vendor)?;
    let [mut to, planted] = recipients(stage, vendor, list.as_deref(), share.get());
    if *canaries {
        to.extend(planted);
    }
    vendor.sandbox.intruder().send_from_account(&fraud(stage, subject, text), &to).await;
    Ok(format!("intruder: sends fraud to {} addresses through the real account", to.len()))
}

async fn schedule_send(stage: &Stage, kind: &Kind) -> Result<String> {
    let Kind::ScheduleSend { vendor, list, send_at, means, subject, text } = kind else {
        unreachable!("only called for this kind");
    };
    let vendor = stage.vendor(vendor)?;
    let (fraud, at) = (fraud(stage, subject, text), send_at.after(stage.world.now()));
    let intruder = vendor.sandbox.intruder();
    match means {
        Means::Campaign => {
            let list = vendor.setup.list_id(list).context("the list is the vendor's")?;
            intruder.schedule_campaign(&fraud, list, at);
        }
        Means::PausedBatch | Means::Batch => {
            let paused = *means == Means::PausedBatch;
            let [to, _] = recipients(stage, vendor, Some(list), 0.01);
            intruder.schedule_send(&fraud, &to, at, paused).await;
        }
    }
    Ok(format!("intruder: has {} send fraud later", vendor.setup.name))
}

/// What others say, written down by an operator or handed in on the portal.
async fn said(stage: &Stage, kind: &Kind) -> Result<String> {
    let client = &stage.program.client;
    match kind {
        Kind::OutsideAlert { vendor, who, summary } => {
            let body = json!({ "vendor": vendor, "title": format!("{who}: {summary}") });
            client.post("/api/v1/incidents", &body).await?;
            Ok(format!("{who} raises the alarm; an operator declares an incident"))
        }
        Kind::VendorNotice { vendor, summary, .. } => {
            client.post("/api/v1/facts/vendor-notice", &notice(stage, kind)?).await?;
            Ok(format!("{vendor} tells us: {summary}"))
        }
        Kind::VendorStatement { vendor, denied, summary } => {
            let incident = incident_of(stage, vendor).await?;
            let said = json!({
                "said_at": stage.world.now(), "source": "mail", "fields_denied": denied,
                "vendor_aware_at": null, "text": summary,
            });
            let body = json!({ "command": "record-statement", "said": said });
            client.post(&format!("/api/v1/incidents/{incident}/commands"), &body).await?;
            Ok(format!("{vendor} states: {summary}"))
        }
        Kind::ReportedMail { vendor } => {
            Portal::of(stage).report(&suspicious(stage)?).await?;
            Ok(format!("somebody hands in a mail that came through {vendor}"))
        }
        Kind::Dataset { vendor } => {
            let incident = incident_of(stage, vendor).await?;
            let csv = Bytes::from(stage.vendor(vendor)?.sandbox.exported_csv());
            let path = format!("/api/v1/incidents/{incident}/dataset");
            let matched: Value = client.upload(&path, "text/csv", csv).await?;
            Ok(format!("{vendor} hands over its data set: {} rows", matched["rows"]))
        }
        _ => unreachable!("the intruder's own acts are played elsewhere"),
    }
}

fn notice(stage: &Stage, kind: &Kind) -> Result<Value> {
    let Kind::VendorNotice {
        vendor,
        aware_at,
        access_from,
        access_to,
        lists,
        fields,
        denied,
        summary,
    } = kind
    else {
        unreachable!("only called for this kind");
    };
    let setup = &stage.vendor(vendor)?.setup;
    let now = stage.world.now();
    Ok(json!({
        "vendor": vendor,
        "told_at": now,
        "vendor_aware_at": aware_at.map(|at| at.after(now)),
        "access_from": access_from.map(|at| at.after(now)),
        "access_to": access_to.map(|at| at.after(now)),
        "lists": lists.iter().filter_map(|name| setup.list_id(name)).collect::<Vec<_>>(),
        "fields": fields,
        "fields_denied": denied,
        "summary": summary,
    }))
}

/// A fraudulent mail as its victim saves it: in the company's name, through the vendor's systems,
/// without a reference of ours.
fn suspicious(stage: &Stage) -> Result<Vec<u8>> {
    let company = &stage.scenario.company;
    let letter = Letter {
        from_name: &company.name,
        from: &Email::parse(&format!("hello@{}", company.mail_domain))?,
        to: &Email::parse(&format!("victim@{}", company.people_domains[0]))?,
        reply_to: None,
        subject: "Your account",
        text: "Sign in at http://login.example within 24 hours to keep your account.",
        html: None,
        message_id: "fraud@mail.sendgrid.net",
        date: stage.world.now(),
        headers: &[],
    };
    let received = b"Received: from o1.mail.sendgrid.net (o1.mail.sendgrid.net [192.0.2.7]) by \
                     mx.example with ESMTPS; Thu, 05 Feb 2026 02:00:00 +0000\r\n";
    Ok([received.as_slice(), &letter.build()].concat())
}
