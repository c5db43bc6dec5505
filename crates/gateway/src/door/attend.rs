//! One connection of a caller: request after request over HTTP/1.1.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use model::{Coded as _, limits};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::{Answered, Answers, Facts, Stay};
use crate::guard::Guard;
use crate::refused::Refused;
use crate::reply::{CODE, OUTCOME};
use crate::seen::Left;

/// Serves one connection behind its guard.
pub(crate) async fn http1<A: Answers, S>(answers: A, stream: S, facts: Facts, stay: Stay)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let patience = answers.patience().read;
    let service = service_fn(|request: Request<Incoming>| {
        let has_body = !request.body().is_end_stream();
        let under_way = stay.under_way.clone();
        let answering = answer(answers.clone(), request, facts.clone(), under_way);
        Box::pin(async move {
            let Answered { mut response, body_read } = answering.await;
            say_how_long(response.headers_mut(), has_body && !body_read, patience);
            Ok::<_, Infallible>(response)
        })
    });
    let mut connection = http1::Builder::new()
        .half_close(true)
        .max_headers(limits::HEADER_COUNT)
        .serve_connection(TokioIo::new(Guard::new(stream, patience)), service);
    let mut leaving = pin!(stay.clone().ended());
    let mut asked = false;
    loop {
        tokio::select! {
            ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => {
                if let Err(why) = ended {
                    tracing::debug!(%why, "a caller's connection ended");
                }
                break;
            }
            () = &mut leaving, if !asked => {
                asked = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
    linger(connection.into_parts().io.into_inner().into_inner()).await;
}

/// Tells an HTTP/1.1 caller for how long its connection is kept, or that it is not.
fn say_how_long(headers: &mut HeaderMap, unread: bool, patience: Duration) {
    /// Callers stop using a connection so much earlier than we close it.
    const MARGIN: Duration = Duration::from_secs(5);
    let kept = patience.saturating_sub(MARGIN);
    if unread {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    } else if let Ok(kept) = HeaderValue::try_from(format!("timeout={}", kept.as_secs())) {
        headers.insert("keep-alive", kept);
    }
}

/// Closes our side, then reads what the caller still sends, so that the reply reaches it before
/// the connection is reset.
pub(super) async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let reading = async {
        stream.shutdown().await?;
        let mut thrown = [0; 4096];
        let mut left = limits::REQUEST_BODY_BYTES;
        while left > 0 {
            let read = stream.read(&mut thrown).await?;
            if read == 0 {
                break;
            }
            left = left.saturating_sub(read);
        }
        std::io::Result::Ok(())
    };
    let patience = Duration::from_secs(limits::GATEWAY_LINGER_SECONDS);
    if !matches!(timeout(patience, reading).await, Ok(Ok(()))) {
        tracing::debug!("a caller did not close its connection");
    }
}

/// Answers one request on a task of its own: a caller that goes away does not stop a call from
/// being settled. `held` is let go of when it has ended.
pub(super) async fn answer<A: Answers>(
    answers: A,
    request: Request<Incoming>,
    facts: Facts,
    held: impl Send + 'static,
) -> Answered {
    let task = tokio::spawn(async move {
        let answered = Box::pin(answers.answer(request, facts)).await;
        drop(held);
        answered
    });
    task.await.unwrap_or_else(|why| {
        // Its words may quote data; the place is logged where it happened.
        tracing::error!(panicked = why.is_panic(), "a call's task failed");
        // How much was read is not known; the library closes a connection that it cannot use.
        Answered { response: fault(), body_read: true }
    })
}

/// What a caller is told when a defect ended its call: what became of it is not known.
fn fault() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let headers = response.headers_mut();
    headers.insert(OUTCOME, HeaderValue::from_static(Left::Unknown.name()));
    headers.insert(CODE, HeaderValue::from_static(Refused::Fault.code()));
    response
}
