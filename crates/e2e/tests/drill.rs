//! Both drills, as a person would run them: the scorecard has its documented shape and is well.

use std::path::Path;
use std::time::Duration;

use e2e::binary;
use serde_json::Value;
use tokio::process::Command;

/// How long a drill with a few hundred people may take.
const PATIENCE: Duration = Duration::from_secs(180);

async fn played(scenario: &str, folder: &Path) -> Value {
    let file = folder.join("scorecard.json");
    let run = Command::new(binary())
        .args(["drill", scenario, "--people", "300", "--json", "--scorecard"])
        .arg(&file)
        .current_dir(folder)
        .env("TMPDIR", folder)
        .kill_on_drop(true)
        .output();
    let run = tokio::time::timeout(PATIENCE, run).await.expect("it ends").expect("it runs");
    let card: Value = serde_json::from_slice(&run.stdout).expect("a scorecard");
    let kept: Value =
        serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("the same");
    assert_eq!(card, kept);
    let wrong: Vec<_> =
        card["checks"].as_array().expect("checks").iter().filter(|c| c["ok"] != true).collect();
    assert!(wrong.is_empty(), "{scenario}: {wrong:#?}");
    assert_eq!((run.status.code(), &card["ok"]), (Some(0), &Value::Bool(true)));
    let left: Vec<_> = std::fs::read_dir(folder).expect("a folder").collect();
    assert_eq!(left.len(), 1, "nothing but the scorecard is left behind: {left:?}");
    assert_whole(&card);
    card
}

/// What holds of every scorecard: its notices and its times add up.
fn assert_whole(card: &Value) {
    let states = ["delivered", "bounced", "failed", "suppressed", "pending", "unknown"];
    assert_eq!(keys(&card["notices"]), [&["audience"], states.as_slice()].concat());
    let count = |of: &str| card["notices"][of].as_u64().expect("a count");
    assert_eq!(count("audience"), states.map(count).iter().sum::<u64>());
    assert_eq!((count("pending"), &card["scope"]["persons_upper"]), (0, &count("audience").into()));
    let after = |what: &str| card[format!("{what}_after_s")].as_f64().expect("seconds");
    assert!(after("detected") <= after("contained"));
    assert!(after("first_notice") <= after("last_notice"));
    assert_eq!(
        (&card["people"], keys(&card["checks"][0])),
        (&300.into(), vec!["name", "ok", "detail"])
    );
    assert!(card["portal_url"].as_str().is_some_and(|url| url.starts_with("http://")));
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn flickrs_case_ends_well_and_says_what_was_never_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let card = played("flickr-2026-02", folder.path()).await;
    let expected = [
        "scenario",
        "ok",
        "people",
        "detected_after_s",
        "contained_after_s",
        "scoped_after_s",
        "first_notice_after_s",
        "last_notice_after_s",
        "scope",
        "containment",
        "clocks",
        "notices",
        "portal_url",
        "checks",
    ];
    assert_eq!(keys(&card), expected);
    let scope = ["persons_lower", "persons_upper", "by_field", "by_country", "not_exposed"];
    assert_eq!(keys(&card["scope"]), scope);
    assert_eq!(keys(&card["containment"][0]), ["action", "ok", "verified"]);
    assert_eq!(keys(&card["clocks"][0]), ["regime", "due"]);
    let not_exposed = card["scope"]["not_exposed"].as_array().expect("a list");
    let grade = |field: &str| {
        let said = not_exposed.iter().find(|said| said["field"] == field);
        said.map(|said| said["grade"].as_str().expect("a grade"))
    };
    assert_eq!(grade("password"), Some("never-sent"));
    assert_eq!(grade("ip"), None, "it stands behind an attribute of the company's own");
    assert!(card["scope"]["by_field"]["ip"].as_u64().expect("a count") > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn mailerlites_case_ends_well_and_stops_what_the_intruder_had_prepared() {
    let folder = tempfile::tempdir().expect("a folder");
    let card = played("mailerlite-2024-01", folder.path()).await;
    let verified = |action: &str| {
        let steps = card["containment"].as_array().expect("steps");
        steps.iter().any(|step| step["action"] == action && step["verified"] == true)
    };
    assert!(verified("cancel-scheduled-sends") && verified("unschedule-single-sends"));
    assert!(verified("delete-api-keys") && verified("prove-key-refused"));
    assert_eq!(card["scope"]["persons_lower"], card["scope"]["persons_upper"]);
}
