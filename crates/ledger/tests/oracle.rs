//! Random histories, held to a naive pass over raw rows that knows nothing of episodes, runs or
//! keys. `CORDON_CASES` sets how many.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Holding, Import, IntentRow, Ledger, Outcome, Settled};
use model::{FieldSet, OperationName, PersonKey, Reach, Timestamp, VendorName, Window, World};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use common::{at, call, hash, list, number, open, scratch, sent, vendor, world};

/// An identifier: below 3 a user id, else an address or a number.
type Identifier = usize;
const USERS: usize = 3;
const IDENTIFIERS: usize = 9;
const VENDORS: [&str; 2] = ["sendgrid", "twilio"];
const OPERATIONS: [&str; 3] = ["mail.send", "contacts.put", "import"];
const LISTS: [&str; 2] = ["news", "Ünïcode list"];
/// All times of a history are below; what is held for ever is held here.
const END: i64 = 130;

#[derive(Debug, Clone)]
struct Line {
    identifiers: BTreeSet<Identifier>,
    fields: u32,
    lists: BTreeSet<usize>,
}

#[derive(Debug, Clone)]
enum Step {
    Intend { vendor: usize, operation: usize, at: i64, kept: Option<i64>, lines: Vec<Line> },
    Settle { which: usize, outcome: u8 },
    Import { vendor: usize, at: i64, kept: Option<i64>, lines: Vec<Line> },
    Erase { vendor: usize, identifiers: BTreeSet<Identifier>, at: i64 },
    Forget { identifiers: BTreeSet<Identifier> },
    Index { rows: Vec<(Identifier, BTreeSet<Identifier>)> },
    Seal,
    Reopen,
    Ask(Ask),
}

#[derive(Debug, Clone)]
struct Ask {
    vendor: usize,
    from: Option<i64>,
    to: Option<i64>,
    lists: Option<BTreeSet<usize>>,
    operations: Option<BTreeSet<usize>>,
    fields: Option<u32>,
}

fn line() -> impl Strategy<Value = Line> {
    (btree_set(0..IDENTIFIERS, 1..3), 0u32..8, btree_set(0..LISTS.len(), 0..3))
        .prop_map(|(identifiers, fields, lists)| Line { identifiers, fields, lists })
}

fn step() -> impl Strategy<Value = Step> {
    let kept = || prop_oneof![1 => Just(None), 4 => (0i64..40).prop_map(Some)];
    let ask = (
        0..VENDORS.len(),
        proptest::option::of(0i64..110),
        proptest::option::of(0i64..110),
        proptest::option::of(btree_set(0..LISTS.len(), 0..3)),
        proptest::option::of(btree_set(0..OPERATIONS.len(), 0..3)),
        proptest::option::of(0u32..8),
    )
        .prop_map(|(vendor, from, to, lists, operations, fields)| {
            Step::Ask(Ask { vendor, from, to, lists, operations, fields })
        });
    prop_oneof![
        8 => (0..VENDORS.len(), 0..2usize, 0i64..90, kept(), vec(line(), 0..4)).prop_map(
            |(vendor, operation, at, kept, lines)| {
                Step::Intend { vendor, operation, at, kept, lines }
            }
        ),
        5 => (any::<usize>(), 0u8..3).prop_map(|(which, outcome)| Step::Settle { which, outcome }),
        2 => (0..VENDORS.len(), 0i64..90, kept(), vec(line(), 0..4))
            .prop_map(|(vendor, at, kept, lines)| Step::Import { vendor, at, kept, lines }),
        2 => (0..VENDORS.len(), btree_set(0..IDENTIFIERS, 1..4), 0i64..100)
            .prop_map(|(vendor, identifiers, at)| Step::Erase { vendor, identifiers, at }),
        1 => btree_set(0..IDENTIFIERS, 1..2).prop_map(|identifiers| Step::Forget { identifiers }),
        2 => vec((0..USERS, btree_set(USERS..IDENTIFIERS, 0..3)), 1..3)
            .prop_map(|rows| Step::Index { rows }),
        2 => Just(Step::Seal),
        1 => Just(Step::Reopen),
        4 => ask,
    ]
}

/// Who somebody is to the oracle: a number given when they are first met.
type Who = usize;

struct Raw {
    call: u64,
    who: Who,
    vendor: usize,
    operation: usize,
    list: Option<usize>,
    fields: u32,
    at: i64,
    until: Option<i64>,
}

/// The naive truth.
#[derive(Default)]
struct Oracle {
    rows: Vec<Raw>,
    outcomes: BTreeMap<u64, Settled>,
    intents: Vec<u64>,
    calls: u64,
    met: usize,
    holder: BTreeMap<Identifier, Who>,
    user_of: BTreeMap<Who, Identifier>,
    really: BTreeMap<Who, Who>,
    gone: BTreeSet<Who>,
    /// (vendor, who as they were known then, when).
    erasures: Vec<(usize, Who, i64)>,
}

impl Oracle {
    fn now(&self, who: Who) -> Who {
        self.really.get(&who).copied().unwrap_or(who)
    }

    fn find(&self, identifier: Identifier) -> Option<Who> {
        let who = self.now(*self.holder.get(&identifier)?);
        (!self.gone.contains(&who)).then_some(who)
    }

    fn meet(&mut self) -> Who {
        self.met += 1;
        self.met
    }

    fn disclose(&mut self, of: &Raw, lines: &[Line]) {
        for line in lines {
            let known: BTreeSet<Who> =
                line.identifiers.iter().filter_map(|&identifier| self.find(identifier)).collect();
            // The one whose identifier stands first takes those that nobody has.
            let first = line.identifiers.iter().find_map(|&identifier| self.find(identifier));
            let first = first.unwrap_or_else(|| self.meet());
            for &identifier in &line.identifiers {
                if self.find(identifier).is_none() {
                    self.holder.insert(identifier, first);
                }
            }
            let everybody = if known.is_empty() { BTreeSet::from([first]) } else { known };
            let lists: Vec<Option<usize>> = match line.lists.len() {
                0 => vec![None],
                _ => line.lists.iter().copied().map(Some).collect(),
            };
            for who in everybody {
                for &list in &lists {
                    self.rows.push(Raw { who, list, fields: line.fields, ..*of });
                }
            }
        }
    }

    fn index(&mut self, user: Identifier, others: &BTreeSet<Identifier>) {
        let known = self.user_of.iter().find(|(who, of)| **of == user && !self.gone.contains(who));
        let known = known.map(|(&who, _)| who);
        let who = known.unwrap_or_else(|| {
            let stranger = std::iter::once(&user)
                .chain(others)
                .filter_map(|&identifier| self.find(identifier))
                .find(|who| !self.user_of.contains_key(who));
            let who = stranger.unwrap_or_else(|| self.meet());
            self.user_of.insert(who, user);
            self.holder.insert(user, who);
            who
        });
        for &identifier in others {
            match self.find(identifier) {
                Some(holder) if holder == who => {}
                Some(holder) if !self.user_of.contains_key(&holder) => {
                    self.really.insert(holder, who);
                }
                _ => {
                    self.holder.insert(identifier, who);
                }
            }
        }
    }

    fn erase(&mut self, vendor: usize, identifiers: &BTreeSet<Identifier>, at: i64) {
        for &identifier in identifiers {
            let Some(person) = self.find(identifier) else { continue };
            for who in 1..=self.met {
                if self.now(who) == person {
                    self.erasures.push((vendor, who, at));
                }
            }
        }
    }

    fn forget(&mut self, identifiers: &BTreeSet<Identifier>) {
        let persons: BTreeSet<Who> =
            identifiers.iter().filter_map(|&identifier| self.find(identifier)).collect();
        let everybody: Vec<Who> =
            (1..=self.met).filter(|&who| persons.contains(&self.now(who))).collect();
        self.gone.extend(&everybody);
    }

    fn settled(&self, call: u64) -> Settled {
        self.outcomes.get(&call).copied().unwrap_or(Settled::Open)
    }

    /// The last instant at which a row is held, erasures applied; `END` for never.
    fn last_instant(&self, row: &Raw) -> i64 {
        let mut last = row.until.map_or(END, |until| until - 1);
        for &(vendor, who, at) in &self.erasures {
            if vendor == row.vendor && who == row.who && row.at < at {
                last = last.min(at - 1);
            }
        }
        last
    }

    fn exposed(&self, ask: &Ask) -> BTreeMap<Who, (u32, i64, i64)> {
        let mut exposed: BTreeMap<Who, (u32, i64, i64)> = BTreeMap::new();
        for row in &self.rows {
            let who = self.now(row.who);
            let fields = row.fields & ask.fields.unwrap_or(u32::MAX);
            let first = row.at.max(ask.from.unwrap_or(i64::MIN));
            let last = self.last_instant(row).min(ask.to.unwrap_or(END));
            let within = row.vendor == ask.vendor
                && ask
                    .lists
                    .as_ref()
                    .is_none_or(|lists| row.list.is_some_and(|list| lists.contains(&list)))
                && ask.operations.as_ref().is_none_or(|names| names.contains(&row.operation));
            if within
                && fields != 0
                && first <= last
                && self.settled(row.call) != Settled::NotSent
                && !self.gone.contains(&who)
            {
                let entry = exposed.entry(who).or_insert((0, row.at, row.at));
                *entry = (entry.0 | fields, entry.1.min(row.at), entry.2.max(row.at));
            }
        }
        exposed
    }

    /// Every instant at which something is held of somebody.
    fn instants(&self, person: Who) -> BTreeSet<(usize, usize, Option<usize>, u32, i64)> {
        let mut held = BTreeSet::new();
        for row in self.rows.iter().filter(|row| self.now(row.who) == person) {
            if self.settled(row.call) != Settled::NotSent {
                for instant in row.at..=self.last_instant(row) {
                    held.insert((row.vendor, row.operation, row.list, row.fields, instant));
                }
            }
        }
        held
    }
}

fn name_of(identifier: Identifier) -> String {
    format!("identifier-{identifier}")
}

fn time(micros: Option<i64>) -> Timestamp {
    micros.map_or(Timestamp::NEVER, at)
}

fn place<T: AsRef<str>>(names: &[T], name: &str) -> usize {
    names.iter().position(|one| one.as_ref() == name).expect("a name of this test")
}

fn rows(lines: &[Line]) -> Vec<IntentRow> {
    let row = |line: &Line| IntentRow {
        identifiers: line.identifiers.iter().map(|&one| hash(&name_of(one))).collect(),
        fields: FieldSet::from_bits(line.fields),
        lists: line.lists.iter().map(|&one| list(LISTS[one])).collect(),
    };
    lines.iter().map(row).collect()
}

fn check_exposure(ledger: &Ledger, oracle: &Oracle, ask: &Ask) {
    let reach = Reach {
        lists: ask.lists.as_ref().map(|lists| lists.iter().map(|&one| list(LISTS[one])).collect()),
        operations: ask.operations.as_ref().map(|names| {
            names.iter().map(|&one| OperationName::parse(OPERATIONS[one]).expect("ok")).collect()
        }),
        fields: ask.fields.map(FieldSet::from_bits),
    };
    let window = Window { from: ask.from.map(at), to: ask.to.map(at) };
    let found = ledger.exposure(&vendor(VENDORS[ask.vendor]), window, &reach).expect("answers");
    assert!(found.persons.is_sorted_by(|a, b| a.person < b.person), "each once, by key");
    let found: BTreeMap<PersonKey, (u32, i64, i64)> = found
        .persons
        .iter()
        .map(|one| (one.person, (one.fields.bits(), one.first_at.micros(), one.last_at.micros())))
        .collect();
    let expected = oracle.exposed(ask);
    let sorted = |mut values: Vec<(u32, i64, i64)>| {
        values.sort_unstable();
        values
    };
    assert_eq!(
        sorted(found.values().copied().collect()),
        sorted(expected.values().copied().collect()),
        "{ask:?}"
    );
    for identifier in 0..IDENTIFIERS {
        let person = ledger.person(hash(&name_of(identifier)));
        let who = oracle.find(identifier);
        assert_eq!(person.is_some(), who.is_some(), "{}", name_of(identifier));
        let found = person.and_then(|person| found.get(&person));
        assert_eq!(found, who.and_then(|who| expected.get(&who)), "{ask:?}");
    }
}

fn check_holdings(ledger: &Ledger, oracle: &Oracle, identifier: Identifier) {
    let Some(person) = ledger.person(hash(&name_of(identifier))) else { return };
    let holdings: Vec<Holding> = ledger.holdings(person).expect("answers");
    for pair in holdings.windows(2) {
        let key = |one: &Holding| {
            (one.vendor.clone(), one.operation.clone(), one.list.clone(), one.fields)
        };
        let apart = pair[0].held_until < pair[1].from;
        assert!(key(&pair[0]) != key(&pair[1]) || apart, "joined as far as they touch");
    }
    let mut found = BTreeSet::new();
    for one in &holdings {
        let end =
            if one.held_until == Timestamp::NEVER { END } else { one.held_until.micros() - 1 };
        for instant in one.from.micros()..=end {
            found.insert((
                place(&VENDORS, one.vendor.as_str()),
                place(&OPERATIONS, one.operation.as_str()),
                one.list.as_ref().map(|list| place(&LISTS, list.as_str())),
                one.fields.bits(),
                instant,
            ));
        }
    }
    assert_eq!(found, oracle.instants(oracle.find(identifier).expect("both know them")));
}

fn check_rows(ledger: &Ledger, oracle: &Oracle) {
    let mut found = Vec::new();
    ledger
        .disclosures(&mut |row| {
            found.push((
                row.call,
                row.vendor.clone(),
                row.list.as_ref().map(|list| place(&LISTS, list.as_str())),
                row.fields.bits(),
                row.at,
                row.held_until,
                row.settled.name(),
                row.forgotten,
            ));
        })
        .expect("reads");
    let expected = oracle.rows.iter().map(|row| {
        (
            call(row.call),
            vendor(VENDORS[row.vendor]),
            row.list,
            row.fields,
            at(row.at),
            time(row.until),
            oracle.settled(row.call).name(),
            oracle.gone.contains(&oracle.now(row.who)),
        )
    });
    let mut expected: Vec<_> = expected.collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "every raw row, once");
    for number in 1..=oracle.calls {
        assert_eq!(ledger.knows_call(call(number)), oracle.intents.contains(&number));
    }
    for (place, name) in VENDORS.iter().enumerate() {
        let disclosed = oracle.rows.iter().filter(|row| row.vendor == place);
        let disclosed = disclosed.filter(|row| oracle.settled(row.call) != Settled::NotSent);
        let fields = disclosed.fold(0, |fields, row| fields | row.fields);
        assert_eq!(ledger.fields_ever(&vendor(name)).expect("answers").bits(), fields);
    }
}

fn check_all(ledger: &Ledger, oracle: &Oracle) {
    check_rows(ledger, oracle);
    (0..IDENTIFIERS).for_each(|identifier| check_holdings(ledger, oracle, identifier));
    for vendor in 0..VENDORS.len() {
        let everything =
            Ask { vendor, from: None, to: None, lists: None, operations: None, fields: None };
        check_exposure(ledger, oracle, &everything);
    }
}

async fn take(ledger: &Ledger, oracle: &mut Oracle, step: &Step) {
    match step {
        Step::Intend { vendor: of, operation, at: when, kept, lines } => {
            oracle.calls += 1;
            oracle.intents.push(oracle.calls);
            let until = kept.map(|kept| when + kept);
            let mut intent = common::intent(oracle.calls, rows(lines));
            (intent.at, intent.held_until) = (at(*when), time(until));
            intent.vendor = vendor(VENDORS[*of]);
            intent.operation = OperationName::parse(OPERATIONS[*operation]).expect("a name");
            ledger.intend(intent).await.expect("durable");
            let raw = raw(oracle.calls, *of, *operation, *when, until);
            oracle.disclose(&raw, lines);
        }
        Step::Settle { which, outcome } => {
            if oracle.intents.is_empty() {
                return;
            }
            let number = oracle.intents[which % oracle.intents.len()];
            let (settled, outcome) = match outcome {
                0 => (Settled::Sent, sent()),
                1 => (Settled::NotSent, Outcome::NotSent { code: "vendor-unreachable" }),
                _ => (Settled::Unknown, Outcome::Unknown { code: "vendor-silent" }),
            };
            ledger.settle(call(number), outcome).await.expect("durable");
            oracle.outcomes.entry(number).or_insert(settled);
        }
        Step::Import { vendor: of, at: when, kept, lines } => {
            oracle.calls += 1;
            let until = kept.map(|kept| when + kept);
            let import = Import {
                call: call(oracle.calls),
                vendor: vendor(VENDORS[*of]),
                as_of: at(*when),
                held_until: time(until),
                rows: rows(lines),
            };
            ledger.import(import).await.expect("durable");
            oracle.outcomes.insert(oracle.calls, Settled::Sent);
            oracle.disclose(&raw(oracle.calls, *of, 2, *when, until), lines);
        }
        Step::Erase { vendor: of, identifiers, at: when } => {
            let persons = identifiers.iter().filter_map(|&one| ledger.person(hash(&name_of(one))));
            let name: VendorName = vendor(VENDORS[*of]);
            let proof = "letter of the vendor".to_owned();
            ledger.erased_at_vendor(name, persons.collect(), at(*when), proof).await.expect("ok");
            oracle.erase(*of, identifiers, *when);
        }
        Step::Forget { identifiers } => {
            let hashes: Vec<_> = identifiers.iter().map(|&one| hash(&name_of(one))).collect();
            ledger.forget(&hashes).await.expect("durable");
            oracle.forget(identifiers);
        }
        Step::Index { rows } => {
            let hashes = |(user, others): &(Identifier, BTreeSet<Identifier>)| {
                std::iter::once(user).chain(others).map(|&one| hash(&name_of(one))).collect()
            };
            ledger.index_people(rows.iter().map(hashes).collect()).await.expect("durable");
            rows.iter().for_each(|(user, others)| oracle.index(*user, others));
        }
        Step::Seal => {
            ledger.seal().await.expect("seals");
        }
        Step::Ask(ask) => check_exposure(ledger, oracle, ask),
        Step::Reopen => {}
    }
}

fn raw(call: u64, vendor: usize, operation: usize, at: i64, until: Option<i64>) -> Raw {
    Raw { call, who: 0, vendor, operation, list: None, fields: 0, at, until }
}

async fn play(steps: &[Step], world: &World) {
    let dir = scratch();
    let (mut ledger, _) = open(dir.path(), world);
    let mut oracle = Oracle::default();
    for step in steps {
        if matches!(step, Step::Reopen) {
            drop(ledger);
            ledger = open(dir.path(), world).0;
        }
        take(&ledger, &mut oracle, step).await;
    }
    check_all(&ledger, &oracle);
    ledger.seal().await.expect("seals");
    check_all(&ledger, &oracle);
    drop(ledger);
    check_all(&open(dir.path(), world).0, &oracle);
}

#[test]
fn every_answer_is_that_of_a_pass_over_all_raw_rows() {
    let cases = number("CORDON_CASES").unwrap_or(500) as u32;
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    proptest!(config, |(steps in vec(step(), 1..40), seed in any::<u64>())| {
        runtime.block_on(play(&steps, &world(seed)));
    });
}
