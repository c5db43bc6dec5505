//! A real connector that runs something of a test's at a phase of the pipeline.

use std::sync::Mutex;

use connectors::connector::Connector;
use connectors::routine::{Guide, RoutineInput};
use connectors::{
    Asking, Authorised, Call, Event, Export, ExportError, Host, Leaving, Minted, Operation,
    Outbound, OwnedOutbound, Presented, Refusal, RefusalBody, Routine, SecretOf, Unidentified,
    Unreadable, Webhook, WebhookRefused, connector,
};
use model::error::Malformed;
use model::{Action, Contact, FieldSet, ListName, Secret};

/// When a test is to be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// As the request is read: after it was admitted, before it is recorded.
    Read,
    /// As it is given the vendor's credential: after it was recorded, before it is written.
    Authorise,
    /// As the vendor's reply is looked through: after it was written.
    Reply,
    /// As a refusal is put in the vendor's words.
    Refuse,
}

type Hook = Box<dyn FnOnce() + Send>;

/// SendGrid's connector with a hook.
pub struct Wrapped {
    inner: &'static dyn Connector,
    phase: Phase,
    hook: Mutex<Option<Hook>>,
}

impl Wrapped {
    /// One that runs its hook at this phase, once.
    pub fn new(phase: Phase) -> &'static Self {
        let inner = connector("sendgrid").expect("a connector");
        Box::leak(Box::new(Self { inner, phase, hook: Mutex::default() }))
    }

    /// What is to be run.
    pub fn set(&self, hook: impl FnOnce() + Send + 'static) {
        *self.hook.lock().expect("no panic") = Some(Box::new(hook));
    }

    fn at(&self, phase: Phase) {
        let hook =
            if phase == self.phase { self.hook.lock().expect("no panic").take() } else { None };
        if let Some(hook) = hook {
            hook();
        }
    }
}

impl Connector for Wrapped {
    fn name(&self) -> &'static str {
        self.inner.name()
    }
    fn hosts(&self) -> &'static [Host] {
        self.inner.hosts()
    }
    fn base_url(&self, credential: &Secret<String>) -> Option<String> {
        self.inner.base_url(credential)
    }
    fn headers(&self) -> &'static [&'static str] {
        self.inner.headers()
    }
    fn mail_domains(&self) -> &'static [&'static str] {
        self.inner.mail_domains()
    }
    fn operations(&self) -> &'static [Operation] {
        self.inner.operations()
    }
    fn carries(&self) -> FieldSet {
        self.inner.carries()
    }
    fn check_credential(&self, credential: &str) -> Result<(), Malformed> {
        self.inner.check_credential(credential)
    }
    fn mint(&self, random: [u8; 48], secret_of: SecretOf<'_>) -> Minted {
        self.inner.mint(random, secret_of)
    }
    fn token_in_body(&self) -> bool {
        self.inner.token_in_body()
    }
    fn presented(&self, asking: &Asking<'_>) -> Result<Presented, Unidentified> {
        self.inner.presented(asking)
    }
    fn authorise(
        &self,
        credential: &Secret<String>,
        leaving: &Leaving<'_>,
    ) -> Result<Authorised, Malformed> {
        self.at(Phase::Authorise);
        self.inner.authorise(credential, leaving)
    }
    fn operation(&self, method: &str, path: &str) -> Option<&'static Operation> {
        self.inner.operation(method, path)
    }
    fn read(&self, request: &Outbound<'_>) -> Result<Call, Unreadable> {
        self.at(Phase::Read);
        self.inner.read(request)
    }
    fn refusal(&self, refusal: &Refusal) -> RefusalBody {
        self.at(Phase::Refuse);
        self.inner.refusal(refusal)
    }
    fn message_id(&self, headers: &dyn Fn(&str) -> Option<String>, body: &[u8]) -> Option<String> {
        self.at(Phase::Reply);
        self.inner.message_id(headers, body)
    }
    fn webhook(&self, webhook: &Webhook<'_>) -> Result<Vec<Event>, WebhookRefused> {
        self.inner.webhook(webhook)
    }
    fn upsert_contact(&self, contact: &Contact, list: Option<&ListName>) -> Option<OwnedOutbound> {
        self.inner.upsert_contact(contact, list)
    }
    fn read_export<'a>(&self, csv: &'a [u8]) -> Result<Export<'a>, ExportError> {
        self.inner.read_export(csv)
    }
    fn routine(&self, action: Action, input: RoutineInput) -> Option<Box<dyn Routine>> {
        self.inner.routine(action, input)
    }
    fn guide(&self, action: Action) -> Guide {
        self.inner.guide(action)
    }
}
