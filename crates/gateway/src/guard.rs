//! A caller's connection behind [`Framing`]: the HTTP library reads only what was cleared.
//!
//! A head that is refused is never shown to it. In its place it gets a stand-in that names the same
//! path and carries the code in [`BROKEN`], so that the refusal takes the one way that all refusals
//! take; after it the connection says nothing more. A caller that sends that header itself is
//! refused, which is all that it can gain.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use model::Coded as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::framing::{self, Broken, Framing};

/// The header by which a stand-in says what was wrong with the head that it stands for.
pub const BROKEN: &str = "x-cordon-broken";

const READ_BYTES: usize = 16 * 1024;

/// A connection of which only well-framed bytes are read.
pub struct Guard<S> {
    stream: S,
    framing: Framing,
    /// Bytes that have arrived and were not read yet, of which the first `cleared` may be.
    input: Vec<u8>,
    cleared: usize,
    ended: bool,
    patience: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
    /// When a caller that takes nothing of its reply is let go.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Guard<S> {
    /// Guards a connection; a head must arrive within `patience`, and of a reply something must be
    /// taken within it.
    pub fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            framing: Framing::default(),
            input: Vec::new(),
            cleared: 0,
            ended: false,
            patience,
            deadline: None,
            stalled: None,
        }
    }

    /// The connection, without what was read of it.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// Puts the stand-in in the place of everything that has arrived.
    fn stand_in(&mut self, broken: Broken) {
        let target = framing::target(&self.input).unwrap_or("/");
        let code = broken.code();
        let head =
            format!("GET {target} HTTP/1.1\r\nconnection: close\r\n{BROKEN}: {code}\r\n\r\n");
        self.input = head.into_bytes();
        self.cleared = self.input.len();
        self.ended = true;
    }

    /// Hands out cleared bytes, if there are any.
    fn hand_out(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let count = self.cleared.min(buf.remaining());
        buf.put_slice(&self.input[..count]);
        self.input.drain(..count);
        self.cleared -= count;
        count > 0
    }

    /// Looks at what has arrived. An error is one in a body, whose head was read already.
    fn clear(&mut self) -> io::Result<()> {
        let in_head = self.framing.in_head();
        match self.framing.clear(&self.input) {
            Ok(cleared) => {
                self.cleared = cleared;
                if cleared > 0 && in_head {
                    self.deadline = None;
                }
                Ok(())
            }
            Err(broken) if in_head => {
                self.stand_in(broken);
                Ok(())
            }
            Err(broken) => Err(io::Error::new(io::ErrorKind::InvalidData, broken)),
        }
    }

    /// What came of a write, unless the caller has taken nothing for too long.
    fn unless_stalled<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let until = Instant::now() + self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        stalled.as_mut().poll(cx).map(|()| Err(io::Error::from(io::ErrorKind::TimedOut)))
    }

    /// Whether the head that is being waited for is overdue.
    fn is_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.framing.in_head() {
            return false;
        }
        let until = Instant::now() + self.patience;
        let deadline =
            self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        deadline.as_mut().poll(cx).is_ready()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.hand_out(buf) || this.ended {
                return Poll::Ready(Ok(()));
            }
            this.clear()?;
            if this.cleared > 0 {
                continue;
            }
            if this.is_overdue(cx) {
                if this.input.is_empty() {
                    this.ended = true;
                } else {
                    this.stand_in(Broken::Slow);
                }
                continue;
            }
            let mut space = [0; READ_BYTES];
            let mut read = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                this.ended = true;
            }
            this.input.extend_from_slice(read.filled());
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.unless_stalled(written, cx)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.unless_stalled(flushed, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
