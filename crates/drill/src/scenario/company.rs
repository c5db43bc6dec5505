//! The company of a scenario: what it is called, and what its people are like.

use model::{Country, Language, Region};
use serde::{Deserialize, Deserializer};

use super::parts::Share;

/// A company that does not exist, on domains that are reserved (RFC 2606, RFC 6761).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Company {
    /// Its name.
    pub name: String,
    /// Its domain.
    pub domain: String,
    /// Its site.
    pub site: String,
    /// The domain that its mail comes from.
    pub mail_domain: String,
    /// The domain of its planted contacts.
    pub canary_domain: String,
    /// What it does, as laws sort it; `photo-sharing`, `media`.
    pub sectors: Vec<String>,
    /// The domains of its people's addresses.
    pub people_domains: Vec<String>,
    /// What its people read.
    pub languages: Mix<Language>,
    /// Where they live.
    pub countries: Mix<Place>,
    /// Which part of them has a second factor.
    pub two_factor: Share,
    /// Which part has no address on file any more.
    #[serde(default)]
    pub without_email: Share,
    /// Which part changed address after the vendor got the old one.
    #[serde(default)]
    pub changed_email: Share,
    /// Which part is not known to live anywhere.
    #[serde(default)]
    pub without_country: Share,
}

/// A country, and the part of it where that is known: `DE`, `US-CA`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The country.
    pub country: Country,
    /// The part of it.
    pub region: Option<Region>,
}

impl Place {
    fn parse(text: &str) -> Result<Self, model::error::Malformed> {
        let (country, region) = match text.split_once('-') {
            Some((country, region)) => (country, Some(Region::parse(region)?)),
            None => (text, None),
        };
        Ok(Self { country: Country::parse(country)?, region })
    }
}

/// Things with weights: how often each is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix<T> {
    things: Vec<(T, u64)>,
    sum: u64,
}

impl<T> Mix<T> {
    /// The thing that `random` falls on.
    pub fn draw(&self, random: u64) -> &T {
        let mut rest = random % self.sum;
        let found = self.things.iter().find(|(_, weight)| match rest.checked_sub(*weight) {
            Some(left) => {
                rest = left;
                false
            }
            None => true,
        });
        &found.unwrap_or(&self.things[0]).0
    }

    /// The things.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.things.iter().map(|(thing, _)| thing)
    }

    fn read<E: serde::de::Error>(
        table: toml::Table,
        parse: impl Fn(&str) -> Result<T, model::error::Malformed>,
    ) -> Result<Self, E> {
        let mut things = Vec::new();
        for (name, weight) in table {
            let weight = weight.as_integer().and_then(|weight| u32::try_from(weight).ok());
            let weight = weight.ok_or_else(|| E::custom("a weight is a whole number from 0"))?;
            let thing = parse(&name).map_err(|error| E::custom(format!("`{name}`: {error}")))?;
            things.push((thing, u64::from(weight)));
        }
        let sum = things.iter().map(|(_, weight)| weight).sum();
        if sum == 0 {
            return Err(E::custom("at least one weight is above 0"));
        }
        Ok(Self { things, sum })
    }
}

impl<'de> Deserialize<'de> for Mix<Language> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(toml::Table::deserialize(deserializer)?, Language::parse)
    }
}

impl<'de> Deserialize<'de> for Mix<Place> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(toml::Table::deserialize(deserializer)?, Place::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_drawn_by_weight() {
        let table = toml::from_str("DE = 1\n\"US-CA\" = 3\n\"BR\" = 0").expect("a table");
        let mix = Mix::read::<toml::de::Error>(table, Place::parse).expect("a mix");
        let drawn: Vec<_> = (0..4).map(|random| mix.draw(random).country.to_string()).collect();
        assert_eq!(drawn.iter().filter(|country| *country == "US").count(), 3);
        assert!(!drawn.contains(&"BR".to_owned()));
    }
}
