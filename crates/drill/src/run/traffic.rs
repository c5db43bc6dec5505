//! Normal traffic: the company's program gives vendors what it usually does, through the gateway,
//! with its token and the vendor's own API.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::task::JoinSet;

use super::progress::Progress;
use super::stage::{Stage, Vendor};
use crate::contact;
use crate::people::People;
use crate::scenario::{Live, Operation};

/// Requests under way at once.
const AT_ONCE: usize = 32;
/// Contacts in one upsert, as a nightly sync sends them.
const CONTACTS_PER_CALL: usize = 250;

/// A program of the company that speaks to one vendor through the gateway.
#[derive(Clone)]
pub struct Workload {
    base: String,
    token: String,
    pool: Client<HttpConnector, Full<Bytes>>,
}

impl Workload {
    /// The one that the stage registered for this vendor.
    pub fn of(stage: &Stage, vendor: &Vendor) -> Self {
        Self {
            base: format!("{}/v/{}", stage.program.places.gateway, vendor.setup.name),
            token: vendor.token.expose().clone(),
            pool: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// One request of the vendor's API.
    ///
    /// # Errors
    /// When the gateway does not answer.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        purpose: &str,
        body: &Value,
    ) -> Result<StatusCode> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-cordon-purpose", purpose)
            .body(Full::new(Bytes::from(body.to_string())))?;
        let response = self.pool.request(request).await.context("calling the gateway")?;
        let status = response.status();
        response.into_body().collect().await.context("reading the gateway's answer")?;
        Ok(status)
    }
}

/// Plays all of it and waits until the vendors have reported on it.
pub async fn flow(stage: &Stage, progress: &mut Progress) -> Result<()> {
    for live in &stage.scenario.traffic.live {
        let vendor = stage.vendor(&live.vendor)?;
        let requests = requests(stage, vendor, live);
        progress
            .count(&format!("{} to {}", live.operation.name(), live.vendor), requests.len() as u64);
        let workload = Workload::of(stage, vendor);
        let mut under_way = JoinSet::new();
        let mut done = 0;
        for body in requests {
            if under_way.len() >= AT_ONCE {
                accepted(under_way.join_next().await)?;
                done += 1;
                progress.at(done);
            }
            let (workload, purpose) = (workload.clone(), live.purpose.to_string());
            let (method, path) = live.operation.route();
            under_way.spawn(async move { workload.call(method, path, &purpose, &body).await });
        }
        while let Some(ended) = under_way.join_next().await {
            accepted(Some(ended))?;
            done += 1;
            progress.at(done);
        }
        progress.begin("waiting for the vendor's own reports");
        vendor.sandbox.idle().await;
    }
    Ok(())
}

fn accepted(ended: Option<Result<Result<StatusCode>, tokio::task::JoinError>>) -> Result<()> {
    let Some(ended) = ended else {
        return Ok(());
    };
    let status = ended.context("a request did not end")??;
    ensure!(status.is_success(), "normal traffic was refused with {status}");
    Ok(())
}

/// The bodies of all requests of one kind.
fn requests(stage: &Stage, vendor: &Vendor, live: &Live) -> Vec<Value> {
    let company = &stage.scenario.company;
    let people = People::new(&stage.scenario.id, company);
    let reachable = people
        .first(live.share.of(stage.people))
        .filter_map(|person| person.email.clone().map(|email| (person, email)));
    match live.operation {
        Operation::MailSend => reachable
            .map(|(person, email)| contact::message(company, &person, &email, live.fields))
            .collect(),
        Operation::ContactsUpsert => {
            let custom = &vendor.setup.custom_fields;
            let list = live.list.as_deref().and_then(|name| vendor.setup.list_id(name));
            let contacts: Vec<_> = reachable
                .map(|(person, email)| contact::values(&person, &email, live.fields, custom))
                .collect();
            contacts
                .chunks(CONTACTS_PER_CALL)
                .map(|chunk| contact::upsert(list, chunk, custom))
                .collect()
        }
    }
}

impl Operation {
    /// Its name in the connector.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MailSend => "mail.send",
            Self::ContactsUpsert => "contacts.upsert",
        }
    }

    /// Method and path in the vendor's API.
    pub const fn route(self) -> (Method, &'static str) {
        match self {
            Self::MailSend => (Method::POST, "/v3/mail/send"),
            Self::ContactsUpsert => (Method::PUT, "/v3/marketing/contacts"),
        }
    }
}
