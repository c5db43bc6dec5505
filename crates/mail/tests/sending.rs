//! The session with a relay: against our own receiver, and against relays that misbehave. What
//! became of a message is never said better than it is known.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{PATIENCE, Running, Step, scripted};
use mail::{Relay, RelayTls, SendError, Session, Stage, Timeouts};
use model::{Coded as _, Secret};
use rustls_pki_types::pem::PemObject as _;

const FROM: &str = "safe@flickr.example";
const TO: &str = "ann@canary.example";

fn relay(port: u16) -> Relay {
    let mut relay = Relay::new("127.0.0.1", port, RelayTls::None, "cordon.flickr.example");
    relay.timeouts = Timeouts { connect: PATIENCE, command: PATIENCE, message: PATIENCE };
    relay
}

/// A certificate for `localhost`, and the roots that vouch for it.
fn certificate() -> (Arc<rustls::ServerConfig>, Arc<rustls::RootCertStore>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("it is made");
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let config = mail::server_config(chain.as_bytes(), key.as_bytes()).expect("they fit");
    let mut roots = rustls::RootCertStore::empty();
    let der = rustls_pki_types::CertificateDer::from_pem_slice(chain.as_bytes()).expect("PEM");
    roots.add(der).expect("a root");
    (config, Arc::new(roots))
}

/// Follows a script that begins after a plain `EHLO`, sends one message, and says what came of it,
/// and what the relay heard.
async fn send_to(
    offers: &'static str,
    rest: Vec<Step>,
) -> (Result<mail::Reply, SendError>, bool, Vec<String>) {
    let mut script =
        vec![Step::Say("220 relay\r\n"), Step::Hear("EHLO cordon."), Step::Say(offers)];
    script.extend(rest);
    let (port, heard) = scripted(script).await;
    let mut session = Session::open(&relay(port)).await.expect("it opens");
    let sent = session.send(FROM, TO, b"Subject: hi\r\n\r\nhi\r\n").await;
    let usable = session.is_usable();
    drop(session);
    (sent, usable, heard.await.expect("the script fits"))
}

/// A whole conversation up to 354, without pipelining.
fn accepted() -> Vec<Step> {
    vec![
        Step::Hear("MAIL FROM:<safe@flickr.example>\r\n"),
        Step::Say("250 ok\r\n"),
        Step::Hear("RCPT TO:<ann@canary.example>\r\n"),
        Step::Say("250 ok\r\n"),
        Step::Hear("DATA\r\n"),
        Step::Say("354 go\r\n"),
    ]
}

fn with(mut script: Vec<Step>, more: Vec<Step>) -> Vec<Step> {
    script.extend(more);
    script
}

const NOTHING: &str = "250 relay\r\n";
const PIPELINING: &str = "250-relay\r\n250-PIPELINING\r\n250 HELP\r\n";

#[tokio::test]
async fn a_message_arrives_as_it_was_with_crlf_and_its_dots() {
    let running = Running::start().await;
    let mut session = Session::open(&relay(running.address.port())).await.expect("it opens");
    let reply = session.send(FROM, TO, b"Subject: hi\n\n.\n..\r\nlast").await.expect("it is taken");
    assert_eq!((reply.code, reply.enhanced.as_deref()), (250, Some("2.0.0")));
    session.send("", TO, b"\r\n").await.expect("a second one over the same session");
    session.quit().await;
    let mails = running.inbox.mails();
    assert_eq!(mails[0].raw, b"Subject: hi\r\n\r\n.\r\n..\r\nlast\r\n");
    assert_eq!((mails[0].from.as_str(), mails[1].from.as_str()), (FROM, ""));
    assert_eq!(mails[0].helo, "cordon.flickr.example");
}

#[tokio::test]
async fn a_refused_recipient_does_not_spoil_the_session() {
    let running = Running::start().await;
    let mut session = Session::open(&relay(running.address.port())).await.expect("it opens");
    for _ in 0..3 {
        let refused = session.send(FROM, "nobody@x.example", b"hi").await.expect_err("unknown");
        let SendError::Rejected { at, reply, permanent } = refused else { panic!("{refused}") };
        assert_eq!((at, permanent, reply.code), (Stage::Recipient, true, 550));
        assert!(session.is_usable());
        session.send(FROM, TO, b"hi").await.expect("the next one is taken");
    }
    assert_eq!(running.inbox.mails().len(), 3);
}

#[tokio::test]
async fn an_inbox_that_is_down_defers() {
    let running = Running::start().await;
    running.inbox.down.store(true, std::sync::atomic::Ordering::SeqCst);
    let mut session = Session::open(&relay(running.address.port())).await.expect("it opens");
    let refused = session.send(FROM, TO, b"hi").await.expect_err("451");
    assert_eq!(refused.code(), "relay-deferred");
    assert!(matches!(refused, SendError::Rejected { at: Stage::End, permanent: false, .. }));
    running.inbox.down.store(false, std::sync::atomic::Ordering::SeqCst);
    session.send(FROM, TO, b"hi").await.expect("the next one is taken");
}

#[tokio::test]
async fn after_the_final_dot_no_reply_means_unknown() {
    let lost = with(accepted(), vec![Step::HearMessage]);
    let (sent, usable, _) = send_to(NOTHING, lost).await;
    assert_eq!(sent, Err(SendError::Unknown { code: "relay-lost" }));
    assert!(!usable);
    for garbled in ["hm\r\n", "354 go on\r\n", "250-half"] {
        let (sent, ..) =
            send_to(NOTHING, with(accepted(), vec![Step::HearMessage, Step::Say(garbled)])).await;
        assert!(matches!(sent, Err(SendError::Unknown { .. })), "{garbled:?}: {sent:?}");
    }
}

#[tokio::test]
async fn after_the_final_dot_silence_means_unknown() {
    let mut script = vec![Step::Say("220 relay\r\n"), Step::Hear("EHLO"), Step::Say(NOTHING)];
    script.extend(with(accepted(), vec![Step::HearMessage, Step::Freeze]));
    let (port, _heard) = scripted(script).await;
    let mut relay = relay(port);
    relay.timeouts.message = Duration::from_millis(50);
    let mut session = Session::open(&relay).await.expect("it opens");
    let sent = session.send(FROM, TO, b"hi").await;
    assert_eq!(sent, Err(SendError::Unknown { code: "relay-timeout" }));
    let again = session.send(FROM, TO, b"hi").await;
    assert_eq!(again, Err(not_sent(Stage::Connect, "session-over")));
}

fn not_sent(at: Stage, code: &'static str) -> SendError {
    SendError::NotSent { at, code, reply: None }
}

#[tokio::test]
async fn before_the_final_dot_a_lost_connection_means_not_sent() {
    let script = accepted;
    for (steps, at) in
        [(0, Stage::Sender), (1, Stage::Sender), (3, Stage::Recipient), (5, Stage::Message)]
    {
        let (sent, usable, _) = send_to(NOTHING, script().into_iter().take(steps).collect()).await;
        assert_eq!(sent, Err(not_sent(at, "relay-lost")), "after {steps} steps");
        assert!(!usable);
    }
}

#[tokio::test]
async fn a_relay_that_goes_away_in_the_middle_of_a_message_did_not_get_it() {
    let mut script = vec![Step::Say("220 relay\r\n"), Step::Hear("EHLO"), Step::Say(NOTHING)];
    script.extend(accepted());
    let (port, heard) = scripted(script).await;
    let mut session = Session::open(&relay(port)).await.expect("it opens");
    // More than the system takes on its own account while nobody reads.
    let message = b"a line of a message that does not end soon\r\n".repeat(1_000_000);
    let sent = session.send(FROM, TO, &message).await;
    assert_eq!(sent, Err(not_sent(Stage::Message, "relay-lost")));
    drop(heard);
}

#[tokio::test]
async fn a_refusal_is_told_with_its_stage_and_whether_it_is_for_good() {
    let at = |steps: usize, reply: &'static str| {
        let mut script: Vec<_> = accepted().into_iter().take(steps).collect();
        script.push(Step::Say(reply));
        script
    };
    let end = |reply| with(accepted(), vec![Step::HearMessage, Step::Say(reply)]);
    for (script, stage, permanent) in [
        (at(1, "451 4.3.0 later\r\n"), Stage::Sender, false),
        (at(1, "550 5.7.1 not you\r\n"), Stage::Sender, true),
        (at(3, "450 4.2.1 greylisted\r\n"), Stage::Recipient, false),
        (at(3, "550 5.1.1 unknown\r\n"), Stage::Recipient, true),
        (at(5, "451 4.3.0 later\r\n"), Stage::Message, false),
        (at(5, "554 5.5.1 no\r\n"), Stage::Message, true),
        (end("452 4.3.1 full\r\n"), Stage::End, false),
        (end("421 4.3.2 closing\r\n"), Stage::End, false),
        (end("554 5.7.1 spam\r\n"), Stage::End, true),
    ] {
        let (sent, ..) = send_to(NOTHING, script).await;
        let Err(SendError::Rejected { at, permanent: for_good, reply }) = sent else {
            panic!("{stage:?}: {sent:?}")
        };
        assert_eq!((at, for_good), (stage, permanent), "{reply}");
        assert!(reply.enhanced.is_some());
    }
}

#[tokio::test]
async fn a_relay_that_closes_with_421_refuses_the_session_and_not_the_recipient() {
    let script = vec![
        Step::Hear("MAIL"),
        Step::Say("250 ok\r\n"),
        Step::Hear("RCPT"),
        Step::Say("421 4.7.0 too much from you\r\n"),
    ];
    let (sent, usable, _) = send_to(NOTHING, script).await;
    let Err(SendError::NotSent { at, code, reply: Some(reply) }) = sent else { panic!("{sent:?}") };
    assert_eq!((at, code, reply.code), (Stage::Recipient, "relay-closing", 421));
    assert!(!usable);
}

#[tokio::test]
async fn a_reply_keeps_no_address() {
    let script = vec![
        Step::Hear("MAIL"),
        Step::Say("250 ok\r\n"),
        Step::Hear("RCPT"),
        Step::Say("550-5.1.1 <Ann@Canary.example> is unknown,\r\n550 5.1.1 ask ann herself\r\n"),
    ];
    let (sent, ..) = send_to(NOTHING, script).await;
    let Err(SendError::Rejected { reply, .. }) = sent else { panic!("{sent:?}") };
    assert_eq!(reply.text, "<address> is unknown, ask <address> herself");
}

#[tokio::test]
async fn pipelining_sends_the_envelope_at_once_where_it_is_offered() {
    let script = vec![
        Step::Hear("MAIL"),
        Step::Hear("RCPT"),
        Step::Hear("DATA"),
        Step::Say("250 ok\r\n250 ok\r\n354 go\r\n"),
        Step::HearMessage,
        Step::Say("250-2.0.0 queued\r\n250 2.0.0 as 1\r\n"),
    ];
    let (sent, usable, _) = send_to(PIPELINING, script).await;
    assert_eq!(sent.expect("it is taken").text, "queued as 1");
    assert!(usable);
}

#[tokio::test]
async fn a_refusal_in_a_pipelined_group_ends_with_a_lone_dot_and_the_session_goes_on() {
    let script = vec![
        Step::Say("220 relay\r\n"),
        Step::Hear("EHLO"),
        Step::Say(PIPELINING),
        Step::Hear("MAIL"),
        Step::Hear("RCPT"),
        Step::Hear("DATA"),
        Step::Say("250 ok\r\n550 5.1.1 unknown\r\n354 go anyway\r\n"),
        Step::Hear(".\r\n"),
        Step::Say("554 5.5.1 no recipients\r\n"),
        Step::Hear("RSET"),
        Step::Hear("MAIL"),
        Step::Hear("RCPT"),
        Step::Hear("DATA"),
        Step::Say("250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
        Step::HearMessage,
        Step::Say("250 ok\r\n"),
        Step::Hear("QUIT"),
    ];
    let (port, heard) = scripted(script).await;
    let mut session = Session::open(&relay(port)).await.expect("it opens");
    let refused = session.send(FROM, "bob@canary.example", b"hi").await.expect_err("unknown");
    assert!(matches!(refused, SendError::Rejected { at: Stage::Recipient, permanent: true, .. }));
    assert!(session.is_usable());
    session.send(FROM, TO, b"hi").await.expect("the next one is taken");
    session.quit().await;
    heard.await.expect("the script fits");
}

#[tokio::test]
async fn a_connection_lost_after_a_refusal_leaves_the_refusal() {
    let script = vec![
        Step::Hear("MAIL"),
        Step::Hear("RCPT"),
        Step::Hear("DATA"),
        Step::Say("250 ok\r\n550 5.1.1 unknown\r\n"),
    ];
    let (sent, usable, _) = send_to(PIPELINING, script).await;
    assert!(matches!(sent, Err(SendError::Rejected { at: Stage::Recipient, .. })), "{sent:?}");
    assert!(!usable);
}

#[tokio::test]
async fn a_relay_that_is_not_there_or_refuses_everybody_got_nothing() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let port = free.local_addr().expect("it listens").port();
    drop(free);
    let refused = open(&relay(port)).await;
    assert_eq!(refused, not_sent(Stage::Connect, "relay-unreachable"));
    for (script, at, code) in [
        (vec![Step::Say("554 go away\r\n")], Stage::Connect, "relay-refused"),
        (vec![Step::Say("HTTP/1.1 400\r\n")], Stage::Connect, "relay-garbled"),
        (vec![], Stage::Connect, "relay-lost"),
        (
            vec![Step::Say("220 x\r\n"), Step::Hear("EHLO"), Step::Say("421 busy\r\n")],
            Stage::Hello,
            "relay-refused",
        ),
        (vec![Step::Say("220 x\r\n"), Step::Hear("EHLO")], Stage::Hello, "relay-lost"),
    ] {
        let (port, _heard) = scripted(script).await;
        let SendError::NotSent { at: stage, code: said, .. } = open(&relay(port)).await else {
            panic!("not sent is all that it can be")
        };
        assert_eq!((stage, said), (at, code));
    }
}

/// The error with which a relay does not open.
async fn open(relay: &Relay) -> SendError {
    Session::open(relay).await.err().expect("it does not open")
}

#[tokio::test]
async fn a_relay_that_says_nothing_is_not_waited_for_forever() {
    let (port, _heard) = scripted(vec![Step::Freeze]).await;
    let mut relay = relay(port);
    relay.timeouts.command = Duration::from_millis(50);
    assert_eq!(open(&relay).await, not_sent(Stage::Connect, "relay-timeout"));
}

#[tokio::test]
async fn a_relay_that_knows_only_helo_is_spoken_to() {
    let mut script = vec![
        Step::Say("220 relay\r\n"),
        Step::Hear("EHLO"),
        Step::Say("502 what\r\n"),
        Step::Hear("HELO"),
        Step::Say("250 relay\r\n"),
    ];
    script.extend(with(accepted(), vec![Step::HearMessage, Step::Say("250 ok\r\n")]));
    let (port, _heard) = scripted(script).await;
    let mut session = Session::open(&relay(port)).await.expect("it opens");
    session.send(FROM, TO, b"hi").await.expect("it is taken");
}

#[tokio::test]
async fn where_encryption_is_required_nothing_is_sent_without() {
    for script in [
        vec![Step::Say("220 x\r\n"), Step::Hear("EHLO"), Step::Say(PIPELINING)],
        vec![
            Step::Say("220 x\r\n"),
            Step::Hear("EHLO"),
            Step::Say("250-x\r\n250 STARTTLS\r\n"),
            Step::Hear("STARTTLS"),
            Step::Say("454 4.7.0 not now\r\n"),
        ],
    ] {
        let (port, _heard) = scripted(script).await;
        let relay = Relay { tls: RelayTls::Required, ..relay(port) };
        assert_eq!(open(&relay).await.code(), "relay-no-starttls");
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_not_believed() {
    let running = Running::start().await;
    let (_, other_roots) = certificate();
    let relay = Relay {
        host: "localhost".to_owned(),
        tls: RelayTls::Required,
        roots: Some(other_roots),
        ..relay(running.address.port())
    };
    assert_eq!(open(&relay).await, not_sent(Stage::Tls, "relay-tls"));
}

#[tokio::test]
async fn a_certificate_that_is_vouched_for_is_believed_for_its_own_name_only() {
    let (tls, roots) = certificate();
    let running = Running::with_tls(tls, |_| ()).await;
    let named = |host: &str| Relay {
        host: host.to_owned(),
        tls: RelayTls::Required,
        roots: Some(roots.clone()),
        ..relay(running.address.port())
    };
    let mut session = Session::open(&named("localhost")).await.expect("it opens");
    session.send(FROM, TO, b"hi").await.expect("it is taken");
    session.quit().await;
    assert!(running.inbox.mails()[0].tls);
    assert_eq!(open(&named("127.0.0.1")).await, not_sent(Stage::Tls, "relay-tls"));
}

#[tokio::test]
async fn opportunistic_encryption_takes_any_certificate_and_does_without() {
    let running = Running::start().await;
    let relay_of = |port| Relay { tls: RelayTls::Opportunistic, ..relay(port) };
    let mut session = Session::open(&relay_of(running.address.port())).await.expect("it opens");
    session.send(FROM, TO, b"hi").await.expect("it is taken");
    assert!(session.is_encrypted() && running.inbox.mails()[0].tls);
    let script = vec![Step::Say("220 x\r\n"), Step::Hear("EHLO"), Step::Say(NOTHING)];
    let (port, _heard) = scripted(script).await;
    let session = Session::open(&relay_of(port)).await.expect("it opens without");
    assert!(!session.is_encrypted());
}

#[tokio::test]
async fn encryption_from_the_first_byte_works() {
    let (tls, roots) = certificate();
    let mut script = vec![Step::Tls(tls), Step::Say("220 x\r\n"), Step::Hear("EHLO")];
    script.push(Step::Say(NOTHING));
    script.extend(with(accepted(), vec![Step::HearMessage, Step::Say("250 ok\r\n")]));
    let (port, _heard) = scripted(script).await;
    let relay = Relay {
        host: "localhost".to_owned(),
        tls: RelayTls::Implicit,
        roots: Some(roots),
        ..relay(port)
    };
    let mut session = Session::open(&relay).await.expect("it opens");
    session.send(FROM, TO, b"hi").await.expect("it is taken");
}

#[tokio::test]
async fn what_a_relay_says_in_plain_behind_its_starttls_is_not_listened_to() {
    let (port, _heard) = scripted(vec![
        Step::Say("220 x\r\n"),
        Step::Hear("EHLO"),
        Step::Say("250-x\r\n250 STARTTLS\r\n"),
        Step::Hear("STARTTLS"),
        Step::Say("220 go\r\n250 injected\r\n"),
        Step::Freeze,
    ])
    .await;
    let relay = Relay { tls: RelayTls::Opportunistic, ..relay(port) };
    assert_eq!(open(&relay).await, not_sent(Stage::Tls, "relay-injected"));
}

#[tokio::test]
async fn a_password_is_never_given_over_an_unverified_connection() {
    for tls in [RelayTls::None, RelayTls::Opportunistic] {
        let (port, heard) = scripted(vec![Step::Freeze]).await;
        let mut relay = relay(port);
        relay.tls = tls;
        relay.login = Some(("cordon".to_owned(), Secret::new("secret".to_owned())));
        assert_eq!(open(&relay).await, not_sent(Stage::Login, "login-unprotected"));
        heard.abort();
    }
}

/// Opens a session over verified TLS with a log-in, against the rest of a script.
async fn log_in(offer: &'static str, rest: Vec<Step>) -> Result<Vec<String>, SendError> {
    let (tls, roots) = certificate();
    let mut script = vec![
        Step::Say("220 x\r\n"),
        Step::Hear("EHLO"),
        Step::Say("250-x\r\n250 STARTTLS\r\n"),
        Step::Hear("STARTTLS"),
        Step::Say("220 go\r\n"),
        Step::Tls(tls),
        Step::Hear("EHLO"),
        Step::Say(offer),
    ];
    script.extend(rest);
    let (port, heard) = scripted(script).await;
    let relay = Relay {
        host: "localhost".to_owned(),
        tls: RelayTls::Required,
        roots: Some(roots),
        login: Some(("ann@flickr.example".to_owned(), Secret::new("secret".to_owned()))),
        ..relay(port)
    };
    drop(Session::open(&relay).await?);
    Ok(heard.await.expect("the script fits"))
}

#[tokio::test]
async fn a_log_in_uses_what_the_relay_offers() {
    let plain = vec![
        Step::Hear("AUTH PLAIN AGFubkBmbGlja3IuZXhhbXBsZQBzZWNyZXQ=\r\n"),
        Step::Say("235 2.7.0 welcome\r\n"),
    ];
    assert!(log_in("250-x\r\n250 AUTH LOGIN PLAIN\r\n", plain).await.is_ok());
    let login = vec![
        Step::Hear("AUTH LOGIN\r\n"),
        Step::Say("334 VXNlcm5hbWU6\r\n"),
        Step::Hear("YW5uQGZsaWNrci5leGFtcGxl\r\n"),
        Step::Say("334 UGFzc3dvcmQ6\r\n"),
        Step::Hear("c2VjcmV0\r\n"),
        Step::Say("235 welcome\r\n"),
    ];
    assert!(log_in("250-x\r\n250 AUTH LOGIN\r\n", login).await.is_ok());
}

#[tokio::test]
async fn a_log_in_that_fails_says_so_without_the_user() {
    let refused = vec![Step::Hear("AUTH"), Step::Say("535 5.7.8 ann@flickr.example: wrong\r\n")];
    let refused = log_in("250-x\r\n250 AUTH PLAIN\r\n", refused).await.expect_err("refused");
    assert_eq!(refused.code(), "relay-login");
    let SendError::NotSent { reply: Some(reply), .. } = refused else { panic!("{refused}") };
    assert_eq!(reply.to_string(), "535 5.7.8 <address>: wrong");
    let none = log_in("250-x\r\n250 AUTH CRAM-MD5\r\n", vec![]).await.expect_err("no way in");
    assert_eq!(none, not_sent(Stage::Login, "relay-no-login"));
}

#[tokio::test]
async fn an_address_cannot_become_a_second_command() {
    let running = Running::start().await;
    let mut session = Session::open(&relay(running.address.port())).await.expect("it opens");
    for to in [
        "ann@canary.example>\r\nRCPT TO:<bob@canary.example",
        "ann@canary.example> NOTIFY=NEVER",
        "ann @canary.example",
        "",
    ] {
        let refused = session.send(FROM, to, b"hi").await.expect_err("no address");
        assert_eq!(refused, not_sent(Stage::Recipient, "address-malformed"), "{to:?}");
    }
    let refused = session.send("a>\r\n", TO, b"hi").await.expect_err("no address");
    assert_eq!(refused.code(), "address-malformed");
    session.send(FROM, TO, b"hi").await.expect("the session is untouched");
    assert_eq!(running.inbox.mails().len(), 1);
}

#[tokio::test]
async fn an_international_address_needs_a_relay_that_takes_it() {
    let running = Running::start().await;
    let mut session = Session::open(&relay(running.address.port())).await.expect("it opens");
    session.send(FROM, "änn@canary.example", "Grüße".as_bytes()).await.expect("it is taken");
    assert_eq!(running.inbox.mails()[0].recipients, ["änn@canary.example"]);
    let script = vec![Step::Say("220 x\r\n"), Step::Hear("EHLO"), Step::Say(NOTHING)];
    let (port, _heard) = scripted(script).await;
    let mut session = Session::open(&relay(port)).await.expect("it opens");
    let refused = session.send(FROM, "änn@canary.example", b"hi").await.expect_err("not offered");
    assert_eq!(refused, not_sent(Stage::Recipient, "relay-no-smtputf8"));
    assert!(session.is_usable(), "nothing was said to the relay");
}

#[tokio::test]
async fn a_caller_who_stops_waiting_cannot_use_the_session_again() {
    let mut script = vec![Step::Say("220 x\r\n"), Step::Hear("EHLO"), Step::Say(NOTHING)];
    script.push(Step::Freeze);
    let (port, _heard) = scripted(script).await;
    let mut session = Session::open(&relay(port)).await.expect("it opens");
    let send = session.send(FROM, TO, b"hi");
    assert!(tokio::time::timeout(Duration::from_millis(50), send).await.is_err());
    assert!(!session.is_usable());
}
