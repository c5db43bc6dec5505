//! One connection of a caller over HTTP/2, held to the rules that `framing.rs` holds HTTP/1.1 to.
//!
//! The library ends streams whose `content-length` is not what their data adds up to, and
//! connections that flood it with resets or header fragments. What it lets pass and could be read
//! in two ways is refused here (RFC 9113 §8.1.1, §8.2, §8.3).

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, header};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use model::{Coded as _, limits};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::attend::answer;
use super::{Answers, Facts, Stay};
use crate::framing::{self, Broken};
use crate::guard::BROKEN;

/// Serves one connection until it ends, or is quiet for as long as a caller is waited for.
pub(crate) async fn http2<A: Answers, S>(answers: A, stream: S, facts: Facts, stay: Stay)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let patience = answers.patience().read;
    let places = Arc::new(Semaphore::new(limits::HTTP2_STREAMS as usize));
    let begun = Arc::new(AtomicU64::new(0));
    let service = service_fn(|request: Request<Incoming>| {
        begun.fetch_add(1, Ordering::Relaxed);
        let (answers, facts, places) = (answers.clone(), facts.clone(), places.clone());
        let under_way = stay.under_way.clone();
        async move {
            // A stream that is reset gives its place on the wire back at once, its call only when
            // it has ended.
            let place = places.acquire_owned().await.expect("it is never closed");
            let answered = answer(answers, checked(request), facts, (under_way, place)).await;
            Ok::<_, Infallible>(answered.response)
        }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(limits::HTTP2_STREAMS)
        .max_pending_accept_reset_streams(limits::HTTP2_RESETS)
        .max_local_error_reset_streams(limits::HTTP2_RESETS)
        .max_header_list_size(u32::try_from(limits::HEADER_BYTES).unwrap_or(u32::MAX))
        .initial_stream_window_size(limits::HTTP2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::HTTP2_CONNECTION_WINDOW_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut leaving = pin!(stay.clone().ended());
    let mut asked = false;
    let mut quiet = pin!(sleep(patience));
    let mut seen = 0;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(why) = ended {
                    tracing::debug!(%why, "a caller's connection ended");
                }
                return;
            }
            () = &mut leaving, if !asked => {
                asked = true;
                connection.as_mut().graceful_shutdown();
            }
            () = &mut quiet => {
                let now = begun.load(Ordering::Relaxed);
                if now == seen && places.available_permits() == limits::HTTP2_STREAMS as usize {
                    return;
                }
                seen = now;
                quiet.as_mut().reset(Instant::now() + patience);
            }
        }
    }
}

/// The request, or a stand-in for it that says what is wrong with its head, as behind the guard of
/// HTTP/1.1.
fn checked(request: Request<Incoming>) -> Request<Incoming> {
    let (mut parts, body) = request.into_parts();
    if let Err(broken) = check(&parts) {
        parts.headers.clear();
        parts.headers.insert(BROKEN, HeaderValue::from_static(broken.code()));
    }
    Request::from_parts(parts, body)
}

/// Headers of one HTTP/1.1 connection; none may stand in HTTP/2 (RFC 9113 §8.2.2).
const CONNECTION: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

fn check(parts: &Parts) -> Result<(), Broken> {
    let headers = &parts.headers;
    if headers.contains_key(BROKEN) || CONNECTION.iter().any(|name| headers.contains_key(name)) {
        return Err(Broken::Head);
    }
    if headers.len() > limits::HEADER_COUNT {
        return Err(Broken::TooMany);
    }
    if headers.get_all(header::TE).iter().any(|value| value != "trailers") {
        return Err(Broken::Head);
    }
    if headers.get_all(header::EXPECT).iter().any(|value| value != "100-continue") {
        return Err(Broken::Expect);
    }
    if headers.get_all(header::CONTENT_LENGTH).iter().nth(1).is_some() {
        return Err(Broken::LengthTwice);
    }
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    if !framing::is_path(target) || parts.uri.scheme_str() != Some("https") {
        return Err(Broken::Target);
    }
    let authority = parts.uri.authority().ok_or(Broken::Host)?.as_str();
    let mut hosts = headers.get_all(header::HOST).iter();
    let same = hosts.all(|host| host.as_bytes().eq_ignore_ascii_case(authority.as_bytes()));
    if authority.contains('@') || !same { Err(Broken::Host) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(uri: &str, headers: &[(&str, &str)]) -> Option<&'static str> {
        let mut request = Request::builder().method("POST").uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        check(&parts).err().map(|broken| broken.code())
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused_with_the_codes_of_http1() {
        let at = "https://gateway/v/mail/send";
        assert_eq!(code(at, &[("host", "GATEWAY"), ("te", "trailers")]), None);
        assert_eq!(code(at, &[("connection", "close")]), Some("head-malformed"));
        assert_eq!(code(at, &[("transfer-encoding", "chunked")]), Some("head-malformed"));
        assert_eq!(code(at, &[("upgrade", "h2c")]), Some("head-malformed"));
        assert_eq!(code(at, &[("te", "gzip")]), Some("head-malformed"));
        assert_eq!(code(at, &[(BROKEN, "x")]), Some("head-malformed"));
        assert_eq!(code(at, &[("expect", "200")]), Some("expect-unknown"));
        let twice = [("content-length", "2"), ("content-length", "2")];
        assert_eq!(code(at, &twice), Some("length-twice"));
        assert_eq!(code(at, &[("host", "other")]), Some("host-malformed"));
        assert_eq!(code("https://u@gateway/v/mail", &[]), Some("host-malformed"));
        assert_eq!(code("http://gateway/v/mail", &[]), Some("target-malformed"));
        assert_eq!(code("gateway:443", &[]), Some("target-malformed"));
        let many: Vec<_> = (0..65).map(|_| ("x-a", "b")).collect();
        assert_eq!(code(at, &many), Some("head-too-many"));
    }
}
