//! A connection to a vendor that knows how much was written to it, and asks before it begins.
//!
//! Both are decided under one lock with the write itself: once [`Wire::close`] has said that
//! nothing of a request was written, nothing of it ever will be.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::refused::Refused;

/// Asked once per request, as its first byte is about to be written.
pub type Gate = Box<dyn Fn() -> Result<(), Refused> + Send + Sync>;

/// The account of one connection.
#[derive(Clone, Default)]
pub struct Wire(Arc<Mutex<State>>);

#[derive(Default)]
enum State {
    /// No request may be written: none is under way, or it was given up.
    #[default]
    Closed,
    /// A request may begin when its gate says so.
    Waiting(Gate),
    /// The gate said no.
    Refused(Refused),
    /// Some of a request was written.
    Written,
}

/// How far a request got.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not a byte was written, nor will be.
    Nothing,
    /// Not a byte was written, because its gate said no.
    Refused(Refused),
    /// Bytes were handed to the connection.
    Written,
}

impl Wire {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets one request be written, if its gate agrees when the moment comes.
    pub fn open(&self, gate: Gate) {
        *self.state() = State::Waiting(gate);
    }

    /// Whether some of the request was written.
    pub fn has_begun(&self) -> bool {
        matches!(*self.state(), State::Written)
    }

    /// Lets nothing more be written, and says how far the request got.
    pub fn close(&self) -> Progress {
        match std::mem::take(&mut *self.state()) {
            State::Closed | State::Waiting(_) => Progress::Nothing,
            State::Refused(refused) => Progress::Refused(refused),
            State::Written => Progress::Written,
        }
    }

    /// Writes through `write` if that is allowed now.
    fn write(&self, write: impl FnOnce() -> Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        if let State::Waiting(gate) = &*state
            && let Err(refused) = gate()
        {
            *state = State::Refused(refused);
        }
        if let State::Closed | State::Refused(_) = *state {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::PermissionDenied)));
        }
        let written = write();
        if !matches!(written, Poll::Pending) {
            *state = State::Written;
        }
        written
    }
}

/// A stream with its account.
pub struct Metered<S> {
    stream: S,
    wire: Wire,
}

impl<S> Metered<S> {
    /// Keeps the account of `stream` in `wire`.
    pub fn new(stream: S, wire: Wire) -> Self {
        Self { stream, wire }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, wire } = self.get_mut();
        wire.write(|| Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrote(wire: &Wire) -> bool {
        matches!(wire.write(|| Poll::Ready(Ok(1))), Poll::Ready(Ok(1)))
    }

    #[test]
    fn nothing_is_written_after_a_wire_was_closed() {
        let wire = Wire::default();
        assert!(!wrote(&wire), "a new connection waits for its first request");
        wire.open(Box::new(|| Ok(())));
        assert_eq!(wire.close(), Progress::Nothing);
        assert!(!wrote(&wire));
    }

    #[test]
    fn the_gate_is_asked_once_as_the_first_byte_is_written() {
        let wire = Wire::default();
        let asked = Arc::new(Mutex::new(0));
        let count = asked.clone();
        wire.open(Box::new(move || {
            *count.lock().expect("one thread") += 1;
            Ok(())
        }));
        assert!(wrote(&wire) && wrote(&wire));
        assert_eq!(*asked.lock().expect("one thread"), 1);
        assert_eq!(wire.close(), Progress::Written);
    }

    #[test]
    fn a_gate_that_says_no_keeps_every_byte_back() {
        let wire = Wire::default();
        wire.open(Box::new(|| Err(Refused::Stopped)));
        assert!(!wrote(&wire) && !wrote(&wire));
        assert_eq!(wire.close(), Progress::Refused(Refused::Stopped));
    }
}
