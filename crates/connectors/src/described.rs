//! A connector that is data: a file says which calls a vendor's API has, what each discloses of
//! whom, and how credentials and errors look. Webhooks and containment are code, which it has not.
//!
//! `docs/connectors.md` describes the file. The vendors' own are in `vendors/`.

mod contact;
mod credential;
mod dialect;
mod document;
mod export;
mod file;
mod guide;
mod keys;
mod mailbox;
mod operation;
mod pattern;
mod reading;
mod writing;

use model::error::Malformed;
use model::{Action, Contact, ListName, Secret};

use self::contact::Template;
use self::credential::Credential;
use self::dialect::{Dialect, MessageId};
use self::keys::Role;
use self::operation::Plan;
use self::reading::ReadCall;
use crate::call::{Call, Operation, Outbound, OwnedOutbound, Unreadable};
use crate::connector::{
    Asking, Authorised, Connector, Host, Leaving, Minted, Presented, Refusal, RefusalBody,
    SecretOf, Unidentified,
};
use crate::export::{Export, ExportError};
use crate::routine::{Guide, Routine, RoutineInput};
use crate::webhook::{Event, Webhook, WebhookRefused};

pub(crate) use self::export::plain_columns;
pub use self::file::FileError;
pub(crate) use self::guide::guide as plain_guide;

/// A connector read from a file.
#[derive(Debug)]
pub struct Described {
    name: &'static str,
    title: String,
    hosts: &'static [Host],
    mail_domains: &'static [&'static str],
    headers: &'static [&'static str],
    credential: Credential,
    dialect: Dialect,
    message_id: Vec<MessageId>,
    operations: &'static [Operation],
    /// One for each operation, in the same order.
    plans: &'static [Plan],
    export: Vec<(String, Role)>,
    contact: Option<Template>,
}

impl Described {
    /// Reads a file. What it describes stays for as long as the program runs.
    ///
    /// # Errors
    /// When it describes no connector; the error has the line.
    pub fn load(text: &str) -> Result<&'static Self, FileError> {
        Ok(Box::leak(Box::new(file::read(text)?)))
    }

    /// Whether it has this operation, for connectors that are code for their other calls.
    pub(crate) fn has(&self, operation: &Operation) -> bool {
        self.operations.iter().any(|own| own.name == operation.name)
    }

    /// The operation of a request with its plan and the values in its path: of those that fit, the
    /// one whose path is said most exactly.
    fn find(&self, method: &str, path: &str) -> Option<(usize, Vec<(Role, String)>)> {
        let taken = self.plans.iter().enumerate().filter_map(|(index, plan)| {
            plan.take(method, path).map(|(open, values)| (open, index, values))
        });
        taken.min_by_key(|(open, ..)| *open).map(|(_, index, values)| (index, values))
    }
}

impl Connector for Described {
    fn name(&self) -> &'static str {
        self.name
    }

    fn hosts(&self) -> &'static [Host] {
        self.hosts
    }

    fn base_url(&self, credential: &Secret<String>) -> Option<String> {
        /// Stands for what follows the last hyphen of a credential, such as Mailchimp's `us6`.
        const DATACENTER: &str = "{datacenter}";
        let url = self.hosts[0].url;
        let url = if url.contains(DATACENTER) {
            let (_, place) = credential.expose().rsplit_once('-')?;
            let is_name = |place: &str| place.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let place =
                Some(place).filter(|place| (1..=16).contains(&place.len()) && is_name(place));
            url.replace(DATACENTER, place?)
        } else {
            url.to_owned()
        };
        (!url.contains('{')).then_some(url)
    }

    fn mail_domains(&self) -> &'static [&'static str] {
        self.mail_domains
    }

    fn headers(&self) -> &'static [&'static str] {
        self.headers
    }

    fn operations(&self) -> &'static [Operation] {
        self.operations
    }

    fn check_credential(&self, credential: &str) -> Result<(), Malformed> {
        self.credential.check(credential)
    }

    fn mint(&self, random: [u8; 48], secret_of: SecretOf<'_>) -> Minted {
        self.credential.mint(random, secret_of)
    }

    fn token_in_body(&self) -> bool {
        self.credential.stands_in_body()
    }

    fn presented(&self, asking: &Asking<'_>) -> Result<Presented, Unidentified> {
        let token = self.credential.presented(asking);
        token.map(|token| Presented { token }).ok_or(Unidentified)
    }

    fn authorise(
        &self,
        credential: &Secret<String>,
        leaving: &Leaving<'_>,
    ) -> Result<Authorised, Malformed> {
        self.credential.authorise(credential, leaving)
    }

    fn operation(&self, method: &str, path: &str) -> Option<&'static Operation> {
        self.find(method, path).map(|(index, _)| &self.operations[index])
    }

    fn read(&self, request: &Outbound<'_>) -> Result<Call, Unreadable> {
        let found = self.find(request.method, request.path);
        let (index, values) = found.ok_or(Unreadable::UnknownOperation)?;
        // Paths of calls within a call are beside its own.
        let (beside, _) = request.path.rsplit_once('/').unwrap_or_default();
        let read_call = |method: &str, path: &str, query: &[u8], body: &[u8]| {
            let query = std::str::from_utf8(query).ok().filter(|query| !query.is_empty());
            let path = format!("{beside}{path}");
            let within = Outbound {
                method,
                path: &path,
                query,
                content_type: Some("application/json"),
                header: &|_| None,
                body,
            };
            let (index, values) = self.find(method, &path).ok_or(Unreadable::UnknownOperation)?;
            let none: ReadCall<'_> = &|_, _, _, _| Err(Unreadable::UnknownOperation);
            self.plans[index].read(&self.operations[index], &within, values, none)
        };
        self.plans[index].read(&self.operations[index], request, values, &read_call)
    }

    fn refusal(&self, refusal: &Refusal) -> RefusalBody {
        self.dialect.refusal(refusal)
    }

    fn message_id(&self, headers: &dyn Fn(&str) -> Option<String>, body: &[u8]) -> Option<String> {
        self.message_id.iter().find_map(|place| place.find(headers, body))
    }

    fn webhook(&self, _: &Webhook<'_>) -> Result<Vec<Event>, WebhookRefused> {
        Err(WebhookRefused::Unsupported)
    }

    fn upsert_contact(&self, contact: &Contact, list: Option<&ListName>) -> Option<OwnedOutbound> {
        self.contact.as_ref()?.fill(contact, list)
    }

    fn read_export<'a>(&self, csv: &'a [u8]) -> Result<Export<'a>, ExportError> {
        export::read(&self.export, csv)
    }

    fn routine(&self, _: Action, _: RoutineInput) -> Option<Box<dyn Routine>> {
        None
    }

    fn guide(&self, action: Action) -> Guide {
        guide::guide(&self.title, action)
    }
}
