//! The HTTP doors, from connection to response. One pipeline is behind all of them: a door hands it
//! the request and what it knows of the caller, and decides nothing.

mod attend;
mod connect;
mod http2;
mod peer;
mod proxy;
mod tls;

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use model::{World, limits};

pub(crate) use self::connect::{Target, serve_connect};
pub(crate) use self::peer::Peer;
pub(crate) use self::proxy::ProxyToken;
pub use self::tls::{DoorTls, TlsFiles};
pub(crate) use self::tls::{certificates, protocols, provider, server};
use crate::Gateway;
use crate::admit::Arrival;
use crate::cx::Patience;
use crate::reply::respond;

/// What a door knows of a request before anything of it is read.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// From where the caller comes.
    pub from: IpAddr,
    /// Whom the caller's certificate names, where it has shown one.
    pub peer: Option<Arc<Peer>>,
    /// The token with which a tunnel was opened.
    pub proxy: Option<ProxyToken>,
    /// The host to which a tunnel was opened; without it the path names the vendor.
    pub target: Option<Arc<Target>>,
}

impl Facts {
    /// Of a caller of whom nothing else is known.
    pub fn of(from: IpAddr) -> Self {
        Self { from, peer: None, proxy: None, target: None }
    }
}

/// Whoever answers what comes through a door.
pub(crate) trait Answers: Clone + Send + Sync + 'static {
    /// How long it waits for others.
    fn patience(&self) -> &Patience;

    /// Answers one request. Dropping the future does not undo what it has done.
    fn answer(
        self,
        request: Request<Incoming>,
        facts: Facts,
    ) -> impl Future<Output = Answered> + Send;
}

/// An answer, and whether the caller's body was read to its end for it.
pub(crate) struct Answered {
    pub response: Response<Full<Bytes>>,
    pub body_read: bool,
}

impl Answers for Gateway {
    fn patience(&self) -> &Patience {
        &self.cx.patience
    }

    async fn answer(self, request: Request<Incoming>, facts: Facts) -> Answered {
        let (account, result) = self.run(Arrival::Door(request, facts)).await;
        let seen = &account.seen;
        let response = respond(result, account.connector, seen.call, seen.outcome);
        Answered { response, body_read: account.body_read }
    }
}

/// Serves `/v/<vendor>/…` until `stop`, over TLS where there is one.
pub(crate) async fn serve_base(
    gateway: Gateway,
    listener: TcpListener,
    tls: Option<Arc<DoorTls>>,
    stop: impl Future<Output = ()>,
) {
    let patience = gateway.cx.patience;
    let attend = |stream: TcpStream, facts, stay| {
        attend_base(gateway.clone(), stream, tls.clone(), facts, stay)
    };
    serve(listener, &patience, stop, attend).await;
}

async fn attend_base(
    gateway: Gateway,
    stream: TcpStream,
    tls: Option<Arc<DoorTls>>,
    mut facts: Facts,
    mut stay: Stay,
) {
    let Some(tls) = tls else {
        return attend::http1(gateway, stream, facts, stay).await;
    };
    match tls.accept(stream, gateway.cx.patience.handshake).await {
        Ok((stream, peer)) => {
            facts.peer = peer;
            stay.end_with(&facts, &gateway.cx.world);
            if tls::chose_http2(&stream) {
                http2::http2(gateway, stream, facts, stay).await;
            } else {
                attend::http1(gateway, stream, facts, stay).await;
            }
        }
        Err(why) => tracing::debug!(%why, "a caller's handshake failed"),
    }
}

/// Held by whatever is still under way; when the last one is gone, the door may close.
pub(crate) type UnderWay = mpsc::Sender<Infallible>;

/// For how long a connection may stay.
#[derive(Clone)]
pub(crate) struct Stay {
    /// True once the door closes.
    pub stopped: watch::Receiver<bool>,
    pub under_way: UnderWay,
    /// When the caller's certificate ends.
    pub until: Option<Instant>,
}

impl Stay {
    /// No longer than the caller's certificate is valid.
    fn end_with(&mut self, facts: &Facts, world: &World) {
        let seconds = facts.peer.as_ref().map(|peer| peer.until_seconds - world.now().seconds());
        let left = |seconds: i64| Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        self.until = seconds.and_then(|seconds| Instant::now().checked_add(left(seconds)));
    }

    /// Comes when the connection is to take no more requests.
    pub async fn ended(mut self) {
        let expired = async {
            match self.until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.stopped.wait_for(|stopped| *stopped) => {}
            () = expired => {}
        }
    }
}

/// Serves plain HTTP/1.1 until `stop`.
pub(crate) async fn serve_plain<A: Answers, L: Listens>(
    answers: A,
    listener: L,
    stop: impl Future<Output = ()>,
) {
    let patience = *answers.patience();
    let attend = |stream, facts, stay| attend::http1(answers.clone(), stream, facts, stay);
    serve(listener, &patience, stop, attend).await;
}

/// Where callers come in.
pub trait Listens {
    /// A caller's connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// The next caller, and from where it comes.
    fn next(&self) -> impl Future<Output = std::io::Result<(Self::Stream, IpAddr)>>;
}

impl Listens for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> std::io::Result<(TcpStream, IpAddr)> {
        let (stream, from) = self.accept().await?;
        stream.set_nodelay(true)?;
        Ok((stream, from.ip()))
    }
}

impl Listens for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> std::io::Result<(UnixStream, IpAddr)> {
        Ok((self.accept().await?.0, Ipv4Addr::LOCALHOST.into()))
    }
}

/// Takes callers in until `stop`, then lets what is under way come to its end.
pub(crate) async fn serve<L: Listens, F: Future<Output = ()> + Send + 'static>(
    listener: L,
    patience: &Patience,
    stop: impl Future<Output = ()>,
    attend: impl Fn(L::Stream, Facts, Stay) -> F,
) {
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
                    let (stopped, under_way) = (stopped.clone(), under_way.clone());
                    let stay = Stay { stopped, under_way, until: None };
                    let attending = attend(stream, Facts::of(from), stay);
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
    let longest = patience.read + patience.busy + patience.connect + patience.reply;
    if timeout(longest, ended.recv()).await.is_err() {
        tracing::warn!("calls were still under way when the gateway stopped");
    }
}

async fn accept<L: Listens>(
    listener: &L,
    places: &Arc<Semaphore>,
) -> std::io::Result<(L::Stream, IpAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, from) = listener.next().await?;
    Ok((stream, from, place))
}
