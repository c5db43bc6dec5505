//! The ledger's answer to «who is exposed?», joined with where people live, as a scope version.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context as _, Result};
use incident::{Asked, Command, Incident, Question, ScopeAnswer, StatementInput};
use ledger::{Exposed, Exposure};
use model::{
    Fact, FactBody, Field, FieldSet, Identifier, IncidentId, PersonKey, Reach, ReferenceCheck,
    Residence, ScopeCounts, Vendor, VendorName, Window, limits,
};
use store::{FactFilter, ScopeMember, Tx};

use crate::app::App;
use crate::respond;
use crate::vouched::Vouched;

/// Answers the question of an incident and hands the answer in.
pub async fn answer(app: App, id: IncidentId, asked: Asked) {
    if let Err(error) = compute(&app, id, &asked).await {
        if error.downcast_ref() == Some(&incident::Refused::ScopeOutdated) {
            return; // the same: asked while this one was being answered
        }
        tracing::error!(incident.id = %id, error = format!("{error:#}"), "a scope was not computed");
    }
}

async fn compute(app: &App, id: IncidentId, asked: &Asked) -> Result<()> {
    let _turn = app.scoping.lock().await;
    let incident = respond::load(app, id).await?;
    if incident.asked.as_ref().map(|newest| newest.number) != Some(asked.number) {
        return Ok(()); // a newer question was asked meanwhile, and is answered in its turn
    }
    let version = incident.scope().map_or(1, |scope| scope.version + 1);
    let vendor = app.vendor(&incident.vendor).await?;
    let proven = proven(app, &incident).await?;
    let (work, question) = (app.clone(), asked.clone());
    let (answer, members) =
        tokio::task::spawn_blocking(move || scope(&work, &incident, &vendor, &question, &proven))
            .await
            .context("computing a scope")??;
    write_members(app, id, version, members).await?;
    let answered = Command::ScopeComputed { answer };
    respond::report(app, id, answered, move |tx| tx.finish_scope(id, version).map(drop))
        .await
        .map(drop)
}

fn scope(
    app: &App,
    incident: &Incident,
    vendor: &Vendor,
    asked: &Asked,
    proven: &Proven,
) -> Result<(ScopeAnswer, Vec<ScopeMember>)> {
    let upper = exposure(app, &vendor.name, &asked.upper)?;
    let certain =
        asked.lower.as_ref().map(|lower| exposure(app, &vendor.name, lower)).transpose()?;
    let (vouched, complete_since) = app.store.read_now(|tx| {
        let vouched = Vouched::of(tx, &vendor.name)?;
        Ok((vouched, vouched.complete_since(tx, vendor)?))
    })?;
    let lower = lower(&upper, certain.as_ref(), proven, &vouched);
    let homes = residences(app, &upper)?;
    let given = ever(app, &vendor.name)?;
    let input = StatementInput {
        vendor: &vendor.name,
        exposed: upper.persons.iter().fold(FieldSet::EMPTY, |all, one| all.union(one.fields)),
        ever: vouched.spelt_out(given),
        complete_since: complete_since.filter(|_| vouched.names_everything(given)),
        carries: app.connector(vendor)?.carries(),
        impossible: vendor.impossible,
        statements: &incident.statements,
        asked: &asked.upper,
    };
    let answer = ScopeAnswer {
        question: asked.number,
        upper: counts(upper.persons.iter(), &homes),
        lower: counts(lower.values(), &homes),
        not_exposed: incident::not_exposed(&input),
        ledger: position(app),
    };
    let member = |exposed: &Exposed| ScopeMember {
        person: exposed.person,
        fields: exposed.fields,
        lower: lower.contains_key(&exposed.person),
    };
    let members = upper.persons.iter().map(member).collect();
    Ok((answer, members))
}

/// Every field that the vendor was ever given of a real person. What only our own planted contacts
/// have does not count, unless a forgotten person may have had it.
fn ever(app: &App, vendor: &VendorName) -> Result<FieldSet> {
    let given = app.ledger.fields_ever(vendor)?;
    if app.ledger.status().tombstones > 0 {
        return Ok(given);
    }
    let all = |exposure: &Exposure| {
        exposure.persons.iter().fold(FieldSet::EMPTY, |all, one| all.union(one.fields))
    };
    let with_canaries = app.ledger.exposure(vendor, Window::default(), &Reach::default())?;
    let people = exposure(app, vendor, &Question::default())?;
    Ok(given.minus(all(&with_canaries).minus(all(&people))))
}

/// Up to where the ledger was read.
fn position(app: &App) -> String {
    let status = app.ledger.status();
    format!("manifest {}, {} rows", status.manifest, status.rows)
}

/// The contacts that we planted ourselves at a vendor, which are nobody.
///
/// # Errors
/// When the store cannot be read.
pub fn planted(app: &App, vendor: &VendorName) -> Result<HashSet<PersonKey>> {
    let canaries = app.store.read_now(|tx| tx.canaries(vendor))?;
    Ok(canaries.iter().filter_map(|canary| app.ledger.person(canary.address_hash)).collect())
}

/// The answer to one question: without the contacts that we planted ourselves, and with what the
/// company's own attributes stand for.
///
/// # Errors
/// When ledger or store cannot be read.
fn exposure(app: &App, vendor: &VendorName, question: &Question) -> Result<Exposure> {
    let planted = planted(app, vendor)?;
    let vouched = app.store.read_now(|tx| Vouched::of(tx, vendor))?;
    let reach = vouched.widened(&question.reach);
    let mut exposure = app.ledger.exposure(vendor, question.window, &reach)?;
    exposure.persons.retain_mut(|exposed| {
        let fields = vouched.spelt_out(exposed.fields);
        exposed.fields = question.reach.fields.map_or(fields, |reach| fields.intersection(reach));
        !exposed.fields.is_empty() && !planted.contains(&exposed.person)
    });
    Ok(exposure)
}

/// Who is exposed for certain: by a question that is certain, or by proof about the person; never
/// more than the upper bound has.
fn lower(
    upper: &Exposure,
    certain: Option<&Exposure>,
    proven: &Proven,
    vouched: &Vouched,
) -> BTreeMap<PersonKey, Exposed> {
    let certain: HashMap<PersonKey, FieldSet> = certain
        .into_iter()
        .flat_map(|exposure| exposure.persons.iter().map(|one| (one.person, one.fields)))
        .collect();
    let mut lower = BTreeMap::new();
    for exposed in &upper.persons {
        let known = [certain.get(&exposed.person), proven.get(&exposed.person)];
        let known = known.into_iter().flatten().fold(FieldSet::EMPTY, |all, one| all.union(*one));
        let fields = vouched.spelt_out(known).intersection(exposed.fields);
        if !fields.is_empty() {
            lower.insert(exposed.person, Exposed { fields, ..*exposed });
        }
    }
    lower
}

/// Persons about whom there is proof, and the fields that it proves.
pub type Proven = HashMap<PersonKey, FieldSet>;

/// What is proven of persons: a message that was not ours went to them, or the vendor's own data
/// set of the breach has them.
async fn proven(app: &App, incident: &Incident) -> Result<Proven> {
    let (vendor, id) = (incident.vendor.clone(), incident.id);
    let (facts, datasets) = app
        .store
        .read(move |tx| Ok((unknown_sends(tx, &vendor)?, crate::dataset::kept(tx, id)?)))
        .await?;
    let mut proven = Proven::new();
    for hash in facts {
        if let Some(person) = app.ledger.person(hash) {
            let fields = proven.entry(person).or_default();
            *fields = fields.with(Field::Email);
        }
    }
    for sealed in datasets {
        for (person, fields) in crate::dataset::open(app, &sealed)? {
            let known = proven.entry(person).or_default();
            *known = known.union(fields);
        }
    }
    Ok(proven)
}

/// Recipients of messages that went through the vendor's account and were not ours.
fn unknown_sends(tx: &Tx<'_>, vendor: &VendorName) -> Result<Vec<model::IdentifierHash>> {
    let mut hashes = Vec::new();
    let mut before = None;
    loop {
        let filter = FactFilter { vendor: Some(vendor), kind: Some("vendor-event") };
        let facts: Vec<Fact> = tx.facts(filter, before, limits::PAGE_ROWS)?;
        let Some(last) = facts.last() else {
            return Ok(hashes);
        };
        before = Some(last.id);
        hashes.extend(facts.iter().filter_map(|fact| match &fact.body {
            FactBody::VendorEvent { recipient, reference, .. }
                if !matches!(reference, ReferenceCheck::Valid { .. }) =>
            {
                *recipient
            }
            _ => None,
        }));
    }
}

/// Where the exposed persons live, as far as the directory says at this moment.
fn residences(app: &App, exposure: &Exposure) -> Result<HashMap<PersonKey, Residence>> {
    let mut homes = HashMap::new();
    let contacts = match app.directory.contacts() {
        Ok(contacts) => contacts,
        Err(crate::directory::DirectoryError::None) => return Ok(homes),
        Err(error) => return Err(error.into()),
    };
    for contact in contacts.flatten() {
        let id = Identifier::UserId(contact.person_id.clone()).hash(app.ledger.identifier_key());
        if let Some(person) = app.ledger.person(id)
            && exposure.persons.binary_search_by_key(&person, |one| one.person).is_ok()
        {
            homes.insert(person, Residence { country: contact.country, region: contact.region });
        }
    }
    Ok(homes)
}

/// Counts of these persons.
pub fn counts<'a>(
    persons: impl Iterator<Item = &'a Exposed>,
    homes: &HashMap<PersonKey, Residence>,
) -> ScopeCounts {
    let mut counts = ScopeCounts::default();
    let mut combinations = BTreeMap::<FieldSet, u64>::new();
    for exposed in persons {
        counts.persons += 1;
        for field in exposed.fields.iter() {
            *counts.by_field.entry(field).or_default() += 1;
        }
        *combinations.entry(exposed.fields).or_default() += 1;
        let home = homes.get(&exposed.person);
        counts.not_in_directory += u64::from(home.is_none());
        let country = home.and_then(|home| home.country.as_ref());
        let name = country.map_or("unknown", model::Country::as_str);
        *counts.by_country.entry(name.to_owned()).or_default() += 1;
        if let (Some(country), Some(region)) = (country, home.and_then(|home| home.region.as_ref()))
        {
            *counts.by_region.entry(format!("{country}-{region}")).or_default() += 1;
        }
        counts.first_at =
            Some(counts.first_at.map_or(exposed.first_at, |at| at.min(exposed.first_at)));
        counts.last_at = counts.last_at.max(Some(exposed.last_at));
    }
    counts.by_combination =
        combinations.into_iter().map(|(fields, persons)| (fields.to_string(), persons)).collect();
    counts
}

/// Writes the members of a version that is not finished: what a crash leaves is begun anew.
async fn write_members(
    app: &App,
    id: IncidentId,
    version: u32,
    members: Vec<ScopeMember>,
) -> Result<()> {
    app.store.write(move |tx| tx.begin_scope(id, version)).await?;
    for chunk in members.chunks(limits::SCOPE_MEMBERS_PER_CHANGE) {
        let chunk = chunk.to_vec();
        app.store.write(move |tx| tx.add_scope_members(id, version, &chunk)).await?;
    }
    Ok(())
}

/// Counts of everybody whom a question may concern.
///
/// # Errors
/// When ledger or directory cannot be read.
pub fn upper_counts(app: &App, vendor: &VendorName, question: &Question) -> Result<ScopeCounts> {
    let upper = exposure(app, vendor, question)?;
    let homes = residences(app, &upper)?;
    Ok(counts(upper.persons.iter(), &homes))
}
