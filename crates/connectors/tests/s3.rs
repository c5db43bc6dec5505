//! What the S3 connector takes for an object's people and fields.

#[expect(dead_code, reason = "the other tests use the rest of it")]
mod common;

use common::{Policy, disclosed};
use connectors::s3::S3;
use connectors::{Call, Connector, Outbound, Unreadable};
use model::{Coded as _, Field, FieldAction};

const PATH: &str = "/acme-exports/people/2026.csv";
const TABLE: &[u8] = b"email,name,plan\nann@example.com,Ann Lee,gold\nbob@example.com,,\n";

fn put(fields: &str, kind: &str, query: &str, body: &[u8]) -> Result<Call, Unreadable> {
    let header = |name: &str| Some(fields).filter(|_| name == "x-cordon-fields");
    S3.read(&Outbound {
        method: "PUT",
        path: PATH,
        query: Some(query),
        content_type: Some(kind),
        header: &header,
        body,
    })
}

fn refused(read: Result<Call, Unreadable>) -> &'static str {
    read.err().expect("it is refused").code()
}

#[test]
fn a_tables_people_are_those_in_its_rows() {
    let call = put("email,name,custom", "text/csv", "x-id=PutObject", TABLE).expect("a table");
    let people: Vec<_> = call.parties.iter().map(|one| one.fields.to_string()).collect();
    assert_eq!(people, ["email,name,custom", "email"]);
    assert_eq!(call.parties[0].lists[0].as_str(), "acme-exports");
    assert!(call.warnings.is_empty());
    assert_eq!(Policy::default().write(&call).expect("unchanged"), TABLE);
    let dropped = Policy::with(Field::Name, FieldAction::Drop).write(&call);
    assert_eq!(dropped, Err(Unreadable::Needed(Field::Name)));
}

#[test]
fn people_who_are_not_in_a_table_are_one_entry_and_a_warning() {
    let call = put("name", "image/png", "", b"\x89PNG").expect("an object");
    let part = put("email", "text/csv", "partNumber=2&uploadId=x", b"lf-way row").expect("a part");
    for call in [call, part] {
        let [party] = &call.parties[..] else { panic!("one entry") };
        assert!(party.identifiers[0].text().starts_with("s3:"));
        assert_eq!(call.warnings, ["people-undeclared"]);
        assert_eq!(disclosed(&call), party.fields);
    }
}

#[test]
fn an_object_of_which_nothing_is_declared_or_too_little_is_refused() {
    assert_eq!(refused(put("email,shoe", "text/csv", "", TABLE)), "body-unreadable");
    assert_eq!(refused(put("email", "text/csv", "", TABLE)), "body-unreadable");
    assert_eq!(refused(put("email", "text/csv", "", b"plan\ngold\n")), "body-unreadable");
    assert_eq!(refused(put("email", "text/csv", "acl=", TABLE)), "body-unreadable");
    for path in ["/", "/b/x", "/acme-exports", "/acme-exports/a/../b", "/acme-exports/%2E%2e/b"] {
        assert!(S3.operation("PUT", path).is_none(), "{path}");
    }
}
