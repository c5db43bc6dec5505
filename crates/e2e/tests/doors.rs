//! Bad input to every door: a coded answer, nothing recorded as if it were well, nothing lost.

use std::collections::BTreeMap;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use e2e::web::{Answer, Talk, form, get, send};
use e2e::{Company, LIST, Program, Shop, receipt, until};
use http::Method;
use model::{Secret, limits};
use serde_json::{Value, json};
use server::client::{Client, ClientError};

fn token(company: &Company) -> String {
    let file = company.data().join("keys/operator.token");
    format!("Bearer {}", std::fs::read_to_string(file).expect("a token").trim())
}

/// Every route of the API with a value in the place of each parameter.
async fn routes(program: &Program, parameter: &str) -> Vec<(Method, String, String)> {
    let listed = program.admin.get("/api/v1/routes").await.expect("the routes");
    let routes = listed["routes"].as_array().expect("a list");
    let text = |route: &Value, key: &str| route[key].as_str().expect("text").to_owned();
    routes
        .iter()
        .map(|route| {
            let path = text(route, "path");
            let parts = path.split('/').map(|part| match part.starts_with('{') {
                true => parameter,
                false => part,
            });
            let url = format!("{}{}", program.places.api, parts.collect::<Vec<_>>().join("/"));
            let method = text(route, "method").to_uppercase().parse().expect("a method");
            (method, url, text(route, "permission"))
        })
        .collect()
}

async fn audited(admin: &Client) -> u64 {
    let verified = admin.get("/api/v1/audit/verify").await.expect("it is verified");
    assert_eq!(verified["ok"], true);
    verified["entries"].as_u64().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_refuses_strangers_and_those_without_its_permission() {
    let company = Company::found().await;
    let program = company.start().await;
    program.operator("watcher", "viewer").await;
    let before = audited(&program.admin).await;
    let made = json!({ "name": "visitor", "roles": ["viewer"] });
    let made = program.admin.post("/api/v1/operators", &made).await.expect("made");
    let viewer = format!("Bearer {}", made["token"].as_str().expect("a token"));
    for (method, url, permission) in routes(&program, "x").await {
        for stranger in ["", "Bearer cop_0000", "Basic YWRtaW46YWRtaW4="] {
            let headers = [("authorization", stranger), ("content-type", "application/json")];
            let answer =
                send(method.clone(), &url, &headers[usize::from(stranger.is_empty())..], "{").await;
            assert_eq!(answer.refusal(), (401, "unauthorised".to_owned()), "{method} {url}");
        }
        // Routes that policy decides have to know about what it is asked: `policy.rs` tries them.
        if !matches!(permission.as_str(), "measure" | "view" | "policy") {
            let answer = send(method.clone(), &url, &[("authorization", &viewer)], "{").await;
            assert_eq!(answer.refusal(), (403, "not-permitted".to_owned()), "{method} {url}");
        }
    }
    assert_eq!(audited(&program.admin).await, before + 1, "only the new operator");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_garbage_with_a_coded_error_and_changes_nothing() {
    let company = Company::found().await;
    let program = company.start().await;
    let before = audited(&program.admin).await;
    let bearer = token(&company);
    let unknown = ["x", "..%2f..%2fstatus", "%ff", "inc_01J00000000000000000000000"];
    for parameter in unknown {
        for (method, url, _) in routes(&program, parameter).await {
            if method == Method::GET && !url.contains(parameter) {
                continue;
            }
            // These take no JSON: two do what they do without a body, and most texts are mails.
            let exempt = ["/people/index", "/doctor", "/facts/mail"];
            if exempt.iter().any(|path| url.ends_with(path)) {
                continue;
            }
            for body in ["{", "[]", "{\"surely-unknown\":1}", "\u{0}"] {
                let headers =
                    [("authorization", bearer.as_str()), ("content-type", "application/json")];
                let answer = send(method.clone(), &url, &headers, body).await;
                let (status, code) = answer.refusal();
                assert!((400..500).contains(&status), "{method} {url} {body}: {status} {code}");
            }
        }
    }
    assert_eq!(audited(&program.admin).await, before);
    let vendors = program.admin.get("/api/v1/vendors").await.expect("a list");
    assert_eq!(vendors, json!({ "vendors": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_bad_input_to_the_api_has_its_own_code() {
    let company = Company::found().await;
    let program = company.start().await;
    company.open_shop(&program).await;
    let bearer = token(&company);
    let ask = |method: Method, path: &'static str, kind: &'static str, body: String| {
        let (bearer, url) = (bearer.clone(), format!("{}{path}", program.places.api));
        async move {
            let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
            send(method, &url, &headers, body).await.refusal()
        }
    };
    let huge = format!("{{\"name\":\"{}\"}}", "x".repeat(limits::API_BODY_BYTES));
    let large = "x".repeat(limits::REPORTED_MAIL_BYTES + 1);
    let person = r#"{"email":"ann@members.example","phone":"+4930123456"}"#;
    let json = "application/json";
    let cases = [
        (Method::POST, "/api/v1/vendors", json, "{\"connector\":", 400, "body-unreadable"),
        (Method::POST, "/api/v1/vendors", json, "{\"connectr\":\"x\"}", 422, "body-mismatch"),
        (Method::POST, "/api/v1/vendors", json, "{}", 422, "body-mismatch"),
        (Method::POST, "/api/v1/vendors", json, "{\"connector\":\"x\"}", 404, "not-found"),
        (Method::POST, "/api/v1/vendors", json, "{\"connector\":\"sendgrid\"}", 409, "exists"),
        (Method::POST, "/api/v1/vendors", json, &huge, 413, "body-too-large"),
        (Method::POST, "/api/v1/vendors", "text/plain", "{}", 415, "content-type"),
        (Method::GET, "/api/v1/vendors/Send_Grid!", json, "", 422, "malformed"),
        (Method::GET, "/api/v1/vendors/nobody", json, "", 404, "not-found"),
        (Method::GET, "/api/v1/incidents/inc_1", json, "", 422, "malformed"),
        (
            Method::GET,
            "/api/v1/incidents/inc_01J00000000000000000000000",
            json,
            "",
            404,
            "not-found",
        ),
        (Method::GET, "/api/v1/audit?befor=1", json, "", 422, "query-mismatch"),
        (Method::GET, "/api/v1/audit?before=x", json, "", 422, "query-mismatch"),
        (Method::DELETE, "/api/v1/vendors", json, "", 405, "method-unknown"),
        (Method::GET, "/api/v1/vendor", json, "", 404, "not-found"),
        (Method::GET, "/", json, "", 404, "not-found"),
        (Method::POST, "/api/v1/holdings", json, "{}", 422, "one-identifier"),
        (Method::POST, "/api/v1/holdings", json, person, 422, "one-identifier"),
        (Method::POST, "/api/v1/holdings", json, "{\"email\":\"ann\"}", 422, "malformed"),
        (Method::POST, "/api/v1/facts/mail", "message/rfc822", &large, 413, "body-too-large"),
        (
            Method::POST,
            "/api/v1/canaries",
            json,
            "{\"vendor\":\"sendgrid\",\"count\":0}",
            422,
            "canary-count",
        ),
    ];
    for (method, path, kind, body, status, code) in cases {
        let refused = ask(method.clone(), path, kind, body.to_owned()).await;
        assert_eq!(refused, (status, code.to_owned()), "{method} {path} {body:.60}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistyped_key_of_a_question_or_a_command_is_refused_and_not_taken_for_everything() {
    let company = Company::found().await;
    let program = company.start().await;
    company.open_shop(&program).await;
    let ask = async |path: &str, body: Value| match program.admin.post(path, &body).await {
        Err(ClientError::Refused { status, code, .. }) => (status, code),
        other => panic!("not refused: {other:?}"),
    };
    let expected = (422, "body-mismatch".to_owned());
    let scope = json!({ "vendor": "sendgrid", "window": { "form": "2026-01-01" } });
    assert_eq!(ask("/api/v1/scope", scope).await, expected);
    let scope = json!({ "vendor": "sendgrid", "reach": { "list": [LIST] } });
    assert_eq!(ask("/api/v1/scope", scope).await, expected);
    let notice = json!({
        "vendor": "sendgrid", "told_at": "2026-01-01T00:00:00Z", "summary": "x", "field": [],
    });
    assert_eq!(ask("/api/v1/facts/vendor-notice", notice).await, expected);
    let declare = json!({ "vendor": "sendgrid", "title": "suspicion" });
    let declared = program.admin.post("/api/v1/incidents", &declare).await.expect("declared");
    let path = format!("/api/v1/incidents/{}/commands", declared["id"].as_str().expect("an id"));
    let close = json!({ "command": "close", "why": "x", "reason": "y" });
    assert_eq!(ask(&path, close).await, expected);
    let said = json!({ "said_at": "2026-01-01T00:00:00Z", "source": "mail", "text": "x",
        "vendor_aware_at": null, "fields_denied": [], "field_denied": [] });
    assert_eq!(ask(&path, json!({ "command": "record-statement", "said": said })).await, expected);
}

fn refusal_of_sendgrid(answer: &Answer) -> (u16, String) {
    let code = answer.header("x-cordon-code").to_owned();
    assert_eq!(answer.header("x-cordon-outcome"), "not-sent", "{answer:?}");
    let error = &answer.json()["errors"][0];
    assert!(error["message"].is_string() && error["help"] == code.as_str(), "{answer:?}");
    (answer.status, code)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_refuses_in_the_vendors_dialect_and_the_vendor_gets_nothing() {
    let company = Company::found().await;
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    let last = if shop.token.ends_with('a') { "b" } else { "a" };
    let made_up = format!("{}{last}", &shop.token[..shop.token.len() - 1]);
    let stranger = Shop { token: made_up, base: shop.base.clone() };
    let good = receipt("ann.lee@members.example").to_string();
    let twice = good.replacen("{", "{\"subject\":\"one\",", 1);
    let sms = json!({ "list_ids": [LIST], "contacts": [{
        "email": "ann.lee@members.example", "phone_number": "+4930123456",
    }] });
    let large = "x".repeat(limits::CONTACTS_BODY_BYTES + 1);
    let (send, upsert) = ("/v3/mail/send", "/v3/marketing/contacts");
    let post = || Method::POST;
    let purpose = ("x-cordon-purpose", "advertising");
    let malformed = ("x-cordon-purpose", "\u{20}!");
    let brotli = ("content-encoding", "br");
    let gzip = ("content-encoding", "gzip");
    let none: &[(&str, &str)] = &[];
    let cases = [
        (&shop, post(), send, none, "{", 400, "body-unreadable"),
        (&shop, post(), send, none, "", 400, "body-unreadable"),
        (&shop, post(), send, none, &twice, 400, "body-unreadable"),
        (&shop, post(), send, &[brotli], &good, 415, "encoding-unknown"),
        (&shop, post(), send, &[gzip], &good, 400, "encoding-broken"),
        (&shop, post(), "/v3/mail/sendd", none, &good, 400, "unknown-operation"),
        (&shop, Method::DELETE, send, none, "", 400, "unknown-operation"),
        (&shop, Method::PUT, upsert, none, &sms.to_string(), 403, "field-not-granted"),
        (&shop, Method::PUT, upsert, none, &large, 413, "body-too-large"),
        (&shop, post(), send, &[purpose], &good, 403, "purpose-not-granted"),
        (&shop, post(), send, &[malformed], &good, 400, "purpose-malformed"),
        (&stranger, post(), send, none, &good, 401, "token-unknown"),
    ];
    for (caller, method, path, headers, body, status, code) in &cases {
        let answer = caller.call_with(method.clone(), path, headers, body).await;
        let refused = refusal_of_sendgrid(&answer);
        assert_eq!(refused, (*status, (*code).to_owned()), "{method} {path} {body:.60}");
    }
    let answer = e2e::web::send(post(), &format!("{}{send}", shop.base), &[], good.clone()).await;
    assert_eq!(refusal_of_sendgrid(&answer), (401, "token-missing".to_owned()));
    let elsewhere = format!("{}/v/nobody/v3/mail/send", program.places.gateway);
    let answer = e2e::web::send(post(), &elsewhere, &[], good.clone()).await;
    assert_eq!(answer.refusal(), (404, "vendor-unknown".to_owned()));

    assert_eq!(company.sandbox.received(), [], "the vendor got nothing");
    let status = program.admin.get("/api/v1/status").await.expect("a status");
    let counted: BTreeMap<String, u64> = status["gateway"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|one| one["vendor"] == "sendgrid")
        .flat_map(|one| serde_json::from_value::<BTreeMap<String, u64>>(one["refused"].clone()))
        .flatten()
        .fold(BTreeMap::new(), |mut all, (code, count)| {
            *all.entry(code).or_default() += count;
            all
        });
    let mut expected = BTreeMap::from([("token-missing".to_owned(), 1)]);
    for (.., code) in &cases {
        *expected.entry((*code).to_owned()).or_default() += 1;
    }
    assert_eq!(counted, expected, "each refusal is counted under its code");
    let holdings = json!({ "email": "ann.lee@members.example" });
    let holdings = program.admin.post("/api/v1/holdings", &holdings).await.expect("an answer");
    assert_eq!(holdings["holdings"], json!([]), "what was refused was not disclosed");

    let sent = shop.mail("ann.lee@members.example").await;
    assert_eq!((sent.status, sent.header("x-cordon-outcome")), (202, "sent"), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_two_readers_could_frame_differently_is_refused_at_the_gateway() {
    let company = Company::found().await;
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    let body = receipt("ann.lee@members.example").to_string();
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let length = format!("Content-Length: {}\r\n", body.len());
    let smuggled = "0\r\n\r\nPOST /v/sendgrid/v3/mail/send HTTP/1.1\r\nHost: x\r\n\r\n";
    let cases = [
        (format!("{length}Transfer-Encoding: chunked\r\n"), chunked.as_str(), "length-and-chunked"),
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n".into(),
            smuggled,
            "length-and-chunked",
        ),
        (format!("{length}{length}"), &body, "length-twice"),
        ("Content-Length: +5\r\n".into(), &body, "length-malformed"),
        ("Transfer-Encoding: gzip, chunked\r\n".into(), &chunked, "transfer-encoding"),
        (format!("{length}X-Folded: a\r\n b\r\n"), &body, "head-folded"),
        (format!("{length}Upgrade: h2c\r\nConnection: upgrade\r\n"), &body, "upgrade"),
        (format!("{length}X-Bare: a\n"), &body, "head-malformed"),
        ("Transfer-Encoding: chunked\r\n".into(), "zz\r\n", "body-cut"),
    ];
    for (headers, body, code) in cases {
        let head = format!(
            "POST /v/sendgrid/v3/mail/send HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\n{headers}\r\n",
            shop.token
        );
        let mut talk = Talk::with(&program.places.gateway).await;
        talk.say(format!("{head}{body}").as_bytes()).await;
        let heard = talk.hear(|_| false).await;
        let codes: Vec<_> =
            heard.lines().filter_map(|line| line.strip_prefix("x-cordon-code: ")).collect();
        assert_eq!(codes, [code], "one answer, then the line is closed: {heard}");
        assert!(heard.contains("\"errors\":["), "{heard}");
    }
    assert_eq!(company.sandbox.received(), []);
    assert_eq!(shop.mail("ann.lee@members.example").await.status, 202, "others are served");
}

/// What SendGrid signs its events with, and how.
struct Signer(EcdsaKeyPair);

impl Signer {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key"))
    }

    fn public_key(&self) -> String {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().expect("its public half");
        STANDARD.encode(der.as_ref())
    }

    fn sign(&self, timestamp: &str, body: &str) -> String {
        let signed = format!("{timestamp}{body}");
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).expect("it signs");
        STANDARD.encode(signature.as_ref())
    }
}

async fn events(program: &Program) -> u64 {
    let status = program.admin.get("/api/v1/status").await.expect("a status");
    let facts = status["facts"].as_array().expect("a list").iter();
    facts.filter(|one| one["kind"] == "vendor-event").filter_map(|one| one["facts"].as_u64()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_believed_only_if_signed_fresh_and_whole_and_counts_once() {
    let company = Company::found().await;
    let program = company.start().await;
    company.open_shop(&program).await;
    let signer = Signer::new();
    company.trust_webhook(&program.admin, &signer.public_key()).await;
    let now = server::door::world().now().seconds();
    let (fresh, old) = (now.to_string(), (now - limits::WEBHOOK_AGE_SECONDS - 60).to_string());
    let later = (now + limits::WEBHOOK_AGE_SECONDS + 60).to_string();
    let event = |id: &str| json!({ "event": "processed", "sg_event_id": id, "timestamp": now });
    let one = json!([event("ev-1")]).to_string();
    let post = |vendor: &'static str, headers: Vec<(&'static str, String)>, body: String| {
        let url = format!("{}/hooks/{vendor}", program.places.portal);
        async move {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
            send(Method::POST, &url, &headers, body).await
        }
    };
    let signed = |timestamp: &str, body: &str| {
        vec![
            ("x-twilio-email-event-webhook-signature", signer.sign(timestamp, body)),
            ("x-twilio-email-event-webhook-timestamp", timestamp.to_owned()),
        ]
    };
    let huge = "x".repeat(limits::WEBHOOK_BODY_BYTES + 1);
    let many = Value::from(vec![event("ev"); limits::WEBHOOK_EVENTS + 1]).to_string();
    let other = Signer::new();
    let mut unlike = signed(&fresh, &one);
    unlike[0].1 = other.sign(&fresh, &one);
    let cases = [
        (vec![], one.clone(), 403, "webhook-unsigned"),
        (unlike, one.clone(), 403, "webhook-signature"),
        (signed(&fresh, "[]"), one.clone(), 403, "webhook-signature"),
        (signed(&old, &one), one.clone(), 403, "webhook-age"),
        (signed(&later, &one), one.clone(), 403, "webhook-age"),
        (signed(&fresh, "{"), "{".to_owned(), 403, "webhook-form"),
        (signed(&fresh, "[{}]"), "[{}]".to_owned(), 403, "webhook-form"),
        (signed(&fresh, &many), many.clone(), 403, "webhook-too-many"),
        (vec![], huge, 413, "body-too-large"),
    ];
    for (headers, body, status, code) in cases {
        let answer = post("sendgrid", headers, body).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()));
    }
    assert_eq!(post("nobody", signed(&fresh, &one), one.clone()).await.status, 404);
    assert_eq!(post("No%20body", vec![], one.clone()).await.status, 404);
    assert_eq!(events(&program).await, 0, "nothing of it is a fact");

    let three = json!([event("ev-1"), event("ev-2"), event("ev-1")]).to_string();
    for body in [&one, &three, &three] {
        assert_eq!(post("sendgrid", signed(&fresh, body), body.clone()).await.status, 204);
    }
    assert_eq!(events(&program).await, 2, "each event once, however often it is told");
}

const PAGES: [&str; 6] = ["/", "/check", "/affected", "/report", "/protect", "/no-such-page"];

/// Says that a page is one that a browser loads nothing from elsewhere for, and runs nothing of.
fn assert_strict(path: &str, answer: &Answer, portal: &str) {
    let policy = answer.header("content-security-policy");
    for rule in
        ["default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"]
    {
        assert!(policy.contains(rule), "{path}: {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{path}: {policy}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
    assert_eq!(answer.header("set-cookie"), "", "{path}");
    let page = answer.text();
    assert!(!page.contains("<script") && !page.contains("javascript:"), "{path}");
    for (at, _) in page.match_indices("//") {
        let before = &page[..at];
        let url = before.ends_with("http:") || before.ends_with("https:") || before.ends_with('"');
        assert!(
            !url || page[at..].starts_with(portal.trim_start_matches("http:")),
            "{path}: {page}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_public_page_is_strict_and_a_form_that_does_not_fit_gets_a_page() {
    let company = Company::found().await;
    let program = company.start().await;
    let portal = program.places.portal.clone();
    for path in PAGES {
        let answer = get(&format!("{portal}{path}")).await;
        assert_eq!(answer.status, if path == "/no-such-page" { 404 } else { 200 }, "{path}");
        assert!(answer.header("content-type").starts_with("text/html"), "{path}");
        assert_strict(path, &answer, &portal);
    }
    for path in ["/check", "/affected", "/report"] {
        for kind in ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"] {
            let url = format!("{portal}{path}");
            let body = "%ff&=;--".to_owned() + &"x".repeat(40_000);
            let answer = send(Method::POST, &url, &[("content-type", kind)], body).await;
            assert_eq!(answer.status, 422, "{path} {kind}");
            assert!(answer.header("content-type").starts_with("text/html"), "{path} {kind}");
            assert_strict(path, &answer, &portal);
        }
    }
    let made_up = form(&format!("{portal}/check"), "code=ABCD-2345-EFGH-6789").await;
    assert!(made_up.status == 200 && made_up.text().contains("We did not write this code"));
    let odd = form(&format!("{portal}/check"), "code=%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert!(odd.status == 200 && !odd.text().contains("<script"));
    let none = get(&format!("{portal}/incidents/inc_1")).await;
    assert_eq!(none.status, 404);
    let other = send(Method::DELETE, &format!("{portal}/"), &[], "").await;
    assert_eq!(other.status, 405);
    assert_strict("DELETE /", &other, &portal);
}

async fn hand_in(portal: &str, body: impl Into<Bytes>) -> Answer {
    let kind = ("content-type", "multipart/form-data; boundary=b");
    send(Method::POST, &format!("{portal}/report"), &[kind], body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_mail_is_refused_with_a_page_and_a_good_one_is_a_fact() {
    let company = Company::found().await;
    let program = company.start().await;
    let portal = program.places.portal.clone();
    let part = |mail: &str| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"mail\"; filename=\"m.eml\"\r\n\
             Content-Type: message/rfc822\r\n\r\n{mail}\r\n--b--\r\n"
        )
    };
    let good = "From: Story <hello@story.example>\r\nTo: ann.lee@members.example\r\n\
                Subject: Your account\r\n\r\nSign in at http://login.example now.\r\n";
    let cut = part(good).replace("\r\n--b--\r\n", "");
    let large = part(&format!("{good}{}", "x\r\n".repeat(limits::REPORTED_MAIL_BYTES / 3)));
    for broken in
        [String::new(), "no parts".into(), cut, part(""), part("\u{1}\u{2} no mail"), large]
    {
        let answer = hand_in(&portal, broken.clone()).await;
        assert_eq!(answer.status, 422, "{broken:.80}");
        assert!(answer.text().contains("We could not read that."), "{broken:.80}");
    }
    let facts = program.admin.get("/api/v1/facts").await.expect("a list");
    assert_eq!(facts, json!({ "facts": [] }));
    assert_eq!(hand_in(&portal, part(good)).await.status, 200);
    let facts = program.admin.get("/api/v1/facts").await.expect("a list");
    assert_eq!(facts["facts"][0]["kind"], Value::Null);
    assert_eq!(facts["facts"][0]["body"]["kind"], "reported-mail", "{facts}");
    assert_eq!(facts["facts"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_about_an_address_learns_nothing_and_only_its_owner_gets_an_answer() {
    let company = Company::found().await;
    let program = company.start().await;
    program.admin.post("/api/v1/people/index", &json!({})).await.expect("indexed");
    let url = format!("{}/affected", program.places.portal);
    let ask =
        async |address: &str| form(&url, &format!("email={}", address.replace('@', "%40"))).await;
    let unknown = ask("nobody@elsewhere.example").await;
    let odd = ask("no address at all").await;
    let known = ask("ann.lee@members.example").await;
    for answer in [&unknown, &odd] {
        assert_eq!(answer.status, known.status);
        assert_eq!(answer.body, known.body, "the same page to the byte");
        let headers = |answer: &Answer| {
            let mut headers = answer.headers.clone();
            headers.remove("date");
            headers
        };
        assert_eq!(headers(answer), headers(&known));
    }
    let inbox = &company.inbox;
    let got = until("the answer", async || inbox.got("ann.lee@members.example")).await;
    assert_eq!(got.mails, 1);
    // Questions are answered in the order in which they came.
    assert!(inbox.got("nobody@elsewhere.example").is_none() && inbox.tally().mails == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_too_often_is_told_to_wait_and_reads_on() {
    let company = Company::found().await;
    let program = company.start().await;
    let check = format!("{}/check", program.places.portal);
    for _ in 0..limits::PORTAL_REQUESTS_PER_MINUTE {
        assert_eq!(form(&check, "code=ABCD-2345-EFGH-6789").await.status, 200);
    }
    for (path, body) in [("check", "code=ABCD-2345-EFGH-6789"), ("affected", "email=a%40b.example")]
    {
        let answer = form(&format!("{}/{path}", program.places.portal), body).await;
        assert_eq!(answer.status, 429, "{path}");
        assert!(answer.text().contains("wait a minute"), "{path}");
    }
    assert_eq!(hand_in(&program.places.portal, "").await.status, 429);
    assert_eq!(get(&format!("{}/", program.places.portal)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_canaries_mailbox_takes_whole_mail_to_canaries_alone() {
    let company = Company::found().await;
    let program = company.start().await;
    company.open_shop(&program).await;
    let plant = json!({ "vendor": "sendgrid", "list": LIST, "count": 1 });
    program.admin.post("/api/v1/canaries", &plant).await.expect("planted");
    let received = company.sandbox.received();
    let canary = received[0].emails[0].clone();
    let mut talk = Talk::with(&program.places.smtp).await;
    assert!(talk.smtp("").await.starts_with("220 "));
    assert!(talk.smtp("EHLO relay.example\r\n").await.starts_with("250 "));
    assert!(talk.smtp("NONSENSE\r\n").await.starts_with("500 "));
    assert!(talk.smtp("DATA\r\n").await.starts_with("503 "));
    let large = limits::CANARY_MAIL_BYTES + 1;
    let sized = format!("MAIL FROM:<a@relay.example> SIZE={large}\r\n");
    assert!(talk.smtp(&sized).await.starts_with("552 "));
    assert!(talk.smtp("MAIL FROM:<a@relay.example>\r\n").await.starts_with("250 "));
    for nobody in ["nobody@post.story.example", "ann.lee@members.example", "<>"] {
        assert!(talk.smtp(&format!("RCPT TO:<{nobody}>\r\n")).await.starts_with('5'), "{nobody}");
    }
    let to = format!("RCPT TO:<{canary}>\r\n");
    assert!(talk.smtp(&to).await.starts_with("250 "));
    assert!(talk.smtp("DATA\r\n").await.starts_with("354 "));
    let smuggled = "Subject: x\r\n\r\nhello\n.\nMAIL FROM:<b@relay.example>\r\n.\r\n";
    let refused = talk.smtp(smuggled).await;
    assert!(refused.starts_with('5'), "a bare line feed ends no mail: {refused}");

    let mut talk = Talk::with(&program.places.smtp).await;
    talk.smtp("").await;
    talk.smtp("EHLO relay.example\r\n").await;
    talk.smtp("MAIL FROM:<a@relay.example>\r\n").await;
    talk.smtp(&to).await;
    talk.smtp("DATA\r\n").await;
    let body = "x".repeat(998) + "\r\n";
    let mail = format!("Subject: x\r\n\r\n{}.\r\n", body.repeat(large / 1_000 + 1));
    assert!(talk.smtp(&mail).await.starts_with("552 "));
    let facts = program.admin.get("/api/v1/facts").await.expect("a list");
    assert_eq!(facts, json!({ "facts": [] }), "nothing of it is a fact");

    talk.smtp("MAIL FROM:<a@relay.example>\r\n").await;
    talk.smtp(&to).await;
    talk.smtp("DATA\r\n").await;
    let mail = "From: x@relay.example\r\nSubject: x\r\n\r\nhello\r\n.\r\n";
    assert!(talk.smtp(mail).await.starts_with("250 "));
    let facts = program.admin.get("/api/v1/facts").await.expect("a list");
    assert_eq!(facts["facts"][0]["body"]["kind"], "canary-mail", "{facts}");
}

async fn import(admin: &Client, query: &str, csv: &str) -> Result<Value, (u16, String)> {
    let path = format!("/api/v1/imports/sendgrid?{query}");
    match admin.upload(&path, "text/csv", Bytes::from(csv.to_owned())).await {
        Ok(imported) => Ok(imported),
        Err(ClientError::Refused { status, code, .. }) => Err((status, code)),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_none_is_refused_and_broken_rows_are_named_while_the_others_count() {
    let company = Company::found().await;
    let program = company.start().await;
    company.open_shop(&program).await;
    let admin = &program.admin;
    let good = "EMAIL,FIRST_NAME\nann.lee@members.example,Ann\n";
    let refused = |status: u16, code: &str| Err((status, code.to_owned()));
    let held = "as_of=2026-01-31";
    assert_eq!(import(admin, held, "").await, refused(422, "export-column"));
    assert_eq!(import(admin, held, "NAME,TOWN\nAnn,Berlin\n").await, refused(422, "export-column"));
    assert_eq!(import(admin, "as_of=2099-01-01", good).await, refused(422, "as-of-future"));
    assert_eq!(import(admin, "as_of=yesterday", good).await, refused(422, "query-mismatch"));
    assert_eq!(import(admin, "", good).await, refused(422, "query-mismatch"));
    assert_eq!(
        import(admin, "as_of=2026-01-31&complet=true", good).await,
        refused(422, "query-mismatch")
    );
    let who = json!({ "email": "ann.lee@members.example" });
    let holdings = admin.post("/api/v1/holdings", &who).await.expect("an answer");
    assert_eq!(holdings["known"], false);

    let broken = "EMAIL,FIRST_NAME\nann.lee@members.example,Ann\nnot an address,Bob\n,\n\
                  cleo.dias@members.example\nbob.ray@members.example,Bob\n";
    let all = format!("{held}&complete=true");
    let imported = import(admin, &all, broken).await.expect("imported");
    assert_eq!((&imported["rows"], &imported["recorded"]), (&json!(5), &json!(2)), "{imported}");
    assert_eq!(imported["unreadable"], 3);
    let examples = imported["examples"].to_string();
    assert!(
        ["line 3", "line 4", "line 5"].iter().all(|line| examples.contains(line)),
        "{examples}"
    );
    assert!(!examples.contains('@') && !examples.contains("not an address"), "{examples}");
    let holdings = admin.post("/api/v1/holdings", &who).await.expect("an answer");
    assert_eq!(holdings["holdings"].as_array().map(Vec::len), Some(1), "{holdings}");
    // Not everything could be read, so nothing is provably absent.
    let declare = json!({ "vendor": "sendgrid", "title": "suspicion" });
    let incident = admin.post("/api/v1/incidents", &declare).await.expect("declared");
    let id = incident["id"].as_str().expect("an id").to_owned();
    let scoped = until("a scope", async || {
        let shown = admin.get(&format!("/api/v1/incidents/{id}")).await.expect("it is there");
        shown["scopes"][0].is_object().then(|| shown["scopes"][0].clone())
    });
    let said = scoped.await["not_exposed"].clone();
    let sent = said.as_array().expect("a list").iter().any(|one| one["grade"] == "never-sent");
    assert!(!sent, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_rows_of_the_directory_are_named_and_the_others_are_indexed() {
    let company = Company::found().await;
    let program = company.start().await;
    let index = async || match program.admin.post("/api/v1/people/index", &json!({})).await {
        Ok(indexed) => Ok(indexed),
        Err(ClientError::Refused { status, code, .. }) => Err((status, code)),
        Err(other) => panic!("{other}"),
    };
    company.write("people.csv", "id,email\n1,ann.lee@members.example\n");
    assert_eq!(index().await, Err((422, "directory-column".to_owned())));
    std::fs::remove_file(company.path("people.csv")).expect("it was there");
    assert_eq!(index().await, Err((422, "directory-unreadable".to_owned())));
    let mut rows =
        b"person_id,email,country\n1,ann.lee@members.example,DE\n2,no address,DE\n".to_vec();
    rows.extend(
        b",x@members.example,DE\n4,d\xffe@members.example,DE\n5,bob.ray@members.example,Atlantis\n",
    );
    rows.extend(b"6,cleo.dias@members.example,\n");
    company.write("people.csv", rows);
    let indexed = index().await.expect("indexed");
    assert_eq!((&indexed["rows"], &indexed["people"]), (&json!(6), &json!(2)), "{indexed}");
    assert_eq!(indexed["unreadable"], 4);
    let examples = indexed["examples"].to_string();
    assert!(
        ["row 2", "row 3", "row 4", "row 5"].iter().all(|row| examples.contains(row)),
        "{examples}"
    );
    assert!(!examples.contains("members.example") && !examples.contains("Atlantis"), "{examples}");
    for (address, known) in
        [("cleo.dias@members.example", true), ("bob.ray@members.example", false)]
    {
        let found = program.admin.post("/api/v1/holdings", &json!({ "email": address })).await;
        assert_eq!(found.expect("an answer")["known"], known, "{address}");
    }
    let wrong = program.admin.with_token(Secret::new("cop_0".to_owned()));
    assert!(wrong.get("/api/v1/status").await.is_err());
}
