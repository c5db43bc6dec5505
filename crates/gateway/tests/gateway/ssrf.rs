//! Vendors' hosts that lead inwards, whoever names them and however: nothing is connected to, and
//! the check is about the very address that is connected to.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use connectors::{ApiCall, CredentialUse};
use gateway::{Egress, Patience, Resolve};
use ledger::Settled;
use rustls::RootCertStore;

use crate::support::{Act, FakeVendor, House, Setup, reply};

/// A name server that says what a test has it say, each answer once.
#[derive(Default)]
struct Names {
    answers: Mutex<VecDeque<Vec<SocketAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    fn saying(answers: &[&[SocketAddr]]) -> Arc<Self> {
        let answers = answers.iter().map(|answer| answer.to_vec()).collect();
        Arc::new(Self { answers: Mutex::new(answers), asked: Mutex::default() })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

impl Resolve for Names {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        _: u16,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        self.asked.lock().expect("no panic").push(host.to_owned());
        let answer = self.answers.lock().expect("no panic").pop_front();
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("nobody knows")) })
    }
}

async fn leading_to(endpoint: &str, allowed: &[String], names: Option<Arc<Names>>) -> House {
    let vendor = FakeVendor::accepting().await;
    let setup = Setup { endpoint: endpoint.to_owned(), ..Setup::sendgrid(&vendor) };
    let egress = Egress::new(RootCertStore::empty(), allowed.to_vec()).expect("TLS");
    let egress = names.map_or(egress.clone(), |names| egress.resolving_with(names));
    House::leading_out(vec![setup], Patience::default(), egress).await
}

async fn refused(endpoint: &str, code: &str) {
    let house = leading_to(endpoint, &[], None).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (502, "not-sent", Some(code)), "{endpoint:?}");
    assert_eq!(house.disclosures()[0].settled, Settled::NotSent);
}

#[tokio::test]
async fn other_spellings_of_private_addresses_lead_nowhere() {
    for endpoint in [
        "https://127.1",
        "https://0x7f.1",
        "https://0x7f000001",
        "https://017700000001",
        "https://0177.0.0.01",
        "https://2852039166",
        "https://0xa9fea9fe",
        "https://127.0.0.1.",
        "https://LOCALHOST",
        "https://localhost.",
        "https://[::]",
        "https://[0:0:0:0:0:0:0:1]",
        "https://[::127.0.0.1]",
        "https://[::ffff:0:127.0.0.1]",
        "https://[::ffff:a9fe:a9fe]",
        "https://[64:ff9b::a9fe:a9fe]",
        "https://[64:ff9b:1::169.254.169.254]",
        "https://[2002:a9fe:a9fe::1]",
        "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
        "https://[fe80::1]",
        "https://[fec0::1]",
        "https://[ff02::1]",
        "https://[::1%25lo]",
        "https://[fe80::1%eth0]",
        "https://[fc00::1]",
        "https://192.168.0.1:8443",
        "https://172.31.255.255",
        "https://100.100.100.200",
        "https://192.0.0.192",
        "https://168.63.129.16",
        "https://255.255.255.255",
        "https://224.0.0.1",
    ] {
        let house = leading_to(endpoint, &[], None).await;
        let answer = house.send(house.mail()).await;
        // What the resolver takes for no address at all is as good as an address that is refused.
        let (status, outcome, code) = answer.said();
        assert_eq!((status, outcome), (502, "not-sent"), "{endpoint}");
        assert!(matches!(code, Some("address-refused" | "vendor-unreachable")), "{endpoint}");
    }
}

#[tokio::test]
async fn endpoints_that_are_no_plain_address_are_refused() {
    for endpoint in [
        "http://169.254.169.254/latest/meta-data",
        "http://metadata.google.internal",
        "https://user@api.sendgrid.com",
        "https://api.sendgrid.com@127.0.0.1",
        "https://api.sendgrid.com:443@127.0.0.1",
        "https://127.0.0.1\\@api.sendgrid.com",
        "https://api.sendgrid.com\r\nHost: evil",
        "https://\u{24db}ocalhost",
        "https://\u{ff11}27.0.0.1",
        "https://127\u{3002}0.0.1",
        "https://m\u{fc}nchen.example",
        "https://[::1",
        "https://",
        "https:///v3",
        "https://api.sendgrid.com:99999",
        "https://api.sendgrid.com?x=y",
        "gopher://127.0.0.1",
        "file:///etc/passwd",
        "unix:/var/run/docker.sock",
        "//127.0.0.1",
        "",
    ] {
        refused(endpoint, "endpoint-refused").await;
    }
}

#[tokio::test]
async fn a_name_that_leads_inwards_is_refused_whatever_else_it_leads_to() {
    let vendor = FakeVendor::accepting().await;
    let inward = vendor.address;
    let mapped = SocketAddr::new("::ffff:127.0.0.1".parse().expect("an address"), inward.port());
    let metadata = "169.254.169.254:443".parse().expect("an address");
    let names = Names::saying(&[&[inward], &[mapped, metadata], &[]]);
    let endpoint = format!("https://api.sendgrid.com:{}", inward.port());
    let house = leading_to(&endpoint, &[], Some(names.clone())).await;
    for _ in 0..3 {
        let answer = house.send(house.mail()).await;
        assert_eq!(answer.said(), (502, "not-sent", Some("address-refused")));
    }
    assert_eq!(house.send(house.mail()).await.code(), Some("vendor-unreachable"), "no answer");
    assert_eq!(names.asked(), ["api.sendgrid.com"; 4]);
    assert_eq!(vendor.connections(), 0);
}

#[tokio::test]
async fn a_name_is_asked_for_once_for_each_connection_and_that_answer_is_connected_to() {
    let first = FakeVendor::start(|_| Act::Last(reply("200 OK", "", "first"))).await;
    let second = FakeVendor::start(|_| Act::Last(reply("200 OK", "", "second"))).await;
    let names = Names::saying(&[&[first.address], &[second.address]]);
    let allowed = ["vendor.example:80".to_owned()];
    let house = leading_to("http://vendor.example", &allowed, Some(names.clone())).await;
    assert_eq!(house.send(house.mail()).await.text(), "first");
    assert_eq!((names.asked().len(), first.connections(), second.connections()), (1, 1, 0));
    assert_eq!(house.send(house.mail()).await.text(), "second");
    assert_eq!((names.asked().len(), first.connections(), second.connections()), (2, 1, 1));
}

/// The name was good when the vendor was registered and called, and leads inwards now.
#[tokio::test]
async fn a_name_that_changes_its_mind_is_checked_at_each_connection() {
    let inside = FakeVendor::accepting().await;
    let nobody = "192.0.2.1:443".parse().expect("an address");
    let names = Names::saying(&[&[nobody], &[inside.address]]);
    let endpoint = format!("https://api.sendgrid.com:{}", inside.address.port());
    let house = leading_to(&endpoint, &[], Some(names)).await;
    for _ in 0..2 {
        let answer = house.send(house.mail()).await;
        assert_eq!(answer.said(), (502, "not-sent", Some("address-refused")));
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn an_allowed_host_is_allowed_with_its_very_name_and_port() {
    let vendor = FakeVendor::accepting().await;
    let port = vendor.address.port();
    let allowed = [format!("localhost:{port}")];
    for endpoint in [
        format!("http://localhost.:{port}"),
        format!("http://127.0.0.1:{port}"),
        format!("http://[::1]:{port}"),
        format!("http://sub.localhost:{port}"),
        format!("http://localhost:{}", port.wrapping_add(1)),
    ] {
        let house = leading_to(&endpoint, &allowed, None).await;
        assert_eq!(house.send(house.mail()).await.code(), Some("endpoint-refused"), "{endpoint}");
    }
    assert_eq!(vendor.connections(), 0);
    let house = leading_to(&format!("http://LocalHost:{port}"), &allowed, None).await;
    assert_eq!(house.send(house.mail()).await.said(), (202, "sent", None));
}

#[tokio::test]
async fn redirects_inwards_are_neither_followed_nor_handed_on() {
    for status in ["301 Moved", "302 Found", "303 Other", "307 Again", "308 For good"] {
        let inside = FakeVendor::accepting().await;
        for location in [
            format!("http://{}/latest/meta-data", inside.address),
            "//169.254.169.254/".to_owned(),
            "/v3/elsewhere".to_owned(),
        ] {
            let header = format!("Location: {location}\r\n");
            let vendor = FakeVendor::start(move |_| Act::Reply(reply(status, &header, ""))).await;
            let house = House::with(Setup::sendgrid(&vendor)).await;
            let answer = house.send(house.mail()).await;
            assert_eq!(answer.said(), (502, "sent", Some("reply-redirects")));
            assert_eq!(answer.header("location"), None);
            assert_eq!(vendor.got().len(), 1);
        }
        assert_eq!(inside.connections(), 0);
    }
}

#[tokio::test]
async fn containment_calls_take_the_same_checked_way_out() {
    let vendor = FakeVendor::accepting().await;
    let endpoint = format!("https://127.0.0.1:{}", vendor.address.port());
    let house = leading_to(&endpoint, &[], None).await;
    let call = ApiCall {
        method: "GET",
        path: "/v3/api_keys".to_owned(),
        body: None,
        credential: CredentialUse::Held,
        why: "a look at the keys".to_owned(),
    };
    let name = house.setups[0].name();
    let answer = house.gateway.call_vendor(&name, &call, None).await;
    assert_eq!((answer.status, vendor.connections()), (0, 0));
}
