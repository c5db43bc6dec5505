//! TLS at the base-URL door: who may come in, and as whom.

use std::net::SocketAddr;
use std::time::Duration;

use gateway::{Patience, TokenEntry, token_key};
use model::{Identity, WorkloadName};
use rcgen::{BasicConstraints, DnType, IsCa, KeyUsagePurpose, date_time_ymd};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::pki::{Ca, Client, Pki, Shown, uri};
use crate::support::{FakeVendor, House, Setup, soon};

const SHOP: &str = "spiffe://prod.example/shop";

/// A house with a TLS door, at which `shop` is known by its certificates.
struct Scene {
    vendor: FakeVendor,
    house: House,
    pki: Pki,
    door: SocketAddr,
}

impl Scene {
    async fn new() -> Self {
        Self::with(|files| files, Patience::default()).await
    }

    async fn with(
        change: impl FnOnce(gateway::TlsFiles) -> gateway::TlsFiles,
        patience: Patience,
    ) -> Self {
        let vendor = FakeVendor::accepting().await;
        let house = House::start(vec![Setup::sendgrid(&vendor)], patience).await;
        register(&house, &[SHOP, "dns:shop.internal"], "shop");
        let pki = Pki::new();
        let (door, _) = pki.door(&house, &change(pki.files())).await;
        Self { vendor, house, pki, door }
    }

    /// What a call says that comes with this certificate and a credential that nobody issued.
    async fn says(&self, shown: Shown) -> (u16, String, Option<String>) {
        let mut caller = self.pki.client(Some(shown)).connect(self.door).await.expect("TLS");
        let dummy = "Bearer SG.dummy";
        caller.write(&self.house.mail().header("Authorization", dummy).bytes()).await;
        let answer = caller.answer().await;
        let (status, outcome, code) = answer.said();
        (status, outcome.to_owned(), code.map(str::to_owned))
    }

    /// Expects that TLS does not come about with this certificate.
    async fn refuses(&self, shown: Shown) {
        let said = match self.pki.client(Some(shown)).connect(self.door).await {
            Ok(mut caller) => {
                drop(caller.stream.write_all(&self.house.mail().bytes()).await);
                soon("the end", caller.stream.read_u8()).await.map(|_| ())
            }
            Err(why) => Err(why),
        };
        assert!(said.is_err(), "it is refused in the handshake");
        assert!(self.vendor.got().is_empty() && self.house.seen.all().is_empty());
    }
}

fn register(house: &House, identities: &[&str], workload: &str) {
    let mut registry = house.registry();
    let name = WorkloadName::parse(workload).expect("a name");
    for identity in identities {
        registry.identities.insert(Identity::parse(identity).expect("an identity"), name.clone());
    }
    house.gateway.replace(registry);
}

fn sent() -> (u16, String, Option<String>) {
    (202, "sent".to_owned(), None)
}

fn refused(status: u16, code: &str) -> (u16, String, Option<String>) {
    (status, "not-sent".to_owned(), Some(code.to_owned()))
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_and_a_token_still_says_who_calls() {
    let scene = Scene::new().await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let client = Client::speaking(&scene.pki.server.der, None, &[version]);
        let mut caller = client.connect(scene.door).await.expect("TLS");
        caller.write(&scene.house.mail().bytes()).await;
        assert_eq!(caller.answer().await.said(), (202, "sent", None));
    }
    let mut caller = scene.pki.client(None).connect(scene.door).await.expect("TLS");
    caller.write(&scene.house.mail().without("Authorization").bytes()).await;
    assert_eq!(caller.answer().await.said(), (401, "not-sent", Some("token-missing")));
}

#[tokio::test]
async fn an_older_tls_and_plain_http_are_answered_with_an_alert() {
    /// RFC 8446 §6: `protocol_version`.
    const PROTOCOL_VERSION: u8 = 70;
    let scene = Scene::new().await;
    let mut hello = vec![3, 2];
    hello.extend([0; 32]);
    hello.extend([0, 0, 4, 0xc0, 0x13, 0xc0, 0x14, 1, 0]);
    // Which signatures it knows; nothing of newer versions.
    hello.extend([0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
    let length = u8::try_from(hello.len()).expect("short");
    let record = [&[22, 3, 1, 0, length + 4, 1, 0, 0, length], hello.as_slice()].concat();
    let mut stream = TcpStream::connect(scene.door).await.expect("the door listens");
    stream.write_all(&record).await.expect("written");
    let mut alert = [0; 7];
    soon("an alert", stream.read_exact(&mut alert)).await.expect("an alert");
    assert_eq!((alert[0], alert[5], alert[6]), (21, 2, PROTOCOL_VERSION));

    let mut stream = TcpStream::connect(scene.door).await.expect("the door listens");
    stream.write_all(&scene.house.mail().bytes()).await.expect("written");
    let mut said = Vec::new();
    drop(soon("the end", stream.read_to_end(&mut said)).await);
    assert!(!said.starts_with(b"HTTP"), "plain HTTP is not spoken at a TLS door");
    assert!(scene.vendor.got().is_empty());
}

#[tokio::test]
async fn a_certificate_is_enough_and_the_sdks_dummy_credential_is_ignored() {
    let scene = Scene::new().await;
    assert_eq!(scene.says(scene.pki.domain.svid(SHOP)).await, sent());
    assert_eq!(
        scene.says(scene.pki.plain.names(&["other.internal", "shop.internal"])).await,
        sent()
    );
    let common = scene.pki.plain.signs(|params| {
        params.distinguished_name.push(DnType::CommonName, "shop.internal");
    });
    assert_eq!(scene.says(common).await, sent());
    let workloads: Vec<_> = scene.house.seen.all().into_iter().map(|seen| seen.workload).collect();
    assert!(workloads.iter().all(|name| name.as_ref().is_some_and(|name| name.as_str() == "shop")));
}

#[tokio::test]
async fn a_certificate_of_nobody_in_particular_is_refused() {
    let scene = Scene::new().await;
    let other = scene.pki.domain.svid("spiffe://prod.example/other");
    assert_eq!(scene.says(other).await, refused(401, "identity-unknown"));
    let common = scene.pki.plain.signs(|params| {
        params.distinguished_name.push(DnType::CommonName, "shop.internal");
        params.subject_alt_names = vec![uri("https://shop.internal")];
    });
    // A common name counts only where there is no other name at all.
    scene.refuses_quietly(common).await;
    register(&scene.house, &["dns:a.internal"], "shop");
    let mut registry = scene.house.registry();
    for (name, workload) in [("dns:a.internal", "shop"), ("dns:b.internal", "blog")] {
        let workload = WorkloadName::parse(workload).expect("a name");
        registry.identities.insert(Identity::parse(name).expect("an identity"), workload);
    }
    scene.house.gateway.replace(registry);
    let both = scene.pki.plain.names(&["a.internal", "b.internal"]);
    assert_eq!(scene.says(both).await, refused(401, "identity-unknown"));
    assert!(scene.vendor.got().is_empty());
}

impl Scene {
    /// As [`Scene::refuses`], where other calls were seen before it.
    async fn refuses_quietly(&self, shown: Shown) {
        let before = self.house.seen.all().len();
        if let Ok(mut caller) = self.pki.client(Some(shown)).connect(self.door).await {
            drop(caller.stream.write_all(&self.house.mail().bytes()).await);
            assert!(soon("the end", caller.stream.read_u8()).await.is_err());
        }
        assert_eq!(self.house.seen.all().len(), before);
    }
}

#[tokio::test]
async fn a_certificate_of_one_workload_with_the_token_of_another_is_refused() {
    let scene = Scene::new().await;
    let mut registry = scene.house.registry();
    let blog = WorkloadName::parse("blog").expect("a name");
    registry.identities.insert(Identity::parse(SHOP).expect("an identity"), blog.clone());
    let vendor = registry.vendors.keys().next().expect("a vendor").clone();
    let token = scene.house.setups[0].token();
    let key = token_key(&scene.house.keys.token, &vendor, &token);
    assert!(registry.tokens.contains_key(&key), "the house's token is the shop's");
    scene.house.gateway.replace(registry);

    let says = async || {
        let shown = scene.pki.domain.svid(SHOP);
        let mut caller = scene.pki.client(Some(shown)).connect(scene.door).await.expect("TLS");
        caller.write(&scene.house.mail().bytes()).await;
        let answer = caller.answer().await;
        (answer.status, answer.code().map(str::to_owned))
    };
    assert_eq!(says().await, (403, Some("identity-mismatch".to_owned())));

    let mut registry = scene.house.registry();
    registry.identities.insert(Identity::parse(SHOP).expect("an identity"), blog.clone());
    registry.tokens.insert(key, TokenEntry::new(blog, vendor));
    scene.house.gateway.replace(registry);
    let both = "now both are the blog's, which may call nobody";
    assert_eq!(says().await, (403, Some("vendor-not-granted".to_owned())), "{both}");
}

#[tokio::test]
async fn certificates_that_nobody_vouches_for_are_refused() {
    let scene = Scene::new().await;
    let stranger = Ca::new("stranger");
    scene.refuses(stranger.svid(SHOP)).await;
    scene.refuses(stranger.names(&["shop.internal"])).await;
    let expired = scene.pki.domain.signs(|params| {
        params.subject_alt_names = vec![uri(SHOP)];
        params.not_before = date_time_ymd(2026, 2, 1);
        params.not_after = date_time_ymd(2026, 2, 5);
    });
    scene.refuses(expired).await;
    let early = scene.pki.domain.signs(|params| {
        params.subject_alt_names = vec![uri(SHOP)];
        params.not_before = date_time_ymd(2026, 2, 6);
        params.not_after = date_time_ymd(2026, 2, 7);
    });
    scene.refuses(early).await;
}

#[tokio::test]
async fn no_authority_speaks_for_names_that_are_anothers() {
    let scene = Scene::new().await;
    scene.refuses(scene.pki.domain.svid("spiffe://stage.example/shop")).await;
    scene.refuses(scene.pki.plain.svid(SHOP)).await;
    scene.refuses(scene.pki.domain.names(&["shop.internal"])).await;
}

#[tokio::test]
async fn what_is_no_leaf_svid_by_the_specification_is_refused() {
    let scene = Scene::new().await;
    let domain = &scene.pki.domain;
    scene
        .refuses(domain.signs(|params| {
            params.subject_alt_names = vec![uri(SHOP), uri("spiffe://prod.example/other")];
        }))
        .await;
    scene
        .refuses(domain.signs(|params| {
            params.subject_alt_names = vec![uri(SHOP), uri("https://shop.internal")];
        }))
        .await;
    scene
        .refuses(domain.signs(|params| {
            params.subject_alt_names = vec![uri(SHOP)];
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }))
        .await;
    scene
        .refuses(domain.signs(|params| {
            params.subject_alt_names = vec![uri(SHOP)];
            params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        }))
        .await;
    scene
        .refuses(domain.signs(|params| {
            params.subject_alt_names = vec![uri(SHOP)];
            params.key_usages = Vec::new();
        }))
        .await;
    scene.refuses(domain.svid("spiffe://prod.example")).await;
}

#[tokio::test]
async fn a_door_that_requires_certificates_hears_nobody_without_one() {
    let required = |mut files: gateway::TlsFiles| {
        files.client_required = true;
        files
    };
    let scene = Scene::with(required, Patience::default()).await;
    assert_eq!(scene.says(scene.pki.domain.svid(SHOP)).await, sent());
    let before = scene.house.seen.all().len();
    if let Ok(mut caller) = scene.pki.client(None).connect(scene.door).await {
        drop(caller.stream.write_all(&scene.house.mail().bytes()).await);
        assert!(soon("the end", caller.stream.read_u8()).await.is_err());
    }
    assert_eq!(scene.house.seen.all().len(), before);
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_ended() {
    let patience = Patience { handshake: Duration::from_millis(50), ..Patience::default() };
    let scene = Scene::with(|files| files, patience).await;
    let mut stream = TcpStream::connect(scene.door).await.expect("the door listens");
    stream.write_all(&[22, 3, 1]).await.expect("written");
    assert!(matches!(soon("the end", stream.read(&mut [0; 1])).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_connection_takes_no_more_requests_once_its_certificate_has_ended() {
    let scene = Scene::new().await;
    let brief = scene.pki.domain.signs(|params| {
        params.subject_alt_names = vec![uri(SHOP)];
        // The houses' clock says two o'clock.
        params.not_after = date_time_ymd(2026, 2, 5) + Duration::from_secs(2 * 3_600 + 1);
    });
    let mut caller = scene.pki.client(Some(brief)).connect(scene.door).await.expect("TLS");
    caller.write(&scene.house.mail().bytes()).await;
    assert_eq!(caller.answer().await.said(), (202, "sent", None));
    assert!(caller.is_closed().await);
}

#[tokio::test]
async fn changed_files_are_used_without_a_restart_and_broken_ones_are_not() {
    let scene = Scene::new().await;
    let (door, tls) = scene.pki.door(&scene.house, &scene.pki.files()).await;
    let shown_at = async || {
        let caller = scene.pki.client(None).connect(door).await.expect("TLS");
        let shown = caller.stream.get_ref().1.peer_certificates().expect("a certificate");
        shown[0].clone()
    };
    let renewed = scene.pki.renew();
    assert_ne!(shown_at().await, renewed.chain[0]);
    tls.look();
    assert_eq!(shown_at().await, renewed.chain[0]);

    scene.pki.write("gateway.key", "no key");
    tls.look();
    assert_eq!(shown_at().await, renewed.chain[0], "the door stays open as it was");
    assert!(tls.trouble().is_some_and(|why| why.contains("key")));

    let successor = Ca::new("prod.example, later");
    scene.pki.write("gateway.key", &renewed.key_pem);
    scene.pki.write("bundle.pem", &successor.pem);
    tls.look();
    assert_eq!(tls.trouble(), None);
    let mut caller = scene.pki.client(Some(successor.svid(SHOP))).connect(door).await.expect("TLS");
    caller.write(&scene.house.mail().bytes()).await;
    assert_eq!(caller.answer().await.said(), (202, "sent", None));
}
