//! Who is exposed, recomputed the naive way: every row that the vendor was ever given, one after
//! the other, against window and reach. It shares no code with the ledger, so that the two can be
//! held against each other; only the nouns are the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;

use anyhow::Context as _;
use model::{Field, FieldSet, Reach, Timestamp, Window};

use crate::sandbox::Received;

/// What is known of the company's people, by any address, number or id that they ever had.
#[derive(Debug, Default)]
pub struct Directory {
    people: HashMap<Box<str>, Residence>,
    owners: HashMap<String, Box<str>>,
}

#[derive(Debug, Clone, Default)]
struct Residence {
    country: Option<Box<str>>,
    region: Option<Box<str>>,
}

impl Directory {
    /// Reads one edition of the directory's CSV; later editions add addresses and replace
    /// residences.
    ///
    /// # Errors
    /// When it is not the directory's CSV.
    pub fn read(&mut self, csv: impl Read) -> anyhow::Result<()> {
        let mut rows = csv::Reader::from_reader(csv);
        anyhow::ensure!(
            rows.headers()? == crate::people::HEADER,
            "the header is not that of a directory of people"
        );
        for row in rows.records() {
            let row = row.context("reading the directory of people")?;
            let cell = |place: usize| row.get(place).filter(|cell| !cell.is_empty());
            let person: Box<str> = cell(0).context("a row without person_id")?.into();
            let names = [("id", cell(0)), ("email", cell(1)), ("phone", cell(2))];
            for (kind, name) in names {
                if let Some(name) = name {
                    self.owners.insert(key(kind, name), person.clone());
                }
            }
            let residence =
                Residence { country: cell(4).map(Box::from), region: cell(5).map(Box::from) };
            self.people.insert(person, residence);
        }
        Ok(())
    }

    fn owner(&self, row: &Received) -> Option<&str> {
        let ids = row.user_ids.iter().map(|id| key("id", id));
        let emails = row.emails.iter().map(|email| key("email", email));
        let phones = row.phones.iter().map(|phone| key("phone", phone));
        let mut keys = ids.chain(emails).chain(phones);
        keys.find_map(|key| self.owners.get(&key)).map(AsRef::as_ref)
    }
}

/// One identifier in one form: addresses without case, numbers without spacing.
fn key(kind: &str, name: &str) -> String {
    let name = name.trim();
    match kind {
        "email" => format!("email {}", name.to_lowercase()),
        "phone" => format!("phone {}", name.replace([' ', '-', '.', '(', ')'], "")),
        _ => format!("{kind} {name}"),
    }
}

/// The answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Truth {
    /// People of the directory, by `person_id`, with the fields exposed of them.
    pub persons: BTreeMap<String, FieldSet>,
    /// Whoever else was in the rows, by the first of their identifiers: planted contacts, people
    /// who are in no edition of the directory.
    pub strangers: BTreeMap<String, FieldSet>,
    /// Persons of the directory by exposed field.
    pub by_field: BTreeMap<Field, u64>,
    /// Persons of the directory by country; `unknown` where none is known.
    pub by_country: BTreeMap<String, u64>,
    /// Persons of the directory by `US-CA`, where a region is known.
    pub by_region: BTreeMap<String, u64>,
}

impl Truth {
    /// People and strangers together: what a ledger without a directory would count.
    pub fn all(&self) -> u64 {
        (self.persons.len() + self.strangers.len()) as u64
    }
}

/// The question.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// When the intruder had access.
    pub window: Window,
    /// What they could get at.
    pub reach: Reach,
    /// Days that the vendor keeps what it is given; `None` is for ever.
    pub retention_days: Option<u32>,
}

/// Goes through every row and answers.
pub fn exposed(rows: &[Received], directory: &Directory, question: &Question) -> Truth {
    let mut truth = Truth::default();
    for row in rows {
        let fields = fields_reached(row, &question.reach);
        if fields.is_empty() || !held_in(row.at, question) {
            continue;
        }
        let (into, name) = match directory.owner(row) {
            Some(person) => (&mut truth.persons, person.to_owned()),
            None => (&mut truth.strangers, stranger(row)),
        };
        let held = into.entry(name).or_default();
        *held = held.union(fields);
    }
    for (person, fields) in &truth.persons {
        for field in fields.iter() {
            *truth.by_field.entry(field).or_default() += 1;
        }
        let residence = directory.people.get(person.as_str()).cloned().unwrap_or_default();
        let country = residence.country.as_deref().unwrap_or("unknown");
        *truth.by_country.entry(country.to_owned()).or_default() += 1;
        if let (Some(country), Some(region)) = (&residence.country, &residence.region) {
            *truth.by_region.entry(format!("{country}-{region}")).or_default() += 1;
        }
    }
    truth
}

/// What of a row lies within the reach.
fn fields_reached(row: &Received, reach: &Reach) -> FieldSet {
    let listed = reach.lists.as_ref().is_none_or(|lists| {
        let lists: BTreeSet<&str> = lists.iter().map(|list| list.as_str()).collect();
        row.lists.iter().any(|list| lists.contains(list.as_ref()))
    });
    let operated = reach.operations.as_ref().is_none_or(|operations| {
        operations.iter().any(|operation| operation.as_str() == row.operation.as_ref())
    });
    match (listed && operated, reach.fields) {
        (false, _) => FieldSet::EMPTY,
        (true, Some(fields)) => row.fields.intersection(fields),
        (true, None) => row.fields,
    }
}

/// Whether what was given at `at` was held at some instant of the window, ends included.
fn held_in(at: Timestamp, question: &Question) -> bool {
    let day = 24 * 60 * 60;
    let gone = question.retention_days.map(|days| at.plus_seconds(i64::from(days) * day));
    let begun = question.window.to.is_none_or(|to| at <= to);
    let kept = match (question.window.from, gone) {
        (Some(from), Some(gone)) => gone > from,
        _ => true,
    };
    begun && kept && gone.is_none_or(|gone| gone > at)
}

fn stranger(row: &Received) -> String {
    let emails = row.emails.iter().map(|email| key("email", email));
    let phones = row.phones.iter().map(|phone| key("phone", phone));
    let ids = row.user_ids.iter().map(|id| key("id", id));
    emails.chain(phones).chain(ids).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLIER: &str = "person_id,email,phone,name,country,region,language,two_factor\n\
        p1,old@x.example,,Ann,US,CA,en,true\n\
        p2,bob@x.example,+99950000001,Bob,DE,,de,false\n\
        p3,,,Cy,,,en,false\n";
    const NOW: &str = "person_id,email,phone,name,country,region,language,two_factor\n\
        p1,new@x.example,,Ann,US,MA,en,true\n";

    fn directory() -> Directory {
        let mut directory = Directory::default();
        directory.read(EARLIER.as_bytes()).expect("a directory");
        directory.read(NOW.as_bytes()).expect("a later edition");
        directory
    }

    fn row(at: i64, email: &str, fields: &str, list: &str) -> Received {
        Received {
            at: Timestamp::from_seconds(at),
            operation: "contacts.upsert".into(),
            emails: vec![email.into()],
            phones: Vec::new(),
            user_ids: Vec::new(),
            fields: FieldSet::parse(fields).expect("fields"),
            lists: [list].iter().filter(|list| !list.is_empty()).map(|&list| list.into()).collect(),
        }
    }

    fn question(text: &str) -> Question {
        let mut question = Question::default();
        for (name, value) in text.split_whitespace().filter_map(|word| word.split_once('=')) {
            let time = || Some(Timestamp::from_seconds(value.parse().expect("seconds")));
            match name {
                "from" => question.window.from = time(),
                "to" => question.window.to = time(),
                "fields" => question.reach.fields = FieldSet::parse(value).ok(),
                "list" => {
                    let list = model::ListName::parse(value).expect("a list");
                    question.reach.lists = Some(BTreeSet::from([list]));
                }
                "days" => question.retention_days = value.parse().ok(),
                other => unreachable!("no such part: {other}"),
            }
        }
        question
    }

    fn check(rows: &[Received], asked: &str, expect: &str) {
        let truth = exposed(rows, &directory(), &question(asked));
        let found = truth.persons.iter().map(|(person, fields)| format!("{person}:{fields}"));
        assert_eq!(found.collect::<Vec<_>>().join(" "), expect, "asked: {asked}");
    }

    #[test]
    fn a_person_is_found_by_an_address_that_they_no_longer_have() {
        let rows = [row(10, "OLD@x.example", "email", ""), row(20, "new@X.example", "name", "")];
        check(&rows, "", "p1:email,name");
    }

    #[test]
    fn what_is_outside_the_window_does_not_count() {
        let rows = [row(10, "bob@x.example", "email", ""), row(30, "old@x.example", "email", "")];
        check(&rows, "to=29", "p2:email");
        check(&rows, "to=30", "p1:email p2:email");
        check(&rows, "from=1000000", "p1:email p2:email");
        check(&rows, "from=86409 days=1", "p1:email p2:email");
        check(&rows, "from=86410 days=1", "p1:email");
        check(&rows, "days=0", "");
    }

    #[test]
    fn the_reach_narrows_by_list_and_by_field() {
        let rows = [
            row(1, "bob@x.example", "email,name", "news"),
            row(2, "bob@x.example", "email,content", ""),
            row(3, "old@x.example", "name", "news"),
        ];
        check(&rows, "list=news", "p1:name p2:email,name");
        check(&rows, "fields=content,email", "p2:email,content");
        check(&rows, "list=other", "");
    }

    #[test]
    fn whoever_is_in_no_directory_is_a_stranger_and_counted_apart() {
        let rows = [row(1, "canary@x.example", "email", ""), row(2, "bob@x.example", "email", "")];
        let truth = exposed(&rows, &directory(), &Question::default());
        assert_eq!((truth.persons.len(), truth.strangers.len(), truth.all()), (1, 1, 2));
        assert_eq!(truth.by_country, BTreeMap::from([("DE".to_owned(), 1)]));
    }

    #[test]
    fn a_region_is_counted_where_it_is_known() {
        let truth =
            exposed(&[row(1, "old@x.example", "email", "")], &directory(), &Question::default());
        assert_eq!(truth.by_region, BTreeMap::from([("US-MA".to_owned(), 1)]), "the latest one");
    }
}
