//! Who may give what to whom, and what each mode makes of it.

use std::sync::atomic::{AtomicBool, Ordering};

use gateway::Registry;
use ledger::{CallEnd, RecordedCall, Settled};
use model::{Field, FieldAction, FieldSet, Mode, PolicyDigest, Timestamp};
use serde_json::json;

use crate::support::{FakeVendor, House, SENDGRID_KEY, Setup};

async fn house(setup: impl FnOnce(&mut Setup)) -> (House, FakeVendor) {
    let vendor = FakeVendor::accepting().await;
    let mut made = Setup::sendgrid(&vendor);
    setup(&mut made);
    (House::with(made).await, vendor)
}

#[tokio::test]
async fn a_granted_call_leaves_with_the_vendors_credential_and_a_reference() {
    let (house, vendor) = house(|_| ()).await;
    let answer = house.send(house.mail().header("X-Cordon-Purpose", "alerts")).await;
    assert_eq!(answer.said(), (202, "sent", None));
    assert_eq!(answer.header("x-message-id"), Some("msg-1"));
    assert!(answer.header("x-cordon-call").is_some_and(|call| call.starts_with("cal_")));

    let got = vendor.only();
    assert_eq!(got.line(), "POST /v3/mail/send HTTP/1.1");
    assert_eq!(got.header("authorization"), [format!("Bearer {SENDGRID_KEY}")]);
    assert_eq!(got.header("host"), [vendor.address.to_string()]);
    assert_eq!(got.header("content-length"), [got.body.len().to_string()]);
    assert!(got.header("x-cordon-purpose").is_empty());
    let reference = &got.json()["personalizations"][0]["custom_args"]["cordon_ref"];
    assert!(reference.as_str().is_some_and(|text| text.starts_with("c1.")));

    let seen = house.seen.only();
    assert_eq!(seen.fields, FieldSet::parse("email,name,content").expect("fields"));
    assert_eq!((seen.people, seen.mode), (1, Some(Mode::Enforce)));
    assert_eq!(seen.workload.expect("known").as_str(), "shop");
    assert_eq!(seen.operation.expect("known").as_str(), "mail.send");
}

#[tokio::test]
async fn a_call_without_a_token_of_ours_is_refused() {
    let (house, vendor) = house(|_| ()).await;
    let mail = house.mail();
    for (request, code) in [
        (mail.clone().without("Authorization"), "token-missing"),
        (mail.clone().header("Authorization", "Bearer nothing"), "token-missing"),
        (mail.clone().header("Authorization", &format!("Bearer {SENDGRID_KEY}")), "token-unknown"),
    ] {
        let answer = house.send(request).await;
        assert_eq!(answer.said(), (401, "not-sent", Some(code)));
        assert_eq!(answer.json()["errors"][0]["help"], code);
    }
    let twice = mail.framed("Authorization: Bearer x\r\nContent-Length: 0\r\n");
    assert_eq!(house.exchange(&twice).await.code(), Some("token-unknown"));
    assert!(vendor.got().is_empty());
}

#[tokio::test]
async fn an_unknown_vendor_or_path_is_refused() {
    let (house, _vendor) = house(|_| ()).await;
    for path in ["/v/mailer/v3/mail/send", "/v3/mail/send", "/", "/v/", "/v/Send%20Grid/v3"] {
        let answer = house.send(house.mail().path(path)).await;
        assert_eq!(answer.said(), (404, "not-sent", Some("vendor-unknown")), "{path}");
        assert_eq!(answer.json()["error"]["code"], "vendor-unknown");
    }
}

#[tokio::test]
async fn what_the_workload_may_not_do_is_refused_under_enforce() {
    let purpose = |house: &House, text: &str| house.mail().header("X-Cordon-Purpose", text);
    let (house, vendor) = house(|_| ()).await;
    let answer = house.send(purpose(&house, "marketing")).await;
    assert_eq!(answer.said(), (403, "not-sent", Some("purpose-not-granted")));
    let answer = house.send(purpose(&house, "No Purpose!")).await;
    assert_eq!(answer.said(), (400, "not-sent", Some("purpose-malformed")));

    let mut house = house;
    house.change(|setup| setup.fields = FieldSet::parse("email,content").expect("fields"));
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (403, "not-sent", Some("field-not-granted")));
    assert!(answer.text().contains("`name`"));

    house.change(|setup| setup.granted = false);
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (403, "not-sent", Some("vendor-not-granted")));
    assert!(vendor.got().is_empty() && house.disclosures().is_empty());
}

#[tokio::test]
async fn a_dropped_field_needs_no_grant_and_is_not_recorded() {
    let (house, vendor) = house(|setup| {
        setup.fields = FieldSet::parse("email,content").expect("fields");
        setup.actions.insert(Field::Name, FieldAction::Drop);
    })
    .await;
    assert_eq!(house.send(house.mail()).await.said(), (202, "sent", None));
    let to = vendor.only().json()["personalizations"][0]["to"][0].clone();
    assert_eq!(to, json!({ "email": "ann@example.com" }));
    let rows = house.disclosures();
    assert_eq!(rows[0].fields, FieldSet::parse("email,content").expect("fields"));
}

#[tokio::test]
async fn a_pseudonym_stands_for_a_field_and_is_the_same_each_time() {
    let (house, vendor) = house(|setup| {
        setup.actions.insert(Field::Name, FieldAction::Pseudonymise);
    })
    .await;
    for _ in 0..2 {
        assert_eq!(house.send(house.mail()).await.said(), (202, "sent", None));
    }
    let names: Vec<_> = vendor
        .got()
        .iter()
        .map(|got| got.json()["personalizations"][0]["to"][0]["name"].clone())
        .collect();
    assert!(names[0].as_str().is_some_and(|name| name.starts_with("p-")), "{names:?}");
    assert_eq!(names[0], names[1]);
    assert!(house.disclosures().iter().all(|row| !row.fields.contains(Field::Name)));
}

#[tokio::test]
async fn a_token_stands_for_a_field_and_turns_back_here_alone() {
    let (house, vendor) = house(|setup| {
        setup.actions.insert(Field::Name, FieldAction::Tokenise);
    })
    .await;
    assert_eq!(house.send(house.mail()).await.said(), (202, "sent", None));
    let name = vendor.only().json()["personalizations"][0]["to"][0]["name"].clone();
    let vendor = house.setups[0].name();
    let turned_back = house.keys.tokenise.value(&vendor, name.as_str().expect("a text"));
    let (field, value) = turned_back.expect("ours");
    assert_eq!((field, value.expose().as_str()), (Field::Name, "Ann"));
    assert!(house.disclosures().iter().all(|row| !row.fields.contains(Field::Name)));
}

#[tokio::test]
async fn a_field_that_must_not_leave_and_one_that_cannot_be_done_without_stop_the_call() {
    let (mut house, vendor) = house(|setup| {
        setup.actions.insert(Field::Content, FieldAction::Refuse);
    })
    .await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (403, "not-sent", Some("field-refused")));
    house.change(|setup| setup.actions = [(Field::Content, FieldAction::Drop)].into());
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (400, "not-sent", Some("field-needed")));
    assert!(vendor.got().is_empty() && house.disclosures().is_empty());
}

#[tokio::test]
async fn unknown_keys_are_dropped_under_enforce_and_pass_otherwise() {
    for (mode, kept) in [(Mode::Enforce, false), (Mode::Report, true), (Mode::Observe, true)] {
        let (house, vendor) = house(|setup| setup.mode = mode).await;
        let mail = house.mail().json(|body| body["shoe_size"] = json!(41));
        assert_eq!(house.send(mail).await.said(), (202, "sent", None));
        assert_eq!(vendor.only().json().get("shoe_size").is_some(), kept, "{mode}");
        let seen = house.seen.only();
        assert!(seen.warnings.contains(&"unknown-keys"));
        assert_eq!(seen.warnings.contains(&"would-drop-unknown-key"), mode == Mode::Report);
        let recorded = house.disclosures()[0].fields;
        assert_eq!(recorded.contains(Field::Custom), kept, "what passed unread counts");
    }
}

#[tokio::test]
async fn unknown_headers_stay_here_under_enforce() {
    for (mode, kept) in [(Mode::Enforce, 0), (Mode::Observe, 1)] {
        let (house, vendor) = house(|setup| setup.mode = mode).await;
        let mail = house
            .mail()
            .header("X-User", "ann@example.com")
            .header("Cookie", "session=1")
            .header("X-Forwarded-For", "10.0.0.1")
            .header("Connection", "keep-alive, X-Hop")
            .header("X-Hop", "1");
        assert_eq!(house.send(mail).await.said(), (202, "sent", None));
        let got = vendor.only();
        assert_eq!(got.header("x-user").len(), kept, "{mode}");
        for name in ["cookie", "x-forwarded-for", "x-hop", "connection"] {
            assert!(got.header(name).is_empty(), "{name} under {mode}");
        }
    }
}

#[tokio::test]
async fn report_says_what_enforce_would_have_done_and_observe_does_not_ask() {
    let told = [(Mode::Report, Some("field-not-granted")), (Mode::Observe, None)];
    for (mode, would_refuse) in told {
        let (house, vendor) = house(|setup| {
            setup.mode = mode;
            setup.fields = FieldSet::parse("email").expect("a field");
            setup.actions.insert(Field::Name, FieldAction::Drop);
        })
        .await;
        assert_eq!(house.send(house.mail()).await.said(), (202, "sent", None));
        assert_eq!(vendor.only().json()["personalizations"][0]["to"][0]["name"], "Ann");
        let seen = house.seen.only();
        assert_eq!(seen.would_refuse, would_refuse);
        assert_eq!(seen.warnings.contains(&"would-drop-field"), mode == Mode::Report);
        let rows = house.disclosures();
        assert_eq!(rows[0].fields, FieldSet::parse("email,name,content").expect("fields"));
    }
}

#[tokio::test]
async fn a_workloads_own_mode_goes_before_the_vendors() {
    let (house, _vendor) = house(|setup| {
        setup.mode = Mode::Enforce;
        setup.own_mode = Some(Mode::Report);
        setup.granted = false;
    })
    .await;
    assert_eq!(house.send(house.mail()).await.said(), (202, "sent", None));
    assert_eq!(house.seen.only().would_refuse, Some("vendor-not-granted"));
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_under_enforce_and_recorded_when_it_passes() {
    let read = |house: &House| {
        let mail = house.mail();
        [
            (mail.clone().path("/v/sendgrid/v3/asm/groups?a=b"), "unknown-operation"),
            (mail.clone().body("{\"personalizations\": ["), "body-unreadable"),
            (mail.clone().body("{\"subject\":1,\"subject\":2}"), "body-unreadable"),
            (mail.clone().header("Content-Type", "multipart/form-data"), "content-type"),
            (
                mail.json(|body| body["personalizations"][0]["to"][0]["email"] = json!("nobody")),
                "identifier-unreadable",
            ),
        ]
    };
    let (strict, vendor) = house(|_| ()).await;
    for (request, code) in read(&strict) {
        assert_eq!(strict.send(request).await.said(), (400, "not-sent", Some(code)));
    }
    assert!(vendor.got().is_empty());
    for mode in [Mode::Observe, Mode::Report] {
        let (house, vendor) = house(|setup| setup.mode = mode).await;
        for (index, (request, code)) in read(&house).into_iter().enumerate() {
            let sent = request.bytes();
            let answer = house.send(request).await;
            assert_eq!(answer.said(), (202, "sent", None), "{code} under {mode}");
            let got = vendor.got().remove(index);
            assert!(sent.ends_with(&got.body), "it passes as it is");
            let seen = house.seen.all().remove(index);
            assert_eq!((seen.would_refuse, seen.people), (Some(code), 0));
            assert!(seen.warnings.contains(&"unreadable"));
            assert!(house.ledger.knows_call(seen.call), "nothing leaves unrecorded");
        }
        assert_eq!(vendor.got()[0].line(), "POST /v3/asm/groups?a=b HTTP/1.1");
        assert_eq!(house.ledger.status().unsettled, 0);
    }
}

#[tokio::test]
async fn a_vendor_without_a_credential_gets_nothing() {
    let (house, vendor) = house(|setup| setup.credential = None).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (503, "not-sent", Some("credential-missing")));
    assert!(vendor.got().is_empty() && house.disclosures().is_empty());
}

#[tokio::test]
async fn each_vendor_gets_its_own_calls_in_its_own_words() {
    let mail = FakeVendor::accepting().await;
    let created = r#"{"sid":"SM00000000000000000000000000000001","status":"queued"}"#;
    let texts = FakeVendor::start(move |_| {
        crate::support::Act::Reply(crate::support::reply(
            "201 Created",
            "Content-Type: application/json\r\n",
            created,
        ))
    })
    .await;
    let setups = vec![Setup::sendgrid(&mail), Setup::twilio(&texts)];
    let mut house = House::start(setups, gateway::Patience::default()).await;
    assert_eq!(house.send(house.mail()).await.said(), (202, "sent", None));
    let answer = house.send(crate::support::text_message()).await;
    assert_eq!(answer.said(), (201, "sent", None));

    let got = texts.only();
    let account = crate::support::TWILIO_KEY.split(':').next().expect("an account");
    assert_eq!(got.line(), format!("POST /2010-04-01/Accounts/{account}/Messages.json HTTP/1.1"));
    assert!(got.text().contains("To=%2B4930123456"), "{}", got.text());
    assert!(got.text().contains("StatusCallback=https%3A%2F%2Fhooks.example%2Ftwilio"));
    assert_eq!(mail.got().len(), 1);
    let vendors: Vec<_> = house.disclosures().iter().map(|row| row.vendor.to_string()).collect();
    assert_eq!(vendors, ["sendgrid", "twilio"]);

    let foreign = house.mail().header("Authorization", &crate::support::basic_token());
    assert_eq!(house.send(foreign).await.code(), Some("token-missing"));
    house.switch(model::Switch::Stop);
    let answer = house.send(crate::support::text_message()).await;
    assert_eq!(answer.said(), (403, "not-sent", Some("vendor-stopped")));
    assert_eq!(answer.json()["status"], 403, "Twilio's SDKs read the status from the body");
}

impl House {
    fn calls(&self) -> Vec<RecordedCall> {
        let mut calls = Vec::new();
        self.ledger.calls(Timestamp::MIN, &mut |call| calls.push(call)).expect("reads");
        calls
    }
}

const CONSENT_AND_REGION: &str = r#"
    @id("consent") forbid (principal, action == Action::"disclose", resource)
    when { context.purpose == "alerts" }
    unless { context has consent && context.consent.contains("alerts") };
    @id("not-there") forbid (principal, action == Action::"disclose", resource)
    when { context has region && context.region like "XX*" };"#;

#[tokio::test]
async fn an_operators_policy_forbids_by_what_a_call_states_and_is_named() {
    let (mut house, vendor) = house(|_| ()).await;
    house.policy = CONSENT_AND_REGION;
    house.change(|_| ());
    let stating = |pairs: &[(&str, &str)]| {
        pairs.iter().fold(house.mail(), |mail, (name, value)| mail.header(name, value))
    };
    let alert = ("X-Cordon-Purpose", "alerts");
    let answer = house.send(stating(&[alert])).await;
    assert_eq!(answer.said(), (403, "not-sent", Some("policy-forbids")));
    assert!(answer.text().contains("policy `consent` forbids this call"), "{}", answer.text());
    for (pairs, said) in [
        (vec![alert, ("X-Cordon-Consent", "alerts, sms")], None),
        (vec![alert, ("X-Cordon-Consent", "")], Some("policy-forbids")),
        (vec![("X-Cordon-Region", "DE")], None),
        (vec![("X-Cordon-Region", "XX-1")], Some("policy-forbids")),
        (vec![("X-Cordon-Region", "Germany")], Some("region-malformed")),
        (vec![("X-Cordon-Consent", "All of it")], Some("consent-malformed")),
    ] {
        assert_eq!(house.send(stating(&pairs)).await.code(), said, "{pairs:?}");
    }
    let got = vendor.got();
    assert_eq!(got.len(), 2);
    assert!(got.iter().all(|got| !got.head.contains("cordon")), "none of it leaves");
}

#[tokio::test]
async fn the_record_says_which_policy_was_asked_what_also_of_a_refused_call() {
    let (mut house, _vendor) = house(|setup| {
        setup.actions.insert(Field::Name, FieldAction::Drop);
    })
    .await;
    let digest = house.gateway.registry().policy.digest();
    let mail = || house.mail().header("X-Cordon-Region", "US-CA");
    assert_eq!(house.send(mail().header("X-Cordon-Consent", "sms")).await.code(), None);
    let refused = mail().header("X-Cordon-Purpose", "marketing");
    assert_eq!(house.send(refused).await.code(), Some("purpose-not-granted"));
    house.policy = CONSENT_AND_REGION;
    house.change(|_| ());
    assert_eq!(house.send(house.mail()).await.code(), None);

    let calls = house.calls();
    let find = |purpose: &str| {
        calls.iter().find(|call| call.purpose.as_ref().is_some_and(|p| p.as_str() == purpose))
    };
    let (sent, refused) = (find("receipts").expect("sent"), find("marketing").expect("refused"));
    let asked = sent.asked.as_ref().expect("recorded");
    assert_eq!(asked.policy, digest);
    assert_eq!(asked.fields, FieldSet::parse("email,name,content").expect("fields"));
    assert_eq!(sent.disclosed, FieldSet::parse("email,content").expect("fields"));
    assert_eq!(asked.region.as_ref().expect("stated").to_string(), "US-CA");
    assert_eq!(asked.consent.as_ref().expect("stated").len(), 1);
    assert_eq!(sent.end, CallEnd::Recorded(Settled::Sent));
    assert_eq!(refused.end, CallEnd::Refused("purpose-not-granted".into()));
    assert_eq!((refused.people, refused.persons.len()), (1, 0));
    let digests: Vec<PolicyDigest> =
        house.disclosures().iter().filter_map(|row| row.policy).collect();
    assert_eq!(digests[0], digest);
    assert_ne!(digests[0], digests[1], "another policy answered the last one");
}

/// Two registries, each whole: under one names are dropped, under the other they leave.
fn worlds(house: &mut House) -> [Registry; 2] {
    let never = r#"forbid (principal, action, resource) when { false };"#;
    [("", FieldAction::Drop), (never, FieldAction::Allow)].map(|(policy, action)| {
        house.policy = policy;
        for setup in &mut house.setups {
            setup.actions = [(Field::Name, action)].into();
        }
        house.registry()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_decided_by_a_mix_of_two_policies() {
    const SWAPS: usize = 10;
    const CALLS_PER_SWAP: usize = 4;
    let (mut house, vendor) = house(|_| ()).await;
    let [drops, keeps] = worlds(&mut house).map(|registry| registry.policy.digest());
    let swaps: Vec<Registry> = (0..SWAPS).flat_map(|_| worlds(&mut house)).collect();
    let ended = AtomicBool::new(false);
    let swapping = async {
        for (number, registry) in swaps.into_iter().enumerate() {
            house.gateway.replace(registry);
            vendor.hears_all((number + 1) * CALLS_PER_SWAP).await;
        }
        ended.store(true, Ordering::SeqCst);
    };
    tokio::join!(swapping, keeps_calling(&house, &ended), keeps_calling(&house, &ended));

    let calls = house.calls();
    assert!(calls.len() >= 2 * SWAPS * CALLS_PER_SWAP);
    for call in calls {
        let policy = call.asked.expect("recorded").policy;
        assert!([drops, keeps].contains(&policy));
        assert_eq!(call.disclosed.contains(Field::Name), policy == keeps, "one world or the other");
    }
}

async fn keeps_calling(house: &House, ended: &AtomicBool) {
    while !ended.load(Ordering::SeqCst) {
        assert_eq!(house.send(house.mail()).await.said(), (202, "sent", None));
    }
}
