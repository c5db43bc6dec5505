//! The command line as it is typed. Parsing only; what a command does is in `commands`.

mod connector;
mod gateway;
pub mod policy;
mod workload;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use model::{
    Action, Field, FieldAction, IncidentId, ListName, Mode, NoticeId, OperationName, OperatorName,
    Switch, Timestamp, VendorName,
};

pub use connector::ConnectorCommand;
pub use gateway::{Gateway, GatewayCommand, Sidecar, Tail};
pub use workload::{Identities, TokenSeen, WorkloadCommand};

/// Know what every vendor holds of your users. When one is breached: cut it off, know exactly who
/// is exposed, tell them, and prove it.
#[derive(Parser)]
#[command(name = "cordon", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

const EVERY_COMMAND: &str = "Options of every command";

/// Options of every command.
#[derive(Args, Clone)]
pub struct Global {
    /// Print the API's own JSON
    #[arg(long, global = true, help_heading = EVERY_COMMAND)]
    pub json: bool,
    /// The data folder of the server to speak to
    #[arg(
        long, global = true, default_value = "cordon-data", value_name = "DIR",
        help_heading = EVERY_COMMAND
    )]
    pub data: PathBuf,
    /// Another server than the one on the data folder
    #[arg(long, global = true, value_name = "URL", help_heading = EVERY_COMMAND)]
    pub server: Option<String>,
    /// A file with an operator's token, instead of the first operator's
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERY_COMMAND)]
    pub token_file: Option<PathBuf>,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run everything: gateway, API, portal, canary receiver, workers
    Serve(Serve),
    /// Print a commented configuration with every setting
    Config,
    /// Look over a live set-up and say what is wrong with it
    Doctor,
    /// Show what runs and how much it holds
    Status,
    /// Play a real breach through the real program
    Drill(Drill),
    /// Vendors: register, change, cut
    #[command(subcommand)]
    Vendor(VendorCommand),
    /// Connectors: what Cordon knows of vendors' APIs, and files that add one
    #[command(subcommand)]
    Connector(ConnectorCommand),
    /// Workloads: what each may give to whom, and how much
    #[command(subcommand)]
    Workload(WorkloadCommand),
    /// The gateway: how it does, what goes through it, what callers of its proxy believe; a sidecar
    Gateway(Gateway),
    /// Policy: who may give what to whom, and why a call is decided so
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Turn tokens that a vendor has back into the values they stand for
    Detokenise(policy::Detokenise),
    /// Operators: who may do what
    #[command(subcommand)]
    Operator(OperatorCommand),
    /// People: index the directory, erase
    #[command(subcommand)]
    People(PeopleCommand),
    /// Record what a vendor already holds, from its own export
    Import(Import),
    /// Show what every vendor holds of one person
    Holdings(Who),
    /// Say who was exposed at a vendor, without an incident
    Scope(Scope),
    /// Canaries: contacts that nobody else has
    #[command(subcommand)]
    Canary(CanaryCommand),
    /// Facts: what was observed
    #[command(subcommand)]
    Fact(FactCommand),
    /// List what the detectors concluded
    Findings,
    /// Incidents: contain, scope, publish
    #[command(subcommand)]
    Incident(IncidentCommand),
    /// Notices: draft, approve, deliver
    #[command(subcommand)]
    Notice(NoticeCommand),
    /// The audit log
    #[command(subcommand)]
    Audit(AuditCommand),
}

#[derive(Args)]
pub struct Serve {
    /// The configuration; without it `cordon.toml` here, or the defaults
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Args)]
pub struct Drill {
    /// The scenario: its id, or a file; `list` shows them
    pub scenario: String,
    /// How many people the company has
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    pub people: u32,
    /// A real mail server for the notices, instead of the built-in receiver
    #[arg(long, value_name = "HOST:PORT")]
    pub smtp: Option<SocketAddr>,
    /// Keep the work folder, and keep the portal up until Ctrl-C
    #[arg(long)]
    pub keep: bool,
    /// Write the scorecard to this file
    #[arg(long = "scorecard", value_name = "FILE")]
    pub scorecard: Option<PathBuf>,
}

#[derive(Subcommand)]
pub enum VendorCommand {
    /// Register a vendor by its connector
    Add {
        /// `sendgrid`, `twilio`, …
        connector: String,
        /// A name of its own, when there are several of one kind
        #[arg(long)]
        name: Option<VendorName>,
        /// The file with the vendor's API key
        #[arg(long, value_name = "FILE")]
        credential_file: Option<PathBuf>,
        #[command(flatten)]
        terms: VendorTerms,
    },
    /// Change what is registered; what is not named stays
    Change {
        vendor: VendorName,
        #[command(flatten)]
        terms: VendorTerms,
    },
    /// List vendors
    List,
    /// Show one vendor
    Show { vendor: VendorName },
    /// Replace the API key, or say where it is read from; without either, show how it stands
    Credential {
        vendor: VendorName,
        /// The file with the new key, which is sealed and kept
        #[arg(long, value_name = "FILE", conflicts_with = "source")]
        credential_file: Option<PathBuf>,
        /// Read it from `file:/…`, `env:NAME` or `vault:MOUNT/data/PATH#KEY`, and again when it
        /// changes there
        #[arg(long = "from", value_name = "SOURCE")]
        source: Option<String>,
    },
    /// Set the public key or secret of the vendor's webhooks
    Webhook {
        vendor: VendorName,
        /// The file with the key or secret
        #[arg(long, value_name = "FILE")]
        secret_file: PathBuf,
    },
    /// Cut the vendor off (`hold`, `stop`), or open it again (`open`)
    Switch {
        vendor: VendorName,
        switch: Switch,
        /// Change the data folder itself, when the server does not answer; one that runs follows
        #[arg(long, conflicts_with = "server")]
        direct: bool,
    },
    /// Show what waits in Cordon for the vendor
    Held { vendor: VendorName },
}

#[derive(Args)]
pub struct VendorTerms {
    /// Another address than the vendor's own
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Another SMTP host than the vendor's own
    #[arg(long, value_name = "HOST:PORT")]
    pub smtp: Option<String>,
    /// Days that it keeps what it is given; unknown counts as for ever
    #[arg(long, value_name = "DAYS")]
    pub retention_days: Option<u32>,
    /// A list of the vendor's; may be given again
    #[arg(long = "list", value_name = "NAME")]
    pub lists: Vec<ListName>,
    /// Hours within which the vendor must tell us of a breach
    #[arg(long, value_name = "HOURS")]
    pub notice_hours: Option<u32>,
    /// Whom to call there
    #[arg(long)]
    pub contact: Option<String>,
    /// How far the gateway goes: `observe`, `report`, `enforce`
    #[arg(long)]
    pub mode: Option<Mode>,
    /// What happens to a field: `name=drop`, `username=pseudonymise`, `email=tokenise`,
    /// `ip=truncate`, `phone=refuse`
    #[arg(long = "field", value_parser = field_action, value_name = "FIELD=ACTION")]
    pub actions: Vec<(Field, FieldAction)>,
    /// Which fields your own attributes (`custom`) hold there; unsaid, they may hold anything
    #[arg(long, value_delimiter = ',', value_name = "FIELDS")]
    pub custom_holds: Option<Vec<Field>>,
    /// A step that runs by itself once an incident is declared; may be given again
    #[arg(long = "automatic", value_name = "STEP")]
    pub automatic: Vec<Action>,
}

fn field_action(text: &str) -> Result<(Field, FieldAction), String> {
    let (field, action) = text.split_once('=').ok_or("write it as FIELD=ACTION")?;
    let field = Field::parse(field).map_err(|why| why.to_string())?;
    Ok((field, FieldAction::parse(action).map_err(|why| why.to_string())?))
}

#[derive(Subcommand)]
pub enum OperatorCommand {
    /// Make an operator; prints the token once
    Add {
        name: OperatorName,
        /// `monitor`, `viewer`, `engineer`, `responder`, `approver`, `admin`; may be given again
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
    },
    /// List operators
    List,
}

/// One person, by one identifier.
#[derive(Args, Clone)]
#[group(required = true, multiple = false)]
pub struct Who {
    /// By e-mail address
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    /// By telephone number, as `+49301234567`
    #[arg(long, value_name = "NUMBER")]
    pub phone: Option<String>,
    /// By the company's own id
    #[arg(long, value_name = "ID")]
    pub person_id: Option<String>,
}

#[derive(Subcommand)]
pub enum PeopleCommand {
    /// Index the keyed identifiers of everybody in the directory
    Index,
    /// Ask for the erasure of a person; another operator approves
    Erase(Who),
    /// List erasures that were asked for
    Erasures,
    /// Approve an erasure that another operator asked for
    ApproveErasure { erasure: String },
}

#[derive(Args)]
pub struct Import {
    pub vendor: VendorName,
    /// The vendor's own export
    pub file: PathBuf,
    /// When the vendor held this
    #[arg(long, value_name = "DATE")]
    pub as_of: Timestamp,
    /// The list that the file is an export of
    #[arg(long)]
    pub list: Option<ListName>,
    /// This is everything that the vendor holds: what is not in it was never sent
    #[arg(long)]
    pub complete: bool,
}

#[derive(Args)]
pub struct Scope {
    pub vendor: VendorName,
    #[command(flatten)]
    pub question: Question,
}

/// A window and a reach. What is not given is unknown, and counts as everything.
#[derive(Args)]
pub struct Question {
    /// The first moment of access
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,
    /// The last moment of access
    #[arg(long, value_name = "TIME")]
    pub to: Option<Timestamp>,
    /// Only these lists
    #[arg(long, value_delimiter = ',')]
    pub lists: Option<Vec<ListName>>,
    /// Only what these operations carried
    #[arg(long, value_delimiter = ',')]
    pub operations: Option<Vec<OperationName>>,
    /// Only these fields
    #[arg(long, value_delimiter = ',')]
    pub fields: Option<Vec<Field>>,
}

#[derive(Subcommand)]
pub enum CanaryCommand {
    /// Plant contacts through the gateway, as a workload would
    Plant {
        vendor: VendorName,
        #[arg(long)]
        list: Option<ListName>,
        #[arg(long, default_value_t = 5)]
        count: u32,
    },
    /// List canaries
    List,
}

#[derive(Subcommand)]
pub enum FactCommand {
    /// Record that a vendor told us of a breach
    VendorNotice {
        vendor: VendorName,
        /// What it said, in your words, without personal data
        summary: String,
        /// When it told us; now without it
        #[arg(long, value_name = "TIME")]
        told_at: Option<Timestamp>,
        /// When the vendor became aware itself
        #[arg(long, value_name = "TIME")]
        vendor_aware_at: Option<Timestamp>,
        /// From when the intruder is said to have had access
        #[arg(long, value_name = "TIME")]
        access_from: Option<Timestamp>,
        /// Until when
        #[arg(long, value_name = "TIME")]
        access_to: Option<Timestamp>,
        /// Lists said to be reached
        #[arg(long, value_delimiter = ',')]
        lists: Vec<ListName>,
        /// Fields said to be exposed
        #[arg(long, value_delimiter = ',')]
        fields: Vec<Field>,
        /// Fields said not to be exposed: a statement, not evidence
        #[arg(long, value_delimiter = ',')]
        fields_denied: Vec<Field>,
    },
    /// Hand in a suspicious mail
    Mail { file: PathBuf },
    /// List facts, newest first
    List,
}

#[derive(Subcommand)]
pub enum IncidentCommand {
    /// List incidents
    List,
    /// Show one with its plan, timeline and scopes
    Show { incident: IncidentId },
    /// Declare one by hand
    Declare {
        vendor: VendorName,
        title: String,
        #[command(flatten)]
        question: Question,
    },
    /// Give an operator a role in it: `lead`, `responder`, `approver`, `legal`
    Assign { incident: IncidentId, role: String, operator: OperatorName },
    /// Write a fact into the timeline
    Note {
        incident: IncidentId,
        text: String,
        /// When it happened; now without it
        #[arg(long, value_name = "TIME")]
        at: Option<Timestamp>,
    },
    /// Run a step of the containment plan
    Run { incident: IncidentId, step: Action },
    /// Confirm a step that was done by hand, with its proof
    Confirm {
        incident: IncidentId,
        step: Action,
        #[arg(long)]
        proof: String,
    },
    /// Leave a step out, and say why
    Skip {
        incident: IncidentId,
        step: Action,
        #[arg(long)]
        why: String,
    },
    /// Compute a new version of the scope
    Scope {
        incident: IncidentId,
        #[command(flatten)]
        question: Question,
        /// Why there is a new version
        #[arg(long, default_value = "new information")]
        reason: String,
    },
    /// Match the data set that the vendor handed over
    Dataset { incident: IncidentId, file: PathBuf },
    /// Record what the vendor states; its word, not evidence
    Statement {
        incident: IncidentId,
        text: String,
        /// Through what it was said: `mail`, `call`, `status page`
        #[arg(long, default_value = "mail")]
        source: String,
        /// Fields said to be exposed
        #[arg(long, value_delimiter = ',')]
        exposed: Vec<Field>,
        /// Fields said not to be exposed
        #[arg(long, value_delimiter = ',')]
        denied: Vec<Field>,
    },
    /// Record that the vendor took a statement back
    Reverse { incident: IncidentId, statement: u32, text: String },
    /// Say whether a regime applies
    Decide {
        incident: IncidentId,
        regime: String,
        /// It does not apply
        #[arg(long)]
        not: bool,
        #[arg(long)]
        why: String,
    },
    /// Compare two versions of the scope
    Diff { incident: IncidentId, version: u32, other: u32 },
    /// Write the persons of a version to a CSV file
    Persons {
        incident: IncidentId,
        version: u32,
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Show which legal clocks run, and until when
    Clocks { incident: IncidentId },
    /// List the evidence that was kept
    Evidence { incident: IncidentId },
    /// Write a bulletin; another operator publishes it
    Bulletin {
        incident: IncidentId,
        #[arg(long)]
        title: String,
        /// The file with its text
        #[arg(long, value_name = "FILE")]
        text_file: PathBuf,
        /// A new version of this bulletin
        #[arg(long)]
        number: Option<u32>,
    },
    /// Publish a bulletin that another operator wrote
    Publish {
        incident: IncidentId,
        number: u32,
        /// The version that you read
        version: u32,
    },
    /// Ask that the cut be lifted; another operator approves
    Lift {
        incident: IncidentId,
        #[arg(long)]
        why: String,
    },
    /// Approve the lifting that another operator asked for
    ApproveLift { incident: IncidentId },
    /// Close the incident
    Close {
        incident: IncidentId,
        #[arg(long)]
        why: String,
    },
    /// Open it again
    Reopen {
        incident: IncidentId,
        #[arg(long)]
        why: String,
    },
}

#[derive(Subcommand)]
pub enum NoticeCommand {
    /// Draft a notice for everybody in a version of the scope
    Draft {
        incident: IncidentId,
        /// What happened, a file per language: `en=FILE`
        #[arg(
            long = "what-happened", value_parser = text_file, value_name = "LANG=FILE",
            required = true
        )]
        what_happened: Vec<(String, PathBuf)>,
        /// What was done about it, a file per language: `en=FILE`
        #[arg(long = "measures", value_parser = text_file, value_name = "LANG=FILE")]
        measures: Vec<(String, PathBuf)>,
        /// The version of the scope; the newest without it
        #[arg(long)]
        scope: Option<u32>,
        /// Name the vendor
        #[arg(long)]
        name_vendor: bool,
        /// The notice that this one corrects: it goes to those alone whose status changed
        #[arg(long, value_name = "NOTICE")]
        corrects: Option<String>,
    },
    /// Show its state and totals
    Show { notice: NoticeId },
    /// Show it as a recipient would read it
    Preview {
        notice: NoticeId,
        #[arg(long, default_value = "en")]
        language: String,
        /// Print the HTML part
        #[arg(long)]
        html: bool,
    },
    /// Send a marked test to one address
    Test {
        notice: NoticeId,
        to: String,
        #[arg(long, default_value = "en")]
        language: String,
    },
    /// Approve a notice that another operator wrote; delivery begins
    Approve { incident: IncidentId, notice: NoticeId },
    /// Stop delivery for now
    Pause { notice: NoticeId },
    /// Go on
    Resume { notice: NoticeId },
    /// Write one row per recipient to a CSV file
    Export {
        notice: NoticeId,
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
}

fn text_file(text: &str) -> Result<(String, PathBuf), String> {
    let (language, file) = text.split_once('=').ok_or("write it as LANG=FILE")?;
    Ok((language.to_owned(), file.into()))
}

#[derive(Subcommand)]
pub enum AuditCommand {
    /// List entries, newest first
    List,
    /// Check the whole chain; works without a server too
    Verify,
}
