//! DKIM: our signatures hold for others' verifiers, theirs for ours, and a changed mail for none.

use std::path::PathBuf;
use std::process::Command;

use mail::{DkimKeys, DkimResult, Letter, verify_dkim};
use model::{Email, Timestamp};

/// RFC 8463 Appendix A: one mail, signed with Ed25519 and RSA.
const RFC_8463: &str = "\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r
 d=football.example.com; i=@football.example.com;\r
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r
 subject : date : message-id : from : subject : date;\r
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r
 d=football.example.com; i=@football.example.com;\r
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r
 date : message-id : from : subject : date;\r
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r
From: Joe SixPack <joe@football.example.com>\r
To: Suzie Q <suzie@shopping.example.net>\r
Subject: Is dinner ready?\r
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r
Message-ID: <20030712040037.46341.5F8J@football.example.com>\r
\r
Hi.\r
\r
We lost the game.  Are you hungry yet?\r
\r
Joe.\r
";

fn rfc_8463_keys(name: &str) -> Option<String> {
    let value = match name {
        "brisbane._domainkey.football.example.com" => {
            "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
        }
        "test._domainkey.football.example.com" => {
            "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR\
             iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC\
             DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3\
             Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
        }
        _ => return None,
    };
    Some(value.to_owned())
}

fn passes(raw: &[u8], keys: &dyn Fn(&str) -> Option<String>) -> Vec<bool> {
    verify_dkim(raw, keys).iter().map(|result| result.pass).collect()
}

fn letter(text: &str, html: Option<&str>) -> Vec<u8> {
    Letter {
        from_name: "Flickr, Vertrauen & Sicherheit",
        from: &Email::parse("safe@flickr.example").expect("an address"),
        to: &Email::parse("ann@mailbox.example").expect("an address"),
        reply_to: None,
        subject: "Was wir über Ihre Daten wissen",
        text,
        html,
        message_id: "dlv_1@flickr.example",
        date: at(),
        headers: &[("X-Cordon-Ref", "c1.abc.def")],
    }
    .build()
}

fn at() -> Timestamp {
    Timestamp::parse("2026-02-05T02:00:00Z").expect("a time")
}

fn keys() -> DkimKeys {
    DkimKeys::generate("flickr.example", "cordon").expect("keys are made")
}

#[test]
fn the_standards_own_example_holds() {
    let results = verify_dkim(RFC_8463.as_bytes(), &rfc_8463_keys);
    let expect = |selector: &str| DkimResult {
        domain: "football.example.com".to_owned(),
        selector: selector.to_owned(),
        pass: true,
    };
    assert_eq!(results, [expect("brisbane"), expect("test")]);
}

#[test]
fn a_saved_mail_that_lost_its_carriage_returns_still_holds() {
    let saved = RFC_8463.replace('\r', "");
    assert_eq!(passes(saved.as_bytes(), &rfc_8463_keys), [true, true]);
}

#[test]
fn a_changed_example_does_not_hold() {
    for (from, to) in [
        ("lost", "won"),
        ("Joe SixPack", "Joe Sixpack"),
        ("Joe.\r\n", "Joe.\r\nJane.\r\n"),
        ("Subject: Is", "Subject: Was"),
        ("To: Suzie", "From: x@evil.example\r\nTo: Suzie"),
        ("t=1528637909", "t=1528637908"),
        ("bh=2jUS", "bh=3jUS"),
    ] {
        let changed = RFC_8463.replace(from, to);
        assert_ne!(changed, RFC_8463);
        assert_eq!(passes(changed.as_bytes(), &rfc_8463_keys), [false, false], "{from}");
    }
    let forwarded = format!("Received: by mx.example; now\r\n{RFC_8463}\r\n \r\n\t\r\n");
    assert_eq!(passes(forwarded.as_bytes(), &rfc_8463_keys), [true, true], "no change that counts");
}

#[test]
fn an_unknown_key_an_empty_key_and_another_key_prove_nothing() {
    assert_eq!(passes(RFC_8463.as_bytes(), &|_| None), [false, false]);
    assert_eq!(passes(RFC_8463.as_bytes(), &|_| Some("v=DKIM1; p=".into())), [false, false]);
    assert_eq!(passes(RFC_8463.as_bytes(), &|_| Some("nonsense".into())), [false, false]);
    let other = keys();
    let records = other.dns_records();
    let one = |index: usize| Some(records[index].1.clone());
    assert_eq!(passes(RFC_8463.as_bytes(), &|_| one(0)), [false, false]);
    assert_eq!(passes(RFC_8463.as_bytes(), &|_| one(1)), [false, false]);
}

#[test]
fn our_two_signatures_hold() {
    let keys = keys();
    let signed = keys.sign(letter("Hallo\n\nkeine Links\n", Some("<p>Hallo</p>")), at());
    let results = verify_dkim(&signed, &|name| keys.dns_record(name));
    let selectors: Vec<_> =
        results.iter().map(|result| (result.selector.as_str(), result.pass)).collect();
    assert_eq!(selectors, [("cordon-ed25519", true), ("cordon-rsa", true)]);
    assert!(results.iter().all(|result| result.domain == "flickr.example"));
    let text = String::from_utf8(signed).expect("ASCII");
    assert!(text.contains("t=1770256800"), "the time is the one that was given");
    assert!(text.lines().all(|line| line.len() <= 998));
}

#[test]
fn whatever_a_body_ends_in_our_signatures_hold() {
    let keys = keys();
    for end in ["", "\r\n", " \r\n\t\r\n", "\r\n \r\n\r\n", "  ", "\n\n\n", "x \t y\r\n \r\n", "\r"]
    {
        for body in ["Hello", "", "Hello \r\n \r\nthere"] {
            let raw =
                format!("From: safe@flickr.example\r\nSubject:  a\r\n\tb \r\n\r\n{body}{end}");
            let signed = keys.sign(raw.into_bytes(), at());
            let held = passes(&signed, &|name| keys.dns_record(name));
            assert_eq!(held, [true, true], "{body:?} {end:?}");
        }
    }
}

#[test]
fn nothing_can_be_changed_or_added_under_our_signatures() {
    let keys = keys();
    let signed = keys.sign(letter("Hallo\n", None), at());
    let signed = String::from_utf8(signed).expect("ASCII");
    for (from, to) in [
        ("Hallo", "Hello"),
        ("\r\nTo: ", "\r\nFrom: <x@evil.example>\r\nTo: "),
        ("\r\nTo: ", "\r\nReply-To: <x@evil.example>\r\nTo: "),
        ("\r\nTo: ", "\r\nCc: <x@evil.example>\r\nTo: "),
        ("\r\nTo: ", "\r\nSubject: Win\r\nTo: "),
        ("\r\nTo: ", "\r\nContent-Type: text/html\r\nTo: "),
        ("c1.abc.def", "c1.abc.xyz"),
        ("ann@mailbox", "bob@mailbox"),
    ] {
        let changed = signed.replacen(from, to, 1);
        assert_ne!(changed, signed, "{from}");
        let held = passes(changed.as_bytes(), &|name| keys.dns_record(name));
        assert_eq!(held, [false, false], "{from} to {to}");
    }
}

#[test]
fn keys_read_back_from_pem_and_sign_alike() {
    let keys = keys();
    let pem = keys.to_pem().expect("they are written down");
    let again =
        DkimKeys::from_pem("Flickr.example", "cordon", pem.expose()).expect("they read back");
    assert_eq!(again.dns_records(), keys.dns_records());
    let signed = again.sign(letter("Hallo", None), at());
    assert_eq!(passes(&signed, &|name| keys.dns_record(name)), [true, true]);
    let refused = |pem: &str| DkimKeys::from_pem("x.example", "cordon", pem).is_err();
    let (first, _) = pem.expose().split_once("-----END").expect("two blocks");
    let half = format!("{first}-----END PRIVATE KEY-----\n");
    assert!(refused("") && refused(&half) && refused(&half.repeat(2)) && refused("garbage"));
    assert!(!format!("{keys:?}").contains("PRIVATE"));
}

#[test]
fn a_signature_over_a_part_of_the_body_or_without_from_is_not_believed() {
    let lengthened = RFC_8463.replace("t=1528637909", "l=2; t=1528637909");
    assert!(passes(lengthened.as_bytes(), &rfc_8463_keys).iter().all(|pass| !pass));
    let elsewhere = RFC_8463.replace("i=@football", "i=@basketball");
    assert_eq!(passes(elsewhere.as_bytes(), &rfc_8463_keys), [false, false]);
}

/// dkimpy is somebody else's code from the first byte to the last.
#[test]
fn an_independent_verifier_agrees() {
    let Some(packages) = dkimpy() else {
        eprintln!("skipped: dkimpy cannot be had here, so that nobody else checked our signatures");
        return;
    };
    let keys = keys();
    let folder = tempfile::tempdir().expect("a folder");
    let records: String =
        keys.dns_records().iter().map(|(name, value)| format!("{name}\t{value}\n")).collect();
    std::fs::write(folder.path().join("records"), records).expect("it is written");
    let signed = keys.sign(letter("Hallo \n\n..\n \n", Some("<p>H&auml;</p>")), at());
    let changed = String::from_utf8(signed.clone()).expect("ASCII").replace("To: <ann", "To: <bob");
    assert_ne!(changed.as_bytes(), signed);
    let blank = b"From: safe@flickr.example\r\n\r\nHi\r\n \r\n\t\r\n".to_vec();
    for (mail, expect) in [
        (signed, "True True"),
        (changed.into_bytes(), "False False"),
        (keys.sign(blank, at()), "True True"),
        (keys.sign(b"From: safe@flickr.example\r\n\r\n \r\n".to_vec(), at()), "True True"),
    ] {
        std::fs::write(folder.path().join("mail"), mail).expect("it is written");
        let said = Command::new("python3")
            .args(["-c", VERIFY])
            .current_dir(folder.path())
            .env("PYTHONPATH", &packages)
            .output()
            .expect("python runs");
        let heard = String::from_utf8_lossy(&said.stdout);
        assert_eq!(heard.trim(), expect, "{}", String::from_utf8_lossy(&said.stderr));
    }
}

const VERIFY: &str = r#"
import dkim
records = dict(line.rstrip("\n").split("\t") for line in open("records"))
def dns(name, timeout=5):
    value = records.get(name.decode().rstrip("."))
    return value.encode() if value else None
mail = open("mail", "rb").read()
print(*(dkim.DKIM(mail).verify(idx=index, dnsfunc=dns) for index in (0, 1)))
"#;

/// Where Python finds dkimpy; installs it for the tests when it is not there yet.
fn dkimpy() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("py-mail");
    let importable = || {
        let mut python = Command::new("python3");
        python.args(["-c", "import dkim, nacl.signing"]).env("PYTHONPATH", &folder);
        python.output().is_ok_and(|output| output.status.success())
    };
    if !importable() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--target"]).arg(&folder);
        let installed = pip.args(["dkimpy", "pynacl", "dnspython"]).output();
        if !installed.is_ok_and(|output| output.status.success()) {
            return None;
        }
    }
    importable().then_some(folder)
}
