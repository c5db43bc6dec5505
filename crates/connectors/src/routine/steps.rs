//! What the steps at every vendor share: keep what is there, prove that a key is refused, say what
//! is done by hand. It does not change anything at a vendor.

use model::Action;
use serde_json::Value;

use crate::routine::{ApiCall, ApiReply, CredentialUse, Guide, Next, Routine, StepOutcome};

/// A call without a body, with the credential that Cordon holds.
pub(crate) fn call(method: &'static str, path: impl Into<String>, why: &str) -> ApiCall {
    ApiCall {
        method,
        path: path.into(),
        body: None,
        credential: CredentialUse::Held,
        why: why.to_owned(),
    }
}

/// What a reply says, for the record.
pub(crate) fn answered(status: u16) -> String {
    match status {
        0 => "the vendor did not answer".to_owned(),
        status => format!("the vendor answered {status}"),
    }
}

/// Whether the vendor refuses the credential itself.
pub(crate) const fn is_refused(reply: &ApiReply) -> bool {
    matches!(reply.status, 401 | 403)
}

/// Something to keep: the name of the evidence and the path that shows it.
pub(crate) type Look = (&'static str, String);

/// Keeps what the vendor shows now, one look after the other.
pub(crate) struct Snapshot {
    looks: Vec<Look>,
    asked: usize,
    outcome: StepOutcome,
}

impl Snapshot {
    pub(crate) fn new(looks: Vec<Look>) -> Self {
        let outcome =
            StepOutcome { ok: true, verified: true, detail: Vec::new(), evidence: Vec::new() };
        Self { looks, asked: 0, outcome }
    }

    /// A look that the key may not take is evidence of that, and no failure of the step.
    fn keep(&mut self, name: &str, reply: &ApiReply) {
        let outcome = &mut self.outcome;
        outcome.ok &= reply.is_success() || matches!(reply.status, 403 | 404);
        outcome.verified &= reply.is_success();
        if reply.is_success() {
            outcome.detail.push(format!("kept {name}"));
        } else {
            outcome.detail.push(format!("{name} is not shown: {}", answered(reply.status)));
        }
        if reply.status != 0 {
            outcome.evidence.push((format!("{name}.json"), without_secrets(reply)));
        }
    }
}

/// The reply without what would open a door to whoever reads the evidence.
fn without_secrets(reply: &ApiReply) -> Vec<u8> {
    let Some(mut json) = reply.json() else { return reply.body.clone() };
    take_out_secrets(&mut json);
    json.to_string().into_bytes()
}

fn take_out_secrets(json: &mut Value) {
    const SECRETS: &[&str] = &["urls", "auth_token", "secret", "oauth_client_secret"];
    match json {
        Value::Array(items) => items.iter_mut().for_each(take_out_secrets),
        Value::Object(entries) => {
            for (key, value) in entries {
                if SECRETS.contains(&key.as_str()) && !value.is_null() {
                    *value = Value::from("taken out");
                } else {
                    take_out_secrets(value);
                }
            }
        }
        _ => {}
    }
}

impl Routine for Snapshot {
    fn action(&self) -> Action {
        Action::SnapshotEvidence
    }

    fn next(&mut self, reply: Option<&ApiReply>) -> Next {
        if let Some(reply) = reply
            && let Some((name, _)) = self.asked.checked_sub(1).and_then(|at| self.looks.get(at))
        {
            let name = *name;
            self.keep(name, reply);
        }
        match self.looks.get(self.asked) {
            Some((name, path)) => {
                self.asked += 1;
                Next::Call(call("GET", path.clone(), &format!("keep {name} as evidence")))
            }
            None => {
                self.asked = self.looks.len() + 1;
                Next::Done(self.outcome.clone())
            }
        }
    }
}

/// Shows that the vendor refuses the credential that was taken away.
pub(crate) struct Proof {
    path: String,
}

impl Proof {
    /// `path` is one that any credential may call.
    pub(crate) fn new(path: impl Into<String>) -> Self {
        Self { path: path.into() }
    }
}

impl Routine for Proof {
    fn action(&self) -> Action {
        Action::ProveKeyRefused
    }

    fn next(&mut self, reply: Option<&ApiReply>) -> Next {
        let Some(reply) = reply else {
            let mut call = call("GET", self.path.clone(), "prove that the old key is refused");
            call.credential = CredentialUse::Revoked;
            return Next::Call(call);
        };
        let refused = is_refused(reply);
        let detail = if refused {
            format!("the old key is refused: {}", answered(reply.status))
        } else if reply.is_success() {
            format!("the old key still works: {}", answered(reply.status))
        } else {
            format!("whether the old key is refused is not known: {}", answered(reply.status))
        };
        Next::Done(StepOutcome {
            ok: refused,
            verified: refused,
            detail: vec![detail],
            evidence: vec![("old-key.json".to_owned(), reply.body.clone())],
        })
    }
}

/// A step by hand: what to do, in order, and what proves it.
pub(crate) type ByHand = (Action, &'static [&'static str], &'static str);

/// The guide of a step among a vendor's.
pub(crate) fn by_hand(guides: &[ByHand], action: Action) -> Guide {
    let found = guides.iter().find(|(named, ..)| *named == action);
    let (_, steps, proof) = found.expect("a test holds that each step has a guide");
    Guide { steps: steps.iter().map(|&step| step.to_owned()).collect(), proof: (*proof).to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16) -> ApiReply {
        ApiReply { status, body: b"{}".to_vec() }
    }

    fn done(next: Next) -> StepOutcome {
        match next {
            Next::Done(outcome) => outcome,
            Next::Call(call) => panic!("one more call: {}", call.path),
        }
    }

    #[test]
    fn a_look_that_is_refused_is_said_and_kept() {
        let mut snapshot = Snapshot::new(vec![("keys", "/a".into()), ("scopes", "/b".into())]);
        assert!(matches!(snapshot.next(None), Next::Call(call) if call.path == "/a"));
        assert!(matches!(snapshot.next(Some(&reply(200))), Next::Call(call) if call.path == "/b"));
        let outcome = done(snapshot.next(Some(&reply(403))));
        assert!(outcome.ok && !outcome.verified);
        assert_eq!(outcome.detail, ["kept keys", "scopes is not shown: the vendor answered 403"]);
        assert_eq!(outcome.evidence.len(), 2);
        assert_eq!(done(snapshot.next(Some(&reply(200)))), outcome, "it stays done");
    }

    #[test]
    fn evidence_holds_no_links_and_no_tokens() {
        let mut snapshot = Snapshot::new(vec![("exports", "/a".into())]);
        snapshot.next(None);
        let body = br#"{"result":[{"id":"1","urls":["https://x.example/all.csv?sig=1"]}]}"#;
        let outcome = done(snapshot.next(Some(&ApiReply { status: 200, body: body.to_vec() })));
        let (name, kept) = &outcome.evidence[0];
        assert_eq!(name, "exports.json");
        assert_eq!(kept, br#"{"result":[{"id":"1","urls":"taken out"}]}"#);
    }

    #[test]
    fn only_a_refusal_proves_that_a_key_is_refused() {
        for (status, proven) in [(401, true), (403, true), (200, false), (500, false), (0, false)] {
            let mut proof = Proof::new("/scopes");
            let Next::Call(call) = proof.next(None) else { panic!("a call comes first") };
            assert_eq!(call.credential, CredentialUse::Revoked);
            assert_eq!(done(proof.next(Some(&reply(status)))).verified, proven, "{status}");
        }
    }
}
