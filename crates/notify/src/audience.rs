//! Who can be told: the persons of a scope, joined with the directory at this moment.
//!
//! The directory is read once, row by row, and nothing of it is kept but two bits per person.
//! Does not know what the persons are told.

use std::collections::BTreeMap;

use model::{Contact, Email, PersonKey};
use serde::{Deserialize, Serialize};

use crate::delivery::Suppression;
use crate::words::Translation;

/// A person of the scope whom mail can reach.
#[derive(Clone)]
pub struct Reached {
    /// Where the person stands in the persons that were handed in.
    pub index: usize,
    /// The person.
    pub person: PersonKey,
    /// Where mail reaches them.
    pub to: Email,
    /// Their row of the directory.
    pub contact: Contact,
}

/// Counts of persons. `reached + no_address + not_in_directory = persons`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Audience {
    /// Persons of the scope.
    pub persons: u64,
    /// Of these, whom mail can reach.
    pub reached: u64,
    /// Of these, who are in the directory without a mail address.
    pub no_address: u64,
    /// Of these, who are not in the directory.
    pub not_in_directory: u64,
    /// Rows of the directory for somebody who had been reached by an earlier row.
    pub repeated_rows: u64,
    /// Persons per country; `unknown` for those without one.
    pub by_country: BTreeMap<String, u64>,
    /// Persons per `US-CA`; only where a region is known.
    pub by_region: BTreeMap<String, u64>,
    /// Reached persons per language that they can be told in; everybody else is told in English.
    pub by_translation: BTreeMap<Translation, u64>,
}

/// Persons joined with the directory; an iterator over those whom mail can reach, in the order of
/// the directory, each once.
pub struct Join<'a, C, F> {
    contacts: C,
    person_of: F,
    persons: &'a [PersonKey],
    met: Vec<Met>,
    audience: Audience,
    ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    Never,
    WithoutAddress,
    Reached,
}

/// The persons handed in are not in order, so they cannot be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the persons of the scope are not sorted, or one is there twice")]
pub struct Unsorted;

impl model::Coded for Unsorted {
    fn code(&self) -> &'static str {
        "persons-unsorted"
    }

    fn blame(&self) -> model::Blame {
        model::Blame::Ours
    }
}

impl<'a, C, F> Join<'a, C, F>
where
    C: Iterator<Item = Contact>,
    F: FnMut(&Contact) -> Option<PersonKey>,
{
    /// Joins `persons`, sorted and each once, with the rows of the directory; `person_of` says who
    /// a row is about.
    ///
    /// # Errors
    /// When the persons are not sorted.
    pub fn new(contacts: C, person_of: F, persons: &'a [PersonKey]) -> Result<Self, Unsorted> {
        if !persons.is_sorted_by(|left, right| left < right) {
            return Err(Unsorted);
        }
        let audience = Audience { persons: persons.len() as u64, ..Audience::default() };
        let met = vec![Met::Never; persons.len()];
        Ok(Self { contacts, person_of, persons, met, audience, ended: false })
    }

    /// What came of it, and who cannot be told by mail and why. `None` as long as rows of the
    /// directory are left: until then nobody is known to be missing in it.
    pub fn finish(mut self) -> Option<(Audience, Vec<(PersonKey, Suppression)>)> {
        if !self.ended {
            return None;
        }
        let mut unreached = Vec::new();
        for (&person, met) in self.persons.iter().zip(&self.met) {
            match met {
                Met::Reached => (),
                Met::WithoutAddress => unreached.push((person, Suppression::NoAddress)),
                Met::Never => {
                    count(&mut self.audience.by_country, "unknown");
                    unreached.push((person, Suppression::NotInDirectory));
                }
            }
        }
        let missing =
            |why| unreached.iter().filter(|(_, suppression)| *suppression == why).count() as u64;
        self.audience.no_address = missing(Suppression::NoAddress);
        self.audience.not_in_directory = missing(Suppression::NotInDirectory);
        Some((self.audience, unreached))
    }

    fn meet(&mut self, contact: Contact) -> Option<Reached> {
        let person = (self.person_of)(&contact)?;
        let index = self.persons.binary_search(&person).ok()?;
        if self.met[index] == Met::Never {
            self.count_residence(&contact);
        }
        match (self.met[index], contact.email.clone()) {
            (Met::Reached, _) => {
                self.audience.repeated_rows += 1;
                None
            }
            (_, None) => {
                self.met[index] = Met::WithoutAddress;
                None
            }
            (_, Some(to)) => {
                self.met[index] = Met::Reached;
                self.audience.reached += 1;
                let own = contact.language.as_ref().and_then(Translation::of);
                let translation = own.unwrap_or(Translation::English);
                *self.audience.by_translation.entry(translation).or_default() += 1;
                Some(Reached { index, person, to, contact })
            }
        }
    }

    fn count_residence(&mut self, contact: &Contact) {
        let Some(country) = &contact.country else {
            return count(&mut self.audience.by_country, "unknown");
        };
        count(&mut self.audience.by_country, country.as_str());
        if let Some(region) = &contact.region {
            count(&mut self.audience.by_region, &format!("{country}-{region}"));
        }
    }
}

fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(counts.insert(name.to_owned(), 1)),
    }
}

impl<C, F> Iterator for Join<'_, C, F>
where
    C: Iterator<Item = Contact>,
    F: FnMut(&Contact) -> Option<PersonKey>,
{
    type Item = Reached;

    fn next(&mut self) -> Option<Reached> {
        while let Some(contact) = self.contacts.next() {
            if let Some(reached) = self.meet(contact) {
                return Some(reached);
            }
        }
        self.ended = true;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Country, Language, Region};

    /// `key email country-region language`, with `-` for what is not known.
    fn row(text: &str) -> Contact {
        let words: Vec<_> = text.split(' ').collect();
        let known = |index: usize| words.get(index).copied().filter(|word| *word != "-");
        let (country, region) = match known(2).and_then(|place| place.split_once('-')) {
            Some((country, region)) => (Some(country), Some(region)),
            None => (known(2), None),
        };
        Contact {
            person_id: words[0].into(),
            email: known(1).map(|email| Email::parse(email).expect(email)),
            phone: None,
            name: None,
            country: country.map(|country| Country::parse(country).expect(country)),
            region: region.map(|region| Region::parse(region).expect(region)),
            language: known(3).map(|language| Language::parse(language).expect(language)),
            two_factor: None,
        }
    }

    fn person_of(contact: &Contact) -> Option<PersonKey> {
        contact.person_id.parse().ok().map(PersonKey)
    }

    fn keys(keys: &[u128]) -> Vec<PersonKey> {
        keys.iter().copied().map(PersonKey).collect()
    }

    #[test]
    fn everybody_in_scope_is_reached_once_or_counted_as_unreached() {
        let persons = keys(&[1, 2, 3, 4, 5]);
        let rows = [
            "1 one@a.example US-CA de",
            "9 nine@a.example DE -",
            "2 - DE -",
            "3 - - -",
            "3 three@a.example BR pt",
            "1 other@a.example US-CA de",
            "4 four@a.example - ja",
        ];
        let mut join =
            Join::new(rows.iter().map(|text| row(text)), person_of, &persons).expect("sorted");
        let reached: Vec<_> = join.by_ref().map(|one| (one.index, one.to.to_string())).collect();
        let (audience, unreached) = join.finish().expect("it has ended");
        assert_eq!(
            reached,
            [
                (0, "one@a.example".to_owned()),
                (2, "three@a.example".to_owned()),
                (3, "four@a.example".to_owned())
            ]
        );
        assert_eq!(
            unreached,
            [(PersonKey(2), Suppression::NoAddress), (PersonKey(5), Suppression::NotInDirectory)]
        );
        assert_eq!((audience.persons, audience.reached, audience.repeated_rows), (5, 3, 1));
        assert_eq!((audience.no_address, audience.not_in_directory), (1, 1));
        assert_eq!(audience.by_country.values().sum::<u64>(), 5);
        assert_eq!(audience.by_country["unknown"], 3);
        assert_eq!(audience.by_region["US-CA"], 1);
        assert_eq!(audience.by_translation[&Translation::English], 1);
    }

    #[test]
    fn nobody_is_called_missing_before_the_directory_is_read_to_its_end() {
        let persons = keys(&[1, 2]);
        let rows = ["1 one@a.example - -", "2 two@a.example - -"];
        let mut join =
            Join::new(rows.iter().map(|text| row(text)), person_of, &persons).expect("sorted");
        assert!(join.next().is_some());
        assert!(join.finish().is_none());
    }

    #[test]
    fn persons_out_of_order_are_refused() {
        for wrong in [[2, 1], [1, 1]] {
            let persons = keys(&wrong);
            assert!(Join::new(std::iter::empty(), person_of, &persons).is_err());
        }
    }
}
