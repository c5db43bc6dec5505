//! Scenarios: a company, its vendors and traffic, an intruder's acts in time, and what is
//! expected of the program. One file each, read strictly: what is not understood is refused with
//! its line.

mod act;
mod company;
mod parts;

use std::collections::BTreeSet;

use model::{Coded, FieldSet, NotExposedGrade, VendorName};
use serde::Deserialize;
use toml::Spanned;

pub use act::{Act, Kind, Means};
pub use company::{Company, Mix, Place};
pub use parts::{
    Expect, Import, Live, NotExposedField, Offset, Operation, Receiving, Response, Share, Source,
    Traffic, VendorSetup,
};

/// A whole scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Equal to the name of its file.
    pub id: String,
    /// One line.
    pub title: String,
    /// What happened, in our own words.
    pub story: String,
    /// What is known of the real case, and how well.
    pub sources: Vec<Source>,
    /// The company of the drill.
    pub company: Company,
    /// The vendors that it uses.
    pub vendors: Vec<VendorSetup>,
    /// What they were given before, and are given in the drill.
    pub traffic: Traffic,
    /// How the drill's inbox treats notices.
    pub receiving: Receiving,
    /// What happens, in time.
    pub acts: Vec<Act>,
    /// What the responders take as established.
    pub response: Response,
    /// What is checked at the end.
    pub expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    id: Spanned<String>,
    title: String,
    story: String,
    sources: Vec<Source>,
    company: Company,
    vendors: Vec<Spanned<VendorSetup>>,
    traffic: FileTraffic,
    #[serde(default)]
    receiving: Receiving,
    acts: Vec<Spanned<Act>>,
    response: Spanned<Response>,
    expect: Spanned<Expect>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTraffic {
    #[serde(default)]
    imports: Vec<Spanned<Import>>,
    #[serde(default)]
    live: Vec<Spanned<Live>>,
}

/// Why a scenario is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioRefused {
    /// It is not TOML, or not of the scenario's shape.
    #[error("line {line}: {why}")]
    Shape {
        /// Line of the file, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// It is of the right shape and says something that cannot be.
    #[error("line {line}: {why}")]
    Rule {
        /// Line of the file, from 1.
        line: usize,
        /// What cannot be.
        why: String,
    },
}

impl Coded for ScenarioRefused {
    fn code(&self) -> &'static str {
        match self {
            Self::Shape { .. } => "scenario-shape",
            Self::Rule { .. } => "scenario-rule",
        }
    }

    fn hint(&self) -> Option<String> {
        Some("see `scenarios/flickr-2026-02.toml` for a whole one".to_owned())
    }
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// With the line of what is not understood or cannot be.
    pub fn parse(text: &str) -> Result<Self, ScenarioRefused> {
        let file: File = toml::from_str(text).map_err(|error| ScenarioRefused::Shape {
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            why: error.message().lines().next().unwrap_or_default().to_owned(),
        })?;
        Rules { text, file: &file }.check()?;
        let all = |spanned: Vec<Spanned<_>>| spanned.into_iter().map(Spanned::into_inner).collect();
        Ok(Self {
            id: file.id.into_inner(),
            title: file.title,
            story: file.story,
            sources: file.sources,
            company: file.company,
            vendors: all(file.vendors),
            traffic: Traffic {
                imports: file.traffic.imports.into_iter().map(Spanned::into_inner).collect(),
                live: file.traffic.live.into_iter().map(Spanned::into_inner).collect(),
            },
            receiving: file.receiving,
            acts: file.acts.into_iter().map(Spanned::into_inner).collect(),
            response: file.response.into_inner(),
            expect: file.expect.into_inner(),
        })
    }

    /// The vendor of this name.
    pub fn vendor(&self, name: &VendorName) -> Option<&VendorSetup> {
        self.vendors.iter().find(|vendor| vendor.name == *name)
    }

    /// Every field that this vendor was or is given.
    pub fn given(&self, vendor: &VendorName) -> FieldSet {
        let imports = self.traffic.imports.iter().filter(|import| import.vendor == *vendor);
        let live = self.traffic.live.iter().filter(|live| live.vendor == *vendor);
        imports
            .map(|import| import.fields)
            .chain(live.map(|live| live.fields))
            .map(|fields| self.vendor(vendor).map_or(fields, |setup| setup.spelt_out(fields)))
            .fold(FieldSet::EMPTY, FieldSet::union)
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1
}

struct Rules<'a> {
    text: &'a str,
    file: &'a File,
}

impl Rules<'_> {
    fn check(&self) -> Result<(), ScenarioRefused> {
        let file = self.file;
        if VendorName::parse(file.id.get_ref()).is_err() {
            return self.broken(&file.id, "an id has lower-case letters, digits, `-`, `.`, `_`");
        }
        let mut names = BTreeSet::new();
        for vendor in &file.vendors {
            if !names.insert(&vendor.get_ref().name) {
                return self.broken(vendor, "two vendors have one name");
            }
        }
        for import in &file.traffic.imports {
            let Import { vendor, list, .. } = import.get_ref();
            self.known(import, vendor, list.iter().map(String::as_str))?;
        }
        for live in &file.traffic.live {
            let Live { vendor, list, .. } = live.get_ref();
            self.known(live, vendor, list.iter().map(String::as_str))?;
        }
        self.acts()?;
        self.response()?;
        self.expect()
    }

    fn acts(&self) -> Result<(), ScenarioRefused> {
        let mut before = None;
        for act in &self.file.acts {
            let Act { at, kind } = act.get_ref();
            if before.is_some_and(|before| before > *at) {
                return self.broken(act, "acts stand in the order of their times");
            }
            before = Some(*at);
            if let Some(vendor) = kind.vendor() {
                self.known(act, vendor, kind.lists())?;
            }
        }
        Ok(())
    }

    fn response(&self) -> Result<(), ScenarioRefused> {
        let at = &self.file.response;
        let Response { vendor, from, to, lists, .. } = at.get_ref();
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            return self.broken(at, "the window ends before it starts");
        }
        self.known(at, vendor, lists.iter().flatten().map(String::as_str))
    }

    fn expect(&self) -> Result<(), ScenarioRefused> {
        let at = &self.file.expect;
        let expect = at.get_ref();
        let denied: FieldSet = expect.not_exposed.iter().map(|denied| denied.field).collect();
        if !denied.intersection(expect.exposed).is_empty() {
            return self.broken(at, "a field is expected exposed and not exposed");
        }
        let vendor = &self.file.response.get_ref().vendor;
        let never = expect.not_exposed.iter().filter(|row| row.grade == NotExposedGrade::NeverSent);
        let traffic = &self.file.traffic;
        let imports = traffic.imports.iter().map(Spanned::get_ref);
        let live = traffic.live.iter().map(Spanned::get_ref);
        let given = imports
            .map(|import| (&import.vendor, import.fields))
            .chain(live.map(|live| (&live.vendor, live.fields)))
            .filter(|(to, _)| *to == vendor)
            .fold(FieldSet::EMPTY, |all, (_, fields)| all.union(fields));
        let mut setups = self.file.vendors.iter().map(Spanned::get_ref);
        let given = setups
            .find(|setup| setup.name == *vendor)
            .map_or(given, |setup| setup.spelt_out(given));
        if never.map(|row| row.field).any(|field| given.contains(field)) {
            return self.broken(at, "a field is expected never sent, and traffic sends it");
        }
        if !expect.exposed.minus(given).is_empty() {
            return self.broken(at, "a field is expected exposed that no traffic sends");
        }
        Ok(())
    }

    /// Whether vendor and lists are among the scenario's own.
    fn known<'a, T>(
        &self,
        at: &Spanned<T>,
        vendor: &VendorName,
        mut lists: impl Iterator<Item = &'a str>,
    ) -> Result<(), ScenarioRefused> {
        let setups = self.file.vendors.iter().map(Spanned::get_ref);
        let Some(setup) = setups.into_iter().find(|setup| setup.name == *vendor) else {
            return self.broken(at, "there is no vendor of this name in the scenario");
        };
        if lists.any(|list| setup.list_id(list).is_none()) {
            return self.broken(at, "the vendor has no list of this name in the scenario");
        }
        Ok(())
    }

    fn broken<T>(&self, at: &Spanned<T>, why: &str) -> Result<(), ScenarioRefused> {
        let line = line_of(self.text, at.span().start);
        Err(ScenarioRefused::Rule { line, why: why.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    const FLICKR: &str = include_str!("../../../scenarios/flickr-2026-02.toml");

    fn refused(change: (&str, &str)) -> ScenarioRefused {
        assert!(FLICKR.contains(change.0), "the text has {}", change.0);
        Scenario::parse(&FLICKR.replacen(change.0, change.1, 1)).expect_err(change.1)
    }

    /// The line on which `text` first stands.
    fn line(text: &str) -> usize {
        line_of(FLICKR, FLICKR.find(text).expect(text))
    }

    #[test]
    fn every_scenario_reads_and_is_named_as_its_file() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
        let mut count = 0;
        for file in fs::read_dir(folder).expect("the scenarios") {
            let path = file.expect("a file").path();
            let text = fs::read_to_string(&path).expect("a text");
            let scenario = Scenario::parse(&text).expect("it reads");
            assert_eq!(path.file_stem().and_then(|stem| stem.to_str()), Some(&*scenario.id));
            let reserved = scenario.company.people_domains.iter().all(|d| d.ends_with(".example"));
            assert!(reserved, "nobody real gets mail");
            assert!(scenario.vendor(&scenario.response.vendor).is_some());
            assert!(!scenario.expect.detected_by.is_empty());
            count += 1;
        }
        assert_eq!(count, 2);
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        for (change, at) in [
            (("mark = \"L\"", "mark = \"Z\""), line("mark = \"L\"")),
            (("domain = \"lumen", "domian = \"lumen"), line("domain = \"lumen")),
            (("as_of = \"-400d\"", "as_of = \"-400\""), line("as_of = \"-400d\"")),
            (("two_factor = 0.35", "two_factor = 1.35"), line("two_factor = 0.35")),
            (("fields = [\"email\"", "fields = [\"shoe_size\""), line("fields = [\"email\"")),
        ] {
            let error = refused(change);
            let ScenarioRefused::Shape { line, .. } = &error else { unreachable!("{error}") };
            // A name that is not expected is reported at the table that lacks the right one.
            assert!(line.abs_diff(at) <= 1, "{error}: expected line {at}");
            assert_eq!(error.code(), "scenario-shape");
        }
    }

    #[test]
    fn an_act_with_a_parameter_of_another_kind_is_refused() {
        let error = refused(("kind = \"outside-alert\"", "kind = \"reported-mail\""));
        assert!(error.to_string().contains("unknown field"), "{error}");
        let error = refused(("kind = \"export\"", "kind = \"expert\""));
        assert!(error.to_string().contains("unknown variant"), "{error}");
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_line() {
        for (change, why, at) in [
            (("at = \"+2s\"", "at = \"+0s\""), "order", "at = \"+2s\""),
            (("lists = [\"members\"]", "lists = [\"others\"]"), "no list", "[response]\n"),
            (
                (
                    "field = \"phone\", grade = \"never-sent\"",
                    "field = \"name\", grade = \"no-evidence\"",
                ),
                "exposed and not exposed",
                "[expect]\n",
            ),
            (
                (
                    "field = \"content\", grade = \"out-of-reach\"",
                    "field = \"content\", grade = \"never-sent\"",
                ),
                "traffic sends it",
                "[expect]\n",
            ),
        ] {
            let error = refused(change);
            assert_eq!(error.code(), "scenario-rule");
            assert!(error.to_string().contains(why), "{error}");
            let ScenarioRefused::Rule { line: found, .. } = error else { unreachable!("{error}") };
            assert!(found.abs_diff(line(at)) <= 2, "line {found}, expected about {}", line(at));
        }
    }

    #[test]
    fn what_a_vendor_is_given_is_the_sum_of_its_traffic() {
        let scenario = Scenario::parse(FLICKR).expect("it reads");
        let given = scenario.given(&scenario.response.vendor);
        let fields = "email,name,username,ip,location,activity,account_type,content,custom";
        assert_eq!(given.to_string(), fields);
        let never = scenario.expect.not_exposed.iter();
        let never = never.filter(|row| row.grade == NotExposedGrade::NeverSent);
        assert!(never.map(|row| row.field).all(|field| !given.contains(field)));
    }
}
