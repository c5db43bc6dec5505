//! Policy as operators live with it: checked, tried on history, set, and never a trap.

use e2e::web::Answer;
use e2e::{Company, Program, Shop, receipt};
use http::Method;
use serde_json::{Value, json};
use server::client::{Client, ClientError};

const NOT_THERE: &str = r#"@id("not-there")
forbid (principal, action == Action::"disclose", resource)
when { context has region && context.region like "US*" };
"#;
const MARKETING: &str = r#"@id("marketing")
permit (principal == Workload::"shop", action == Action::"disclose", resource in Vendor::"sendgrid")
when { context.purpose == "marketing" };
"#;

async fn mail(shop: &Shop, to: &str, stating: &[(&str, &str)]) -> Answer {
    let body = receipt(&format!("{to}@members.example")).to_string();
    shop.call_with(Method::POST, "/v3/mail/send", stating, &body).await
}

fn code(answer: &Answer) -> Option<&str> {
    Some(answer.header("x-cordon-code")).filter(|code| !code.is_empty())
}

/// Three receipts, of which two state a region, and two calls that policy refuses.
async fn history(shop: &Shop) {
    for (to, stating) in [
        ("ann.lee", vec![]),
        ("bob.ray", vec![("x-cordon-region", "US-CA")]),
        ("cleo.dias", vec![("x-cordon-region", "BR")]),
    ] {
        assert_eq!(code(&mail(shop, to, &stating).await), None, "{to}");
    }
    let marketing = [("x-cordon-purpose", "marketing")];
    for to in ["ann.lee", "bob.ray"] {
        assert_eq!(code(&mail(shop, to, &marketing).await), Some("purpose-not-granted"));
    }
}

async fn set(company: &Company, text: &str) -> Value {
    let file = company.write("policy.cedar", text);
    let file = file.to_str().expect("text");
    company.cordon(&["policy", "set", file, "--json"]).await.done().json()
}

fn refusal(answer: Result<Value, ClientError>) -> (u16, String) {
    match answer {
        Err(ClientError::Refused { status, code, .. }) => (status, code),
        other => panic!("refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_policy_is_tried_on_what_really_happened() {
    let company = Company::found().await;
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    history(&shop).await;

    let file = company.write("new.cedar", format!("{NOT_THERE}{MARKETING}"));
    let file = file.to_str().expect("text");
    let replayed = company.cordon(&["policy", "replay", "--since", "1d", file, "--json"]).await;
    let report = replayed.done().json();
    assert_eq!((&report["calls"], &report["same"]), (&json!(5), &json!(2)), "{report}");
    assert_eq!(report["refused"], json!({ "calls": 1, "persons": 1, "persons_at_least": false }));
    assert_eq!(report["let_through"]["calls"], 2);
    assert_eq!((&report["by_disclosure"], &report["not_judged"]), (&json!(0), &json!(0)));
    let groups = report["groups"].as_array().expect("a list");
    let refused = groups.iter().find(|group| group["change"] == "refused").expect("one kind");
    assert_eq!(refused["policy"], "not-there");
    assert_eq!(refused["purpose"], "receipts");
    assert!(refused["examples"][0].as_str().is_some_and(|call| call.starts_with("cal_")));

    let said = company.cordon(&["policy", "replay", "--since", "1d", file]).await.done();
    assert!(said.out.contains("1 would be refused, 1 persons"), "{}", said.out);
    let grant = company.write("less.cedar", "");
    let change = json!({ "purposes": ["receipts"], "fields": ["email", "content"] });
    let path = "/api/v1/workloads/shop/grants/sendgrid";
    program.admin.json(Method::PUT, path, Some(&change)).await.expect("granted");
    let grant = grant.to_str().expect("text");
    let report = company.cordon(&["policy", "replay", grant, "--json"]).await.done().json();
    assert_eq!(report["refused"]["calls"], 3, "without names none of them would have left");
    assert_eq!(report["groups"][0]["field"], "name");

    let unknown = "/api/v1/policy/replays/rpl_01J00000000000000000000000";
    assert_eq!(refusal(program.admin.get(unknown).await), (404, "not-found".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_holds_from_the_next_call_on_and_after_a_restart_and_is_on_record() {
    let company = Company::found().await;
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    let american = [("x-cordon-region", "US-CA")];
    assert_eq!(code(&mail(&shop, "bob.ray", &american).await), None);
    let before = program.admin.get("/api/v1/policy").await.expect("shown")["digest"].clone();

    let digest = set(&company, NOT_THERE).await["digest"].clone();
    assert_ne!(digest, before);
    let refused = mail(&shop, "bob.ray", &american).await;
    assert_eq!((refused.status, code(&refused)), (403, Some("policy-forbids")));
    assert!(refused.text().contains("`not-there`"), "{}", refused.text());
    assert_eq!(code(&mail(&shop, "ann.lee", &[]).await), None);

    let explain = ["policy", "explain", "--workload", "shop", "--vendor", "sendgrid"];
    let bob = [&explain[..], &["--fields", "email,name", "--region", "US-CA"]].concat();
    let said = company.cordon(&bob).await.done();
    assert!(said.out.starts_with("refused[policy-forbids]"), "{}", said.out);
    assert!(said.out.contains("context.region like \"US*\""), "{}", said.out);
    let ann = [&explain[..], &["--fields", "email,phone", "--json"]].concat();
    let explained = company.cordon(&ann).await.done().json();
    assert_eq!(
        (&explained["permitted"], &explained["code"]),
        (&json!(false), &json!("field-not-granted"))
    );
    assert_eq!(explained["fields"][0]["decided_by"], json!(["grant/shop/sendgrid"]));

    let shown = company.cordon(&["policy", "show"]).await.done();
    assert!(shown.out.contains("@id(\"grant/shop/sendgrid\")") && shown.out.contains("not-there"));
    let then = before.as_str().expect("a digest");
    let then = company.cordon(&["policy", "show", then]).await.done();
    assert!(then.out.contains("grant/shop/sendgrid") && !then.out.contains("not-there"));
    let audit = program.admin.get("/api/v1/audit").await.expect("a list");
    let entries = audit["audit"].as_array().expect("a list");
    let entry = entries.iter().find(|entry| entry["verb"] == "policy.set").expect("on record");
    assert_eq!((&entry["detail"]["from"], &entry["detail"]["to"]), (&before, &digest));

    program.stop().await;
    let program = company.start().await;
    assert_eq!(program.admin.get("/api/v1/policy").await.expect("shown")["digest"], digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_does_not_validate_is_rejected_whole_with_its_place() {
    let company = Company::found().await;
    let bad = company.write(
        "bad.cedar",
        "forbid (principal, action, resource);\nforbid (principal, action == Action::\"disclose\", \
         resource)\nwhen { context.fields.contains(\"birthday\") };\n",
    );
    let bad = bad.to_str().expect("text");
    let place = "bad.cedar:3:32: error: `birthday` is no field";
    let said = company.cordon(&["policy", "check", bad]).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains(place), "also where no server runs: {}", said.out);

    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    let said = company.cordon(&["policy", "check", bad]).await;
    assert!(said.code == 1 && said.out.contains(place), "{said:?}");
    let said = company.cordon(&["policy", "set", bad]).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("policy-invalid") && said.err.contains("bad.cedar:3:32"), "{said:?}");
    assert_eq!(code(&mail(&shop, "ann.lee", &[]).await), None, "nothing of it is in force");

    let odd = company.write(
        "odd.cedar",
        "forbid (principal == Workload::\"shopp\", action == Action::\"disclose\", resource);\n",
    );
    let said = company.cordon(&["policy", "check", odd.to_str().expect("text")]).await.done();
    assert!(said.out.contains("odd.cedar:1:1: warning: `Workload::\"shopp\"` is not registered"));
    let said = company.cordon(&["policy", "check"]).await.done();
    assert!(!said.out.contains("no call since"), "the grant is used: {}", said.out);
    let grant = json!({ "purposes": ["alerts"], "fields": ["email", "phone"] });
    let path = "/api/v1/workloads/shop/grants/sendgrid";
    program.admin.json(Method::PUT, path, Some(&grant)).await.expect("granted");
    let said = company.cordon(&["policy", "check"]).await.done();
    let unused = "unused: purposes alerts, fields phone";
    assert!(said.out.contains("grant/shop/sendgrid") && said.out.contains(unused), "{}", said.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_file_is_read_at_start_and_again_when_asked() {
    let company = Company::found().await;
    let file = company.write("own.cedar", NOT_THERE);
    let settings = std::fs::read_to_string(company.path("cordon.toml")).expect("written");
    company.write("cordon.toml", format!("{settings}[policy]\nfile = {file:?}\n"));
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    let american = [("x-cordon-region", "US")];
    assert_eq!(code(&mail(&shop, "bob.ray", &american).await), Some("policy-forbids"));

    company.write("own.cedar", "forbid (principal");
    let said = company.cordon(&["policy", "reload"]).await;
    assert!(said.code == 1 && said.err.contains("own.cedar:1:"), "{said:?}");
    assert_eq!(code(&mail(&shop, "bob.ray", &american).await), Some("policy-forbids"));
    company.write("own.cedar", "");
    company.cordon(&["policy", "reload"]).await.done();
    assert_eq!(code(&mail(&shop, "bob.ray", &american).await), None);
}

/// Every route that policy decides, with a body that fits it.
fn decided() -> [(Method, &'static str, Value); 10] {
    let grant = json!({ "purposes": ["receipts"], "fields": ["email"] });
    let rotation = json!({ "vendor": "sendgrid", "grace_seconds": 0 });
    [
        (Method::POST, "/api/v1/vendors", json!({ "connector": "twilio" })),
        (Method::PATCH, "/api/v1/vendors/sendgrid", json!({ "retention_days": 10 })),
        (Method::PUT, "/api/v1/vendors/sendgrid/credential", json!({ "credential": "SG.x" })),
        (Method::PUT, "/api/v1/vendors/sendgrid/webhook", json!({ "secret": "x" })),
        (Method::POST, "/api/v1/vendors/sendgrid/switch", json!({ "switch": "hold" })),
        (Method::POST, "/api/v1/workloads", json!({ "name": "blog", "grants": [] })),
        (Method::PUT, "/api/v1/workloads/shop/grants/sendgrid", grant),
        (Method::DELETE, "/api/v1/workloads/shop/tokens/tok_5f0c1f0e6a51", Value::Null),
        (Method::POST, "/api/v1/workloads/shop/tokens", rotation),
        (Method::PUT, "/api/v1/workloads/shop/identities", json!({ "identities": [] })),
    ]
}

async fn tried(operator: &Client) -> Vec<(u16, String)> {
    let mut answers = Vec::new();
    for (method, path, body) in decided() {
        answers.push(refusal(operator.json(method, path, Some(&body)).await));
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_may_do_is_policy_too_and_an_admin_can_always_mend_it() {
    let company = Company::found().await;
    let program: Program = company.start().await;
    company.open_shop(&program).await;
    let viewer = program.operator("watcher", "viewer").await;
    assert_eq!(tried(&viewer).await, vec![(403, "not-permitted".to_owned()); 10]);
    let listed = program.admin.get("/api/v1/routes").await.expect("a list");
    let listed = listed["routes"].as_array().expect("a list").iter();
    let by_policy = listed.filter(|route| route["permission"] == "policy").count();
    assert!(by_policy >= decided().len(), "{by_policy}");

    set(&company, "@id(\"frozen\") forbid (principal, action, resource);\n").await;
    assert_eq!(tried(&program.admin).await, vec![(403, "policy-forbids".to_owned()); 10]);
    set(&company, "").await;
    let hold = json!({ "switch": "hold" });
    let held = program.admin.post("/api/v1/vendors/sendgrid/switch", &hold).await;
    assert_eq!(held.expect("mended")["switch"], "hold");
    let engineer = program.operator("smith", "engineer").await;
    let open = engineer.post("/api/v1/vendors/sendgrid/switch", &json!({ "switch": "open" })).await;
    assert_eq!(refusal(open), (403, "not-permitted".into()));
    assert_eq!(
        refusal(
            engineer
                .json(Method::PUT, "/api/v1/policy", Some(&json!({ "name": "a", "text": "" })),)
                .await
        ),
        (403, "not-permitted".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_fit_their_fields_and_tokens_are_turned_back_on_record() {
    let company = Company::found().await;
    let program = company.start().await;
    company.open_shop(&program).await;
    let change = |action: &str| {
        let set = format!("name={action}");
        let company = &company;
        async move { company.cordon(&["vendor", "change", "sendgrid", "--field", &set]).await }
    };
    let said = change("truncate").await;
    assert!(
        said.code == 1 && said.err.contains("error[action-misfit]: `truncate` does not fit `name`")
    );
    assert!(said.err.contains("only `ip` and `birthdate`"), "{}", said.err);
    change("tokenise").await.done();

    let asked = ["detokenise", "sendgrid", "t-00", "--why", "support case 812", "--json"];
    let said = company.cordon(&asked).await.done().json();
    assert_eq!(said["values"], json!([{ "token": "t-00", "field": null, "value": null }]));
    let audit = program.admin.get("/api/v1/audit").await.expect("a list");
    let entries = audit["audit"].as_array().expect("a list");
    let entry = entries.iter().find(|entry| entry["verb"] == "values.detokenised");
    let detail = &entry.expect("on record")["detail"];
    assert_eq!(detail, &json!({ "why": "support case 812", "tokens": 1, "values": {} }));
    let engineer = program.operator("smith", "engineer").await;
    let body = json!({ "tokens": ["t-00"], "why": "curious" });
    let asked = engineer.post("/api/v1/vendors/sendgrid/detokenise", &body).await;
    assert_eq!(refusal(asked), (403, "not-permitted".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_may_contain_is_not_contained_by_way_of_an_incident_either() {
    let company = Company::found().await;
    let program = company.start().await;
    company.open_shop(&program).await;
    set(
        &company,
        "@id(\"hands-off\")\nforbid (principal, action == Action::\"contain\", \
         resource == Vendor::\"sendgrid\");\n",
    )
    .await;
    let forbidden = (403, "policy-forbids".to_owned());
    let stop = json!({ "switch": "stop" });
    let switched = program.admin.post("/api/v1/vendors/sendgrid/switch", &stop).await;
    assert_eq!(refusal(switched), forbidden);
    let declare = json!({ "vendor": "sendgrid", "title": "suspicion" });
    let change = async |actions: Value| {
        let body = json!({ "automatic": actions });
        let path = "/api/v1/vendors/sendgrid";
        program.admin.json(Method::PATCH, path, Some(&body)).await.expect("changed");
    };
    change(json!(["cut-gateway"])).await;
    let declared = program.admin.post("/api/v1/incidents", &declare).await;
    assert_eq!(refusal(declared), forbidden, "a step would run by itself");
    change(json!([])).await;
    let declared = program.admin.post("/api/v1/incidents", &declare).await.expect("declared");
    let path = format!("/api/v1/incidents/{}/commands", declared["id"].as_str().expect("an id"));
    for command in [
        json!({ "command": "run-step", "action": "delete-api-keys" }),
        json!({ "command": "approve-lift" }),
    ] {
        assert_eq!(refusal(program.admin.post(&path, &command).await), forbidden, "{command}");
    }
    let note = json!({ "command": "skip-step", "action": "delete-api-keys", "why": "x" });
    program.admin.post(&path, &note).await.expect("what contains nothing is no question of it");
}
