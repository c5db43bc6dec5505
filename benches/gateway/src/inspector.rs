//! What a team would put behind Envoy to do a part of Cordon's work: it reads each body as JSON,
//! takes out the recipients and appends a line to a log. The log is not synced to disk.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use envoy_types::pb::envoy::service::ext_proc::v3 as wire;
use serde::Deserialize;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};
use wire::external_processor_server::{ExternalProcessor, ExternalProcessorServer};
use wire::processing_request::Request as Part;
use wire::processing_response::Response as Answer;

/// Serves until it is ended.
pub fn serve(port: u16, log: PathBuf) -> Result<()> {
    let log = File::options().create(true).append(true).open(log).context("the inspector's log")?;
    let inspector = Inspector { log: Arc::new(Mutex::new(log)) };
    let service = ExternalProcessorServer::new(inspector).max_decoding_message_size(64 << 20);
    let address = ([127, 0, 0, 1], port).into();
    // Envoy resets streams that it is done with; that many at once are no attack here.
    let mut server =
        tonic::transport::Server::builder().http2_max_pending_accept_reset_streams(Some(100_000));
    tokio::runtime::Runtime::new()?
        .block_on(server.add_service(service).serve(address))
        .context("serving the inspector")
}

#[derive(Clone)]
struct Inspector {
    log: Arc<Mutex<File>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    personalizations: Vec<Personalization<'a>>,
}

#[derive(Deserialize)]
struct Personalization<'a> {
    #[serde(borrow)]
    to: Vec<Recipient<'a>>,
}

#[derive(Deserialize)]
struct Recipient<'a> {
    email: &'a str,
}

impl Inspector {
    /// Whether the recipients could be read and logged.
    fn inspect(&self, body: &[u8]) -> Result<()> {
        let message: Message<'_> = serde_json::from_slice(body)?;
        let recipients = message.personalizations.iter().flat_map(|one| &one.to);
        let mut line: Vec<&str> = recipients.map(|recipient| recipient.email).collect();
        line.push("\n");
        self.log.lock().expect("no writer panics").write_all(line.join(" ").as_bytes())?;
        Ok(())
    }
}

type Answers = Pin<Box<dyn Stream<Item = Result<wire::ProcessingResponse, Status>> + Send>>;

#[tonic::async_trait]
impl ExternalProcessor for Inspector {
    type ProcessStream = Answers;

    async fn process(
        &self,
        request: Request<Streaming<wire::ProcessingRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let inspector = self.clone();
        let mut parts = request.into_inner();
        let (answers, stream) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            while let Some(Ok(part)) = parts.next().await {
                let answer = answer(&inspector, part);
                if answers.send(answer).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

fn answer(
    inspector: &Inspector,
    part: wire::ProcessingRequest,
) -> Result<wire::ProcessingResponse, Status> {
    let answer = match part.request {
        Some(Part::RequestBody(body)) => {
            let inspected = inspector.inspect(&body.body);
            inspected.map_err(|why| Status::invalid_argument(why.to_string()))?;
            Answer::RequestBody(wire::BodyResponse::default())
        }
        Some(Part::RequestHeaders(_)) => Answer::RequestHeaders(wire::HeadersResponse::default()),
        _ => return Err(Status::invalid_argument("only requests are inspected")),
    };
    Ok(wire::ProcessingResponse { response: Some(answer), ..Default::default() })
}
