//! From texts to a policy that answers: parsed, named, validated strictly, sorted by whom it speaks
//! of. Taken whole or not at all.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use cedar_policy::{
    ActionConstraint, EntityUid, PolicySet, PrincipalConstraint, ResourceConstraint,
    ValidationMode, Validator,
};
use miette::Diagnostic;
use model::{PolicyDigest, Purpose, VendorName, Workload, WorkloadName};
use serde::Serialize;

use crate::cache::Cache;
use crate::grants;
use crate::question::PolicyId;
use crate::reads::{Looks, Reads};
use crate::rejected::{Problem, Rejected, place};
use crate::schema::{self, Action, PARSED};

const BUILT_IN: &str = include_str!("built_in.cedar");
/// What ids of an operator's policies do not start with.
const RESERVED: [&str; 3] = ["grant/", "role/", "own/"];
/// An id stands in refusals and logs.
const ID_BYTES: usize = 128;

/// An operator's own policy text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Where it comes from, such as a file's name; another one for each text.
    pub origin: String,
    /// Cedar.
    pub text: String,
}

/// Whether a policy lets something happen or keeps it from happening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Something happens only if one of these holds.
    Permit,
    /// Nothing happens where one of these holds.
    Forbid,
}

/// One policy as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// What it does.
    pub effect: Effect,
    /// Which text it is in.
    pub origin: String,
    /// Where in it, from 1.
    pub line: usize,
    /// Its text.
    pub text: String,
}

/// A policy, compiled. Immutable: another one takes its place.
pub struct Policy {
    digest: PolicyDigest,
    text: String,
    warnings: Vec<Problem>,
    pub(crate) rules: Vec<Rule>,
    /// Policies that can speak of this workload, by its name.
    slices: HashMap<Box<str>, Slice>,
    /// Those that can speak of any other.
    common: Slice,
    pub(crate) operators: PolicySet,
    pub(crate) purposes: HashMap<(WorkloadName, VendorName), Vec<Purpose>>,
    pub(crate) cache: Cache,
}

/// What is built in, without a grant: no workload but Cordon's own may give anything to anybody.
impl Default for Policy {
    fn default() -> Self {
        Self::compile([], &[]).expect("what is built in is valid")
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// One policy with what was found out about it.
pub(crate) struct Rule {
    pub id: PolicyId,
    /// The place of its text; ours stand first.
    text: usize,
    pub listed: Listed,
    pub policy: cedar_policy::Policy,
    pub reads: Reads,
}

/// The policies that can speak of one workload. Cedar looks at every policy of a set, so a set has
/// no others.
#[derive(Default)]
pub(crate) struct Slice {
    pub set: PolicySet,
    /// Places in [`Policy::rules`].
    pub rules: Vec<usize>,
    pub looks: Looks,
}

impl Policy {
    /// Compiles what is built in, the grants of these workloads, and an operator's own texts.
    ///
    /// # Errors
    /// Every problem with its place, when a text does not parse or does not hold to the schema.
    pub fn compile<'a>(
        workloads: impl IntoIterator<Item = &'a Workload>,
        texts: &[Text],
    ) -> Result<Self, Rejected> {
        let workloads: Vec<&Workload> = workloads.into_iter().collect();
        let all = all_texts(&workloads, texts);
        let mut problems = Vec::new();
        let mut rules = Vec::new();
        (0..all.len()).for_each(|text| read(&all, text, &mut rules, &mut problems));
        let mut warnings = Vec::new();
        if problems.is_empty() {
            validate(&all, &rules, &mut problems, &mut warnings);
        }
        if !problems.is_empty() {
            return Err(Rejected { problems });
        }
        let whole = whole_text(&all);
        let (slices, common) = slices(&rules);
        Ok(Self {
            digest: PolicyDigest::of(&whole),
            text: whole,
            warnings,
            slices,
            common,
            operators: set(rules.iter().filter(|rule| rule.concerns_operators())),
            purposes: purposes(&workloads),
            rules,
            cache: Cache::default(),
        })
    }

    /// The digest of what [`Policy::compile`] would make of these, without compiling it.
    pub fn digest_of<'a>(
        workloads: impl IntoIterator<Item = &'a Workload>,
        texts: &[Text],
    ) -> PolicyDigest {
        let workloads: Vec<&Workload> = workloads.into_iter().collect();
        PolicyDigest::of(&whole_text(&all_texts(&workloads, texts)))
    }

    /// By which records name it.
    pub fn digest(&self) -> PolicyDigest {
        self.digest
    }

    /// All of it: what is built in, grants, and an operator's own.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the validator holds for a mistake without being sure, in an operator's own texts.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// Every policy, in the order of the texts.
    pub fn listed(&self) -> impl Iterator<Item = &Listed> {
        self.rules.iter().map(|rule| &rule.listed)
    }

    /// Workloads and vendors that an operator's own texts name and that are none of these. A policy
    /// about them never holds.
    pub fn unknown_names(
        &self,
        workloads: &BTreeSet<WorkloadName>,
        vendors: &BTreeSet<VendorName>,
    ) -> Vec<Problem> {
        let own = self.rules.iter().filter(|rule| !rule.is_ours());
        let unknown = own.flat_map(|rule| {
            let literals = rule.policy.entity_literals().into_iter();
            let named = literals.filter(|literal| {
                let (kind, id) = (literal.type_name().to_string(), literal.id().unescaped());
                match kind.as_str() {
                    "Workload" => {
                        id != grants::OWN_WORKLOAD && !workloads.iter().any(|w| w.as_str() == id)
                    }
                    "Vendor" => !vendors.iter().any(|v| v.as_str() == id),
                    _ => false,
                }
            });
            let mut named: Vec<String> = named.map(|literal| literal.to_string()).collect();
            named.sort_unstable();
            named.dedup();
            named.into_iter().map(|name| rule.problem(format!("`{name}` is not registered"), None))
        });
        unknown.collect()
    }

    /// The policies that can speak of this workload.
    pub(crate) fn slice(&self, workload: &WorkloadName) -> &Slice {
        self.slices.get(workload.as_str()).unwrap_or(&self.common)
    }

    /// The policy of an id that Cedar gave.
    pub(crate) fn rule(&self, id: &cedar_policy::PolicyId) -> &Rule {
        let name: &str = id.as_ref();
        let rule = self.rules.iter().find(|rule| &*rule.id == name);
        rule.expect("Cedar names policies of this set alone")
    }
}

/// How many texts of ours stand before an operator's own.
const OURS: usize = 2;

fn all_texts(workloads: &[&Workload], own: &[Text]) -> Vec<Text> {
    let grants = grants::render(workloads.iter().copied());
    let ours: [Text; OURS] = [
        Text { origin: "built-in".to_owned(), text: BUILT_IN.to_owned() },
        Text { origin: "grants".to_owned(), text: grants },
    ];
    ours.into_iter().chain(own.iter().cloned()).collect()
}

/// Everything that decides, as one text.
fn whole_text(texts: &[Text]) -> String {
    let parts = texts.iter().map(|text| format!("// {}\n{}\n", text.origin, text.text.trim()));
    parts.collect::<Vec<_>>().join("\n")
}

/// For which purposes each workload may call each vendor, by its first grant.
fn purposes(workloads: &[&Workload]) -> HashMap<(WorkloadName, VendorName), Vec<Purpose>> {
    let mut purposes = HashMap::new();
    for workload in workloads {
        for grant in &workload.grants {
            purposes
                .entry((workload.name.clone(), grant.vendor.clone()))
                .or_insert_with(|| grant.purposes.clone());
        }
    }
    purposes
}

/// Parses a text and names its policies.
fn read(texts: &[Text], number: usize, rules: &mut Vec<Rule>, problems: &mut Vec<Problem>) {
    let text = &texts[number];
    let parsed: PolicySet = match text.text.parse() {
        Ok(parsed) => parsed,
        Err(errors) => {
            let errors: &cedar_policy::ParseErrors = &errors;
            problems.extend(errors.iter().map(|error| problem(text, None, error)));
            return;
        }
    };
    for template in parsed.templates() {
        let message = "a policy has no slots here: name the workload or vendor".to_owned();
        let at = text.text.find(&template.to_cedar()).unwrap_or_default();
        let (line, column) = place(&text.text, at);
        problems.push(Problem { line, column, ..whole(text, None, message) });
    }
    let mut ordered: Vec<&cedar_policy::Policy> = parsed.policies().collect();
    // Cedar numbers them in the order of the text: `policy0`, `policy1`, …
    ordered.sort_by_key(|policy| {
        let name: &str = policy.id().as_ref();
        name.trim_start_matches("policy").parse::<usize>().unwrap_or(usize::MAX)
    });
    let mut cursor = 0;
    for (place_in_text, policy) in (1..).zip(ordered) {
        let written = policy.to_cedar().unwrap_or_default();
        let at = text.text[cursor..].find(&written).map_or(cursor, |at| cursor + at);
        cursor = at + written.len();
        let id = match policy.annotation("id") {
            Some(id) => id.to_owned(),
            None => format!("{}/{place_in_text}", text.origin),
        };
        let line = place(&text.text, at).0;
        let origin = text.origin.clone();
        let listed = Listed { id, effect: effect(policy), origin, line, text: written };
        let rule = Rule::new(policy, number, listed);
        problems.extend(rule.check_id(rules));
        problems.extend(rule.check_fields(text, at));
        rules.push(rule);
    }
}

fn effect(policy: &cedar_policy::Policy) -> Effect {
    match policy.effect() {
        cedar_policy::Effect::Permit => Effect::Permit,
        cedar_policy::Effect::Forbid => Effect::Forbid,
    }
}

impl Rule {
    fn new(policy: &cedar_policy::Policy, text: usize, listed: Listed) -> Self {
        let reads = policy.to_json().map(|json| Reads::of(&json)).unwrap_or_default();
        let named = policy.new_id(cedar_policy::PolicyId::new(&listed.id));
        Self { id: listed.id.as_str().into(), text, policy: named, reads, listed }
    }

    fn is_ours(&self) -> bool {
        self.text < OURS
    }

    fn problem(&self, message: String, help: Option<String>) -> Problem {
        Problem {
            origin: self.listed.origin.clone(),
            line: self.listed.line,
            column: 1,
            policy: Some(self.listed.id.clone()),
            message,
            help,
        }
    }

    fn check_id(&self, before: &[Self]) -> Option<Problem> {
        let id = &self.listed.id;
        if before.iter().any(|other| other.id == self.id) {
            return Some(self.problem(format!("another policy has the id `{id}`"), None));
        }
        let printable = id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'`');
        if id.is_empty() || id.len() > ID_BYTES || !printable {
            let message = "an id has at most 128 printable characters and no space".to_owned();
            return Some(self.problem(message, None));
        }
        let reserved = RESERVED.iter().find(|prefix| id.starts_with(*prefix));
        let reserved = reserved.filter(|_| !self.is_ours())?;
        Some(self.problem(format!("ids that start with `{reserved}` are Cordon's own"), None))
    }

    fn check_fields(&self, text: &Text, at: usize) -> Vec<Problem> {
        let unknown = self.reads.no_fields.iter().map(|word| {
            let within = self.listed.text.find(&format!("\"{word}\"")).unwrap_or_default();
            let (line, column) = place(&text.text, at + within);
            let names = model::Field::ALL.iter().map(|field| field.name()).collect::<Vec<_>>();
            let help = format!("the fields are {}", names.join(", "));
            let message = format!("`{word}` is no field, so this never holds");
            Problem { line, column, ..self.problem(message, Some(help)) }
        });
        unknown.collect()
    }

    /// Whether its head can hold for an action.
    fn speaks_of(&self, action: Action) -> bool {
        match self.policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(only) => only == *action.uid(),
            ActionConstraint::In(some) => some.contains(action.uid()),
        }
    }

    fn concerns_operators(&self) -> bool {
        self.speaks_of(Action::Contain) || self.speaks_of(Action::Administer)
    }

    /// The one workload of which it can speak; none when it can speak of any.
    fn workload(&self) -> Option<EntityUid> {
        match self.policy.principal_constraint() {
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
            PrincipalConstraint::Eq(one)
            | PrincipalConstraint::In(one)
            | PrincipalConstraint::IsIn(_, one) => Some(one),
        }
    }

    /// Whether its head holds for what a disclosure is made to: a vendor, or a list of it.
    pub fn covers(&self, resource: &EntityUid, vendor: &EntityUid) -> bool {
        match self.policy.resource_constraint() {
            ResourceConstraint::Any => true,
            ResourceConstraint::Eq(one) => one == *resource,
            ResourceConstraint::In(one) => one == *resource || one == *vendor,
            ResourceConstraint::Is(kind) => kind == *resource.type_name(),
            ResourceConstraint::IsIn(kind, one) => {
                kind == *resource.type_name() && (one == *resource || one == *vendor)
            }
        }
    }
}

fn slices(rules: &[Rule]) -> (HashMap<Box<str>, Slice>, Slice) {
    let mut of_anybody = Vec::new();
    let mut of_one: HashMap<Box<str>, Vec<usize>> = HashMap::new();
    for (place, rule) in rules.iter().enumerate() {
        if !rule.speaks_of(Action::Disclose) {
            continue;
        }
        match rule.workload() {
            None => of_anybody.push(place),
            Some(one) if schema::is_workload(one.type_name()) => {
                of_one.entry(one.id().unescaped().into()).or_default().push(place);
            }
            Some(_) => {}
        }
    }
    let slice = |places: &[usize]| {
        let mut places = [places, of_anybody.as_slice()].concat();
        places.sort_unstable();
        let looks = places.iter().map(|&place| rules[place].reads.looks);
        Slice {
            set: set(places.iter().map(|&place| &rules[place])),
            looks: looks.fold(Looks::default(), Looks::and),
            rules: places,
        }
    };
    let slices = of_one.into_iter().map(|(name, places)| (name, slice(&places))).collect();
    (slices, slice(&[]))
}

fn set<'a>(rules: impl Iterator<Item = &'a Rule>) -> PolicySet {
    PolicySet::from_policies(rules.map(|rule| rule.policy.clone()))
        .expect("ids were checked to be different")
}

/// Validates every policy strictly against the schema.
fn validate(
    texts: &[Text],
    rules: &[Rule],
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    let result =
        Validator::new(PARSED.clone()).validate(&set(rules.iter()), ValidationMode::Strict);
    let rule = |id: &cedar_policy::PolicyId| {
        let name: &str = id.as_ref();
        let rule = rules.iter().find(|rule| &*rule.id == name);
        rule.expect("Cedar names policies of this set alone")
    };
    let at = |id: &cedar_policy::PolicyId, found: &dyn Diagnostic| {
        let rule = rule(id);
        let mut problem = problem(&texts[rule.text], Some(rule.listed.id.clone()), found);
        if problem.line == 0 {
            (problem.line, problem.column) = (rule.listed.line, 1);
        }
        // Cedar begins each message with the policy, which stands beside it.
        let named = format!("for policy `{}`, ", rule.listed.id);
        problem.message = problem.message.replacen(&named, "", 1);
        problem
    };
    problems.extend(result.validation_errors().map(|error| at(error.policy_id(), error)));
    problems.sort_by(|a, b| (&a.origin, a.line, a.column).cmp(&(&b.origin, b.line, b.column)));
    let own = result.validation_warnings().filter(|found| !rule(found.policy_id()).is_ours());
    warnings.extend(own.map(|warning| at(warning.policy_id(), warning)));
}

fn problem(text: &Text, policy: Option<String>, found: &dyn Diagnostic) -> Problem {
    let mut labels = found.labels().into_iter().flatten();
    let (line, column) = labels.next().map_or((0, 0), |label| place(&text.text, label.offset()));
    let help = found.help().map(|help| help.to_string());
    Problem { line, column, help, ..whole(text, policy, found.to_string()) }
}

fn whole(text: &Text, policy: Option<String>, message: String) -> Problem {
    Problem { origin: text.origin.clone(), line: 0, column: 0, policy, message, help: None }
}
