//! A step that lists what is there, acts on each, and lists again until nothing is left. It does
//! not know any vendor's paths: a [`Plan`] does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use model::{Action, limits};
use serde_json::Value;

use crate::routine::steps::{answered, call, is_refused};
use crate::routine::{ApiCall, ApiReply, Next, Routine, StepOutcome};

/// The calls that act on one item, in the order in which they are tried.
pub(crate) type CallsFor = dyn Fn(&Item) -> Vec<ApiCall> + Send;

/// What to list and what to do with each.
pub(crate) struct Plan {
    /// Which step it is.
    pub action: Action,
    /// What is acted on, in the plural.
    pub what: &'static str,
    /// What is done to each, as a participle.
    pub done: &'static str,
    /// The path of the first page of the list.
    pub list: String,
    /// Reads a page; `None` when it is not of the documented form.
    pub page: fn(&Value) -> Option<Page>,
    /// The calls that act on one; the next is tried when the one before is refused.
    pub calls: Box<CallsFor>,
    /// Whether what a later call acted on stays in the list, such as a key without rights.
    pub keeps_its_place: bool,
    /// The id of Cordon's own key, which goes last, and only when all others are gone.
    pub own: Option<String>,
    /// What the list cannot show. With it, an empty list proves nothing.
    pub blind: Option<&'static str>,
    /// What is left to do by hand; with it the step is never shown to be done.
    pub by_hand: Option<&'static str>,
}

/// One page of a list.
pub(crate) struct Page {
    /// What is to be acted on.
    pub items: Vec<Item>,
    /// The path of the next page, as the vendor gives it.
    pub next: Option<String>,
}

/// One thing to act on.
#[derive(Clone)]
pub(crate) struct Item {
    /// Its id.
    pub id: String,
    /// Its name, where the vendor wants it back.
    pub name: String,
}

/// The routine of a [`Plan`].
pub(crate) struct Sweep {
    plan: Plan,
    phase: Phase,
    rounds: usize,
    pages: usize,
    listed: Vec<Item>,
    /// Whether the list was read to its end.
    whole: bool,
    tried: BTreeSet<String>,
    softened: BTreeSet<String>,
    queue: VecDeque<Turn>,
    succeeded: usize,
    /// How often the vendor refused, by status.
    refused: BTreeMap<u16, usize>,
    detail: Vec<String>,
    evidence: Vec<(String, Vec<u8>)>,
}

/// An item whose turn comes, and what is still to be tried on it.
struct Turn {
    id: String,
    calls: VecDeque<ApiCall>,
    tries: usize,
}

enum Phase {
    Start,
    Listing,
    Acting,
    Over(StepOutcome),
}

impl Sweep {
    pub(crate) fn new(plan: Plan) -> Self {
        Self {
            plan,
            phase: Phase::Start,
            rounds: 0,
            pages: 0,
            listed: Vec::new(),
            whole: true,
            tried: BTreeSet::new(),
            softened: BTreeSet::new(),
            queue: VecDeque::new(),
            succeeded: 0,
            refused: BTreeMap::new(),
            detail: Vec::new(),
            evidence: Vec::new(),
        }
    }

    fn list(&mut self) -> Next {
        self.phase = Phase::Listing;
        self.pages = 1;
        self.listed.clear();
        self.whole = true;
        Next::Call(call("GET", self.plan.list.clone(), &format!("list {}", self.plan.what)))
    }

    fn read_page(&mut self, reply: &ApiReply) -> Next {
        if self.own_was_tried() && is_refused(reply) {
            let answer = answered(reply.status);
            self.detail.push(format!("the key that Cordon held is refused: {answer}"));
            return self.finish(true, self.softened.is_empty());
        }
        let page = reply.json().filter(|_| reply.is_success());
        let Some(page) = page.as_ref().and_then(self.plan.page) else {
            let (what, answer) = (self.plan.what, answered(reply.status));
            self.detail.push(format!("the list of {what} could not be read: {answer}"));
            return self.finish(false, false);
        };
        self.listed.extend(page.items);
        let Some(next) = page.next else { return self.act_on_listed() };
        match below(&next, &self.plan.list) {
            Some(path) if self.pages < limits::VENDOR_LIST_PAGES => {
                self.pages += 1;
                Next::Call(call("GET", path, &format!("list more {}", self.plan.what)))
            }
            _ => {
                self.detail.push(format!("the list of {} goes on unread", self.plan.what));
                self.whole = false;
                self.act_on_listed()
            }
        }
    }

    fn own_was_tried(&self) -> bool {
        self.plan.own.as_ref().is_some_and(|own| self.tried.contains(own))
    }

    fn act_on_listed(&mut self) -> Next {
        let ids: Vec<&str> = self.listed.iter().map(|item| item.id.as_str()).collect();
        let name = format!("{}-{}.txt", self.plan.what.replace(' ', "-"), self.rounds);
        self.evidence.push((name, ids.join("\n").into_bytes()));
        if self.rounds == 0 {
            self.detail.push(format!("{} {} were listed", ids.len(), self.plan.what));
        }
        self.rounds += 1;

        let own = self.plan.own.clone();
        let is_own = |item: &&Item| Some(&item.id) == own.as_ref();
        let counts = |item: &&Item| !is_own(item) && !self.softened.contains(&item.id);
        let others: Vec<&Item> = self.listed.iter().filter(counts).collect();
        let left = others.len();
        let mut fresh: Vec<Item> =
            others.into_iter().filter(|item| !self.tried.contains(&item.id)).cloned().collect();
        let untried = fresh.len();
        if fresh.is_empty() && left == 0 && self.whole && !self.own_was_tried() {
            fresh.extend(self.listed.iter().find(is_own).cloned());
        }
        if !fresh.is_empty() && (self.rounds <= limits::SWEEP_ROUNDS || untried == 0) {
            for item in fresh {
                self.tried.insert(item.id.clone());
                let calls = (self.plan.calls)(&item).into();
                self.queue.push_back(Turn { id: item.id, calls, tries: 0 });
            }
            self.phase = Phase::Acting;
            return self.act();
        }
        self.conclude(left)
    }

    fn act(&mut self) -> Next {
        while let Some(turn) = self.queue.front_mut() {
            if let Some(call) = turn.calls.pop_front() {
                turn.tries += 1;
                return Next::Call(call);
            }
            self.queue.pop_front();
        }
        self.list()
    }

    /// A thing that is not there any more is as good as acted on. What the vendor refuses is told;
    /// the next look at the list says whether it is still there.
    fn settle(&mut self, reply: &ApiReply) -> Next {
        let accepted = reply.is_success() || reply.status == 404;
        if let Some(turn) = self.queue.pop_front_if(|turn| accepted || turn.calls.is_empty()) {
            if !accepted {
                *self.refused.entry(reply.status).or_default() += 1;
                return self.act();
            }
            self.succeeded += 1;
            if turn.tries > 1 && self.plan.keeps_its_place {
                self.softened.insert(turn.id);
            }
        }
        self.act()
    }

    fn conclude(&mut self, left: usize) -> Next {
        let is_listed = |id: &String| self.listed.iter().any(|item| item.id == *id);
        let own_stays = self.plan.own.as_ref().is_some_and(is_listed);
        if self.rounds > 1 {
            let left = left + usize::from(own_stays);
            self.detail.push(format!("a second look shows {left} {} left", self.plan.what));
        }
        let unlisted = self.plan.own.is_some() && !self.own_was_tried() && !own_stays;
        if unlisted {
            self.detail.push("the key that Cordon holds works and is not in the list".to_owned());
        } else if own_stays && !self.own_was_tried() {
            self.detail.push("the key that Cordon holds is kept, to try again with it".to_owned());
        }
        let ok = self.whole && left == 0 && !unlisted && !own_stays;
        self.finish(ok, ok && self.softened.is_empty())
    }

    fn finish(&mut self, ok: bool, shown: bool) -> Next {
        let found = self.tried.len();
        if found > 0 {
            self.detail.push(format!("{} of {found} were {}", self.succeeded, self.plan.done));
        }
        for (status, count) in &self.refused {
            let (done, answer) = (self.plan.done, answered(*status));
            self.detail.push(format!("{count} were not {done}: {answer}"));
        }
        let weak = self.softened.len();
        if weak > 0 {
            self.detail.push(format!("{weak} of them lost their rights and are still there"));
        }
        let blind = self.plan.blind.filter(|_| found == 0).is_some();
        let notes = self.plan.blind.into_iter().chain(self.plan.by_hand);
        self.detail.extend(notes.map(str::to_owned));
        let outcome = StepOutcome {
            ok,
            verified: shown && !blind && self.plan.by_hand.is_none(),
            detail: std::mem::take(&mut self.detail),
            evidence: std::mem::take(&mut self.evidence),
        };
        self.phase = Phase::Over(outcome.clone());
        Next::Done(outcome)
    }
}

impl Routine for Sweep {
    fn action(&self) -> Action {
        self.plan.action
    }

    fn next(&mut self, reply: Option<&ApiReply>) -> Next {
        static SILENCE: ApiReply = ApiReply { status: 0, body: Vec::new() };
        let reply = reply.unwrap_or(&SILENCE);
        match &self.phase {
            Phase::Start => self.list(),
            Phase::Listing => self.read_page(reply),
            Phase::Acting => self.settle(reply),
            Phase::Over(outcome) => Next::Done(outcome.clone()),
        }
    }
}

/// The path of a next page, which vendors give whole or from the root, if it is the same list's.
fn below(next: &str, list: &str) -> Option<String> {
    let path = list.split('?').next()?;
    let rest = &next[next.find(path)?..];
    rest[path.len()..].starts_with('?').then(|| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_page_is_followed_only_within_its_list() {
        let list = "/v3/things?page_size=100";
        let next = "https://api.vendor.example/v3/things?page_token=x";
        assert_eq!(below(next, list).as_deref(), Some("/v3/things?page_token=x"));
        assert_eq!(below("/v3/things?page=2", list).as_deref(), Some("/v3/things?page=2"));
        assert_eq!(below("/v3/things/7?page=2", list), None);
        assert_eq!(below("https://elsewhere.example/", list), None);
    }
}
