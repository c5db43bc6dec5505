//! HTTP as anybody could speak it, well-formed or not.

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::PATIENCE;

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// A header's value; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The status and the code of an error in the API's own form.
    ///
    /// # Panics
    /// When it is not of that form.
    pub fn refusal(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        let error = &self.json()["error"];
        let message = error["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty() && !message.ends_with('.'), "{self:?}");
        (self.status, error["code"].as_str().expect("a code").to_owned())
    }
}

/// Sends a request and reads the answer.
///
/// # Panics
/// When nothing answers.
pub async fn send(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into())).expect("a request");
    let client = Client::builder(TokioExecutor::new()).build_http();
    let sent = tokio::time::timeout(PATIENCE, client.request(request)).await;
    let (parts, body) = sent.expect("an answer in time").expect("an answer").into_parts();
    let body = body.collect().await.expect("a whole answer").to_bytes();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// `GET`.
pub async fn get(url: &str) -> Answer {
    send(Method::GET, url, &[], "").await
}

/// `POST` of a form.
pub async fn form(url: &str, body: &str) -> Answer {
    let kind = ("content-type", "application/x-www-form-urlencoded");
    send(Method::POST, url, &[kind], body.to_owned()).await
}

/// A conversation over a bare socket.
pub struct Talk(TcpStream);

impl Talk {
    /// With whoever listens at this address.
    ///
    /// # Panics
    /// When nobody does.
    pub async fn with(address: &str) -> Self {
        let address = address.trim_start_matches("http://");
        Self(TcpStream::connect(address).await.expect("somebody listens"))
    }

    /// Says these bytes. The other side may hang up before it has read them all: what it said
    /// counts.
    pub async fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.ok();
    }

    /// All that is heard until `enough` of it was, or the other side hangs up.
    ///
    /// # Panics
    /// When neither happens in time.
    pub async fn hear(&mut self, enough: impl Fn(&str) -> bool) -> String {
        let mut heard = Vec::new();
        let listening = async {
            let mut some = [0; 4096];
            while let Ok(count @ 1..) = self.0.read(&mut some).await {
                heard.extend_from_slice(&some[..count]);
                if enough(&String::from_utf8_lossy(&heard)) {
                    break;
                }
            }
        };
        tokio::time::timeout(PATIENCE, listening).await.expect("an end in time");
        String::from_utf8_lossy(&heard).into_owned()
    }

    /// Says an SMTP command and gives back the last line of the reply.
    pub async fn smtp(&mut self, command: &str) -> String {
        self.say(command.as_bytes()).await;
        let last = |heard: &str| {
            let line = heard.trim_end().lines().last().unwrap_or_default().to_owned();
            (heard.ends_with("\r\n") && line.as_bytes().get(3) == Some(&b' ')).then_some(line)
        };
        let heard = self.hear(|heard| last(heard).is_some()).await;
        last(&heard).unwrap_or_default()
    }
}
