//! The sidecar between a program and the gateway's TLS door.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use gateway::{Patience, Sidecar, SidecarFiles};
use model::{Identity, WorkloadName};
use rcgen::{SanType, date_time_ymd};
use tokio::net::{TcpListener, UnixListener, UnixStream};

use crate::pki::Pki;
use crate::support::{Act, Answer, Caller, FakeVendor, House, Request, Setup};

const SHOP: &str = "spiffe://prod.example/shop";

/// A house with a TLS door, and what a sidecar needs to come to it.
struct Scene {
    vendor: FakeVendor,
    house: House,
    pki: Pki,
    url: String,
}

impl Scene {
    async fn new() -> Self {
        Self::of(FakeVendor::accepting().await).await
    }

    async fn of(vendor: FakeVendor) -> Self {
        let house = House::with(Setup::sendgrid(&vendor)).await;
        let mut registry = house.registry();
        let shop = WorkloadName::parse("shop").expect("a name");
        registry.identities.insert(Identity::parse(SHOP).expect("an identity"), shop);
        house.gateway.replace(registry);
        let pki = Pki::new();
        // A sidecar goes by the machine's own clock.
        let local = pki.server.signs(|params| {
            params.subject_alt_names =
                vec![SanType::DnsName("localhost".try_into().expect("ASCII"))];
            params.not_after = date_time_ymd(4096, 1, 1);
        });
        pki.write("gateway.pem", &local.pem);
        pki.write("gateway.key", &local.key_pem);
        pki.write("server-ca.pem", &pki.server.pem);
        let (door, _) = pki.door(&house, &pki.files()).await;
        let url = format!("https://localhost:{}", door.port());
        Self { vendor, house, pki, url }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.pki.dir.path().join(name)
    }

    /// Files with the gateway's authority alone.
    fn files(&self) -> SidecarFiles {
        SidecarFiles { ca: Some(self.path("server-ca.pem")), ..SidecarFiles::default() }
    }

    /// The same with a certificate of this SPIFFE ID.
    fn certified(&self, id: &str) -> SidecarFiles {
        let shown = self.pki.domain.svid(id);
        self.pki.write("shop.pem", &shown.pem);
        self.pki.write("shop.key", &shown.key_pem);
        let certificate = Some((self.path("shop.pem"), self.path("shop.key")));
        SidecarFiles { certificate, ..self.files() }
    }

    /// A message as a program writes it that holds no token at all.
    fn mail(&self) -> Request {
        self.house.mail().header("Authorization", "Bearer SG.dummy")
    }
}

async fn start(sidecar: Sidecar) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(sidecar.serve(listener, std::future::pending()));
    address
}

async fn says(at: SocketAddr, bytes: &[u8]) -> Answer {
    let stream = tokio::net::TcpStream::connect(at).await.expect("the sidecar listens");
    let mut caller = Caller::over(stream);
    caller.write(bytes).await;
    caller.answer().await
}

#[tokio::test]
async fn a_program_without_a_token_calls_under_its_sidecars_certificate() {
    let scene = Scene::new().await;
    let sidecar = Sidecar::open(&scene.url, scene.certified(SHOP)).expect("the files fit");
    let at = start(sidecar.clone()).await;
    let answer = says(at, &scene.mail().bytes()).await;
    assert_eq!(answer.said(), (202, "sent", None));
    assert!(answer.header("x-cordon-call").is_some(), "the gateway's own words come back");
    assert_eq!(scene.vendor.only().json()["subject"], "Your receipt");

    scene.certified("spiffe://prod.example/other");
    sidecar.look();
    let answer = says(at, &scene.mail().bytes()).await;
    assert_eq!(answer.said(), (401, "not-sent", Some("identity-unknown")), "it was read anew");
}

#[tokio::test]
async fn a_token_in_a_file_says_who_calls_whatever_the_program_shows() {
    let scene = Scene::new().await;
    scene.pki.write("tokens", &format!("# of the shop\nsendgrid {}\n", scene.house.token()));
    let files = SidecarFiles { tokens: Some(scene.path("tokens")), ..scene.files() };
    let at = start(Sidecar::open(&scene.url, files).expect("the files fit")).await;
    assert_eq!(says(at, &scene.mail().bytes()).await.said(), (202, "sent", None));
    assert!(scene.vendor.only().header("proxy-authorization").is_empty());
    let forged = scene.mail().header("Proxy-Authorization", "Bearer SG.other");
    assert_eq!(says(at, &forged.bytes()).await.said(), (202, "sent", None), "it is not handed on");
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_told_as_not_sent() {
    let scene = Scene::new().await;
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = free.local_addr().expect("bound").port();
    drop(free);
    let url = format!("https://localhost:{port}");
    let at = start(Sidecar::open(&url, scene.files()).expect("the files fit")).await;
    let answer = says(at, &scene.mail().bytes()).await;
    assert_eq!(answer.said(), (503, "not-sent", Some("gateway-unreachable")));
    assert_eq!(answer.json()["error"]["code"], "gateway-unreachable");
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test]
async fn a_gateway_that_is_not_believed_gets_nothing() {
    let scene = Scene::new().await;
    scene.pki.write("server-ca.pem", &scene.pki.plain.pem);
    let at = start(Sidecar::open(&scene.url, scene.files()).expect("the files fit")).await;
    let answer = says(at, &scene.mail().bytes()).await;
    assert_eq!(answer.said(), (502, "not-sent", Some("gateway-tls")));
    assert!(scene.house.seen.all().is_empty());
    assert!(Sidecar::open("http://localhost:1", scene.files()).is_err(), "nor plain HTTP");
}

#[tokio::test]
async fn a_gateway_that_goes_away_after_the_request_leaves_it_unknown_and_it_is_not_repeated() {
    let scene = Scene::of(FakeVendor::start(|_| Act::Silent).await).await;
    let brief = Duration::from_millis(200);
    let patience =
        Patience { read: brief, busy: brief, connect: brief, reply: brief, ..Patience::default() };
    let sidecar = Sidecar::with_patience(&scene.url, scene.certified(SHOP), patience);
    let at = start(sidecar.expect("the files fit")).await;
    let answer = says(at, &scene.mail().bytes()).await;
    assert_eq!(answer.said(), (504, "unknown", Some("gateway-slow")));
    scene.vendor.hears().await;
    assert_eq!(scene.vendor.got().len(), 1);
}

#[tokio::test]
async fn a_sidecar_holds_callers_to_the_framing_of_every_door() {
    let scene = Scene::new().await;
    let at = start(Sidecar::open(&scene.url, scene.certified(SHOP)).expect("the files fit")).await;
    let mail = scene.mail().body("0\r\n\r\n");
    let answer =
        says(at, &mail.framed("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")).await;
    assert_eq!(answer.said(), (400, "not-sent", Some("length-and-chunked")));
    let answer = says(at, &scene.mail().path("/other").bytes()).await;
    assert_eq!(answer.said(), (404, "not-sent", Some("vendor-unknown")));
    assert!(scene.house.seen.all().is_empty(), "neither came to the gateway");
}

#[tokio::test]
async fn a_sidecar_listens_on_a_unix_socket_too() {
    let scene = Scene::new().await;
    let socket = scene.path("cordon.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let sidecar = Sidecar::open(&scene.url, scene.certified(SHOP)).expect("the files fit");
    tokio::spawn(sidecar.serve(listener, std::future::pending()));
    let mut caller = Caller::over(UnixStream::connect(&socket).await.expect("it listens"));
    caller.write(&scene.mail().bytes()).await;
    assert_eq!(caller.answer().await.said(), (202, "sent", None));
}
