//! Answers that were given already, for calls of the same kind. Bounded; one per compiled policy,
//! so that no answer outlives the policy that gave it.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use model::limits;

use crate::question::{Denied, Question};
use crate::reads::Looks;

type Answer = Result<(), Denied>;

#[derive(Debug, Default)]
pub(crate) struct Cache(RwLock<HashMap<Box<[u8]>, Answer>>);

impl Cache {
    /// The answer to a question of this key, or the one that `ask` gives.
    pub fn answer(&self, key: Option<Vec<u8>>, ask: impl FnOnce() -> Answer) -> Answer {
        let Some(key) = key else {
            return ask();
        };
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = known.get(key.as_slice()) {
            return answer.clone();
        }
        drop(known);
        let answer = ask();
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= limits::POLICY_ANSWERS {
            known.clear();
        }
        known.insert(key.into(), answer.clone());
        answer
    }
}

/// Everything that the answer depends on; none when it depends on the moment, or is too long to
/// keep. Names hold no zero byte, so that the parts cannot run together.
pub(crate) fn key(question: &Question<'_>, looks: Looks) -> Option<Vec<u8>> {
    if looks.time {
        return None;
    }
    let mut key = Vec::with_capacity(128);
    key.extend_from_slice(&question.fields.bits().to_le_bytes());
    key.push(question.mode as u8);
    if looks.people {
        key.extend_from_slice(&(question.people as u64).to_le_bytes());
    }
    let mut part = |text: &str| {
        key.extend_from_slice(text.as_bytes());
        key.push(0);
    };
    part(question.workload.as_str());
    part(question.vendor.as_str());
    part(question.operation.as_str());
    part(question.purpose.as_str());
    let region = question.region;
    part(region.and_then(|at| at.country.as_ref()).map_or("", |country| country.as_str()));
    part(region.and_then(|at| at.region.as_ref()).map_or("", |region| region.as_str()));
    part(if question.consent.is_some() { "stated" } else { "" });
    question.consent.unwrap_or_default().iter().for_each(|consent| part(consent.as_str()));
    part("");
    question.lists.iter().for_each(|list| part(list.as_str()));
    (key.len() <= limits::POLICY_ANSWER_KEY_BYTES).then_some(key)
}
