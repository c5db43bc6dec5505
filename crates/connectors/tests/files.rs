//! A connector file of a company's own: the example in the documentation works, and what is wrong
//! in a file is said with its line.

use connectors::recording::{Recording, people};
use connectors::{Connector, Described, FileError};
use serde_json::json;

const DOCUMENT: &str = include_str!("../../../docs/connector-files.md");

/// The example of the documentation.
fn example() -> &'static str {
    let (_, rest) = DOCUMENT.split_once("```toml\n").expect("an example");
    rest.split_once("```").expect("its end").0
}

fn refused(file: &str) -> FileError {
    Described::load(file).expect_err("it is refused")
}

#[test]
fn the_documented_example_reads_what_it_describes() {
    let connector = Described::load(example()).expect("a connector");
    assert_eq!(connector.name(), "acme-mail");
    let message = json!({
        "from": "shop@shop.example",
        "to": [{ "email": "ann@example.com", "name": "Ann" }, { "email": "bob@example.com" }],
        "subject": "Your receipt",
        "metadata": { "order": 17 },
        "colour": "blue",
    });
    let recording: Recording = serde_json::from_value(json!({
        "request": {
            "method": "POST",
            "path": "/v1/mail",
            "headers": { "content-type": "application/json" },
            "body": message.to_string(),
        },
    }))
    .expect("a recording");
    let body = recording.request.body().expect("a body");
    let call = recording.request.read(connector, &body).expect("it is read");
    let found = people(&call.parties);
    let shown: Vec<_> = found.iter().map(|one| (&one.identifiers, one.fields.len())).collect();
    assert_eq!(shown.len(), 2);
    assert!(found[0].fields.contains("name") && !found[1].fields.contains("name"));
    assert_eq!(call.unknown, ["/colour"]);
    assert_eq!(call.operation.idempotency, Some("idempotency-key"));
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let check = |from: &str, to: &str, why: &str| {
        assert!(example().contains(from), "{from}");
        let file = example().replacen(from, to, 1);
        let expected = 1 + file[..file.find(to).expect(to)].matches('\n').count();
        let error = refused(&file);
        assert!(error.why.contains(why), "{error}");
        assert_eq!(error.line, expected, "{error}");
    };
    check("\"subject\" = \"content\"", "\"subject\" = \"contents\"", "no scope, no role");
    check("\"html\" = \"content\"", "\"html[\" = \"content\"", "a step ends with");
    check("name = \"mail.send\"", "name = \"Mail Send\"", "lower-case");
    check("headers = [\"acme-version\"]", "headers = [\"cookie\"]", "no such header");
    check(
        "message_id = [\"header:x-message-id\"",
        "message_id = [\"x-message-id\"",
        "JSON pointer",
    );
    check("calls = [\"POST /v1/mail\"", "calls = [\"SEND /v1/mail\"", "no method and path");
    check("title = \"Acme Mail\"", "titel = \"Acme Mail\"", "unknown field");
}

#[test]
fn a_file_that_would_be_of_no_use_is_refused() {
    let check = |from: &str, to: &str, why: &str| {
        let error = refused(&example().replacen(from, to, 1));
        assert!(error.why.contains(why), "{error}");
    };
    check("{base62:32}", "{base62:4}", "80 bits");
    check("https://api.acme.example", "http://api.acme.example", "https://");
    check("scheme = \"bearer\"", "scheme = \"telepathy\"", "scheme");
    check("\"message\": {message}", "\"message\": \"{message}\"", "no JSON");
    check("begins = \"acme_\"", "begins = \"other_\"", "form");
}
