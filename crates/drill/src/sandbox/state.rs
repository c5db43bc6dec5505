//! What the account holds, all in memory: keys, lists, contacts, schedules, traces.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::Timestamp;

use super::export::ExportJob;
use super::received::Received;
use super::send::Message;
use super::singlesends::SingleSend;

/// A list that exists at the vendor.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownList {
    /// Its id in the API, a UUID.
    pub id: String,
    /// Its name, as people see it.
    pub name: String,
}

/// What happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages accepted; one per personalization.
    pub messages: u64,
    /// Recipients in them.
    pub recipients: u64,
    /// Mails handed to a receiving server, which took them.
    pub delivered: u64,
    /// Mails that a receiving server refused.
    pub bounced: u64,
    /// Events that the webhook's receiver took.
    pub events_posted: u64,
    /// Events given up after the last try.
    pub events_lost: u64,
    /// Contacts held now.
    pub contacts: u64,
    /// Requests with a key that is not valid.
    pub refused_keys: u64,
}

/// An API key; its secret is kept as SendGrid's own servers would know it.
#[derive(Debug, Clone)]
pub(super) struct ApiKey {
    /// The part between `SG.` and the second dot.
    pub id: String,
    /// The whole key.
    pub text: model::Secret<String>,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
}

/// A contact: values by column, and the lists it is in.
#[derive(Debug, Clone)]
pub(super) struct Contact {
    /// Its UUID.
    pub id: String,
    /// Column and value; a column appears once.
    pub values: Vec<(u16, Box<str>)>,
    /// Ids of lists.
    pub lists: BTreeSet<u16>,
    /// First upsert.
    pub created_at: Timestamp,
    /// Last upsert.
    pub updated_at: Timestamp,
}

impl Contact {
    /// The value of a column, if it has one.
    pub(super) fn value(&self, column: u16) -> Option<&str> {
        self.values.iter().find(|(held, _)| *held == column).map(|(_, value)| value.as_ref())
    }

    /// Sets a column's value.
    pub(super) fn set(&mut self, column: u16, value: Box<str>) {
        match self.values.iter_mut().find(|(held, _)| *held == column) {
            Some(held) => held.1 = value,
            None => self.values.push((column, value)),
        }
    }
}

/// A row of `/v3/access_settings/activity`.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    pub allowed: bool,
    pub auth_method: &'static str,
    pub ip: String,
    pub location: &'static str,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
}

/// What a batch of scheduled sends is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum BatchStatus {
    Pause,
    Cancel,
}

/// Columns that every account has, in the order of SendGrid's export, with their names in the API.
pub(super) const COLUMNS: &[&str] = &[
    "email",
    "first_name",
    "last_name",
    "address_line_1",
    "address_line_2",
    "city",
    "state_province_region",
    "postal_code",
    "country",
    "alternate_emails",
    "phone_number",
    "whatsapp",
    "line",
    "facebook",
    "unique_name",
    "phone_number_id",
    "external_id",
    "anonymous_id",
];

/// Everything.
pub(super) struct State {
    pub keys: Vec<ApiKey>,
    pub lists: Vec<KnownList>,
    /// Names of columns: [`COLUMNS`], then custom fields.
    pub columns: Vec<String>,
    pub contacts: Vec<Contact>,
    /// From an identifying value in lower case to the contact's place.
    pub places: HashMap<Box<str>, usize>,
    pub exports: Vec<ExportJob>,
    pub single_sends: Vec<SingleSend>,
    /// Batch ids that were given out, with what they were told.
    pub batches: BTreeMap<String, Option<BatchStatus>>,
    /// Messages that wait for their time.
    pub held: Vec<Message>,
    pub visits: Vec<Visit>,
    pub received: Vec<Received>,
    /// Places of the contacts that the intruder took, as they were then.
    pub taken: Vec<Contact>,
    pub counts: Counts,
}

impl State {
    pub(super) fn new(lists: Vec<KnownList>, custom_fields: Vec<String>) -> Self {
        let documented = COLUMNS.iter().map(|&name| name.to_owned());
        Self {
            keys: Vec::new(),
            lists,
            columns: documented.chain(custom_fields).collect(),
            contacts: Vec::new(),
            places: HashMap::new(),
            exports: Vec::new(),
            single_sends: Vec::new(),
            batches: BTreeMap::new(),
            held: Vec::new(),
            visits: Vec::new(),
            received: Vec::new(),
            taken: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// The key of this text, compared in constant time per key.
    pub(super) fn key_of(&self, text: &str) -> Option<&ApiKey> {
        self.keys.iter().find(|key| key.text.matches(text.as_bytes()))
    }

    /// The place of a list among the account's.
    pub(super) fn list_place(&self, id: &str) -> Option<u16> {
        self.lists.iter().position(|list| list.id == id).map(|place| place as u16)
    }

    /// The place of a column by its name in the API.
    pub(super) fn column(&self, name: &str) -> Option<u16> {
        self.columns.iter().position(|column| column == name).map(|place| place as u16)
    }

    /// Notes a request; consecutive ones from the same place are one row, as SendGrid shows them.
    pub(super) fn visited(&mut self, visit: Visit) {
        self.counts.refused_keys += u64::from(!visit.allowed);
        let same = |row: &&mut Visit| {
            (row.allowed, row.auth_method, &row.ip) == (visit.allowed, visit.auth_method, &visit.ip)
        };
        match self.visits.iter_mut().find(same) {
            Some(row) => row.last_at = visit.last_at,
            None => self.visits.push(visit),
        }
    }
}
