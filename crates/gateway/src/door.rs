//! The base-URL door: `/v/<vendor>/…` over HTTP/1.1, from connection to response.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use model::{Coded as _, limits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::Gateway;
use crate::admit::Arrival;
use crate::guard::Guard;
use crate::refused::Refused;
use crate::reply::{CODE, OUTCOME, respond};
use crate::seen::Left;

/// Held by whatever is still under way; when the last one is gone, the door may close.
type UnderWay = mpsc::Sender<Infallible>;

/// Takes callers in until `stop`, then lets what is under way come to its end.
pub(crate) async fn serve(
    gateway: Gateway,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    /// Out of file descriptors: a moment later there may be some.
    const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
    let places = Arc::new(Semaphore::new(limits::GATEWAY_CONNECTIONS));
    let (stopping, stopped) = watch::channel(false);
    let (under_way, mut ended) = mpsc::channel::<Infallible>(1);
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &places) => match accepted {
                Ok((stream, from, place)) => {
                    let attending =
                        attend(gateway.clone(), stream, from, stopped.clone(), under_way.clone());
                    tokio::spawn(async move {
                        attending.await;
                        drop(place);
                    });
                }
                Err(why) => {
                    tracing::warn!(%why, "a connection could not be accepted");
                    sleep(ACCEPT_AGAIN).await;
                }
            },
        }
    }
    drop(listener);
    drop(under_way);
    stopping.send_replace(true);
    let patience = gateway.cx.patience;
    let longest = patience.read + patience.busy + patience.connect + patience.reply;
    if timeout(longest, ended.recv()).await.is_err() {
        tracing::warn!("calls were still under way when the gateway stopped");
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, from) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, from.ip(), place))
}

/// Serves one connection, request after request.
async fn attend(
    gateway: Gateway,
    stream: TcpStream,
    from: IpAddr,
    mut stopped: watch::Receiver<bool>,
    under_way: UnderWay,
) {
    let guard = Guard::new(stream, gateway.cx.patience.read);
    let service = service_fn(|request| {
        let arrival = Arrival::Door { request, from };
        let answering = answer(gateway.clone(), arrival, under_way.clone());
        Box::pin(async move { Ok::<_, Infallible>(answering.await) })
    });
    let mut connection = http1::Builder::new()
        .half_close(true)
        .max_headers(limits::HEADER_COUNT)
        .serve_connection(TokioIo::new(guard), service);
    let mut asked = false;
    loop {
        tokio::select! {
            ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => {
                if let Err(why) = ended {
                    tracing::debug!(%why, "a caller's connection ended");
                }
                break;
            }
            _ = stopped.wait_for(|stopped| *stopped), if !asked => {
                asked = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
    linger(connection.into_parts().io.into_inner().into_inner()).await;
}

/// Closes our side, then reads what the caller still sends, so that the reply reaches it before
/// the connection is reset.
async fn linger(mut stream: TcpStream) {
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
/// being settled.
async fn answer(gateway: Gateway, arrival: Arrival, under_way: UnderWay) -> Response<Full<Bytes>> {
    /// Callers stop using a connection so much earlier than we close it.
    const MARGIN: Duration = Duration::from_secs(5);
    let kept = gateway.cx.patience.read.saturating_sub(MARGIN);
    let has_body = arrival.has_body();
    let task = tokio::spawn(async move {
        let (account, result) = gateway.run(arrival).await;
        let unread = has_body && !account.body_read;
        let seen = &account.seen;
        let mut response = respond(result, account.connector, seen.call, seen.outcome);
        let headers = response.headers_mut();
        if unread {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        } else if let Ok(kept) = HeaderValue::try_from(format!("timeout={}", kept.as_secs())) {
            headers.insert("keep-alive", kept);
        }
        drop(under_way);
        response
    });
    task.await.unwrap_or_else(|why| {
        tracing::error!(%why, "a call's task failed");
        fault()
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
