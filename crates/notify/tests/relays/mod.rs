//! A relay that does what the recipient's name asks for, and remembers what it took.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use mail::{Relay, RelayTls};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What the relay saw.
#[derive(Default)]
pub struct Seen {
    /// Whole messages, in the order in which they came: recipient and `Message-ID`.
    pub messages: Vec<(String, String)>,
    /// Connections that are open.
    pub open: usize,
    /// How often each recipient was tried.
    tries: HashMap<String, usize>,
}

/// A relay on a port of its own, until it is dropped.
pub struct ScriptedRelay {
    /// Where it listens.
    pub relay: Relay,
    /// What it saw; changes can be waited for.
    pub seen: watch::Sender<Seen>,
    _sessions: JoinSet<()>,
}

impl ScriptedRelay {
    /// Starts one that refuses the sender of its first `sender_refusals` messages.
    pub async fn start(sender_refusals: usize) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it listens").port();
        let seen = watch::Sender::new(Seen::default());
        let refusals = Arc::new(Mutex::new(sender_refusals));
        let mut sessions = JoinSet::new();
        let (watched, left) = (seen.clone(), refusals.clone());
        sessions.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                watched.send_modify(|seen| seen.open += 1);
                let (watched, left) = (watched.clone(), left.clone());
                open.spawn(async move {
                    let _closed = Session { seen: watched.clone() };
                    // A client that goes away ends the session; there is nobody to tell.
                    drop(session(stream, &watched, &left).await);
                });
            }
        });
        let relay = Relay::new("127.0.0.1", port, RelayTls::None, "test.example");
        Arc::new(Self { relay, seen, _sessions: sessions })
    }

    /// Waits until what it saw is as wanted.
    pub async fn until(&self, wanted: impl FnMut(&Seen) -> bool) {
        self.seen.subscribe().wait_for(wanted).await.map(drop).expect("the relay is there");
    }

    /// How often each recipient has the message.
    pub fn copies(&self) -> HashMap<String, usize> {
        let mut copies = HashMap::new();
        for (to, _) in &self.seen.borrow().messages {
            *copies.entry(to.clone()).or_default() += 1;
        }
        copies
    }
}

struct Session {
    seen: watch::Sender<Seen>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.seen.send_modify(|seen| seen.open -= 1);
    }
}

/// What a recipient's name asks for, by the number of tries so far.
fn reply_to_recipient(act: &str, tries: usize) -> Option<&'static str> {
    match (act, tries) {
        ("later", 0 | 1) => Some("450 4.2.1 greylisted"),
        ("never", _) => Some("452 4.3.1 full"),
        ("gone", _) => Some("550 5.1.1 no such user"),
        ("closing", 0) => Some("421 4.3.2 closing"),
        _ => None,
    }
}

fn reply_to_message(act: &str, tries: usize) -> Option<&'static str> {
    match (act, tries) {
        ("busy", 0) => Some("451 4.7.1 later"),
        ("spam", _) => Some("554 5.7.1 refused"),
        _ => None,
    }
}

async fn session(
    stream: TcpStream,
    seen: &watch::Sender<Seen>,
    sender_refusals: &Mutex<usize>,
) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    say(&mut write, "220 relay.example").await?;
    let mut to = String::new();
    while let Some(line) = lines.next_line().await? {
        let act = to.split(['-', '@']).next().unwrap_or_default().to_owned();
        let tries = seen.borrow().tries.get(&to).copied().unwrap_or_default();
        if line.starts_with("EHLO") {
            say(&mut write, "250 relay.example").await?;
        } else if line.starts_with("MAIL") {
            let refused = {
                let mut left = sender_refusals.lock().expect("nobody panics");
                let refused = *left > 0;
                *left = left.saturating_sub(1);
                refused
            };
            say(&mut write, if refused { "550 5.7.1 who are you" } else { "250 ok" }).await?;
        } else if let Some(rest) = line.strip_prefix("RCPT TO:<") {
            to = rest.trim_end_matches('>').to_owned();
            let act = to.split(['-', '@']).next().unwrap_or_default().to_owned();
            let tries = seen.borrow().tries.get(&to).copied().unwrap_or_default();
            let refused = reply_to_recipient(&act, tries);
            if refused.is_some() {
                count_try(seen, &to);
            }
            say(&mut write, refused.unwrap_or("250 ok")).await?;
            if act == "closing" && tries == 0 {
                return Ok(());
            }
        } else if line == "DATA" {
            if act == "cut" && tries == 0 {
                count_try(seen, &to);
                return Ok(());
            }
            say(&mut write, "354 go on").await?;
            let mut id = String::new();
            loop {
                let Some(line) = lines.next_line().await? else { return Ok(()) };
                if let Some(value) = line.strip_prefix("Message-ID: ") {
                    id = value.to_owned();
                }
                if line == "." {
                    break;
                }
            }
            count_try(seen, &to);
            let refused = reply_to_message(&act, tries);
            if refused.is_none() {
                seen.send_modify(|seen| seen.messages.push((to.clone(), id.clone())));
            }
            if act == "lost" {
                return Ok(());
            }
            say(&mut write, refused.unwrap_or("250 2.0.0 taken")).await?;
        } else if line == "QUIT" {
            return say(&mut write, "221 bye").await;
        } else {
            say(&mut write, "250 ok").await?;
        }
    }
    Ok(())
}

fn count_try(seen: &watch::Sender<Seen>, to: &str) {
    seen.send_modify(|seen| *seen.tries.entry(to.to_owned()).or_default() += 1);
}

async fn say(write: &mut OwnedWriteHalf, line: &str) -> std::io::Result<()> {
    write.write_all(format!("{line}\r\n").as_bytes()).await
}
