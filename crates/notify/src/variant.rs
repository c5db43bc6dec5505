//! What the law of a recipient's residence takes out of a notice or adds to it, as data.
//!
//! Does not hold the prose: a part that a variant adds stands in every language's `common.txt`.

use model::Residence;

use crate::notice::Part;

/// How notices to residents of one place differ from all others.
#[derive(Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its name in previews and records.
    pub name: &'static str,
    /// ISO 3166-1 of the place.
    pub country: &'static str,
    /// ISO 3166-2 of the part of that country, without the country; `None` for all of it.
    pub region: Option<&'static str>,
    /// Parts that the law forbids.
    pub omits: &'static [Part],
    /// Parts that the law demands and no other recipient gets.
    pub adds: &'static [Part],
    /// The rule behind it.
    pub source: &'static str,
}

/// All variants. Not legal advice; reviewed by: nobody yet.
pub static VARIANTS: &[Variant] = &[Variant {
    name: "us-ma",
    country: "US",
    region: Some("MA"),
    omits: &[Part::WhatHappened, Part::Measures],
    adds: &[Part::RightsMassachusetts],
    source: "M.G.L. c. 93H § 3(b): the notice to a resident tells of the police report and the \
             security freeze, and does not state the nature of the breach",
}];

impl Variant {
    /// The variant for somebody who lives there, if there is one.
    pub fn of(residence: &Residence) -> Option<&'static Self> {
        let country = residence.country.as_ref()?.as_str();
        let region = residence.region.as_ref().map(model::Region::as_str);
        VARIANTS.iter().find(|variant| {
            variant.country == country && variant.region.is_none_or(|part| Some(part) == region)
        })
    }

    /// Whether the notice may say what happened, how and where.
    pub fn states_nature(&self) -> bool {
        !self.omits.contains(&Part::WhatHappened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Country, Region};

    fn of(country: &str, region: Option<&str>) -> Option<&'static str> {
        let residence = Residence {
            country: Some(Country::parse(country).expect(country)),
            region: region.map(|region| Region::parse(region).expect(region)),
        };
        Variant::of(&residence).map(|variant| variant.name)
    }

    #[test]
    fn a_variant_holds_for_its_place_and_for_no_other() {
        assert_eq!(of("US", Some("MA")), Some("us-ma"));
        assert_eq!(of("US", Some("CA")), None);
        assert_eq!(of("US", None), None);
        assert_eq!(of("MA", None), None, "Morocco is not Massachusetts");
        assert_eq!(Variant::of(&Residence::default()), None);
    }
}
