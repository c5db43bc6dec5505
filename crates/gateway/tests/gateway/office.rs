//! A gateway with a spool, a submission door and a vendor that takes mail over SMTP.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gateway::{Backlog, Egress, Gateway, Patience, Spool, SpoolLimits, SpoolRecovered};
use mail::{Answer, Desk, ReceivedMail, Receiver, Relay, RelayTls, SendError, Session};
use model::world::Fixed;
use model::{RootKey, Secret, VendorName, World};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::support::{FakeVendor, House, SENDGRID_KEY, Setup, now, soon};

/// What the vendor's SMTP host says next.
#[derive(Clone, Debug)]
pub enum Says {
    /// It takes the mail.
    Yes,
    /// It refuses the recipient.
    NoTo(&'static str),
    /// It refuses the mail after its final dot.
    No(&'static str),
    /// It says nothing any more.
    Nothing,
}

/// A vendor's SMTP host.
pub struct Post {
    pub place: String,
    inner: Arc<PostDesk>,
    serving: JoinHandle<anyhow::Result<()>>,
}

struct PostDesk {
    says: Mutex<Vec<Says>>,
    got: Mutex<Vec<ReceivedMail>>,
    count: watch::Sender<usize>,
}

impl PostDesk {
    /// The next word, taken only where it belongs.
    fn next(&self, fits: impl Fn(&Says) -> bool) -> Option<Says> {
        let mut says = self.says.lock().expect("no panic");
        says.first().is_some_and(fits).then(|| says.remove(0))
    }
}

fn said(text: &str) -> Answer {
    let mut words = text.splitn(3, ' ');
    let mut word = || words.next().expect("three words");
    let code = word().parse().expect("a code");
    let enhanced = if word().starts_with('4') { "4.0.0" } else { "5.0.0" };
    Answer::new(code, enhanced, word())
}

impl Desk for PostDesk {
    type Login = ();

    fn anonymous(&self) -> Option<()> {
        None
    }

    fn log_in(&self, _: IpAddr, user: &str, password: &Secret<String>) -> Result<(), Answer> {
        let known = user == "apikey" && password.matches(SENDGRID_KEY.as_bytes());
        known.then_some(()).ok_or(Answer::new(535, "5.7.8", "no such key"))
    }

    fn accepts(&self, (): &(), _: &str) -> Result<(), Answer> {
        match self.next(|says| matches!(says, Says::NoTo(_))) {
            Some(Says::NoTo(text)) => {
                self.count.send_modify(|count| *count += 1);
                Err(said(text))
            }
            _ => Ok(()),
        }
    }

    async fn take(&self, (): &(), mail: ReceivedMail) -> Answer {
        let says = self.next(|_| true).unwrap_or(Says::Yes);
        self.got.lock().expect("no panic").push(mail);
        self.count.send_modify(|count| *count += 1);
        match says {
            Says::No(text) | Says::NoTo(text) => said(text),
            Says::Yes => Answer::new(250, "2.0.0", "Ok: queued as msg-1"),
            Says::Nothing => std::future::pending().await,
        }
    }
}

impl Post {
    async fn open(tls: Arc<rustls::ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let inner = Arc::new(PostDesk {
            says: Mutex::default(),
            got: Mutex::default(),
            count: watch::Sender::default(),
        });
        let receiver = Receiver::new("localhost", tls);
        let serving = receiver.serve_desk(listener, inner.clone(), std::future::pending());
        Self { place: format!("localhost:{port}"), inner, serving: tokio::spawn(serving) }
    }

    /// What it says to the next mails; then it takes them.
    pub fn says(&self, says: &[Says]) {
        self.inner.says.lock().expect("no panic").extend_from_slice(says);
    }

    pub fn got(&self) -> Vec<ReceivedMail> {
        self.inner.got.lock().expect("no panic").clone()
    }

    /// Waits until it has been asked for so many mails.
    pub async fn asked(&self, count: usize) {
        let mut counts = self.inner.count.subscribe();
        let waiting = counts.wait_for(|seen| *seen >= count);
        soon("a mail at the vendor", waiting).await.expect("it is there");
    }

    /// It goes away in the middle of whatever it does.
    pub fn vanish(&self) {
        self.serving.abort();
    }
}

/// The whole of it.
pub struct Office {
    pub house: House,
    pub post: Post,
    pub vendor: FakeVendor,
    pub clock: Arc<Fixed>,
    pub spool_dir: tempfile::TempDir,
    pub recovered: SpoolRecovered,
    roots: Arc<RootCertStore>,
    tls: Arc<rustls::ServerConfig>,
    /// The certificate of its submission door, as PEM.
    pub certificate: String,
    /// The port of its submission door.
    pub door: u16,
    stop: Option<oneshot::Sender<()>>,
    releasing: JoinHandle<anyhow::Result<()>>,
}

fn certificate() -> (Arc<rustls::ServerConfig>, Arc<RootCertStore>, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(chain.as_bytes()).expect("PEM");
    roots.add(root).expect("a root");
    let tls = mail::server_config(chain.as_bytes(), key.as_bytes()).expect("it fits");
    (tls, Arc::new(roots), chain)
}

fn spool(dir: &std::path::Path, world: &World, limits: SpoolLimits) -> (Spool, SpoolRecovered) {
    let key = RootKey::new([42; 32]).seal_key("spool");
    Spool::open(dir, key, world.clone(), limits).expect("the spool opens")
}

impl Office {
    pub async fn open() -> Self {
        Self::with(|_| (), SpoolLimits::default()).await
    }

    pub async fn with(change: impl FnOnce(&mut Setup), limits: SpoolLimits) -> Self {
        let (tls, roots, certificate) = certificate();
        let post = Post::open(tls.clone()).await;
        let vendor = FakeVendor::accepting().await;
        let smtp = Some(post.place.clone());
        let mut setup = Setup { smtp, ..Setup::sendgrid(&vendor) };
        change(&mut setup);
        let allowed = vec![post.place.clone(), setup.endpoint.replace("http://", "")];
        let egress = Egress::new((*roots).clone(), allowed).expect("TLS");
        let patience = Patience { idle: Duration::from_secs(60), ..Patience::default() };
        let (world, clock) = World::fixed(now(), 1);
        let house = House::in_world(vec![setup], patience, egress, world).await;
        let spool_dir = tempfile::tempdir().expect("a folder");
        let (spool, recovered) = spool(spool_dir.path(), &house.world, limits);
        house.gateway.wait_in(spool);
        let door = serve(house.gateway.clone(), &tls).await;
        let (stop, releasing) = release(house.gateway.clone());
        Self {
            house,
            post,
            vendor,
            clock,
            spool_dir,
            recovered,
            roots,
            tls,
            certificate,
            door,
            stop,
            releasing,
        }
    }

    /// The process ends without a word and starts again: nothing is left but what is on disk.
    pub async fn crash(&mut self) {
        self.releasing.abort();
        let House { ledger, keys, world, seen, .. } = &self.house;
        let api = self.house.setups[0].endpoint.replace("http://", "");
        let egress = Egress::new((*self.roots).clone(), vec![self.post.place.clone(), api]);
        let egress = egress.expect("TLS");
        let gateway =
            Gateway::new(ledger.clone(), keys.clone(), world.clone(), egress, seen.clone());
        gateway.replace(self.house.registry());
        self.house.gateway = gateway;
        let limits = SpoolLimits::default();
        let (spool, recovered) = spool(self.spool_dir.path(), &self.house.world, limits);
        self.recovered = recovered;
        self.house.gateway.wait_in(spool);
        self.door = serve(self.house.gateway.clone(), &self.tls).await;
        (self.stop, self.releasing) = release(self.house.gateway.clone());
    }

    /// A session of a program that logs in with its token.
    pub async fn log_in(&self, user: &str, password: &str) -> Result<Session, SendError> {
        let mut relay = Relay::new("localhost", self.door, RelayTls::Required, "app.internal");
        relay.login = Some((user.to_owned(), Secret::new(password.to_owned())));
        relay.roots = Some(self.roots.clone());
        let stream = TcpStream::connect(("127.0.0.1", self.door)).await.expect("it listens");
        Session::over(stream, &relay).await
    }

    /// Hands a mail in; the reply, whatever it is.
    pub async fn submit(&self, to: &str, mail: &str) -> mail::Reply {
        let token = self.house.token();
        let mut session = self.log_in("apikey", &token).await.expect("it lets us in");
        match session.send("shop@shop.example", to, mail.as_bytes()).await {
            Ok(reply) | Err(SendError::Rejected { reply, .. }) => reply,
            Err(other) => panic!("{other}"),
        }
    }

    /// Hands one mail in for several recipients; the reply to its final dot.
    pub async fn submit_to(&self, to: &[&str], mail: &str) -> String {
        let stream = TcpStream::connect(("127.0.0.1", self.door)).await.expect("it listens");
        let mut plain = BufReader::new(stream);
        hear(&mut plain, "220").await;
        say(&mut plain, "EHLO app.internal", "250").await;
        say(&mut plain, "STARTTLS", "220").await;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
        let stream = connector.connect(name, plain.into_inner()).await.expect("a handshake");
        let mut secure = BufReader::new(stream);
        let token = STANDARD.encode(format!("\0apikey\0{}", self.house.token()));
        say(&mut secure, "EHLO app.internal", "250").await;
        say(&mut secure, &format!("AUTH PLAIN {token}"), "235").await;
        say(&mut secure, "MAIL FROM:<shop@shop.example>", "250").await;
        for to in to {
            say(&mut secure, &format!("RCPT TO:<{to}>"), "250").await;
        }
        say(&mut secure, "DATA", "354").await;
        say(&mut secure, &format!("{}.", mail.replace("\r\n.", "\r\n..")), "").await
    }

    /// Lets time pass, as far as Cordon can tell.
    pub fn pass(&self, seconds: i64) {
        self.clock.advance_seconds(seconds);
    }

    /// Files that wait.
    pub fn waiting(&self) -> usize {
        std::fs::read_dir(self.spool_dir.path()).expect("the folder").count()
    }

    /// Waits until nothing waits any more.
    pub async fn emptied(&self) {
        let empty = async {
            let name = VendorName::parse("sendgrid").expect("a name");
            let counted = || self.house.gateway.backlog(&name);
            while self.waiting() > 0 || counted() != Backlog::default() {
                tokio::task::yield_now().await;
            }
        };
        soon("an empty spool", empty).await;
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    command: &str,
    expect: &str,
) -> String {
    stream.write_all(format!("{command}\r\n").as_bytes()).await.expect("it listens");
    stream.flush().await.expect("it listens");
    hear(stream, expect).await
}

async fn hear<S: AsyncRead + Unpin>(stream: &mut BufReader<S>, expect: &str) -> String {
    loop {
        let mut line = String::new();
        soon("a reply", stream.read_line(&mut line)).await.expect("text");
        if line.as_bytes().get(3) != Some(&b'-') {
            assert!(line.starts_with(expect), "expected {expect}, heard {line}");
            return line;
        }
    }
}

async fn serve(gateway: Gateway, tls: &Arc<rustls::ServerConfig>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let receiver = Receiver::new("localhost", tls.clone());
    tokio::spawn(gateway.serve_submission(receiver, listener, std::future::pending()));
    port
}

fn release(gateway: Gateway) -> (Option<oneshot::Sender<()>>, JoinHandle<anyhow::Result<()>>) {
    let (stop, stopped) = oneshot::channel::<()>();
    let releasing = tokio::spawn(gateway.release(async {
        drop(stopped.await);
    }));
    (Some(stop), releasing)
}

/// The header and the body of a mail.
pub fn parts(mail: &ReceivedMail) -> (String, Bytes) {
    let end = mail.raw.windows(4).position(|end| end == b"\r\n\r\n").expect("a header") + 4;
    let head = String::from_utf8(mail.raw[..end].to_vec()).expect("text");
    (head, Bytes::copy_from_slice(&mail.raw[end..]))
}
