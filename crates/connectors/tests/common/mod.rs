//! What the tests of the connectors need: a policy to write with, and a vendor to run against.

use std::path::PathBuf;

use connectors::routine::StepOutcome;
use connectors::{
    ApiCall, ApiReply, Asking, Call, Changes, Connector, Leaving, Next, Outbound, Presented,
    Routine, Unidentified, Unreadable,
};
use model::{Field, FieldAction, FieldSet, Identifier, Secret, Timestamp};
use serde_json::Value;

/// A request without a query.
pub fn outbound<'a>(
    method: &'a str,
    path: &'a str,
    content_type: &'a str,
    body: &'a [u8],
) -> Outbound<'a> {
    Outbound {
        method,
        path,
        query: None,
        content_type: Some(content_type),
        header: &|_| None,
        body,
    }
}

/// The token in a request with this `Authorization` header.
pub fn presented(
    connector: &dyn Connector,
    authorization: Option<&str>,
    path: &str,
) -> Result<Presented, Unidentified> {
    connector.presented(&Asking {
        method: "POST",
        prefix: "",
        path,
        query: None,
        header: &|name| authorization.filter(|_| name == "authorization"),
        body: &[],
        at: Timestamp::from_seconds(1_770_256_800),
        secret_of: &no_secret,
    })
}

/// The headers and the path with which a request to this path leaves.
pub fn authorised(
    connector: &dyn Connector,
    credential: &str,
    path: &str,
) -> (Vec<(&'static str, String)>, String) {
    let leaving = Leaving {
        method: "POST",
        host: "api.vendor.example",
        prefix: "",
        path,
        query: None,
        header: &|_| None,
        body: &[],
        at: Timestamp::from_seconds(1_770_256_800),
    };
    let authorised = connector.authorise(&Secret::new(credential.to_owned()), &leaving);
    let authorised = authorised.expect("a credential of the vendor's shape");
    let headers = authorised.headers.into_iter();
    let headers = headers.map(|(name, value)| (name, value.expose().clone())).collect();
    (headers, authorised.path.unwrap_or_else(|| path.to_owned()))
}

/// For connectors whose workloads do not sign.
pub fn no_secret(_: &str) -> Secret<String> {
    Secret::new(String::new())
}

/// How a call is changed; the default changes nothing.
#[derive(Default)]
pub struct Policy {
    pub actions: Vec<(Field, FieldAction)>,
    pub drop_unknown: bool,
    pub reference: &'static str,
    pub callback_url: Option<&'static str>,
}

impl Policy {
    pub fn with(field: Field, action: FieldAction) -> Self {
        Self { actions: vec![(field, action)], ..Self::default() }
    }

    /// A reference says how many recipients it is for, after the policy's own text.
    pub fn write(&self, call: &Call) -> Result<Vec<u8>, Unreadable> {
        let found = |field| self.actions.iter().find(|(named, _)| *named == field);
        let reference = |recipients: &[&Identifier]| match self.reference {
            "" => String::new(),
            text => format!("{text}.{}", recipients.len()),
        };
        call.body.write(&Changes {
            action: &|field| found(field).map_or(FieldAction::Allow, |(_, action)| *action),
            replace: &|_, field, value| format!("{field}-{}", value.len()),
            drop_unknown: self.drop_unknown,
            reference: &reference,
            callback_url: self.callback_url,
        })
    }
}

/// Every field that a call discloses of anybody.
pub fn disclosed(call: &Call) -> FieldSet {
    call.parties.iter().fold(FieldSet::EMPTY, |all, party| all.union(party.fields))
}

/// Runs a routine against a vendor to its end: its outcome, and each call as `METHOD path`.
pub fn run(
    mut routine: Box<dyn Routine>,
    mut vendor: impl FnMut(&ApiCall) -> (u16, Value),
) -> (StepOutcome, Vec<String>) {
    let mut calls = Vec::new();
    let mut next = routine.next(None);
    loop {
        match next {
            Next::Done(outcome) => return (outcome, calls),
            Next::Call(call) => {
                calls.push(format!("{} {}", call.method, call.path));
                assert!(calls.len() < 1_000, "a routine ends");
                let (status, body) = vendor(&call);
                let body = body.to_string().into_bytes();
                next = routine.next(Some(&ApiReply { status, body }));
            }
        }
    }
}

/// A vendor's published description of its API; says so when it is not there.
pub fn openapi(file: &str) -> Option<Value> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test finds its data by an environment variable"
    )]
    let shared = std::env::var("CORDON_SHARED").map_or_else(
        |_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let text = std::fs::read(shared.join("data/openapi").join(file)).ok();
    if text.is_none() {
        eprintln!("skipped: {file} is not in {}", shared.display());
    }
    text.map(|text| serde_json::from_slice(&text).expect("the description is JSON"))
}
