//! Tunnels to vendors' hosts, which end in the gateway.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::{Authority, Egress, KeptAuthority, Patience};
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;

use crate::pki::Client;
use crate::support::{Answer, Caller, FakeVendor, House, Request, SENDGRID_KEY, Setup, soon};

const HOST: &str = "api.sendgrid.com";

/// A house with a `CONNECT` door.
struct Scene {
    house: House,
    door: SocketAddr,
    authority: KeptAuthority,
    vendor: FakeVendor,
}

impl Scene {
    async fn new() -> Self {
        Self::with(Patience::default()).await
    }

    async fn with(patience: Patience) -> Self {
        let vendor = FakeVendor::accepting().await;
        let setup = Setup::sendgrid(&vendor);
        Self::of(vendor, vec![setup], patience).await
    }

    async fn of(vendor: FakeVendor, setups: Vec<Setup>, patience: Patience) -> Self {
        let allowed = vec![vendor.address.to_string()];
        let egress = Egress::new(RootCertStore::empty(), allowed).expect("TLS");
        let house = House::leading_out(setups, patience, egress).await;
        let authority = KeptAuthority::issue(HOST, &house.world).expect("an authority");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let door = listener.local_addr().expect("bound");
        let serving = house.gateway.clone().serve_connect(listener, None, std::future::pending());
        tokio::spawn(serving);
        let scene = Self { house, door, authority, vendor };
        scene.register();
        scene
    }

    fn register(&self) {
        let mut registry = self.house.registry();
        let opened = Authority::open(&self.authority).expect("it opens");
        registry.authorities.insert(HOST.to_owned(), vec![opened.into()]);
        self.house.gateway.replace(registry);
    }

    /// What the door says to the head of a request.
    async fn says(&self, head: &str) -> (Answer, Caller) {
        let stream = TcpStream::connect(self.door).await.expect("the door listens");
        let mut caller = Caller::over(stream);
        caller.write(head.as_bytes()).await;
        (caller.answer().await, caller)
    }

    fn client(&self) -> Client {
        let root = CertificateDer::from_pem_slice(self.authority.root.as_bytes()).expect("PEM");
        Client::believing(&root, None)
    }

    /// A tunnel with TLS in it.
    async fn tunnel(&self, lines: &str, client: Client) -> Caller<TlsStream<TcpStream>> {
        let head = format!("CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n{lines}\r\n");
        let (answer, caller) = self.says(&head).await;
        assert_eq!(answer.status, 200, "{}", answer.head());
        Caller::over(client.shake(HOST, caller.stream).await.expect("TLS in the tunnel"))
    }

    /// A message as the SDK writes it for the vendor itself.
    fn mail(&self) -> Request {
        self.house.mail().path("/v3/mail/send").header("Host", HOST)
    }
}

fn connect_to(target: &str) -> String {
    format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")
}

#[tokio::test]
async fn a_call_inside_a_tunnel_takes_the_way_of_all_calls() {
    let scene = Scene::new().await;
    let mut caller = scene.tunnel("", scene.client()).await;
    for _ in 0..2 {
        caller.write(&scene.mail().bytes()).await;
        assert_eq!(caller.answer().await.said(), (202, "sent", None));
    }
    let got = scene.vendor.got();
    assert_eq!((got.len(), got[0].line()), (2, "POST /v3/mail/send HTTP/1.1"));
    assert_eq!(got[0].header("authorization"), [format!("Bearer {SENDGRID_KEY}")]);
    assert_eq!(scene.house.disclosures().len(), 2);
    caller.write(&scene.mail().header("Authorization", "Bearer SG.dummy").bytes()).await;
    assert_eq!(caller.answer().await.code(), Some("token-missing"));
}

#[tokio::test]
async fn unknown_hosts_and_ports_are_refused_before_there_is_a_tunnel() {
    let scene = Scene::new().await;
    for target in [
        "api.sendgrid.com:80",
        "evil.example:443",
        "sendgrid.com:443",
        "127.0.0.1:443",
        "[::1]:443",
    ] {
        let (answer, mut caller) = scene.says(&connect_to(target)).await;
        assert_eq!(answer.said(), (403, "not-sent", Some("host-unknown")), "{target}");
        assert!(answer.header("x-cordon-call").is_some());
        assert!(caller.is_closed().await);
    }
    assert_eq!(scene.house.seen.all().len(), 5, "each is seen");
    assert!(scene.house.seen.all().iter().all(|seen| seen.code == Some("host-unknown")));
}

#[tokio::test]
async fn only_tunnels_are_asked_for_at_this_door() {
    let scene = Scene::new().await;
    for (head, status, code) in [
        (
            "GET http://api.sendgrid.com/v3 HTTP/1.1\r\nHost: api.sendgrid.com\r\n\r\n",
            403,
            "proxy-plain",
        ),
        ("GET /v/sendgrid/v3 HTTP/1.1\r\nHost: a\r\n\r\n", 405, "connect-only"),
        ("CONNECT api.sendgrid.com HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target-malformed"),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n", 400, "old-http-body"),
        ("CONNECT a:443 HTTP/1.1\r\n Host: a\r\n\r\n", 400, "head-folded"),
        ("CONNECT a:443 HTTP/1.1\n\n", 400, "head-malformed"),
        ("CONNECT a:443 HTTP/2\r\nHost: a\r\n\r\n", 505, "http-version"),
    ] {
        let (answer, _) = scene.says(head).await;
        assert_eq!(answer.said(), (status, "not-sent", Some(code)), "{head}");
    }
    let large = format!("CONNECT a:443 HTTP/1.1\r\nX-A: {}\r\n\r\n", "b".repeat(20_000));
    assert_eq!(scene.says(&large).await.0.code(), Some("head-too-large"));
}

#[tokio::test]
async fn a_connect_that_does_not_end_is_answered_in_time() {
    let patience = Patience { handshake: Duration::from_millis(50), ..Patience::default() };
    let scene = Scene::with(patience).await;
    let (answer, _) = scene.says("CONNECT api.send").await;
    assert_eq!(answer.said(), (408, "not-sent", Some("too-slow")));
    let (answer, mut caller) = scene.says(&connect_to("api.sendgrid.com:443")).await;
    assert_eq!(answer.status, 200);
    assert!(caller.is_closed().await, "the handshake inside has its time, too");
}

#[tokio::test]
async fn inside_a_tunnel_no_other_host_is_reached() {
    let scene = Scene::new().await;
    for host in ["api.twilio.com", "api.sendgrid.com:444", "api.sendgrid.com.evil.example"] {
        let mut caller = scene.tunnel("", scene.client()).await;
        caller.write(&scene.mail().header("Host", host).bytes()).await;
        assert_eq!(
            caller.answer().await.said(),
            (421, "not-sent", Some("host-mismatch")),
            "{host}"
        );
    }
    let mut caller = scene.tunnel("", scene.client()).await;
    caller.write(&scene.house.mail().header("Host", HOST).bytes()).await;
    let answer = caller.answer().await;
    assert_eq!(answer.code(), Some("unknown-operation"), "no path names a vendor here");
    assert!(scene.vendor.got().is_empty());
}

#[tokio::test]
async fn another_server_name_inside_ends_the_tunnel() {
    let scene = Scene::new().await;
    let (answer, caller) = scene.says(&connect_to("api.sendgrid.com:443")).await;
    assert_eq!(answer.status, 200);
    assert!(scene.client().shake("api.twilio.com", caller.stream).await.is_err());
    let (_, mut caller) = scene.says(&connect_to("api.sendgrid.com:443")).await;
    caller.write(b"GET /v3 HTTP/1.1\r\nHost: api.sendgrid.com\r\n\r\n").await;
    let mut said = Vec::new();
    drop(soon("the end", caller.stream.read_to_end(&mut said)).await);
    assert!(!said.starts_with(b"HTTP"), "there is TLS in a tunnel, or nothing");
    assert_eq!(scene.house.seen.all()[0].code, Some("host-mismatch"));
}

#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused_inside_a_tunnel_too() {
    let scene = Scene::new().await;
    let mail = scene.mail().body("0\r\n\r\n");
    let mut caller = scene.tunnel("", scene.client()).await;
    caller.write(&mail.framed("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")).await;
    assert_eq!(caller.answer().await.said(), (400, "not-sent", Some("length-and-chunked")));
    assert!(caller.is_closed().await);
    assert!(scene.vendor.got().is_empty());
}

#[tokio::test]
async fn the_token_that_opens_a_tunnel_says_who_calls() {
    let scene = Scene::new().await;
    let basic = |text: String| format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(text));
    let token = scene.house.token();
    let mut caller = scene.tunnel(&basic(format!("token:{token}")), scene.client()).await;
    caller.write(&scene.mail().header("Authorization", "Bearer SG.dummy").bytes()).await;
    assert_eq!(caller.answer().await.said(), (202, "sent", None));
    assert!(scene.vendor.only().header("proxy-authorization").is_empty());

    let lines = basic("token:SG.nobodys".to_owned());
    let head = format!("CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n{lines}\r\n");
    let (answer, _) = scene.says(&head).await;
    assert_eq!(answer.said(), (407, "not-sent", Some("proxy-token-unknown")));
    assert_eq!(answer.header("proxy-authenticate"), Some("Basic realm=\"cordon\""));
}

#[tokio::test]
async fn several_vendors_at_one_host_are_told_apart_by_the_token() {
    let (vendor, other) = (FakeVendor::accepting().await, FakeVendor::accepting().await);
    let mut second = Setup::sendgrid(&other);
    second.name = Some("marketing");
    let token = second.token().expose().clone();
    let setups = vec![Setup::sendgrid(&vendor), second];
    // Only the first vendor's address is allowed; the second shows by being refused there.
    let scene = Scene::of(vendor, setups, Patience::default()).await;
    let mut caller = scene.tunnel("", scene.client()).await;
    caller.write(&scene.mail().bytes()).await;
    assert_eq!(caller.answer().await.said(), (202, "sent", None));
    caller.write(&scene.mail().header("Authorization", &format!("Bearer {token}")).bytes()).await;
    assert_eq!(caller.answer().await.code(), Some("endpoint-refused"));

    let opened_with = STANDARD.encode(format!("token:{token}"));
    let lines = format!("Proxy-Authorization: Basic {opened_with}\r\n");
    let mut caller = scene.tunnel(&lines, scene.client()).await;
    caller.write(&scene.mail().bytes()).await;
    assert_eq!(caller.answer().await.said(), (202, "sent", None), "the SDK's own token decides");
    caller.write(&scene.mail().header("Authorization", "Bearer SG.dummy").bytes()).await;
    assert_eq!(caller.answer().await.code(), Some("endpoint-refused"), "else the proxy's");
    let seen = scene.house.seen.all();
    let vendors: Vec<_> = seen.iter().filter_map(|seen| seen.vendor.as_ref()).collect();
    let vendors: Vec<_> = vendors.iter().map(|vendor| vendor.as_str()).collect();
    assert_eq!(vendors, ["sendgrid", "marketing", "sendgrid", "marketing"]);
}

#[tokio::test]
async fn what_a_thief_of_the_key_signs_for_another_host_is_not_believed() {
    let scene = Scene::new().await;
    let issuing = CertificateDer::from_pem_slice(scene.authority.issuing.as_bytes()).expect("PEM");
    let key = KeyPair::from_pem(scene.authority.key.expose()).expect("a key");
    let issuer = Issuer::from_ca_cert_der(&issuing, key).expect("an issuer");
    for (name, is_believed) in [
        ("api.sendgrid.com", true),
        ("api.twilio.com", false),
        ("sendgrid.com", false),
        ("127.0.0.1", false),
    ] {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(2026, 2, 4);
        let key = KeyPair::generate().expect("a key");
        let leaf = params.signed_by(&key, &issuer).expect("a leaf");
        let config = rustls::ServerConfig::builder_with_provider(
            rustls::crypto::aws_lc_rs::default_provider().into(),
        )
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone(), issuing.clone()],
            key.serialize_der().try_into().expect("PKCS #8"),
        )
        .expect("a configuration");
        let (near, far) = tokio::io::duplex(64 * 1024);
        let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
        let accepting = tokio::spawn(acceptor.accept(far));
        let shaken = scene.client().shake(name, near).await;
        assert_eq!(shaken.is_ok(), is_believed, "{name}: {:?}", shaken.err());
        drop(accepting.await);
    }
}

#[tokio::test]
async fn a_stream_without_a_word_is_closed() {
    let patience = Patience { handshake: Duration::from_millis(50), ..Patience::default() };
    let scene = Scene::with(patience).await;
    let mut stream = TcpStream::connect(scene.door).await.expect("the door listens");
    let mut said = Vec::new();
    soon("the end", stream.read_to_end(&mut said)).await.expect("closed");
    assert!(said.is_empty());
    stream.shutdown().await.expect("closed on both sides");
}
