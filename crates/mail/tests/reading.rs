//! Letters that we write, and mail that anybody may have written.

use std::path::PathBuf;
use std::sync::LazyLock;

use mail::{Letter, ReadMail, Unreadable, read};
use model::{Email, Timestamp, limits};
use proptest::prelude::*;

fn email(text: &str) -> Email {
    Email::parse(text).expect(text)
}

static FROM: LazyLock<Email> = LazyLock::new(|| email("safe@flickr.example"));
static TO: LazyLock<Email> = LazyLock::new(|| email("ann@mailbox.example"));

fn plain() -> Letter<'static> {
    Letter {
        from_name: "Flickr",
        from: &FROM,
        to: &TO,
        reply_to: None,
        subject: "What we know",
        text: "Hello Ann,\n\nno links here.\n",
        html: None,
        message_id: "dlv_1@flickr.example",
        date: Timestamp::parse("2026-02-05T02:00:00Z").expect("a time"),
        headers: &[],
    }
}

/// Builds a letter and reads it again.
fn written(letter: &Letter<'_>) -> (String, ReadMail) {
    let raw = letter.build();
    let text = String::from_utf8(raw.clone()).expect("a letter is text");
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "a lone line end in {text:?}");
    (text, read(&raw).expect("a letter reads back"))
}

#[test]
fn a_letter_says_what_it_was_given() {
    let (text, mail) = written(&plain());
    assert_eq!(mail.from, Some(email("safe@flickr.example")));
    assert_eq!(mail.from_domain, "flickr.example");
    assert_eq!(mail.to, [email("ann@mailbox.example")]);
    assert_eq!(mail.message_id.as_deref(), Some("dlv_1@flickr.example"));
    assert_eq!(mail.subject.as_deref(), Some("What we know"));
    assert_eq!(mail.text.trim_end(), "Hello Ann,\r\n\r\nno links here.");
    assert_eq!(mail.header("date"), Some("Thu, 5 Feb 2026 02:00:00 +0000"));
    assert_eq!(mail.header("Auto-Submitted"), Some("auto-generated"));
    assert_eq!(mail.header("MIME-Version"), Some("1.0"));
    assert!(mail.links.is_empty() && mail.html.is_none() && !mail.cut);
    assert!(text.starts_with("From: \"Flickr\" <safe@flickr.example>\r\n"), "{text}");
}

#[test]
fn a_letter_in_any_language_is_seven_bit_and_reads_back() {
    let (text, mail) = written(&Letter {
        from_name: "Flickr — Vertrauen & Sicherheit",
        subject: "O que sabemos sobre os seus dados: não há senhas ✓",
        text: "Olá, Ann — não clique.\n",
        html: Some("<p>Olá, Ann — <b>não</b> clique.</p>"),
        ..plain()
    });
    assert!(text.is_ascii() && text.contains("multipart/alternative"), "{text}");
    assert!(text.contains("=?utf-8?"), "{text}");
    assert_eq!(mail.subject.as_deref(), Some("O que sabemos sobre os seus dados: não há senhas ✓"));
    assert_eq!(mail.text.trim_end(), "Olá, Ann — não clique.");
    assert_eq!(mail.html.as_deref().map(str::trim), Some("<p>Olá, Ann — <b>não</b> clique.</p>"));
}

#[test]
fn no_text_can_become_a_header() {
    const EVIL: &str = "x\r\nBcc: <all@evil.example>\r\n\r\nbody";
    for (text, mail) in [
        written(&Letter { subject: EVIL, ..plain() }),
        written(&Letter { from_name: EVIL, ..plain() }),
        written(&Letter { message_id: EVIL, ..plain() }),
        written(&Letter { headers: &[("X-Note", EVIL)], ..plain() }),
        written(&Letter {
            headers: &[("X-Note: y\r\nBcc: <all@evil.example>\r\nX", "z")],
            ..plain()
        }),
        written(&Letter { subject: "x\nBcc: y", ..plain() }),
        written(&Letter { subject: "x\rBcc: y", ..plain() }),
        written(&Letter { subject: "x\u{85}Bcc: y", ..plain() }),
    ] {
        let (head, _) = text.split_once("\r\n\r\n").expect("head and body");
        assert!(!head.to_lowercase().contains("\r\nbcc"), "{head}");
        assert_eq!(mail.header("Bcc"), None, "{head}");
        assert_eq!(mail.text.trim_end(), "Hello Ann,\r\n\r\nno links here.");
    }
}

#[test]
fn long_lines_and_leading_dots_survive() {
    let long = format!(".start {} end\n.\n", "word ".repeat(500));
    let (text, mail) = written(&Letter { text: &long, ..plain() });
    assert!(text.lines().all(|line| line.len() <= 998));
    assert_eq!(mail.text.replace("\r\n", "\n").trim_end(), long.trim_end());
}

#[test]
fn a_mail_is_read_for_what_it_claims() {
    let mail = read(
        b"Received: from o1.ptr.sendgrid.net (o1.ptr.sendgrid.net [192.0.2.7])\r\n\
          \tby MX.mailbox.example with ESMTPS id 1; Thu, 5 Feb 2026 02:00:00 +0000\r\n\
          DKIM-Signature: v=1; a=rsa-sha256; d=Sendgrid.net;\r\n\ts=smtpapi; h=from; bh=x; b=y\r\n\
          dkim-signature: v=1; s = s1 ; d = em.flickr.example; b=\r\n\
          From: \"Flickr\" <Security@Flickr.Example>\r\n\
          To: Ann <ann@mailbox.example>, broken\r\n\
          Cc: bob@mailbox.example\r\n\
          X-Cordon-Ref:\r\n c1.abc\r\n\
          Content-Type: multipart/alternative; boundary=b\r\n\r\n\
          --b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
          Content-Transfer-Encoding: quoted-printable\r\n\r\n\
          Gr=FC=DFe https://a.evil.example/=\r\nx\r\n\
          --b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n\
          PGEgaHJlZj0iaHR0cHM6Ly9iLmV2aWwuZXhhbXBsZS8iPng8L2E+\r\n--b--\r\n",
    )
    .expect("a mail");
    assert_eq!(mail.from_domain, "flickr.example");
    assert_eq!(mail.to, [email("ann@mailbox.example"), email("bob@mailbox.example")]);
    let dkim: Vec<_> = mail.dkim.iter().map(|(domain, key)| (&domain[..], &key[..])).collect();
    assert_eq!(dkim, [("sendgrid.net", "smtpapi"), ("em.flickr.example", "s1")]);
    assert_eq!(mail.received_domains, ["mx.mailbox.example", "o1.ptr.sendgrid.net"]);
    assert_eq!(mail.header("X-CORDON-REF"), Some("c1.abc"));
    assert_eq!(mail.links, ["a.evil.example", "b.evil.example"]);
    assert!(mail.text.contains("Grüße https://a.evil.example/x"), "{}", mail.text);
    assert_eq!(mail.html.as_deref(), Some("<a href=\"https://b.evil.example/\">x</a>"));
}

#[test]
fn a_mail_within_a_mail_is_looked_into() {
    let mail = read(
        b"From: ann@mailbox.example\r\nContent-Type: message/rfc822\r\n\r\n\
          From: x@evil.example\r\nSubject: Win\r\n\r\nhttps://c.evil.example/\r\n",
    )
    .expect("a mail");
    assert_eq!(
        (mail.from_domain.as_str(), &mail.links[..]),
        ("mailbox.example", &["c.evil.example".to_owned()][..])
    );
}

#[test]
fn html_alone_gives_a_text() {
    let mail = read(b"From: a@b.example\r\nContent-Type: text/html\r\n\r\n<p>Hi <b>you</b></p>")
        .expect("a mail");
    assert_eq!(mail.text.trim(), "Hi you");
}

#[test]
fn what_is_no_mail_or_too_much_of_one_is_refused() {
    for none in [b"".as_slice(), b"\r\n", b"\xff\xfe", b"hello", b"\0\0\0\0"] {
        assert_eq!(read(none).map(drop), Err(Unreadable::NoMail), "{none:?}");
    }
    let huge = vec![b'x'; limits::CANARY_MAIL_BYTES + 1];
    assert_eq!(read(&huge).map(drop), Err(Unreadable::TooLarge));
    let parts = format!(
        "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{}",
        "--b\r\n\r\n".repeat(limits::MAIL_SEPARATORS + 1)
    );
    assert_eq!(read(parts.as_bytes()).map(drop), Err(Unreadable::TooManyParts));
}

#[test]
fn a_mail_nested_a_hundred_thousand_times_does_no_harm() {
    let plain = "Content-Type: message/rfc822\r\n\r\n".repeat(30_000);
    assert_eq!(read(plain.as_bytes()).map(drop), Err(Unreadable::TooManyParts));
    // Encoded, the nesting is not seen before it is decoded; so it is not decoded.
    let encoded = base64(plain.as_bytes());
    let wrapped = format!(
        "From: a@b.example\r\nContent-Type: message/rfc822\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}",
        &encoded[..900_000]
    );
    assert_eq!(read(wrapped.as_bytes()).expect("a mail").from_domain, "b.example");
    let at_limit = "Content-Type: message/rfc822\r\n\r\n".repeat(limits::MAIL_PARTS);
    assert!(read(format!("{at_limit}From: a@b.example\r\n\r\nhi").as_bytes()).is_ok());
}

#[test]
fn a_mail_of_nothing_but_headers_is_cut() {
    let mut headers = "From: a@b.example\r\n".to_owned();
    headers.push_str(&"X: y\r\n".repeat(500_000));
    let mail = read(headers.as_bytes()).expect("a mail");
    assert!(mail.cut);
    assert_eq!(mail.header("x"), Some("y"));
}

#[test]
fn every_mail_of_the_collections_is_read() {
    let Some(files) = collection() else {
        eprintln!("skipped: the shared collection of mails is not here");
        return;
    };
    let mut with_sender = 0;
    for file in &files {
        let raw = std::fs::read(file).expect("the file is there");
        let mail = read(&raw).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        mail::verify_dkim(&raw, &|_| None);
        with_sender += usize::from(!mail.from_domain.is_empty());
    }
    assert!(files.len() > 100, "only {} mails", files.len());
    assert!(with_sender * 10 > files.len() * 9, "{with_sender} of {} have a sender", files.len());
}

fn collection() -> Option<Vec<PathBuf>> {
    let shared = std::env::var_os("CORDON_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let mut folders = vec![shared.join("data/mail")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "eml") {
                files.push(path);
            }
        }
    }
    Some(files)
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Pieces of which mails, and attacks on those who read them, are made.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&[u8]] = &[
        b"From: a@b.example\r\n",
        b"From: (((\"<a@b>\r\n",
        b"To: a@b.example, \"x\" <y@z.example>;\r\n",
        b"Subject: =?utf-8?B?w7w=?= =?x?Q?=\r\n",
        b"Content-Type: multipart/mixed; boundary=\"b\"\r\n",
        b"Content-Type: multipart/digest; boundary=b\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Content-Type: text/html; charset=utf-7\r\n",
        b"Content-Type: text/plain; charset=iso-2022-jp\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n",
        b"DKIM-Signature: v=1; a=rsa-sha256; d=b.example; s=s; h=from; bh=AA==; b=AA==\r\n",
        b"DKIM-Signature: v=1; a=ed25519-sha256; c=simple; d=;s=;l=1;h=::;b\r\n",
        b"Received: from x by y with z; now\r\n",
        b"X-Cordon-Ref: c1.\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"--b\r\n",
        b"--b--\r\n",
        b"<a href=\"https://e.example\">&#x",
        b"https:\\\\\xff",
        b"=FF=\r\n=",
        b"\xc3",
        b" ",
        b"+AGE-\x1b$B",
        b"\0",
    ];
    let piece = prop_oneof![
        8 => prop::sample::select(PIECES).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..16),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn nothing_that_arrives_makes_the_reader_panic(raw in pieces()) {
        let key = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let results = mail::verify_dkim(&raw, &|_| Some(key.to_owned()));
        prop_assert!(results.iter().all(|result| !result.pass));
        if let Ok(mail) = read(&raw) {
            prop_assert!(mail.links.len() <= limits::MAIL_LINKS);
            prop_assert!(mail.links.iter().all(|host| !host.contains('@')));
        }
    }

    #[test]
    fn nothing_at_all_makes_the_reader_panic(raw in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let results = mail::verify_dkim(&raw, &|_| None);
        prop_assert!(results.iter().all(|result| !result.pass));
        prop_assert!(read(&raw).is_ok() || read(&raw).is_err());
    }

    #[test]
    fn a_letter_of_any_words_reads_back(
        subject in "\\PC{0,200}",
        text in "(\\PC|\n){0,400}",
        name in "\\PC{0,60}",
    ) {
        let (_, mail) = written(&Letter {
            subject: &subject,
            text: &text,
            from_name: &name,
..plain()
});
        prop_assert_eq!(mail.from.as_ref().map(Email::as_str), Some("safe@flickr.example"));
        let squeezed = |text: &str| text.split_whitespace().collect::<String>();
        prop_assert_eq!(squeezed(mail.subject.as_deref().unwrap_or("")), squeezed(&subject));
        prop_assert_eq!(squeezed(&mail.text), squeezed(&text));
    }
}
