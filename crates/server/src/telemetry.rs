//! Calls as traces for a collector beside us: OTLP over HTTP in its JSON encoding (OpenTelemetry
//! Protocol 1.x, «JSON Protobuf Encoding»), written here since it is a page of code. Ids, names,
//! codes and counts; nothing of any person. The gateway never waits for a collector.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use gateway::{Left, Seen, SeenCall};
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use model::{World, crypto, limits};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::config::Telemetry;
use crate::tasks::Tasks;

/// Where calls wait to be exported; without a collector nothing waits.
#[derive(Default)]
pub struct Traces {
    queue: Option<mpsc::Sender<SeenCall>>,
    dropped: AtomicU64,
}

impl Traces {
    /// Begins to export to the collector that is set, if one is.
    pub fn begin(set: &Telemetry, world: &World, tasks: &Tasks) -> Arc<Self> {
        let Some(endpoint) = set.otlp_endpoint.clone() else { return Arc::default() };
        let (queue, waiting) = mpsc::channel(limits::TRACES_WAITING);
        let traces = Arc::new(Self { queue: Some(queue), dropped: AtomicU64::new(0) });
        let stopping = tasks.stopping();
        let exporting = export(endpoint, waiting, world.clone(), traces.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = stopping => {}
                () = exporting => {}
            }
        });
        traces
    }

    /// Calls whose trace was not exported, since the collector is too slow or away.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn drop_more(&self, calls: u64) {
        self.dropped.fetch_add(calls, Ordering::Relaxed);
    }
}

impl Seen for Traces {
    fn call(&self, seen: &SeenCall) {
        let Some(queue) = &self.queue else { return };
        let wanted = seen.trace.is_none_or(|trace| trace.sampled);
        if wanted && queue.try_send(seen.clone()).is_err() {
            self.drop_more(1);
        }
    }
}

/// Exports what waits, batch by batch.
async fn export(
    endpoint: String,
    mut waiting: mpsc::Receiver<SeenCall>,
    world: World,
    traces: Arc<Traces>,
) {
    let pool = Client::builder(TokioExecutor::new()).build_http();
    let mut calls = Vec::new();
    let mut failing = false;
    while waiting.recv_many(&mut calls, limits::TRACES_AT_ONCE).await > 0 {
        let sent = post(&pool, &endpoint, &document(&calls, &world)).await;
        if let (Err(error), false) = (&sent, failing) {
            tracing::warn!(error = format!("{error:#}"), "traces cannot be exported");
        }
        failing = sent.is_err();
        if failing {
            traces.drop_more(calls.len() as u64);
        }
        calls.clear();
    }
}

async fn post(
    pool: &Client<HttpConnector, Full<Bytes>>,
    endpoint: &str,
    document: &Value,
) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(10);
    const ANSWER_BYTES: usize = 64 * 1024;
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(document.to_string())))
        .context("making the request")?;
    let answering = async {
        let answer = pool.request(request).await.context("asking the collector")?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
        body.map_err(|error| anyhow::anyhow!(error)).context("reading the collector's answer")?;
        anyhow::ensure!(status.is_success(), "the collector says {status}");
        Ok(())
    };
    timeout(PATIENCE, answering).await.context("the collector did not answer in time")?
}

/// An `ExportTraceServiceRequest`.
fn document(calls: &[SeenCall], world: &World) -> Value {
    let spans: Vec<Value> = calls.iter().flat_map(|call| spans(call, world)).collect();
    json!({ "resourceSpans": [{
        "resource": { "attributes": [text("service.name", "cordon")] },
        "scopeSpans": [{ "scope": { "name": "cordon.gateway" }, "spans": spans }],
    }] })
}

/// One span of the call, and one of each phase that it reached.
fn spans(call: &SeenCall, world: &World) -> Vec<Value> {
    const SERVER: u8 = 2;
    const INTERNAL: u8 = 1;
    let trace = call.trace.map_or_else(|| world.bytes(), |trace| trace.trace);
    let (trace, root) = (crypto::to_hex(&trace), crypto::to_hex(&world.bytes::<8>()));
    let instant = |micros: u64| {
        let began = u64::try_from(call.at.micros()).unwrap_or(0);
        (u128::from(began.saturating_add(micros)) * 1_000).to_string()
    };
    let span = |id: &str, parent: Option<String>, name: &str, kind: u8, from: u64, to: u64| {
        let mut span = json!({
            "traceId": trace, "spanId": id, "name": name, "kind": kind,
            "startTimeUnixNano": instant(from), "endTimeUnixNano": instant(to),
        });
        if let Some(parent) = parent {
            span["parentSpanId"] = parent.into();
        }
        span
    };
    let parent = call.trace.map(|trace| crypto::to_hex(&trace.span));
    let name = call.operation.as_ref().map_or("call".to_owned(), |name| name.to_string());
    let mut whole = span(&root, parent, &name, SERVER, 0, call.phases.ended());
    whole["attributes"] = attributes(call);
    whole["status"] = match call.code {
        Some(code) => json!({ "code": 2, "message": code }),
        None => json!({ "code": 1 }),
    };
    let phases = call.phases.reached().map(|(phase, from, to)| {
        let id = crypto::to_hex(&world.bytes::<8>());
        span(&id, Some(root.clone()), phase.name(), INTERNAL, from, to)
    });
    let phases: Vec<Value> = phases.collect();
    std::iter::once(whole).chain(phases).collect()
}

fn attributes(call: &SeenCall) -> Value {
    let mut all = vec![
        text("cordon.call", &call.call.to_string()),
        text("cordon.outcome", call.outcome.name()),
        number("cordon.people", call.people as u64),
    ];
    let names = [
        ("vendor.id", call.vendor.as_ref().map(ToString::to_string)),
        ("workload", call.workload.as_ref().map(ToString::to_string)),
        ("cordon.mode", call.mode.map(|mode| mode.to_string())),
        ("cordon.code", call.code.map(str::to_owned)),
        ("cordon.would_refuse", call.would_refuse.map(str::to_owned)),
    ];
    all.extend(names.iter().filter_map(|(key, name)| Some(text(key, name.as_deref()?))));
    if let Left::Sent(status) = call.outcome {
        all.push(number("http.response.status_code", status.into()));
    }
    Value::Array(all)
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// 64-bit numbers are text in JSON.
fn number(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}
