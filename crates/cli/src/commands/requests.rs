//! Which call of the API a command is.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use http::Method;
use model::{Identity, IncidentId, NoticeId, Timestamp, VendorName, WorkloadName, limits};
use serde_json::{Map, Value, json};

use super::Usage;
use super::call::Call;
use crate::args::{
    AuditCommand, CanaryCommand, Command, FactCommand, Gateway, GatewayCommand, Identities, Import,
    IncidentCommand, NoticeCommand, OperatorCommand, PeopleCommand, Question, TokenSeen,
    VendorCommand, VendorTerms, Who, WorkloadCommand,
};

/// The call of a command that is one.
pub fn of(command: Command) -> Result<Call> {
    Ok(match command {
        Command::Status => Call::get("/api/v1/status"),
        Command::Vendor(command) => vendor(command)?,
        Command::Connector(_) => Call::get("/api/v1/connectors"),
        Command::Workload(command) => workload(command)?,
        Command::Gateway(Gateway { command: Some(GatewayCommand::Ca { host }), .. }) => {
            let query = host.map(|host| format!("?host={}", percent(&host))).unwrap_or_default();
            Call::get(format!("/api/v1/gateway/authorities{query}"))
        }
        Command::Operator(OperatorCommand::List) => Call::get("/api/v1/operators"),
        Command::Operator(OperatorCommand::Add { name, roles }) => {
            Call::post("/api/v1/operators", json!({ "name": name, "roles": roles }))
        }
        Command::People(command) => people(command),
        Command::Import(import) => import_call(import),
        Command::Holdings(who) => Call::post("/api/v1/holdings", one_person(who)),
        Command::Scope(scope) => {
            let mut body = question(scope.question);
            body["vendor"] = json!(scope.vendor);
            Call::post("/api/v1/scope", body)
        }
        Command::Canary(CanaryCommand::List) => Call::get("/api/v1/canaries"),
        Command::Canary(CanaryCommand::Plant { vendor, list, count }) => Call::post(
            "/api/v1/canaries",
            json!({ "vendor": vendor, "list": list, "count": count }),
        ),
        Command::Fact(command) => fact(command),
        Command::Findings => Call::get("/api/v1/findings"),
        Command::Incident(command) => incident(command)?,
        Command::Notice(command) => notice(command)?,
        Command::Audit(AuditCommand::List) => Call::get("/api/v1/audit"),
        Command::Audit(AuditCommand::Verify) => Call::get("/api/v1/audit/verify"),
        Command::Serve(_)
        | Command::Config
        | Command::Doctor
        | Command::Drill(_)
        | Command::Gateway(_)
        | Command::Policy(_)
        | Command::Detokenise(_) => {
            bail!("this command is no call of the API")
        }
    })
}

/// A text on standard input, as much of it as the API takes.
fn text_on_stdin() -> Result<String> {
    let named = Path::new("standard input");
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(limits::API_BODY_BYTES as u64)
        .read_to_end(&mut bytes)
        .map_err(|source| Usage::Unreadable { file: named.into(), source })?;
    Ok(String::from_utf8(bytes).map_err(|_| Usage::NoText(named.into()))?)
}

/// A text in a file that the command line names, without the space around it.
pub fn text_in(file: &Path) -> Result<String> {
    Ok(whole_text_in(file)?.trim().to_owned())
}

/// A text in a file as it is, so that places in it are those of the file.
pub fn whole_text_in(file: &Path) -> Result<String> {
    Ok(String::from_utf8(read(file)?).map_err(|_| Usage::NoText(file.into()))?)
}

/// A file that the command line names.
pub fn read(file: &Path) -> Result<Vec<u8>> {
    Ok(std::fs::read(file).map_err(|source| Usage::Unreadable { file: file.into(), source })?)
}

/// The keys that are set; an option that was not given leaves no trace.
fn given(pairs: Vec<(&str, Value)>) -> Value {
    let set = pairs.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(set.map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
}

fn list_or_null<T: serde::Serialize>(list: Vec<T>) -> Value {
    if list.is_empty() { Value::Null } else { json!(list) }
}

fn terms(terms: VendorTerms) -> Vec<(&'static str, Value)> {
    let contract = match (terms.notice_hours, terms.contact) {
        (None, None) => Value::Null,
        (hours, contact) => json!({ "notice_hours": hours, "contact": contact }),
    };
    let actions: Map<String, Value> = terms
        .actions
        .into_iter()
        .map(|(field, action)| (field.name().to_owned(), json!(action)))
        .collect();
    vec![
        ("endpoint", json!(terms.endpoint)),
        ("smtp", json!(terms.smtp)),
        ("retention_days", json!(terms.retention_days)),
        ("lists", list_or_null(terms.lists)),
        ("contract", contract),
        ("mode", json!(terms.mode)),
        ("actions", if actions.is_empty() { Value::Null } else { Value::Object(actions) }),
        ("automatic", list_or_null(terms.automatic)),
        ("custom_holds", json!(terms.custom_holds)),
    ]
}

fn vendor(command: VendorCommand) -> Result<Call> {
    let at = |vendor: &dyn std::fmt::Display| format!("/api/v1/vendors/{vendor}");
    Ok(match command {
        VendorCommand::List => Call::get("/api/v1/vendors"),
        VendorCommand::Show { vendor } => Call::get(at(&vendor)),
        VendorCommand::Add { connector, name, credential_file, terms: set } => {
            let credential = credential_file.as_deref().map(text_in).transpose()?;
            let mut pairs = vec![
                ("connector", json!(connector)),
                ("name", json!(name)),
                ("credential", json!(credential)),
            ];
            pairs.extend(terms(set));
            Call::post("/api/v1/vendors", given(pairs))
        }
        VendorCommand::Change { vendor, terms: set } => {
            Call::post(at(&vendor), given(terms(set))).method(Method::PATCH)
        }
        VendorCommand::Credential { vendor, credential_file: None, source: None } => {
            Call::get(format!("{}/credential", at(&vendor)))
        }
        VendorCommand::Credential { vendor, credential_file, source } => {
            let credential = credential_file.as_deref().map(text_in).transpose()?;
            let body = given(vec![("credential", json!(credential)), ("source", json!(source))]);
            Call::post(format!("{}/credential", at(&vendor)), body).method(Method::PUT)
        }
        VendorCommand::Webhook { vendor, secret_file } => {
            let body = json!({ "secret": text_in(&secret_file)? });
            Call::post(format!("{}/webhook", at(&vendor)), body).method(Method::PUT)
        }
        VendorCommand::Held { vendor } => Call::get(format!("{}/held", at(&vendor))),
        VendorCommand::Switch { vendor, switch, direct: _ } => {
            Call::post(format!("{}/switch", at(&vendor)), json!({ "switch": switch }))
        }
    })
}

fn proven(identities: Identities) -> Vec<Identity> {
    [identities.spiffe_ids, identities.dns_names].concat()
}

fn workload(command: WorkloadCommand) -> Result<Call> {
    use WorkloadCommand as C;
    let tokens = |name: &WorkloadName| format!("/api/v1/workloads/{name}/tokens");
    Ok(match command {
        C::List => Call::get("/api/v1/workloads"),
        C::Grant { name, vendor, purposes, fields } => {
            let body = json!({ "purposes": purposes, "fields": fields });
            Call::post(grant(&name, &vendor), body).method(Method::PUT)
        }
        C::Revoke { name, vendor } => Call::get(grant(&name, &vendor)).method(Method::DELETE),
        C::Tokens { name } => Call::get(tokens(&name)),
        C::RotateToken { name, vendor, grace, terms } => {
            let networks = if terms.networks.is_empty() { None } else { Some(terms.networks) };
            let body = json!({
                "vendor": vendor, "grace_seconds": grace, "expires_seconds": terms.expires,
                "networks": networks,
            });
            Call::post(tokens(&name), body)
        }
        C::RevokeToken { name, token } => {
            Call::get(format!("{}/{token}", tokens(&name))).method(Method::DELETE)
        }
        C::TokenSeen(seen) => Call::post("/api/v1/tokens/seen", token_seen(seen)?),
        C::Bursts => Call::get("/api/v1/gateway/bursts"),
        C::ApproveBurst { workload, vendor, hours } => Call::post(
            format!("/api/v1/workloads/{workload}/bursts/{vendor}/approve"),
            json!({ "hours": hours }),
        ),
        C::Limit {
            workload,
            vendor,
            per_second,
            people_per_hour,
            people_per_day,
            burst_factor,
        } => {
            let limits = json!({
                "requests_per_second": per_second, "people_per_hour": people_per_hour,
                "people_per_day": people_per_day, "burst_factor": burst_factor,
            });
            Call::post(format!("/api/v1/workloads/{workload}/limits/{vendor}"), limits)
                .method(Method::PUT)
        }
        C::Identify { name, identities } => {
            let path = format!("/api/v1/workloads/{name}/identities");
            Call::post(path, json!({ "identities": proven(identities) })).method(Method::PUT)
        }
        C::Add { name, vendors, purposes, fields, mode, terms, identities } => {
            let grants: Vec<Value> = vendors
                .iter()
                .map(|vendor| json!({ "vendor": vendor, "purposes": purposes, "fields": fields }))
                .collect();
            let tokens = json!({ "expires_seconds": terms.expires, "networks": terms.networks });
            let body = json!({
                "name": name, "grants": grants, "mode": mode, "tokens": tokens,
                "identities": proven(identities),
            });
            Call::post("/api/v1/workloads", body)
        }
    })
}

fn token_seen(seen: TokenSeen) -> Result<Value> {
    let text = match &seen.find.file {
        Some(file) => Some(text_in(file)?),
        None if seen.find.stdin => Some(text_on_stdin()?),
        None => None,
    };
    Ok(given(vec![
        ("found_at", json!(seen.found_at)),
        ("text", json!(text)),
        ("sha256", json!(seen.find.hash)),
    ]))
}

fn grant(workload: &WorkloadName, vendor: &VendorName) -> String {
    format!("/api/v1/workloads/{workload}/grants/{vendor}")
}

fn one_person(who: Who) -> Value {
    given(vec![
        ("email", json!(who.email)),
        ("phone", json!(who.phone)),
        ("person_id", json!(who.person_id)),
    ])
}

fn people(command: PeopleCommand) -> Call {
    match command {
        PeopleCommand::Index => Call::post("/api/v1/people/index", json!({})),
        PeopleCommand::Erase(who) => Call::post("/api/v1/people/erasures", one_person(who)),
        PeopleCommand::Erasures => Call::get("/api/v1/people/erasures"),
        PeopleCommand::ApproveErasure { erasure } => {
            Call::post(format!("/api/v1/people/erasures/{}/approve", percent(&erasure)), json!({}))
        }
    }
}

fn import_call(import: Import) -> Call {
    let mut path = format!("/api/v1/imports/{}?as_of={}", import.vendor, import.as_of);
    if import.complete {
        path.push_str("&complete=true");
    }
    if let Some(list) = &import.list {
        let encoded = percent(list.as_str());
        path.push_str(&format!("&list={encoded}"));
    }
    Call::upload(path, "text/csv", import.file)
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// `{"window": …, "reach": …}`.
fn question(question: Question) -> Value {
    json!({
        "window": given(vec![("from", json!(question.from)), ("to", json!(question.to))]),
        "reach": given(vec![
            ("lists", json!(question.lists)),
            ("operations", json!(question.operations)),
            ("fields", json!(question.fields)),
        ]),
    })
}

fn fact(command: FactCommand) -> Call {
    match command {
        FactCommand::List => Call::get("/api/v1/facts"),
        FactCommand::Mail { file } => Call::upload("/api/v1/facts/mail", "message/rfc822", file),
        FactCommand::VendorNotice {
            vendor,
            summary,
            told_at,
            vendor_aware_at,
            access_from,
            access_to,
            lists,
            fields,
            fields_denied,
        } => Call::post(
            "/api/v1/facts/vendor-notice",
            json!({
                "vendor": vendor, "summary": summary, "told_at": told_at.unwrap_or_else(now),
                "vendor_aware_at": vendor_aware_at,
                "access_from": access_from, "access_to": access_to, "lists": lists,
                "fields": fields, "fields_denied": fields_denied,
            }),
        ),
    }
}

/// The time now.
pub fn now() -> Timestamp {
    server::door::world().now()
}

/// A command of the incident's state machine.
fn told(incident: IncidentId, command: Value) -> Call {
    Call::post(format!("/api/v1/incidents/{incident}/commands"), command)
}

fn incident(command: IncidentCommand) -> Result<Call> {
    use IncidentCommand as C;
    let at = |incident: IncidentId, rest: &str| format!("/api/v1/incidents/{incident}{rest}");
    Ok(match command {
        C::List => Call::get("/api/v1/incidents"),
        C::Show { incident } => Call::get(at(incident, "")),
        C::Declare { vendor, title, question: asked } => {
            let mut body = question(asked);
            body["vendor"] = json!(vendor);
            body["title"] = json!(title);
            Call::post("/api/v1/incidents", body)
        }
        C::Scope { incident, question: asked, reason } => {
            let mut body = asked_anew(asked);
            body["reason"] = json!(reason);
            Call::post(at(incident, "/scopes"), body)
        }
        C::Dataset { incident, file } => Call::upload(at(incident, "/dataset"), "text/csv", file),
        C::Diff { incident, version, other } => {
            Call::get(at(incident, &format!("/scopes/{version}/diff/{other}")))
        }
        C::Persons { incident, version, to } => {
            Call::get(at(incident, &format!("/scopes/{version}/persons.csv"))).save(to)
        }
        C::Clocks { incident } => Call::get(at(incident, "/clocks")),
        C::Evidence { incident } => Call::get(at(incident, "/evidence")),
        C::Bulletin { incident, title, text_file, number } => {
            let text = json!({ "language": "en", "title": title, "body": text_in(&text_file)? });
            told(
                incident,
                json!({ "command": "draft-bulletin", "bulletin": number, "texts": [text] }),
            )
        }
        other => machine(other)?,
    })
}

/// Commands that are given to the state machine as they are.
fn machine(command: IncidentCommand) -> Result<Call> {
    use IncidentCommand as C;
    Ok(match command {
        C::Assign { incident, role, operator } => {
            told(incident, json!({ "command": "assign-role", "role": role, "operator": operator }))
        }
        C::Note { incident, text, at } => told(
            incident,
            json!({
                "command": "add-fact", "at": at.unwrap_or_else(now), "source": "operator",
                "confidence": "stated", "text": text,
            }),
        ),
        C::Run { incident, step } => {
            told(incident, json!({ "command": "run-step", "action": step }))
        }
        C::Confirm { incident, step, proof } => {
            told(incident, json!({ "command": "confirm-manual", "action": step, "proof": proof }))
        }
        C::Skip { incident, step, why } => {
            told(incident, json!({ "command": "skip-step", "action": step, "why": why }))
        }
        C::Statement { incident, text, source, exposed, denied } => told(
            incident,
            json!({ "command": "record-statement", "said": {
                "said_at": now(), "source": source, "fields_exposed": exposed,
                "fields_denied": denied, "vendor_aware_at": null, "text": text,
            } }),
        ),
        C::Reverse { incident, statement, text } => told(
            incident,
            json!({ "command": "reverse-statement", "number": statement, "text": text }),
        ),
        C::Decide { incident, regime, not, why } => told(
            incident,
            json!({ "command": "decide", "regime": regime, "applies": !not, "why": why }),
        ),
        C::Publish { incident, number, version } => told(
            incident,
            json!({ "command": "approve-bulletin", "bulletin": number, "version": version }),
        ),
        C::Lift { incident, why } => {
            told(incident, json!({ "command": "request-lift", "why": why }))
        }
        C::ApproveLift { incident } => told(incident, json!({ "command": "approve-lift" })),
        C::Close { incident, why } => told(incident, json!({ "command": "close", "why": why })),
        C::Reopen { incident, why } => told(incident, json!({ "command": "reopen", "why": why })),
        _ => bail!("this command is no command of the state machine"),
    })
}

/// What of a window and a reach is to be set anew; the rest stays.
fn asked_anew(asked: Question) -> Value {
    let window = asked.from.is_some() || asked.to.is_some();
    let reach = asked.lists.is_some() || asked.operations.is_some() || asked.fields.is_some();
    let mut all = question(asked);
    given(vec![
        ("window", if window { all["window"].take() } else { Value::Null }),
        ("reach", if reach { all["reach"].take() } else { Value::Null }),
    ])
}

/// A text per language, from its file.
fn texts(files: Vec<(String, PathBuf)>) -> Result<Value> {
    let texts = files.into_iter().map(|(language, file)| Ok((language, json!(text_in(&file)?))));
    Ok(Value::Object(texts.collect::<Result<Map<_, _>>>()?))
}

fn notice(command: NoticeCommand) -> Result<Call> {
    use NoticeCommand as C;
    let at = |notice: NoticeId, rest: &str| format!("/api/v1/notices/{notice}{rest}");
    Ok(match command {
        C::Draft { incident, what_happened, measures, scope, name_vendor, corrects } => {
            let body = json!({
                "what_happened": texts(what_happened)?, "measures": texts(measures)?,
                "scope": scope, "name_vendor": name_vendor, "corrects": corrects,
            });
            Call::post(format!("/api/v1/incidents/{incident}/notices"), body)
        }
        C::Show { notice } => Call::get(at(notice, "")),
        C::Preview { notice, language, .. } => {
            Call::post(at(notice, "/preview"), json!({ "language": language }))
        }
        C::Test { notice, to, language } => {
            Call::post(at(notice, "/test"), json!({ "to": to, "language": language }))
        }
        C::Approve { incident, notice } => {
            told(incident, json!({ "command": "approve-notice", "notice": notice }))
        }
        C::Pause { notice } => Call::post(at(notice, "/pause"), json!({})),
        C::Resume { notice } => Call::post(at(notice, "/resume"), json!({})),
        C::Export { notice, to } => Call::get(at(notice, "/deliveries.csv")).save(to),
    })
}
