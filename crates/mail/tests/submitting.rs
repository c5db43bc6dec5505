//! Mail from those who log in: only over TLS, only with a good password, within limits of memory.

mod common;

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::Talk;
use mail::{Answer, Desk, ReceivedMail, Receiver, Relay, RelayTls, SendError, Session, Stage};
use model::Secret;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const HOST: &str = "smtp.cordon.example";

/// Lets `apikey` in with `SG.secret`, and takes what is not for `gone`.
#[derive(Default)]
struct Counter {
    taken: Mutex<Vec<(String, ReceivedMail)>>,
}

impl Desk for Counter {
    type Login = String;

    fn anonymous(&self) -> Option<String> {
        None
    }

    fn log_in(&self, _: IpAddr, user: &str, password: &Secret<String>) -> Result<String, Answer> {
        if user == "apikey" && password.matches(b"SG.secret") {
            return Ok(user.to_owned());
        }
        Err(Answer::new(535, "5.7.8", "token-unknown: nobody has this token"))
    }

    fn accepts(&self, _: &String, recipient: &str) -> Result<(), Answer> {
        let gone = Answer::new(550, "5.7.1", "vendor-stopped: calls to this vendor are stopped");
        if recipient.starts_with("gone") { Err(gone) } else { Ok(()) }
    }

    async fn take(&self, login: &String, mail: ReceivedMail) -> Answer {
        self.taken.lock().expect("nobody panics").push((login.clone(), mail));
        Answer::new(250, "2.0.0", "kept as cal_1")
    }
}

struct Door {
    port: u16,
    desk: Arc<Counter>,
    roots: Arc<RootCertStore>,
}

impl Door {
    async fn open(change: impl FnOnce(&mut Receiver)) -> Self {
        let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).expect("a certificate");
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let tls = mail::server_config(chain.as_bytes(), key.as_bytes()).expect("it fits");
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(chain.as_bytes()).expect("PEM");
        roots.add(root).expect("a root");
        let mut receiver = Receiver::new(HOST, tls);
        change(&mut receiver);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it listens").port();
        let desk = Arc::new(Counter::default());
        tokio::spawn(receiver.serve_desk(listener, desk.clone(), std::future::pending()));
        Self { port, desk, roots: Arc::new(roots) }
    }

    async fn talk(&self) -> Talk<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("it listens");
        let mut talk = Talk::new(stream);
        talk.expect("220").await;
        talk.say("EHLO app.example", "250").await;
        talk
    }

    async fn encrypted(&self) -> Talk<TlsStream<TcpStream>> {
        let mut talk = self.talk().await;
        talk.say("STARTTLS", "220").await;
        let mut talk = Talk::new(self.handshake(talk.stream.into_inner()).await);
        let offer = talk.say("EHLO app.example", "250").await;
        assert!(offer.contains("AUTH") && offer.contains("PLAIN") && offer.contains("LOGIN"));
        talk
    }

    async fn handshake(&self, stream: TcpStream) -> TlsStream<TcpStream> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        let name = ServerName::try_from(HOST).expect("a name");
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("a handshake")
    }

    async fn session(&self, tls: RelayTls, password: &str) -> Result<Session, SendError> {
        let mut relay = Relay::new(HOST, self.port, tls, "app.example");
        relay.login = Some(("apikey".to_owned(), Secret::new(password.to_owned())));
        relay.roots = Some(self.roots.clone());
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("it listens");
        Session::over(stream, &relay).await
    }
}

fn plain(user: &str, password: &str) -> String {
    STANDARD.encode(format!("\0{user}\0{password}"))
}

#[tokio::test]
async fn nobody_sends_or_logs_in_in_plain() {
    let door = Door::open(|_| ()).await;
    let mut talk = door.talk().await;
    let offer = talk.say("EHLO app.example", "250").await;
    assert!(!offer.contains("AUTH") && offer.contains("STARTTLS"), "{offer}");
    talk.say(&format!("AUTH PLAIN {}", plain("apikey", "SG.secret")), "538 5.7.11").await;
    talk.say("MAIL FROM:<shop@example.com>", "530 5.7.0").await;
    assert!(door.desk.taken.lock().expect("nobody panics").is_empty());
}

#[tokio::test]
async fn nobody_sends_before_a_good_log_in() {
    let door = Door::open(|_| ()).await;
    let mut talk = door.encrypted().await;
    talk.say("MAIL FROM:<shop@example.com>", "530 5.7.0").await;
    talk.say(&format!("AUTH PLAIN {}", plain("apikey", "SG.guess")), "535 5.7.8").await;
    talk.say("AUTH CRAM-MD5", "504").await;
    talk.say("AUTH LOGIN", "334 VXNlcm5hbWU6").await;
    talk.say("*", "501 5.7.0").await;
    talk.say("MAIL FROM:<shop@example.com>", "530 5.7.0").await;
    talk.say("AUTH PLAIN", "334").await;
    talk.say(&plain("apikey", "SG.secret"), "235 2.7.0").await;
    talk.say("AUTH PLAIN", "503").await;
    talk.say("MAIL FROM:<shop@example.com> AUTH=<>", "250").await;
    talk.say("RCPT TO:<gone@example.org>", "550 5.7.1 vendor-stopped").await;
    talk.say("RCPT TO:<ann@example.org>", "250").await;
    talk.say("DATA", "354").await;
    talk.send("Subject: hi\r\n\r\nhi\r\n.\r\n").await;
    talk.expect("250 2.0.0 kept as cal_1").await;
    let taken = door.desk.taken.lock().expect("nobody panics");
    let (login, mail) = &taken[0];
    assert_eq!((login.as_str(), mail.tls), ("apikey", true));
    assert_eq!(mail.recipients, ["ann@example.org"]);
}

#[tokio::test]
async fn a_session_logs_in_over_either_kind_of_tls_and_is_asked_whether_it_is_awake() {
    for (implicit_tls, tls) in [(false, RelayTls::Required), (true, RelayTls::Implicit)] {
        let door = Door::open(|receiver| receiver.implicit_tls = implicit_tls).await;
        let mut session = door.session(tls, "SG.secret").await.expect("it opens");
        assert!(session.is_awake().await);
        session.fits("shop@example.com", "ann@example.org").expect("it fits");
        assert!(session.fits("shop@example.com", "ann>\r\nDATA").is_err());
        let sent = session.send("shop@example.com", "ann@example.org", b"Subject: a\r\n\r\n.");
        assert_eq!(sent.await.expect("kept").text, "kept as cal_1");
        let refused = door.session(tls, "SG.guess").await.err().expect("refused");
        assert!(matches!(refused, SendError::NotSent { at: Stage::Login, .. }), "{refused}");
    }
}

#[tokio::test]
async fn mail_in_memory_is_bounded_over_all_sessions() {
    let door = Door::open(|receiver| receiver.limits.held_bytes = 256 * 1024).await;
    let mut talks = Vec::new();
    for _ in 0..3 {
        let mut talk = door.encrypted().await;
        talk.say(&format!("AUTH PLAIN {}", plain("apikey", "SG.secret")), "235").await;
        talk.say("MAIL FROM:<shop@example.com>", "250").await;
        talk.say("RCPT TO:<ann@example.org>", "250").await;
        talk.say("DATA", "354").await;
        talks.push(talk);
    }
    let text = format!("Subject: large\r\n\r\n{}\r\n", "x".repeat(400 * 1024));
    let mut large = talks.pop().expect("three");
    large.send(&text).await;
    large.expect("452 4.3.1").await;
    large.expect_closed().await;
    for mut talk in talks {
        talk.send("Subject: small\r\n\r\nhi\r\n.\r\n").await;
        talk.expect("250").await;
    }
}
