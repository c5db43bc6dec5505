//! The hands of the intruder, so that a scenario can play the acts: export through a flaw, send
//! from the real account, schedule, make a key. No door of the company's is used.

use model::{Field, FieldSet, Timestamp};
use serde_json::{Map, json};

use super::Sandbox;
use super::keys::NewKey;
use super::send::{Mailbox, Message, message_id};
use super::singlesends::{SendStatus, SendTo};
use super::state::{BatchStatus, Visit};

/// Where the intruder's requests come from: a block for documentation (RFC 5737).
const ADDRESS: &str = "203.0.113.66";

/// Somebody who got into the vendor, with the power of its staff over the account.
#[derive(Clone)]
pub struct Intruder(Sandbox);

/// A fraudulent mail.
#[derive(Debug, Clone)]
pub struct Fraud {
    /// The sender's address: one of the company's own.
    pub from: String,
    /// The name with it.
    pub from_name: Option<String>,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
}

impl Intruder {
    pub(super) fn new(sandbox: Sandbox) -> Self {
        Self(sandbox)
    }

    /// Takes the contacts of a list, or all, as they are now. The account shows the export and
    /// the visit; nobody of the company is told. Gives the number of contacts taken.
    pub fn export_contacts(&self, list: Option<&str>) -> usize {
        let world = &self.0.0.world;
        let lists: Vec<_> = list.into_iter().map(str::to_owned).collect();
        let mut state = self.0.state();
        let taken: Vec<_> = state.reached(&lists).cloned().collect();
        let job = state.export_job(world, lists, "0".to_owned());
        state.taken.extend(taken);
        drop(state);
        self.visit("unauthenticated");
        job.count
    }

    /// The addresses in a list, or of everybody, as the intruder sees them.
    pub fn addresses(&self, list: Option<&str>) -> Vec<String> {
        let lists: Vec<_> = list.into_iter().map(str::to_owned).collect();
        let state = self.0.state();
        let emails = state.reached(&lists).filter_map(|contact| contact.value(0));
        emails.map(str::to_owned).collect()
    }

    /// Sends to these addresses at once through the real account. The vendor's events go out as
    /// for any mail, without a reference of ours. Gives the vendor's id of the message.
    pub async fn send_from_account(&self, fraud: &Fraud, recipients: &[String]) -> String {
        self.visit("staff");
        let id = message_id(&self.0.0.world);
        for (index, recipient) in recipients.iter().enumerate() {
            let message = self.message(&id, index, fraud, recipient);
            self.0.accept(message).await;
        }
        id
    }

    /// The same, to be sent later, under a batch id that only the intruder knows. Such a batch
    /// shows in the vendor's list only once it is `paused`. Gives the batch id.
    pub async fn schedule_send(
        &self,
        fraud: &Fraud,
        recipients: &[String],
        send_at: Timestamp,
        paused: bool,
    ) -> String {
        self.visit("staff");
        let batch_id = self.0.new_batch();
        if paused {
            self.0.state().batches.insert(batch_id.clone(), Some(BatchStatus::Pause));
        }
        let id = message_id(&self.0.0.world);
        for (index, recipient) in recipients.iter().enumerate() {
            let mut message = self.message(&id, index, fraud, recipient);
            (message.send_at, message.batch_id) = (Some(send_at), Some(batch_id.clone()));
            self.0.accept(message).await;
        }
        batch_id
    }

    /// Schedules a campaign to a list. Gives the id of the single send.
    pub fn schedule_campaign(&self, fraud: &Fraud, list: &str, send_at: Timestamp) -> String {
        self.visit("staff");
        let mut email_config = Map::new();
        email_config.insert("subject".to_owned(), json!(fraud.subject));
        email_config.insert("plain_content".to_owned(), json!(fraud.text));
        let send_to = SendTo { list_ids: vec![list.to_owned()], ..SendTo::default() };
        let mut send = self.0.draft(&fraud.subject, send_to, email_config, Some(send_at));
        (send.status, send.from) = (SendStatus::Scheduled, Some(fraud.from.clone()));
        let id = send.id.clone();
        self.0.state().single_sends.push(send);
        id
    }

    /// Makes a key of the intruder's own; none of the scopes named means full access.
    pub fn create_api_key(&self, name: &str, scopes: &[&str]) -> NewKey {
        self.visit("staff");
        self.0.create_api_key(name, scopes)
    }

    /// How many of the intruder's scheduled messages and campaigns still wait to go out.
    pub fn waiting(&self) -> usize {
        let state = self.0.state();
        let cancelled = |message: &&Message| {
            let batch = message.batch_id.as_ref().and_then(|id| state.batches.get(id));
            !message.disclosed && batch != Some(&Some(BatchStatus::Cancel))
        };
        let sends = state.single_sends.iter();
        state.held.iter().filter(cancelled).count()
            + sends.filter(|send| send.status == SendStatus::Scheduled).count()
    }

    fn message(&self, id: &str, index: usize, fraud: &Fraud, to: &str) -> Message {
        Message {
            id: id.to_owned(),
            index,
            from: Mailbox { email: fraud.from.clone(), name: fraud.from_name.clone() },
            reply_to: None,
            subject: fraud.subject.clone(),
            contents: vec![("text/plain".to_owned(), fraud.text.clone())],
            headers: Vec::new(),
            custom_args: Map::new(),
            categories: Vec::new(),
            recipients: vec![Mailbox { email: to.to_owned(), name: None }],
            send_at: None,
            batch_id: None,
            fields: FieldSet::EMPTY.with(Field::Email),
            disclosed: false,
        }
    }

    fn visit(&self, auth_method: &'static str) {
        let now = self.0.0.world.now();
        self.0.state().visited(Visit {
            allowed: true,
            auth_method,
            ip: ADDRESS.to_owned(),
            location: "unknown",
            first_at: now,
            last_at: now,
        });
    }
}
