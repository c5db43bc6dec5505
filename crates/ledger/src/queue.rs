//! The writer's queue: commands as they come, waited for on the writer's own thread, with or
//! without an end to the wait. Does not know what a command does.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::writer::Command;

/// Commands that wait to be written.
pub struct Queue {
    commands: mpsc::Receiver<Command>,
}

/// What a wait came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Woken {
    /// Commands were taken out.
    Commands,
    /// None came in time.
    Late,
    /// None will ever come.
    Closed,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Queue {
    /// The receiving end of what callers send.
    pub fn new(commands: mpsc::Receiver<Command>) -> Self {
        Self { commands }
    }

    /// Waits for commands until `until`, or as long as it takes, and takes out all that are there,
    /// up to `most`.
    pub fn take(&mut self, into: &mut Vec<Command>, most: usize, until: Option<Instant>) -> Woken {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut cx = Context::from_waker(&waker);
        loop {
            match self.commands.poll_recv_many(&mut cx, into, most) {
                Poll::Ready(0) => return Woken::Closed,
                Poll::Ready(_) => {
                    self.gather(into, most);
                    return Woken::Commands;
                }
                Poll::Pending => {}
            }
            let Some(until) = until else {
                std::thread::park();
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Woken::Late;
            }
            std::thread::park_timeout(left);
        }
    }

    /// Lets callers that are about to hand something in go first, so that they share what comes
    /// next. Where nobody else has anything to do, that takes no time.
    fn gather(&mut self, into: &mut Vec<Command>, most: usize) {
        let mut before = 0;
        while before < into.len() && into.len() < most {
            before = into.len();
            std::thread::yield_now();
            while into.len() < most
                && let Ok(command) = self.commands.try_recv()
            {
                into.push(command);
            }
        }
    }
}
