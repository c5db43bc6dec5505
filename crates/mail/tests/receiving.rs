//! The receiver over a raw socket, rule by rule.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{PATIENCE, Running, Talk};
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::TlsConnector;

#[tokio::test]
async fn a_mail_is_kept_byte_for_byte_before_it_is_answered() {
    let running = Running::start().await;
    let mut talk = running.talk().await;
    talk.begin_mail().await;
    talk.send(b"Subject: hi\r\n\r\n..one dot\r\n....\r\n\xff\r\n.\r\n").await;
    talk.expect("250 2.0.0").await;
    let mails = running.inbox.mails();
    assert_eq!(mails.len(), 1, "the mail is kept by the time that its sender hears so");
    let mail = &mails[0];
    assert_eq!(mail.raw, b"Subject: hi\r\n\r\n.one dot\r\n...\r\n\xff\r\n");
    assert_eq!(
        (mail.from.as_str(), mail.helo.as_str()),
        ("mallory@evil.example", "sender.example")
    );
    assert_eq!(mail.recipients, ["ann@canary.example"]);
    assert!(mail.peer.is_loopback() && !mail.tls);
    talk.say("QUIT", "221 2.0.0").await;
    talk.expect_closed().await;
}

#[tokio::test]
async fn a_session_takes_several_mails_and_forgets_each_envelope() {
    let running = Running::start().await;
    let mut talk = running.talk().await;
    for _ in 0..3 {
        talk.begin_mail().await;
        talk.send("\r\n.\r\n").await;
        talk.expect("250").await;
        talk.say("DATA", "503").await;
    }
    assert_eq!(running.inbox.mails().len(), 3);
}

#[tokio::test]
async fn an_inbox_that_cannot_keep_a_mail_makes_the_sender_come_back() {
    let running = Running::start().await;
    running.inbox.down.store(true, Ordering::SeqCst);
    let mut talk = running.talk().await;
    talk.begin_mail().await;
    talk.send("hi\r\n.\r\n").await;
    talk.expect("451 4.3.0").await;
    running.inbox.down.store(false, Ordering::SeqCst);
    talk.begin_mail().await;
    talk.send("hi\r\n.\r\n").await;
    talk.expect("250").await;
}

#[tokio::test]
async fn an_unknown_recipient_is_refused_and_the_others_get_the_mail() {
    let running = Running::start().await;
    let mut talk = running.talk().await;
    talk.say("EHLO x", "250").await;
    talk.say("MAIL FROM:<>", "250").await;
    talk.say("RCPT TO:<nobody@elsewhere.example>", "550 5.1.1").await;
    talk.say("DATA", "554 5.5.1").await;
    talk.say("RCPT TO:<Ann@Canary.example>", "250").await;
    talk.say("DATA", "354").await;
    talk.send("hi\r\n.\r\n").await;
    talk.expect("250").await;
    let mail = &running.inbox.mails()[0];
    assert_eq!((mail.from.as_str(), mail.recipients.len()), ("", 1));
}

#[tokio::test]
async fn no_second_mail_can_be_smuggled_behind_a_first() {
    let running = Running::start().await;
    let mut talk = running.talk().await;
    for end in
        ["\n.\n", "\n.\r\n", "\r.\r", "\r.\r\n", "\r\n.\n", "\r\n.\r", "\r\n.\r\r\n", "\r\n\0.\n"]
    {
        talk.begin_mail().await;
        talk.send(format!(
            "hi{end}MAIL FROM:<admin@canary.example>\r\nRCPT TO:<bob@canary.example>\r\n\
             DATA\r\nsmuggled\r\n.\r\n"
        ))
        .await;
        talk.expect("550 5.6.0").await;
        talk.say("NOOP", "250").await;
    }
    assert!(running.inbox.mails().is_empty(), "nothing was taken");
}

#[tokio::test]
async fn a_mail_over_the_limit_is_refused_and_the_session_goes_on() {
    let running = Running::with(|receiver| receiver.limits.message_bytes = 1_000).await;
    let mut talk = running.talk().await;
    let offer = talk.say("EHLO x", "250").await;
    assert!(offer.contains("SIZE 1000\r\n"), "{offer}");
    talk.say("MAIL FROM:<a@b.example> SIZE=1001", "552 5.3.4").await;
    talk.begin_mail().await;
    talk.send(format!("{}\r\n.\r\n", "x".repeat(999))).await;
    talk.expect("552 5.3.4").await;
    talk.begin_mail().await;
    talk.send(format!("{}\r\n.\r\n", "x".repeat(998))).await;
    talk.expect("250").await;
    assert_eq!(running.inbox.mails().len(), 1);
}

#[tokio::test]
async fn a_mail_without_end_is_cut_off() {
    let running = Running::with(|receiver| receiver.limits.message_bytes = 1_000).await;
    let mut talk = running.talk().await;
    talk.begin_mail().await;
    talk.send("x".repeat(2_001)).await;
    talk.expect("552 5.3.4").await;
    talk.expect_closed().await;
}

#[tokio::test]
async fn a_connection_that_breaks_in_a_mail_leaves_nothing() {
    let running = Running::start().await;
    let mut talk = running.talk().await;
    talk.begin_mail().await;
    talk.send("hi\r\n.").await;
    drop(talk);
    stop(running, |inbox| assert!(inbox.mails().is_empty())).await;
}

#[tokio::test]
async fn what_is_offered_is_offered() {
    let running = Running::start().await;
    let mut talk = running.talk().await;
    let offer = talk.say("EHLO x", "250-mx.canary.example").await;
    for keyword in
        ["SIZE 10485760", "STARTTLS", "PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8"]
    {
        assert!(offer.contains(&format!("{keyword}\r\n")), "{keyword} is not in {offer}");
    }
    assert!(!offer.contains("AUTH") && !offer.contains("CHUNKING"), "{offer}");
}

#[tokio::test]
async fn a_pipelined_group_is_answered_in_order() {
    let running = Running::start().await;
    let mut talk = running.talk().await;
    talk.send(
        "EHLO x\r\nMAIL FROM:<a@b.example> BODY=8BITMIME\r\nRCPT TO:<ann@canary.example>\r\n\
         RCPT TO:<nobody@x.example>\r\nDATA\r\n",
    )
    .await;
    for code in ["250", "250 2.1.0", "250 2.1.5", "550", "354"] {
        talk.expect(code).await;
    }
    talk.send("one\r\n.\r\nNOOP\r\nQUIT\r\n").await;
    for code in ["250 2.0.0 kept", "250 2.0.0 fine", "221"] {
        talk.expect(code).await;
    }
}

#[tokio::test]
async fn commands_out_of_order_are_refused() {
    let running = Running::with(|receiver| receiver.limits.refusals = 100).await;
    let mut talk = running.talk().await;
    talk.say("MAIL FROM:<a@b.example>", "503 5.5.1").await;
    talk.say("HELO x", "250 mx.canary.example").await;
    talk.say("RCPT TO:<ann@canary.example>", "503 5.5.1").await;
    talk.say("DATA", "503 5.5.1").await;
    talk.say("MAIL FROM:<a@b.example>", "250").await;
    talk.say("MAIL FROM:<a@b.example>", "503 5.5.1").await;
    talk.say("RSET", "250").await;
    talk.say("RCPT TO:<ann@canary.example>", "503 5.5.1").await;
    talk.say("MAIL FROM:<a@b.example>", "250").await;
    talk.say("EHLO x", "250").await;
    talk.say("RCPT TO:<ann@canary.example>", "503 5.5.1").await;
}

#[tokio::test]
async fn commands_that_are_not_offered_or_not_well_formed_are_refused() {
    let running = Running::with(|receiver| receiver.limits.refusals = 100).await;
    let mut talk = running.talk().await;
    talk.say("EHLO x", "250").await;
    talk.say("VRFY ann", "252").await;
    talk.say("NOOP", "250").await;
    talk.say("HELP", "214").await;
    for command in ["AUTH PLAIN AGEAYg==", "BDAT 5 LAST", "EXPN list", "LHLO x", "ETRN x"] {
        talk.say(command, "502 5.5.1").await;
    }
    talk.say("GET / HTTP/1.1", "500 5.5.1").await;
    talk.say("EHLO", "501").await;
    talk.say("MAIL FROM:a@b.example", "501").await;
    talk.say("MAIL FROM:<a@b.example> SOLICIT=x", "555 5.5.4").await;
    talk.say("MAIL FROM:<a@b.example> RET=HDRS", "555 5.5.4").await;
    talk.say("MAIL FROM:<änn@b.example>", "553 5.6.7").await;
    talk.say("MAIL FROM:<änn@b.example> SMTPUTF8", "250").await;
    talk.say("RCPT TO:<ann@canary.example> NOTIFY=NEVER", "555 5.5.4").await;
    talk.say("RCPT TO:<böb@canary.example>", "250").await;
    talk.send("NOOP\n").await;
    talk.expect("500 5.5.2").await;
    talk.send("NO\rOP\r\n").await;
    talk.expect("500 5.5.2").await;
    talk.send("NOOP \0\r\n").await;
    talk.expect("500 5.5.2").await;
}

#[tokio::test]
async fn a_line_over_the_limit_is_thrown_away_whole() {
    let running = Running::start().await;
    let mut talk = running.talk().await;
    talk.send(format!("NOOP {}\r\n", "x".repeat(505))).await;
    talk.expect("250").await;
    talk.send(format!("NOOP {}\r\nQUIT\r\n", "x".repeat(506))).await;
    talk.expect("500 5.5.2").await;
    talk.expect("221").await;
    let mut talk = running.talk().await;
    talk.send(format!("{}\r\nNOOP\r\n", "x".repeat(100_000))).await;
    talk.expect("500 5.5.2").await;
    talk.expect("250").await;
}

#[tokio::test]
async fn recipients_beyond_the_limit_are_deferred() {
    let running = Running::with(|receiver| receiver.limits.recipients = 2).await;
    let mut talk = running.talk().await;
    talk.say("EHLO x", "250").await;
    talk.say("MAIL FROM:<a@b.example>", "250").await;
    talk.say("RCPT TO:<ann@canary.example>", "250").await;
    talk.say("RCPT TO:<bob@canary.example>", "250").await;
    talk.say("RCPT TO:<eve@canary.example>", "452 4.5.3").await;
}

#[tokio::test]
async fn somebody_who_guesses_mailboxes_is_shown_the_door() {
    let running = Running::with(|receiver| receiver.limits.refusals = 3).await;
    let mut talk = running.talk().await;
    talk.say("EHLO x", "250").await;
    talk.say("MAIL FROM:<a@b.example>", "250").await;
    for _ in 0..3 {
        talk.say("RCPT TO:<nobody@x.example>", "550").await;
    }
    talk.say("RCPT TO:<nobody@x.example>", "421 4.7.0").await;
    talk.expect_closed().await;
}

#[tokio::test]
async fn silence_ends_a_session() {
    let running = Running::with(|receiver| receiver.limits.idle = Duration::from_millis(50)).await;
    let mut talk = running.talk().await;
    talk.expect("421 4.4.2").await;
    talk.expect_closed().await;
}

#[tokio::test]
async fn a_session_has_an_end_however_busy_it_is() {
    let running =
        Running::with(|receiver| receiver.limits.session = Duration::from_millis(100)).await;
    let mut talk = running.talk().await;
    let busy = async {
        while talk.stream.get_mut().write_all(b"NOOP\r\n").await.is_ok()
            && !talk.reply().await.is_empty()
        {}
    };
    tokio::time::timeout(PATIENCE, busy).await.expect("the session ends");
}

#[tokio::test]
async fn beyond_the_last_place_sessions_are_turned_away_until_one_ends() {
    let running = Running::with(|receiver| receiver.limits.sessions = 1).await;
    let mut first = running.talk().await;
    let connect = || tokio::net::TcpStream::connect(running.address);
    let mut second = Talk::new(connect().await.expect("the receiver listens"));
    second.expect("421 4.3.2").await;
    second.expect_closed().await;
    first.say("QUIT", "221").await;
    first.expect_closed().await;
    // The place is given back a moment after the connection closed.
    let again = async {
        while !Talk::new(connect().await.expect("it listens")).reply().await.starts_with("220") {}
    };
    tokio::time::timeout(PATIENCE, again).await.expect("there is a place again");
}

#[tokio::test]
async fn starttls_encrypts_and_forgets_what_was_said_before() {
    let running = Running::start().await;
    let mut talk = running.talk().await;
    talk.say("EHLO plain.example", "250").await;
    talk.say("MAIL FROM:<early@evil.example>", "250").await;
    talk.say("STARTTLS", "220").await;
    let mut talk = encrypted(talk).await;
    talk.say("RCPT TO:<ann@canary.example>", "503").await;
    talk.say("MAIL FROM:<a@b.example>", "503").await;
    let offer = talk.say("EHLO secret.example", "250").await;
    assert!(!offer.contains("STARTTLS"), "{offer}");
    talk.say("STARTTLS", "503").await;
    talk.begin_mail().await;
    talk.send("hi\r\n.\r\n").await;
    talk.expect("250").await;
    let mail = &running.inbox.mails()[0];
    assert!(mail.tls);
    assert_eq!(mail.from, "mallory@evil.example");
}

#[tokio::test]
async fn commands_in_plain_behind_starttls_are_never_carried_out() {
    let running = Running::start().await;
    let mut talk = running.talk().await;
    talk.say("EHLO x", "250").await;
    talk.send("STARTTLS\r\nMAIL FROM:<injected@evil.example>\r\nRCPT TO:<ann@canary.example>\r\n")
        .await;
    talk.expect("501 5.5.1").await;
    talk.expect_closed().await;
}

#[tokio::test]
async fn a_stop_lets_a_mail_under_way_finish_and_tells_the_others() {
    let mut running = Running::start().await;
    let mut idle = running.talk().await;
    let mut busy = running.talk().await;
    busy.begin_mail().await;
    busy.send("hi\r\n").await;
    running.stop.take().map(|stop| stop.send(()));
    idle.expect("421 4.3.2").await;
    busy.send(".\r\n").await;
    busy.expect("250").await;
    busy.expect("421 4.3.2").await;
    let served = tokio::time::timeout(PATIENCE, running.served).await.expect("it stops");
    assert!(served.expect("it does not panic").is_ok());
    assert_eq!(running.inbox.mails().len(), 1);
    assert!(tokio::net::TcpStream::connect(running.address).await.is_err(), "it still listens");
}

async fn stop(mut running: Running, then: impl FnOnce(&common::Memory)) {
    running.stop.take().map(|stop| stop.send(()));
    let served = tokio::time::timeout(PATIENCE, running.served).await.expect("it stops");
    assert!(served.expect("it does not panic").is_ok());
    then(&running.inbox);
}

async fn encrypted(
    talk: Talk<tokio::net::TcpStream>,
) -> Talk<tokio_rustls::client::TlsStream<tokio::net::TcpStream>> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(provider.clone()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let name = "mx.canary.example".try_into().expect("a name");
    let stream = TlsConnector::from(Arc::new(config)).connect(name, talk.stream.into_inner());
    Talk::new(stream.await.expect("the handshake works"))
}

#[derive(Debug)]
struct AnyCertificate(rustls::crypto::CryptoProvider);

impl rustls::client::danger::ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &rustls_pki_types::CertificateDer<'_>,
        _: &[rustls_pki_types::CertificateDer<'_>],
        _: &rustls_pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls_pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls_pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls_pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
