//! Made-up recipients by whom a notice is previewed and linted before it is approved: each
//! language, each state of two-factor log-in, each variant, each set of exposed fields.
//!
//! Sends nothing, and no real person is among them.

use model::{Country, Field, FieldSet, Language, NotExposedGrade, Region, Residence};

use crate::lint::lint;
use crate::notice::{Addressee, Change, Notice, NoticeFacts};
use crate::scribe::Uncomposed;
use crate::template::Templates;
use crate::variant::VARIANTS;
use crate::words::Translation;

/// The code in samples; no key makes it.
pub const SAMPLE_CODE: &str = "SAMP-0000-0000-0000";

/// One made-up recipient in this language, of whom these fields were exposed.
pub fn sample(
    translation: Translation,
    exposed: FieldSet,
    not_exposed: &[(Field, NotExposedGrade)],
) -> Addressee {
    let name = match translation {
        Translation::English => "Ann Lee",
        Translation::German => "Jörg Müller",
        Translation::Portuguese => "João Araújo",
    };
    Addressee {
        name: Some(name.to_owned()),
        exposed,
        not_exposed: not_exposed.to_vec(),
        two_factor: None,
        language: Language::parse(translation.tag()).ok(),
        residence: Residence::default(),
        code: SAMPLE_CODE.to_owned(),
        change: None,
    }
}

/// Made-up recipients for every way in which copies of a notice can differ.
///
/// `exposed` are the sets of fields that occur in the scope; `change` is given for a correction.
pub fn samples(
    exposed: &[FieldSet],
    not_exposed: &[(Field, NotExposedGrade)],
    change: Option<Change>,
) -> Vec<Addressee> {
    let mut residences = vec![Residence::default()];
    residences.extend(VARIANTS.iter().map(|variant| Residence {
        country: Country::parse(variant.country).ok(),
        region: variant.region.and_then(|region| Region::parse(region).ok()),
    }));
    let mut samples = Vec::new();
    for &translation in Translation::ALL {
        for residence in &residences {
            for two_factor in [None, Some(false), Some(true)] {
                samples.extend(exposed.iter().map(|&exposed| {
                    let rest = not_exposed.iter().filter(|(field, _)| !exposed.contains(*field));
                    let rest: Vec<_> = rest.copied().collect();
                    let residence = residence.clone();
                    let sample = sample(translation, exposed, &rest);
                    Addressee { residence, two_factor, change, ..sample }
                }));
            }
        }
    }
    samples
}

/// Writes and lints the notice for each of these recipients.
///
/// # Errors
/// What is wrong with the first one that may not be sent.
pub fn rehearse(
    templates: &Templates,
    facts: &NoticeFacts,
    samples: &[Addressee],
) -> Result<Vec<Notice>, Uncomposed> {
    let write = |sample: &Addressee| {
        let notice = templates.write(facts, sample)?;
        lint(&notice, facts, sample)?;
        Ok(notice)
    };
    samples.iter().map(write).collect()
}
