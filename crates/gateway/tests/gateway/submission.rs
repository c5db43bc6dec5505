//! Mail from the submission door to the vendor: what leaves, when, how often, and what is recorded.

use connectors::Reference;
use gateway::{Left, SpoolLimits};
use ledger::{Intent, Outcome, Settled};
use model::fact::ReferenceCheck;
use model::{
    CallId, Email, Field, FieldAction, FieldSet, Identifier, Mode, OperationName, Purpose, Switch,
    Timestamp, VendorName, WorkloadName,
};

use crate::office::{Office, Says, parts};

const MAIL: &str = "Received: from app.internal (10.1.2.3) by mta.internal\r\n\
    From: Shop <shop@shop.example>\r\n\
    To: Ann <ann@example.org>\r\n\
    Bcc: eve@example.org\r\n\
    Subject: Your receipt\r\n\
    Date: Thu, 05 Feb 2026 02:00:00 +0000\r\n\
    Message-ID: <1@shop.example>\r\n\
    X-Mailer: shop 1.2\r\n\
    X-Originating-IP: [10.9.8.7]\r\n\
    X-Internal: customer 4711\r\n\
    Content-Type: text/plain\r\n\r\n\
    Thank you.\r\n.\r\n";

fn reference(head: &str, office: &Office, to: &str) -> ReferenceCheck {
    let line = head.lines().find_map(|line| line.strip_prefix("X-Cordon-Ref: "));
    let vendor = VendorName::parse("sendgrid").expect("a name");
    let check = Reference { key: &office.house.keys.reference, vendor: &vendor };
    let who = Identifier::Email(Email::parse(to).expect("an address"));
    check.check(line, Some(&who), &|call| office.house.ledger.knows_call(call))
}

#[tokio::test]
async fn a_mail_leaves_recorded_with_its_reference_and_without_what_is_private() {
    let office = Office::open().await;
    let reply = office.submit("ann@example.org", MAIL).await;
    assert_eq!(reply.code, 250);
    let call = reply.text.strip_prefix("kept as ").expect("an id").to_owned();
    office.post.asked(1).await;
    office.emptied().await;
    let got = office.post.got();
    assert_eq!((got.len(), got[0].from.as_str()), (1, "shop@shop.example"));
    assert_eq!(got[0].recipients, ["ann@example.org"]);
    assert!(got[0].tls);
    let (head, body) = parts(&got[0]);
    assert_eq!(&body[..], b"Thank you.\r\n.\r\n");
    for kept in ["From: Shop <shop@shop.example>\r\n", "To: Ann <ann@example.org>\r\n", "Subject:"]
    {
        assert!(head.contains(kept), "{kept} is not in {head}");
    }
    for private in ["Received", "Bcc", "eve@", "X-Mailer", "10.9.8.7", "X-Internal", "4711"] {
        assert!(!head.contains(private), "{private} is in {head}");
    }
    let ReferenceCheck::Valid { call: signed } = reference(&head, &office, "ann@example.org")
    else {
        panic!("{head}");
    };
    assert_eq!(signed.to_string(), call, "the reply names the call that is on record");
    let in_events = "X-SMTPAPI: {\"unique_args\":{\"cordon_ref\":\"c1.";
    assert!(head.contains(in_events), "{head}");

    let rows = office.house.disclosures();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].call, rows[0].settled), (signed, Settled::Sent));
    assert_eq!(rows[0].operation.as_str(), "smtp.send");
    assert_eq!(rows[0].fields, FieldSet::parse("email,name,content").expect("fields"));
    let seen = office.house.seen.all();
    assert_eq!(
        seen.iter().map(|seen| seen.outcome).collect::<Vec<_>>(),
        [Left::Held, Left::Sent(250)]
    );
}

#[tokio::test]
async fn each_recipient_gets_a_copy_with_a_reference_of_their_own() {
    let office = Office::open().await;
    let to = ["ann@example.org", "bob@example.org", "ann@example.org"];
    let reply = office.submit_to(&to, MAIL).await;
    assert!(reply.starts_with("250 2.0.0 kept as cal_"), "{reply}");
    assert_eq!(reply.matches("cal_").count(), 2, "{reply}");
    office.post.asked(2).await;
    office.emptied().await;
    let mut got = office.post.got();
    got.sort_by(|one, other| one.recipients.cmp(&other.recipients));
    for (mail, to, other) in [
        (&got[0], "ann@example.org", "bob@example.org"),
        (&got[1], "bob@example.org", "ann@example.org"),
    ] {
        assert_eq!(mail.recipients, [to]);
        let (head, _) = parts(mail);
        assert!(matches!(reference(&head, &office, to), ReferenceCheck::Valid { .. }));
        let stolen = reference(&head, &office, other);
        assert!(matches!(stolen, ReferenceCheck::OtherRecipient { .. }), "{stolen:?}");
    }
    let rows = office.house.disclosures();
    assert_eq!(rows.len(), 3, "Ann is named in Bob's copy too");
}

#[tokio::test]
async fn names_and_attributes_go_as_policy_says() {
    let change = |setup: &mut crate::support::Setup| {
        setup.actions.insert(Field::Name, FieldAction::Drop);
        setup.actions.insert(Field::Custom, FieldAction::Drop);
    };
    let office = Office::with(change, SpoolLimits::default()).await;
    let own = "X-SMTPAPI: {\"unique_args\":{\"order\":\"4711\"},\"category\":\"receipt\"}\r\n";
    assert_eq!(office.submit("ann@example.org", &format!("{own}{MAIL}")).await.code, 250);
    office.post.asked(1).await;
    let (head, _) = parts(&office.post.got()[0]);
    assert!(head.contains("To: <ann@example.org>\r\n") && !head.contains("Ann"), "{head}");
    assert!(head.contains("\"category\":\"receipt\"") && !head.contains("4711"), "{head}");
    assert_eq!(head.matches("X-SMTPAPI").count(), 1);
    let rows = office.house.disclosures();
    assert_eq!(rows[0].fields, FieldSet::parse("email,content").expect("fields"));
}

#[tokio::test]
async fn what_policy_refuses_is_refused_before_it_is_kept() {
    let office = Office::with(
        |setup| setup.fields = FieldSet::parse("email,name").expect("fields"),
        SpoolLimits::default(),
    )
    .await;
    let check = async |mail: &str, expect: &str| {
        let reply = office.submit("ann@example.org", mail).await;
        assert_eq!((reply.code, reply.enhanced.as_deref()), (550, Some("5.7.1")));
        assert!(reply.text.starts_with(expect), "{}", reply.text);
    };
    check(MAIL, "field-not-granted: ").await;
    check(&format!("X-Cordon-Purpose: spying\r\n{MAIL}"), "purpose-not-granted: ").await;
    check(&format!("X-Cordon-Purpose: not a purpose!\r\n{MAIL}"), "purpose-malformed: ").await;
    let others = "X-SMTPAPI: {\"to\":[\"bob@example.org\"]}\r\n";
    check(&format!("{others}{MAIL}"), "body-unreadable: ").await;
    check("no header at all\r\n\r\n", "body-unreadable: ").await;
    check(&format!("To: bob@example.org\r\n{MAIL}"), "body-unreadable: ").await;
    assert_eq!((office.waiting(), office.post.got().len()), (0, 0));
    assert!(office.house.disclosures().is_empty());
    assert!(office.house.seen.all().iter().all(|seen| seen.outcome == Left::NotSent));
}

#[tokio::test]
async fn only_a_token_of_a_vendor_that_takes_mail_logs_in() {
    let office = Office::open().await;
    let token = office.house.token();
    for user in ["apikey", "sendgrid", &token] {
        office.log_in(user, &token).await.expect("a good token");
    }
    for (user, password) in [("apikey", "SG.guess"), ("apikey", ""), (token.as_str(), "x")] {
        assert!(office.log_in(user, password).await.is_err(), "{user}");
    }
    let codes: Vec<_> = office.house.seen.all().iter().map(|seen| seen.code).collect();
    assert_eq!(codes, [Some("token-unknown"); 3]);
}

#[tokio::test]
async fn a_mail_that_cannot_be_read_passes_where_it_may_and_counts_for_all_it_could_say() {
    let office = Office::with(|setup| setup.mode = Mode::Observe, SpoolLimits::default()).await;
    let odd = format!("X-SMTPAPI: {{\"to\":[\"bob@example.org\"]}}\r\n{MAIL}");
    assert_eq!(office.submit("ann@example.org", &odd).await.code, 250);
    office.post.asked(1).await;
    office.emptied().await;
    assert_eq!(office.post.got()[0].raw, odd.as_bytes());
    let rows = office.house.disclosures();
    let all = FieldSet::parse("email,name,content,attachment,custom").expect("fields");
    assert_eq!((rows.len(), rows[0].fields), (1, all));
    let seen = office.house.seen.all();
    assert_eq!(seen[1].would_refuse, Some("body-unreadable"));
    assert!(seen[1].warnings.contains(&"unreadable"));
}

#[tokio::test]
async fn a_stopped_vendor_gets_no_mail_and_a_held_one_gets_it_later() {
    let mut office = Office::open().await;
    office.house.switch(Switch::Hold);
    assert_eq!(office.submit("ann@example.org", MAIL).await.code, 250);
    let backlog = office.house.gateway.backlog(&VendorName::parse("sendgrid").expect("a name"));
    assert_eq!((backlog.mails, backlog.calls), (1, 0));
    assert!(office.post.got().is_empty());
    office.house.switch(Switch::Open);
    office.post.asked(1).await;
    office.emptied().await;

    office.house.switch(Switch::Hold);
    assert_eq!(office.submit("bob@example.org", MAIL).await.code, 250);
    office.house.switch(Switch::Stop);
    office.emptied().await;
    let last = office.house.seen.all().pop().expect("it ended");
    assert_eq!((last.outcome, last.code), (Left::NotSent, Some("held-discarded")));
    let reply = office.submit("ann@example.org", MAIL).await;
    assert_eq!((reply.code, reply.enhanced.as_deref()), (550, Some("5.7.1")));
    assert!(reply.text.starts_with("vendor-stopped: "), "{}", reply.text);
    assert_eq!(office.post.got().len(), 1);
}

#[tokio::test]
async fn what_the_vendor_defers_is_tried_again_later_under_another_id_and_then_ends() {
    let office = Office::open().await;
    office.post.says(&[
        Says::NoTo("451 4.7.1 greylisted"),
        Says::No("452 4.3.1 full"),
        Says::Yes,
        Says::NoTo("550 5.1.1 gone"),
        Says::No("554 5.7.1 spam"),
    ]);
    office.submit("ann@example.org", MAIL).await;
    for (asked, wait) in [(1, 30), (2, 120), (3, 0)] {
        office.post.asked(asked).await;
        office.house.seen.ended(asked + 1).await;
        office.pass(wait);
    }
    office.emptied().await;
    let outcomes: Vec<_> = office.house.seen.all().iter().map(|seen| seen.outcome).collect();
    let expect = [Left::Held, Left::Sent(451), Left::Sent(452), Left::Sent(250)];
    assert_eq!(outcomes, expect, "the vendor learnt of Ann at each attempt");
    let calls: std::collections::BTreeSet<_> =
        office.house.disclosures().iter().map(|row| row.call).collect();
    assert_eq!(calls.len(), 3);
    for asked in [4, 5] {
        office.submit("ann@example.org", MAIL).await;
        office.post.asked(asked).await;
        office.emptied().await;
    }
    assert_eq!(office.house.ledger.status().unsettled, 0);
}

#[tokio::test]
async fn a_vendor_that_is_lost_after_the_final_dot_is_never_given_the_mail_again() {
    let mut office = Office::open().await;
    office.post.says(&[Says::Nothing]);
    office.submit("ann@example.org", MAIL).await;
    office.post.asked(1).await;
    office.post.vanish();
    office.emptied().await;
    assert_eq!(office.house.disclosures()[0].settled, Settled::Unknown);
    let last = office.house.seen.all().pop().expect("it ended");
    assert_eq!((last.outcome, last.code), (Left::Unknown, Some("vendor-lost")));
    office.crash().await;
    assert_eq!(office.recovered.entries, 0);
}

#[tokio::test]
async fn a_vendor_that_is_not_there_is_asked_again_and_nothing_is_recorded_meanwhile() {
    let office = Office::open().await;
    office.post.vanish();
    office.submit("ann@example.org", MAIL).await;
    office.house.seen.ended(1).await;
    assert_eq!(office.waiting(), 1);
    assert!(office.house.disclosures().is_empty(), "nothing is about to leave");
    office.pass(25 * 60 * 60);
    office.emptied().await;
    let last = office.house.seen.all().pop().expect("it ended");
    assert_eq!((last.outcome, last.code), (Left::NotSent, Some("held-expired")));
    assert_eq!(last.workload.map(|name| name.to_string()), Some("shop".to_owned()));
}

#[tokio::test]
async fn a_crash_loses_nothing_that_was_acknowledged() {
    let mut office = Office::open().await;
    office.house.switch(Switch::Hold);
    for to in ["ann@example.org", "bob@example.org"] {
        assert_eq!(office.submit(to, MAIL).await.code, 250);
    }
    office.crash().await;
    assert_eq!(office.recovered.entries, 2);
    office.house.switch(Switch::Open);
    office.post.asked(2).await;
    office.emptied().await;
    assert_eq!(office.post.got().len(), 2);
}

/// An intent of this call, as the pipeline records one.
fn intent(office: &Office, call: CallId) -> Intent {
    let name = "is of its form";
    Intent {
        call,
        at: office.house.world.now(),
        vendor: VendorName::parse("sendgrid").expect(name),
        operation: OperationName::parse("smtp.send").expect(name),
        workload: WorkloadName::parse("shop").expect(name),
        purpose: Purpose::parse("receipts").expect(name),
        mode: Mode::Enforce,
        asked: None,
        held_until: Timestamp::NEVER,
        rows: Vec::new(),
    }
}

#[tokio::test]
async fn a_crash_between_the_record_and_the_removal_sends_nothing_twice() {
    let mut office = Office::open().await;
    office.house.switch(Switch::Hold);
    let mut calls = Vec::new();
    for to in ["ann@example.org", "bob@example.org", "cat@example.org"] {
        let reply = office.submit(to, MAIL).await;
        let id = reply.text.strip_prefix("kept as ").expect("an id");
        calls.push(CallId::parse(id).expect("an id"));
    }
    let ledger = office.house.ledger.clone();
    ledger.intend(intent(&office, calls[0])).await.expect("durable");
    ledger.intend(intent(&office, calls[1])).await.expect("durable");
    let not_sent = Outcome::NotSent { code: "vendor-unreachable" };
    ledger.settle(calls[1], not_sent).await.expect("durable");
    office.crash().await;
    office.house.switch(Switch::Open);
    office.post.asked(2).await;
    office.emptied().await;
    let mut got: Vec<_> =
        office.post.got().into_iter().map(|mail| mail.recipients[0].clone()).collect();
    got.sort();
    assert_eq!(got, ["bob@example.org", "cat@example.org"], "Ann's may have left before");
    assert_eq!(ledger.status().unsettled, 0);
    let seen = office.house.seen.all();
    let ended = seen.iter().rfind(|seen| seen.call == calls[0]);
    let ended = ended.map(|seen| (seen.outcome, seen.code));
    assert_eq!(ended, Some((Left::Unknown, Some("interrupted"))));
}

#[tokio::test]
async fn a_disk_that_takes_nothing_takes_no_mail() {
    let office = Office::open().await;
    std::fs::remove_dir(office.spool_dir.path()).expect("nothing is in it");
    let reply = office.submit("ann@example.org", MAIL).await;
    assert_eq!((reply.code, reply.enhanced.as_deref()), (452, Some("4.3.1")));
    assert!(reply.text.starts_with("spool-down: "), "{}", reply.text);
    std::fs::create_dir(office.spool_dir.path()).expect("it is back");
    assert_eq!(office.submit("ann@example.org", MAIL).await.code, 250);
    office.post.asked(1).await;
    office.emptied().await;
}

#[tokio::test]
async fn a_full_spool_takes_no_more_mail() {
    let limits = SpoolLimits { vendor_entries: 1, ..SpoolLimits::default() };
    let mut office = Office::with(|setup| setup.switch = Switch::Hold, limits).await;
    assert_eq!(office.submit("ann@example.org", MAIL).await.code, 250);
    let reply = office.submit("ann@example.org", MAIL).await;
    assert_eq!((reply.code, reply.enhanced.as_deref()), (452, Some("4.3.1")));
    assert!(reply.text.starts_with("spool-full: "), "{}", reply.text);
    office.house.switch(Switch::Open);
    office.emptied().await;
    assert_eq!(office.submit("ann@example.org", MAIL).await.code, 250);
}
