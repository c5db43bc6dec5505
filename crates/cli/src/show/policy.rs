//! How a check, an explanation and a replay of policy look to people.

use serde_json::{Value, json};

use super::{table, text};

fn rows<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// Problems and warnings with their places, as compilers write them, then unused grants.
pub fn checked(check: &Value) -> String {
    let mut out = String::new();
    for (kind, name) in [("error", "problems"), ("warning", "warnings")] {
        for found in rows(check, name) {
            let place = format!("{}:{}:{}", word(found, "origin"), found["line"], found["column"]);
            out.push_str(&format!("{place}: {kind}: {}\n", word(found, "message")));
            if let Some(help) = found["help"].as_str() {
                out.push_str(&format!("  help: {help}\n"));
            }
        }
    }
    for unused in rows(check, "unused") {
        let policy = word(unused, "policy");
        let since = word(check, "unused_since");
        match unused["calls"].as_u64() {
            Some(0) => out.push_str(&format!("{policy}: no call since {since}\n")),
            _ => {
                let (purposes, fields) = (text(&unused["purposes"]), text(&unused["fields"]));
                let line = format!("{policy}: since {since} unused: purposes {purposes}");
                out.push_str(&format!("{line}, fields {fields}\n"));
            }
        }
    }
    match check["valid"].as_bool() {
        Some(true) if check.get("unused").is_none() => {
            out.push_str("valid, checked by itself: no server runs here\n");
        }
        Some(true) => out.push_str(&format!("valid, digest {}\n", word(check, "digest"))),
        _ => out.push_str("does not validate\n"),
    }
    out
}

/// The decision, the fate of each field, and the policies that decided, whole.
pub fn explained(explained: &Value) -> String {
    let mut out = match explained["permitted"].as_bool() {
        Some(true) => "permitted\n".to_owned(),
        _ => format!("refused[{}]: {}\n", word(explained, "code"), word(explained, "message")),
    };
    let fates: Vec<Value> = rows(explained, "fields")
        .iter()
        .map(|fate| {
            let happens = match fate["permitted"].as_bool() {
                Some(true) => fate["action"].clone(),
                _ => json!("refused"),
            };
            let by = match fate["action"].as_str() {
                Some("drop" | "refuse") => json!("the vendor's table"),
                _ if rows(fate, "decided_by").is_empty() => json!("no policy permits it"),
                _ => fate["decided_by"].clone(),
            };
            json!({ "field": fate["field"], "happens": happens, "decided_by": by })
        })
        .collect();
    out.push_str(&format!("\n{}", table(&fates)));
    for policy in rows(explained, "decided_by") {
        let place = format!("{}:{}", word(policy, "origin"), policy["line"]);
        out.push_str(&format!("\n{} ({place})\n", word(policy, "id")));
        word(policy, "text").lines().for_each(|line| out.push_str(&format!("  {line}\n")));
    }
    out.push_str(&format!("\npolicy {}\n", word(explained, "policy")));
    out
}

/// Totals, then kinds of calls.
pub fn replayed(report: &Value) -> String {
    let mut out = format!(
        "{} calls since {} against policy {}\n",
        report["calls"],
        word(report, "since"),
        word(report, "policy")
    );
    for (name, words) in [
        ("refused", "would be refused"),
        ("let_through", "were refused and would leave"),
        ("changed", "would leave with a field otherwise"),
    ] {
        let total = &report[name];
        let least = if total["persons_at_least"] == true { "at least " } else { "" };
        let line = format!("{} {words}, {least}{} persons", total["calls"], total["persons"]);
        out.push_str(&format!("  {line}\n"));
    }
    out.push_str(&format!("  {} would go as they went\n", report["same"]));
    for (name, words) in [
        ("not_judged", "could not be judged: refused before they were read"),
        ("by_disclosure", "were judged by what they disclosed: what they asked is not recorded"),
    ] {
        if report[name].as_u64().unwrap_or(0) > 0 {
            out.push_str(&format!("  {} {words}\n", report[name]));
        }
    }
    if !rows(report, "groups").is_empty() {
        out.push_str(&format!("\n{}", table(rows(report, "groups"))));
    }
    if report["groups_cut"] == true {
        out.push_str("more kinds of calls are in the totals alone\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_reads_as_a_decision_and_its_reasons() {
        let forbid = "forbid (principal, action, resource)\nwhen { context.people > 100 };";
        insta::assert_snapshot!(explained(&json!({
            "policy": "e3b0c44298fc1c14", "permitted": false, "code": "policy-forbids",
            "message": "policy `small-batches` forbids this call",
            "fields": [
                { "field": "email", "action": "allow", "permitted": false,
                  "decided_by": ["small-batches"] },
                { "field": "name", "action": "drop", "permitted": true, "decided_by": [] },
                { "field": "ip", "action": "truncate", "permitted": true,
                  "decided_by": ["grant/shop/segment"] },
                { "field": "phone", "action": "allow", "permitted": false, "decided_by": [] },
            ],
            "decided_by": [
                { "id": "small-batches", "effect": "forbid", "origin": "policy.cedar", "line": 3,
                  "text": forbid },
            ],
        })));
    }

    #[test]
    fn a_check_reads_as_a_compilers_does() {
        insta::assert_snapshot!(checked(&json!({
            "valid": false,
            "problems": [
                { "origin": "policy.cedar", "line": 2, "column": 8, "message": "`birthday` is no field",
                  "help": "the fields are email" },
            ],
        })));
        insta::assert_snapshot!(checked(&json!({
            "valid": true, "digest": "e3b0c44298fc1c14", "unused_since": "2026-10-25T00:00:00Z",
            "warnings": [
                { "origin": "policy.cedar", "line": 1, "column": 1, "message": "never holds",
                  "help": null },
            ],
            "unused": [
                { "policy": "grant/shop/twilio", "calls": 0, "purposes": ["a"], "fields": ["phone"] },
                { "policy": "grant/shop/sendgrid", "calls": 7, "purposes": [], "fields": ["name"] },
            ],
        })));
    }

    #[test]
    fn a_replay_reads_as_totals_and_kinds() {
        insta::assert_snapshot!(replayed(&json!({
            "policy": "e3b0c44298fc1c14", "since": "2026-10-25T00:00:00Z", "calls": 1234, "same": 1200,
            "refused": { "calls": 30, "persons": 28, "persons_at_least": true },
            "let_through": { "calls": 0, "persons": 0, "persons_at_least": false },
            "changed": { "calls": 4, "persons": 4, "persons_at_least": false },
            "by_disclosure": 2, "not_judged": 0, "groups_cut": false,
            "groups": [
                { "change": "refused", "workload": "shop", "vendor": "sendgrid",
                  "purpose": "receipts", "field": "name", "code": "field-not-granted",
                  "policy": null, "calls": 30, "people": 31, "examples": ["cal_01J"] },
            ],
        })));
    }
}
