//! The people of a company that does not exist: each follows from the scenario's id and a number
//! alone, so that a million can be written, or one asked for, without keeping any.
//!
//! Nobody real can be meant: domains are reserved (RFC 2606), numbers lie under +999, which no
//! country has (ITU-T E.164, list of country codes), addresses in networks for documentation.

mod names;

use std::io::Write;

use anyhow::Context as _;
use model::{Country, Language, Region, limits};

use crate::scenario::Company;

/// The header of the directory of people.
pub const HEADER: &[&str] =
    &["person_id", "email", "phone", "name", "country", "region", "language", "two_factor"];

/// Of 10,000 people, how many have a telephone number on file.
const WITH_PHONE: u64 = 4_000;
/// Of 10,000 people, how many read their country's language where the company's mix has it.
const READS_OWN: u64 = 9_000;

/// One person, as the company knows them.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// The company's own id.
    pub person_id: String,
    /// Where mail reaches them now, if anywhere.
    pub email: Option<String>,
    /// Where it reached them before they changed address.
    pub earlier_email: Option<String>,
    /// Their number, if any.
    pub phone: Option<String>,
    /// First name.
    pub first_name: &'static str,
    /// Last name.
    pub last_name: &'static str,
    /// Where they live, if known.
    pub country: Option<Country>,
    /// The part of it, if known.
    pub region: Option<Region>,
    /// What they read.
    pub language: Language,
    /// Whether log-in takes a second factor.
    pub two_factor: bool,
    /// The address that they were last seen at.
    pub ip: String,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<person {}>", self.person_id)
    }
}

impl Person {
    /// The address that a vendor has which was given it early: the earlier one, if there is one.
    pub fn first_email(&self) -> Option<&str> {
        self.earlier_email.as_deref().or(self.email.as_deref())
    }

    /// The whole name, as it is written in their language.
    pub fn name(&self) -> String {
        names::whole(self.language.as_str(), self.first_name, self.last_name)
    }
}

/// Which directory: people's addresses change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edition {
    /// Before anybody changed address, and when everybody had one.
    Earlier,
    /// As it stands.
    Now,
}

/// All people of a company.
#[derive(Debug, Clone, Copy)]
pub struct People<'a> {
    company: &'a Company,
    seed: u64,
}

impl<'a> People<'a> {
    /// The people of this company in this scenario.
    pub fn new(scenario_id: &str, company: &'a Company) -> Self {
        // FNV-1a.
        let seed = scenario_id.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
        });
        Self { company, seed }
    }

    /// The person of this number, below [`limits::DRILL_PEOPLE`].
    pub fn person(&self, number: u64) -> Person {
        debug_assert!(number < limits::DRILL_PEOPLE, "ids have room for no more");
        let mut random = Random(self.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let company = self.company;
        let place = company.countries.draw(random.next());
        let located = !random.falls(company.without_country.get());
        let language = self.language(place.country.as_str(), &mut random);
        let names = names::of(language.as_str());
        let first_name = names.first[random.below(names.first.len())];
        let last_name = names.last[random.below(names.last.len())];
        let domain = &company.people_domains[random.below(company.people_domains.len())];
        let email = format!("{}.{number}@{domain}", names::plain(first_name, last_name));
        let earlier = format!("{}{number}@{domain}", names::plain(last_name, first_name));
        let changed = random.falls(company.changed_email.get());
        let reachable = !random.falls(company.without_email.get());
        Person {
            person_id: format!("m{number:08}"),
            email: reachable.then_some(email),
            earlier_email: changed.then_some(earlier),
            phone: random.falls_of(WITH_PHONE, 10_000).then(|| format!("+9995{number:08}")),
            first_name,
            last_name,
            country: located.then(|| place.country.clone()),
            region: place.region.clone().filter(|_| located),
            language,
            two_factor: random.falls(company.two_factor.get()),
            ip: documentation_ip(random.next()),
        }
    }

    /// The first `count` people.
    pub fn first(&self, count: u64) -> impl Iterator<Item = Person> + use<'a> {
        let people = *self;
        (0..count).map(move |number| people.person(number))
    }

    /// Writes the directory of the first `count` people as CSV.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write_directory(
        &self,
        out: impl Write,
        count: u64,
        edition: Edition,
    ) -> anyhow::Result<()> {
        let mut csv = csv::Writer::from_writer(out);
        csv.write_record(HEADER)?;
        for person in self.first(count) {
            let email = match edition {
                Edition::Earlier => person.first_email(),
                Edition::Now => person.email.as_deref(),
            };
            csv.write_record([
                person.person_id.as_str(),
                email.unwrap_or_default(),
                person.phone.as_deref().unwrap_or_default(),
                &person.name(),
                person.country.as_ref().map_or("", Country::as_str),
                person.region.as_ref().map_or("", Region::as_str),
                person.language.as_str(),
                if person.two_factor { "true" } else { "false" },
            ])?;
        }
        csv.flush().context("writing the directory of people")
    }

    fn language(&self, country: &str, random: &mut Random) -> Language {
        let drawn = self.company.languages.draw(random.next());
        let own = names::spoken_in(country);
        let mut languages = self.company.languages.iter();
        let own = languages.find(|language| own == Some(language.as_str()));
        match own.filter(|_| random.falls_of(READS_OWN, 10_000)) {
            Some(own) => own.clone(),
            None => drawn.clone(),
        }
    }
}

/// An address of one of the three networks for documentation (RFC 5737).
fn documentation_ip(random: u64) -> String {
    let network = ["192.0.2", "198.51.100", "203.0.113"][(random % 3) as usize];
    format!("{network}.{}", (random >> 8) % 256)
}

/// SplitMix64: small, well mixed, the same everywhere. For people who do not exist, never for keys.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn falls_of(&mut self, part: u64, whole: u64) -> bool {
        self.next() % whole < part
    }

    fn falls(&mut self, share: f64) -> bool {
        ((self.next() >> 11) as f64) < share * (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use model::{Email, Phone};

    use super::*;
    use crate::scenario::Scenario;

    fn scenario() -> Scenario {
        Scenario::parse(include_str!("../../../scenarios/flickr-2026-02.toml")).expect("it reads")
    }

    #[test]
    fn a_person_follows_from_the_scenario_and_a_number_alone() {
        let scenario = scenario();
        let people = People::new("flickr-2026-02", &scenario.company);
        let other = People::new("another", &scenario.company);
        assert_eq!(people.person(7), people.first(9).nth(7).expect("nine people"));
        assert!((0..50).any(|number| people.person(number) != other.person(number)));
    }

    #[test]
    fn addresses_and_numbers_are_unique_valid_and_reserved() {
        let scenario = scenario();
        let people = People::new(&scenario.id, &scenario.company);
        let mut seen = HashSet::new();
        for person in people.first(20_000) {
            let emails = [person.email.clone(), person.earlier_email.clone()];
            for email in emails.into_iter().flatten() {
                let parsed = Email::parse(&email).expect("an address");
                assert_eq!(parsed.as_str(), email, "it is in normal form");
                assert!(parsed.domain().ends_with(".example"));
                assert!(seen.insert(email), "an address is one person's");
            }
            if let Some(phone) = person.phone {
                assert!(Phone::parse(&phone).is_ok() && phone.starts_with("+999"));
                assert!(seen.insert(phone), "a number is one person's");
            }
        }
    }

    #[test]
    fn the_mix_is_what_the_company_says() {
        let scenario = scenario();
        let company = &scenario.company;
        let people = People::new(&scenario.id, company);
        let count = 20_000;
        let share = |wanted: &dyn Fn(&Person) -> bool| {
            people.first(count).filter(|person| wanted(person)).count() as f64 / count as f64
        };
        let near = |found: f64, wanted: f64| (found - wanted).abs() < 0.015;
        assert!(near(share(&|person| person.two_factor), company.two_factor.get()));
        assert!(near(share(&|person| person.email.is_none()), company.without_email.get()));
        let changed = |person: &Person| person.earlier_email.is_some();
        assert!(near(share(&changed), company.changed_email.get()));
        assert!(share(&|person| person.region.is_some()) > 0.05);
    }

    #[test]
    fn the_directory_has_the_header_and_one_row_a_person() {
        let scenario = scenario();
        let people = People::new(&scenario.id, &scenario.company);
        let mut written = Vec::new();
        people.write_directory(&mut written, 500, Edition::Now).expect("memory takes it");
        let mut rows = csv::Reader::from_reader(written.as_slice());
        assert_eq!(rows.headers().expect("a header"), HEADER);
        assert_eq!(rows.records().map(|row| row.expect("a row").len()).sum::<usize>(), 500 * 8);
        let mut earlier = Vec::new();
        people.write_directory(&mut earlier, 500, Edition::Earlier).expect("memory takes it");
        assert_ne!(written, earlier, "some people changed address");
    }
}
