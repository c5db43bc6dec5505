//! What the tests of mail share: a running receiver, a raw talker, and relays that follow a script.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mail::{Inbox, InboxDown, ReceivedMail, Receiver};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Long enough for anything to happen on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// An inbox in memory that takes mail for `…@canary.example`.
#[derive(Default)]
pub struct Memory {
    pub kept: Mutex<Vec<ReceivedMail>>,
    pub down: AtomicBool,
}

impl Memory {
    pub fn mails(&self) -> Vec<ReceivedMail> {
        self.kept.lock().expect("nobody panicked with it").clone()
    }
}

impl Inbox for Memory {
    fn accepts(&self, recipient: &str) -> bool {
        recipient.to_lowercase().ends_with("@canary.example")
    }

    fn receive(
        &self,
        mail: ReceivedMail,
    ) -> Pin<Box<dyn Future<Output = Result<(), InboxDown>> + Send + '_>> {
        Box::pin(async move {
            // As a disk would, it takes a while.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            if self.down.load(Ordering::SeqCst) {
                return Err(InboxDown);
            }
            self.kept.lock().expect("nobody panicked with it").push(mail);
            Ok(())
        })
    }
}

/// A receiver on a port of its own.
pub struct Running {
    pub address: SocketAddr,
    pub inbox: Arc<Memory>,
    pub stop: Option<oneshot::Sender<()>>,
    pub served: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    pub async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// With other limits than the usual ones.
    pub async fn with(change: impl FnOnce(&mut Receiver)) -> Self {
        let tls = mail::self_signed("mx.canary.example").expect("a certificate is made");
        Self::with_tls(tls, change).await
    }

    pub async fn with_tls(
        tls: Arc<rustls::ServerConfig>,
        change: impl FnOnce(&mut Receiver),
    ) -> Self {
        let mut receiver = Receiver::new("mx.canary.example", tls);
        change(&mut receiver);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let inbox = Arc::new(Memory::default());
        let (stop, stopped) = oneshot::channel();
        let serve = receiver.serve(listener, inbox.clone(), async move {
            stopped.await.unwrap_or_default();
        });
        let served = tokio::spawn(serve);
        Self { address, inbox, stop: Some(stop), served }
    }

    pub async fn talk(&self) -> Talk<TcpStream> {
        let mut talk =
            Talk::new(TcpStream::connect(self.address).await.expect("the receiver listens"));
        talk.expect("220").await;
        talk
    }
}

/// Somebody who speaks SMTP by hand.
pub struct Talk<S> {
    pub stream: BufReader<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    pub fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).await.expect("the other side listens");
        self.stream.get_mut().flush().await.expect("the other side listens");
    }

    /// One whole reply; empty when the other side closed.
    pub async fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(PATIENCE, self.stream.read_line(&mut line));
            if read.await.expect("a reply comes in time").unwrap_or(0) == 0 {
                return reply;
            }
            let last = line.as_bytes().get(3) != Some(&b'-');
            reply.push_str(&line);
            if last {
                return reply;
            }
        }
    }

    /// The next reply, which must start like this.
    pub async fn expect(&mut self, start: &str) -> String {
        let reply = self.reply().await;
        assert!(reply.starts_with(start), "expected {start}, heard {reply:?}");
        reply
    }

    /// A command and its reply.
    pub async fn say(&mut self, command: &str, start: &str) -> String {
        self.send(format!("{command}\r\n")).await;
        self.expect(start).await
    }

    /// Everything up to the 354 for a mail to one canary.
    pub async fn begin_mail(&mut self) {
        self.say("EHLO sender.example", "250").await;
        self.say("MAIL FROM:<mallory@evil.example>", "250 2.1.0").await;
        self.say("RCPT TO:<ann@canary.example>", "250 2.1.5").await;
        self.say("DATA", "354").await;
    }

    /// That the other side has closed.
    pub async fn expect_closed(&mut self) {
        assert_eq!(self.reply().await, "", "the connection is open");
    }
}

/// One step of a scripted relay.
pub enum Step {
    /// Says this.
    Say(&'static str),
    /// Waits for a line that starts like this.
    Hear(&'static str),
    /// Waits for the final dot.
    HearMessage,
    /// Goes on encrypted.
    Tls(Arc<rustls::ServerConfig>),
    /// Says nothing more, and keeps the connection open until the other side closes it.
    Freeze,
}

/// A relay that does exactly what its script says, for one connection, and then closes. Gives its
/// port, and afterwards all lines that it heard.
pub async fn scripted(script: Vec<Step>) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let port = listener.local_addr().expect("it listens").port();
    let follow = async move {
        let (stream, _) = listener.accept().await.expect("somebody comes");
        let mut heard = Vec::new();
        let mut steps = script.into_iter();
        let plain = follow(BufReader::new(stream), &mut steps, &mut heard).await;
        if let Some((stream, config)) = plain {
            match TlsAcceptor::from(config).accept(stream).await {
                Ok(stream) => {
                    let rest = follow(BufReader::new(stream), &mut steps, &mut heard).await;
                    assert!(rest.is_none(), "a script encrypts once");
                }
                Err(_) => heard.push("no handshake".to_owned()),
            }
        }
        heard
    };
    (port, tokio::spawn(follow))
}

async fn follow<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: BufReader<S>,
    steps: &mut std::vec::IntoIter<Step>,
    heard: &mut Vec<String>,
) -> Option<(S, Arc<rustls::ServerConfig>)> {
    for step in steps {
        match step {
            Step::Say(text) => {
                let said = stream.get_mut().write_all(text.as_bytes()).await;
                if said.and(stream.get_mut().flush().await).is_err() {
                    return None;
                }
            }
            Step::Hear(start) => {
                let line = hear(&mut stream, heard).await?;
                assert!(line.starts_with(start), "the script expects {start}, heard {line:?}");
            }
            Step::HearMessage => while hear(&mut stream, heard).await? != ".\r\n" {},
            Step::Tls(config) => return Some((stream.into_inner(), config)),
            Step::Freeze => while hear(&mut stream, heard).await.is_some() {},
        }
    }
    None
}

async fn hear<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    heard: &mut Vec<String>,
) -> Option<String> {
    let mut line = String::new();
    match tokio::time::timeout(PATIENCE, stream.read_line(&mut line)).await.expect("in time") {
        Ok(1..) => heard.push(line.clone()),
        Ok(0) | Err(_) => return None,
    }
    Some(line)
}
