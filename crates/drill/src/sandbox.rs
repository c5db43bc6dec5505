//! The sandbox vendor: SendGrid's documented API over memory, so that a drill needs no account
//! and harms nobody. It keeps what it was ever given in the clear, as a vendor does, and what the
//! intruder took of it. It knows nothing of Cordon and never asks it anything.
//!
//! What it does not do: templates, suppressions, subusers, tracking, rate limits; `gzip` bodies.

mod account;
mod caller;
mod contacts;
mod deliver;
mod export;
mod intruder;
mod keys;
mod received;
mod reply;
mod schedule;
mod send;
mod singlesends;
mod state;
mod webhook;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post, put};
use model::{Secret, World, limits};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};

pub use intruder::{Fraud, Intruder};
pub use keys::NewKey;
pub use received::{FieldsOf, Received};
pub use state::{Counts, KnownList};

use deliver::Deliverer;
use send::Message;
use state::State;
use webhook::{Poster, Signer};

/// What a sandbox starts with.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Lists that exist from the start.
    pub lists: Vec<KnownList>,
    /// Custom fields that exist from the start; here a field's id is its name.
    pub custom_fields: Vec<String>,
    /// Where mail is really delivered, and to which domains; everything else is counted only.
    pub delivery: Option<Delivery>,
    /// Where signed events go.
    pub webhook_url: Option<String>,
}

/// Where the sandbox really delivers mail by SMTP.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The receiving server.
    pub to: SocketAddr,
    /// Recipients' domains that are delivered there.
    pub domains: Vec<String>,
    /// Domains in whose name the vendor signs mail (DKIM): its own and its customer's.
    pub signed_as: Vec<String>,
}

/// A running sandbox vendor; clones share one account.
#[derive(Clone)]
pub struct Sandbox(Arc<Shared>);

struct Shared {
    world: World,
    state: Mutex<State>,
    signer: Signer,
    dkim_records: Vec<(String, String)>,
    webhook_url: watch::Sender<Option<String>>,
    mail: mpsc::Sender<Message>,
    events: mpsc::Sender<webhook::Event>,
    work: Mutex<Option<(Deliverer, Poster)>>,
    due: Notify,
    pending: watch::Sender<u64>,
}

impl Sandbox {
    /// A new account. Nothing runs before [`Sandbox::serve`].
    ///
    /// # Errors
    /// When a signing key cannot be made.
    pub fn new(config: Config, world: World) -> anyhow::Result<Self> {
        let (mail, mail_queue) = mpsc::channel(limits::SANDBOX_QUEUE);
        let (events, event_queue) = mpsc::channel(limits::SANDBOX_QUEUE);
        let webhook_url = watch::Sender::new(config.webhook_url);
        let deliverer = Deliverer::new(mail_queue, config.delivery)?;
        let dkim_records = deliverer.dkim_records();
        let work = (deliverer, Poster { queue: event_queue, url: webhook_url.subscribe() });
        let state = State::new(config.lists, config.custom_fields);
        Ok(Self(Arc::new(Shared {
            world,
            state: Mutex::new(state),
            signer: Signer::generate()?,
            dkim_records,
            webhook_url,
            mail,
            events,
            work: Mutex::new(Some(work)),
            due: Notify::new(),
            pending: watch::Sender::new(0),
        })))
    }

    /// Serves the API until `stop`; delivers mail, sends what is due and reports events meanwhile.
    ///
    /// # Errors
    /// When the listener fails, or when this sandbox is served already.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let work = self.0.work.lock().ok().and_then(|mut work| work.take());
        let (deliverer, poster) =
            work.ok_or_else(|| anyhow::anyhow!("this sandbox is served already"))?;
        let workers = [
            tokio::spawn(deliverer.run(self.clone())),
            tokio::spawn(poster.run(self.clone())),
            tokio::spawn(schedule::send_what_is_due(self.clone())),
        ];
        let app = self.router().into_make_service_with_connect_info::<SocketAddr>();
        let served = axum::serve(listener, app).with_graceful_shutdown(stop).await;
        workers.iter().for_each(tokio::task::JoinHandle::abort);
        Ok(served?)
    }

    /// Every route that the sandbox answers, as SendGrid documents them.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/v3/mail/send", post(send::post_mail_send))
            .route("/v3/mail/batch", post(schedule::post_mail_batch))
            .route("/v3/mail/batch/{batch_id}", get(schedule::get_mail_batch))
            .route(
                "/v3/user/scheduled_sends",
                get(schedule::get_scheduled_sends).post(schedule::post_scheduled_send),
            )
            .route(
                "/v3/user/scheduled_sends/{batch_id}",
                get(schedule::get_scheduled_send)
                    .patch(schedule::patch_scheduled_send)
                    .delete(schedule::delete_scheduled_send),
            )
            .merge(marketing_routes())
            .merge(account_routes())
            .layer(DefaultBodyLimit::max(limits::REQUEST_BODY_BYTES))
            .with_state(self.clone())
    }

    /// A new key with these scopes; none means full access, as SendGrid has it.
    pub fn create_api_key(&self, name: &str, scopes: &[&str]) -> NewKey {
        let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
        keys::create(&self.0.world, &mut self.state(), name, scopes)
    }

    /// Whether a request with this key would be admitted; for the drill's own check of a cut.
    pub fn admits(&self, key: &Secret<String>) -> bool {
        self.state().key_of(key.expose()).is_some()
    }

    /// The public key of the event webhook, as SendGrid shows it: base64 of the SPKI in DER.
    pub fn webhook_public_key(&self) -> String {
        self.0.signer.public_key()
    }

    /// Sets where signed events go from now on.
    pub fn set_webhook_url(&self, url: Option<String>) {
        self.0.webhook_url.send_replace(url);
    }

    /// The hands of the intruder.
    pub fn intruder(&self) -> Intruder {
        Intruder::new(self.clone())
    }

    /// Everything that it was ever given, in the clear: a copy, as it is now.
    pub fn received(&self) -> Vec<Received> {
        self.state().received.clone()
    }

    /// DNS records under which its DKIM signatures can be checked: name and TXT value.
    pub fn dkim_records(&self) -> &[(String, String)] {
        &self.0.dkim_records
    }

    /// Counts of what happened, for progress and checks.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// Waits until no delivery and no event is under way; scheduled sends do not count.
    pub async fn idle(&self) {
        let mut pending = self.0.pending.subscribe();
        // The sender lives as long as `self`, so the wait can only end because it is zero.
        pending.wait_for(|&count| count == 0).await.ok();
    }

    /// Waits until the counts are so; looks whenever a delivery or a report has ended.
    pub async fn wait_until(&self, wanted: impl Fn(Counts) -> bool) {
        let mut pending = self.0.pending.subscribe();
        while !wanted(self.counts()) && pending.changed().await.is_ok() {}
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Takes a message in: records it, then delivers it, now or when it is due.
    async fn accept(&self, message: Message) {
        let now = self.0.world.now();
        {
            let mut state = self.state();
            state.received.extend(message.received(now));
            state.counts.messages += 1;
            state.counts.recipients += message.recipients.len() as u64;
            if message.send_at.is_some_and(|at| at > now) {
                state.held.push(message);
                return;
            }
        }
        self.dispatch(message).await;
    }

    /// Hands a message to delivery and reports it as processed.
    async fn dispatch(&self, message: Message) {
        for recipient in &message.recipients {
            self.report(webhook::Event::of(&self.0.world, &message, recipient, "processed")).await;
        }
        self.0.pending.send_modify(|count| *count += 1);
        // Without a worker the queue is closed: the message stays counted and goes nowhere.
        if self.0.mail.send(message).await.is_err() {
            self.done(1);
        }
    }

    /// Queues an event for the webhook.
    async fn report(&self, event: webhook::Event) {
        self.0.pending.send_modify(|count| *count += 1);
        if self.0.events.send(event).await.is_err() {
            self.done(1);
        }
    }

    fn done(&self, count: u64) {
        self.0.pending.send_modify(|pending| *pending -= count);
    }
}

fn marketing_routes() -> Router<Sandbox> {
    Router::new()
        .route(
            "/v3/marketing/contacts",
            put(contacts::put_contacts).delete(contacts::delete_contacts),
        )
        .route("/v3/marketing/contacts/count", get(contacts::get_contact_count))
        .route("/v3/marketing/contacts/search/emails", post(contacts::search_emails))
        .route("/v3/marketing/contacts/exports", get(export::get_exports).post(export::post_export))
        .route("/v3/marketing/contacts/exports/{id}", get(export::get_export))
        .route("/v3/marketing/lists", get(contacts::get_lists).post(contacts::post_list))
        .route("/v3/marketing/lists/{id}", get(contacts::get_list).delete(contacts::delete_list))
        .route(
            "/v3/marketing/singlesends",
            get(singlesends::get_all).post(singlesends::post_new).delete(singlesends::delete_many),
        )
        .route(
            "/v3/marketing/singlesends/{id}",
            get(singlesends::get_one).delete(singlesends::delete_one),
        )
        .route(
            "/v3/marketing/singlesends/{id}/schedule",
            put(singlesends::put_schedule).delete(singlesends::delete_schedule),
        )
}

fn account_routes() -> Router<Sandbox> {
    Router::new()
        .route("/v3/api_keys", get(keys::get_keys).post(keys::post_key))
        .route(
            "/v3/api_keys/{api_key_id}",
            get(keys::get_key).put(keys::put_key).patch(keys::patch_key).delete(keys::delete_key),
        )
        .route("/v3/scopes", get(keys::get_scopes))
        .route("/v3/user/webhooks/event/settings/all", get(account::get_webhooks))
        .route("/v3/user/webhooks/event/settings/signed/{id}", get(account::get_signed_webhook))
        .route("/v3/user/webhooks/parse/settings", get(account::get_parse_webhooks))
        .route("/v3/teammates", get(account::get_teammates))
        .route("/v3/access_settings/activity", get(account::get_activity))
        .route("/files/exports/{id}", get(export::download))
}
