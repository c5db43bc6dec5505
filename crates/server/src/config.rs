//! The one commented file that sets an installation up, and the only reader of the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use incident::CompanyProfile;
use incident::calendar::Zone;
use incident::regime::Sector;
use model::{Country, Email, FindingGrade, Secret, limits};
use serde::Deserialize;

/// The commented file that `cordon config` prints; every value in it is the default.
pub const DEFAULT: &str = include_str!("cordon.toml");

/// Where the root key may come from instead of its file.
pub const ROOT_KEY_VARIABLE: &str = "CORDON_ROOT_KEY";

/// Everything that an operator sets. Paths are as written, relative to where the program runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where everything is kept.
    pub data: PathBuf,
    /// Who we are, in notices and on the portal.
    pub company: Company,
    /// Addresses to listen on.
    pub listen: Listen,
    /// Addresses under which others reach us.
    pub public: Public,
    /// The system of record for people.
    pub directory: Directory,
    /// The relay that notices go through.
    pub relay: Relay,
    /// The only way out.
    pub gateway: Gateway,
    /// The door for mail that workloads hand in.
    pub submission: Submission,
    /// Where vendors' credentials may be read from besides the store.
    pub credentials: Credentials,
    /// The vault that some of them are in.
    pub vault: Vault,
    /// Where traces go.
    pub telemetry: Telemetry,
    /// What happens by itself.
    pub policy: Policy,
}

/// Who we are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Company {
    /// The name that users know.
    pub name: String,
    /// The site that users type in themselves.
    pub site: String,
    /// Domains that we send mail from.
    pub mail_domains: Vec<String>,
    /// The address that notices come from.
    pub notice_from: String,
    /// Whom a user asks.
    pub privacy_contact: String,
    /// The page of the site where the portal stands or is linked from.
    pub security_page: String,
    /// The domain whose mail comes to the canary receiver.
    pub canary_domain: String,
    /// Countries in which the company is established; empty is «not said».
    pub established_in: Vec<Country>,
    /// What the company is, where that has duties of its own; absent is «not said».
    pub sectors: Option<BTreeSet<Sector>>,
    /// Where its days begin and end.
    pub time_zone: Zone,
}

impl Company {
    /// What legal clocks depend on.
    pub fn profile(&self) -> CompanyProfile {
        CompanyProfile {
            countries: self.established_in.clone(),
            sectors: self.sectors.clone(),
            time_zone: self.time_zone.clone(),
        }
    }
}

/// Addresses to listen on; port 0 takes a free one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// Workloads send their calls to vendors here.
    pub gateway: SocketAddr,
    /// Operators, the command line and the console.
    pub api: SocketAddr,
    /// The public pages and vendors' webhooks.
    pub portal: SocketAddr,
    /// Mail to canaries.
    pub smtp: SocketAddr,
    /// Mail that workloads hand in for vendors, encrypted by `STARTTLS`; none when absent.
    pub submission: Option<SocketAddr>,
    /// The same, encrypted from the first byte.
    pub submissions: Option<SocketAddr>,
    /// Workloads whose SDK takes a proxy but no base URL open tunnels here; closed without it.
    pub connect: Option<SocketAddr>,
}

/// How others reach us; empty means by the address that we listen on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Public {
    /// The portal's base URL.
    pub portal_url: Option<String>,
    /// The base URL under which operators reach the API and the console.
    pub console_url: Option<String>,
    /// Proxies before the portal: what they say of a caller's address is believed.
    pub proxies: Vec<IpAddr>,
}

/// The system of record for people.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Directory {
    /// A `.csv` or `.parquet` file; none means that nobody is known by address.
    pub path: Option<PathBuf>,
}

/// The relay that notices go through.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Relay {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// `required`, `opportunistic` or `none`.
    pub tls: RelayTls,
    /// The log-in name, if it wants one.
    pub user: Option<String>,
    /// The file with the password.
    pub password_file: Option<PathBuf>,
    /// Mail per second.
    pub rate_per_second: u32,
    /// Connections at once.
    pub connections: usize,
    /// How long a deferred mail waits after each try; the last one holds for all that follow.
    pub retry_seconds: Vec<i64>,
}

/// How the way to the relay is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RelayTls {
    /// TLS with a certificate that is verified, or nothing is sent.
    Required,
    /// TLS if the relay offers it, whoever it is.
    Opportunistic,
    /// In the clear: for a relay on this machine.
    None,
}

/// The door for mail that workloads hand in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Submission {
    /// The name by which workloads reach it, which its certificate shows.
    pub hostname: String,
    /// Its certificate chain; without one it makes its own, which nobody vouches for.
    pub certificate: Option<PathBuf>,
    /// The key of the certificate.
    pub key: Option<PathBuf>,
}

/// The only way out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    /// `host:port` of private hosts that calls may go to, such as a vendor inside the network.
    pub allowed_hosts: Vec<String>,
    /// A folder with connector files of the company's own.
    pub connectors: Option<PathBuf>,
    /// For how long calls leave when it cannot be confirmed where the kill switches stand.
    pub staleness_seconds: u64,
    /// TLS of the doors for workloads; without it they speak plain HTTP.
    pub tls: Option<GatewayTls>,
}

/// TLS of the doors for workloads. All files are PEM, and are read anew when they change.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayTls {
    /// The doors' certificate, with those that lead to its authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Authorities of client certificates that are known by their DNS names.
    pub client_ca: Option<PathBuf>,
    /// The bundle of each SPIFFE trust domain whose workloads may call.
    #[serde(default)]
    pub trust_domains: BTreeMap<String, PathBuf>,
    /// Whether nobody is heard without a client certificate.
    #[serde(default)]
    pub client_required: bool,
}

impl GatewayTls {
    /// As the gateway takes it.
    pub fn files(&self) -> gateway::TlsFiles {
        let Self { certificate, key, client_ca, trust_domains, client_required } = self.clone();
        gateway::TlsFiles { certificate, key, client_ca, trust_domains, client_required }
    }
}

/// Where vendors' credentials may be read from besides the store.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Credentials {
    /// Folders in which `file:` sources lie.
    pub files: Vec<PathBuf>,
    /// Variables that `env:` sources name.
    pub environment: Vec<String>,
    /// How often a vault is asked.
    pub refresh_seconds: u32,
    /// How long a credential is used when its source is silent.
    pub stale_seconds: u32,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            environment: Vec::new(),
            refresh_seconds: limits::CREDENTIAL_REFRESH_SECONDS,
            stale_seconds: limits::CREDENTIAL_STALE_SECONDS,
        }
    }
}

/// A HashiCorp Vault or OpenBao.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Vault {
    /// Its base URL; none is no vault.
    pub address: Option<String>,
    /// The authorities that its certificate may come from; none is the machine's own.
    pub ca_file: Option<PathBuf>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// A file with a token, which somebody else keeps good or we renew.
    pub token_file: Option<PathBuf>,
    /// The AppRole's role, to log in by.
    pub role_id: Option<String>,
    /// The file with the role's secret.
    pub secret_id_file: Option<PathBuf>,
    /// Where the AppRole method is mounted.
    pub auth_mount: String,
}

impl Default for Vault {
    fn default() -> Self {
        Self {
            address: None,
            ca_file: None,
            namespace: None,
            token_file: None,
            role_id: None,
            secret_id_file: None,
            auth_mount: "approle".into(),
        }
    }
}

impl Vault {
    fn check(&self) -> Result<(), String> {
        let ways = usize::from(self.token_file.is_some()) + usize::from(self.role_id.is_some());
        if self.address.is_some() && ways != 1 {
            return Err("vault: set either token_file or role_id".into());
        }
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/".contains(&byte);
        if self.auth_mount.is_empty() || !self.auth_mount.bytes().all(letter) {
            return Err("vault.auth_mount: it is a path such as `approle`".into());
        }
        Ok(())
    }
}

/// What is decided by rules, and what happens by itself.
/// Where traces go.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// The base URL of an OpenTelemetry collector; none means that nothing is traced.
    pub otlp_endpoint: Option<String>,
}

/// What happens by itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// The weakest finding that declares an incident: `A`, `B`, `C` or `never`.
    pub declare_at: DeclareAt,
    /// A Cedar file of your own, beside the grants of workloads.
    pub file: Option<PathBuf>,
}

/// From which grade on a finding declares an incident by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum DeclareAt {
    /// Only what cannot be explained otherwise.
    A,
    /// Signs that agree.
    B,
    /// Any sign.
    C,
    /// An operator does.
    #[serde(rename = "never")]
    Never,
}

impl DeclareAt {
    /// Whether a finding of this grade declares an incident.
    pub fn reaches(self, grade: FindingGrade) -> bool {
        match self {
            Self::A => grade >= FindingGrade::A,
            Self::B => grade >= FindingGrade::B,
            Self::C => true,
            Self::Never => false,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: "cordon-data".into(),
            company: Company::default(),
            listen: Listen::default(),
            public: Public::default(),
            directory: Directory::default(),
            relay: Relay::default(),
            gateway: Gateway::default(),
            submission: Submission::default(),
            credentials: Credentials::default(),
            vault: Vault::default(),
            telemetry: Telemetry::default(),
            policy: Policy::default(),
        }
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            connectors: None,
            staleness_seconds: limits::SWITCH_STALE_SECONDS,
            tls: None,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { declare_at: DeclareAt::B, file: None }
    }
}

impl Default for Company {
    fn default() -> Self {
        Self {
            name: "Example".into(),
            site: "example.com".into(),
            mail_domains: vec!["example.com".into()],
            notice_from: "security@example.com".into(),
            privacy_contact: "privacy@example.com".into(),
            security_page: "/security".into(),
            canary_domain: "post.example.com".into(),
            established_in: Vec::new(),
            sectors: None,
            time_zone: Zone::default(),
        }
    }
}

impl Default for Listen {
    fn default() -> Self {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            gateway: local(8025),
            api: local(8026),
            portal: local(8027),
            smtp: local(8028),
            connect: None,
            submission: None,
            submissions: None,
        }
    }
}

impl Default for Submission {
    fn default() -> Self {
        Self { hostname: "localhost".into(), certificate: None, key: None }
    }
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 25,
            tls: RelayTls::Opportunistic,
            user: None,
            password_file: None,
            rate_per_second: limits::NOTICE_RATE_PER_SECOND,
            connections: limits::NOTICE_CONNECTIONS,
            retry_seconds: limits::NOTICE_RETRY_SECONDS.to_vec(),
        }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration `{}` cannot be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what is expected; the message names line and key.
    #[error("the configuration `{}` is not valid: {why}", path.display())]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with its line.
        why: String,
    },
}

impl model::Coded for ConfigError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "config-unreadable",
            Self::Invalid { .. } => "config-invalid",
        }
    }

    fn hint(&self) -> Option<String> {
        Some("`cordon config` prints a commented file with every setting".into())
    }
}

impl Config {
    /// Reads a file; without one, `cordon.toml` here if there is one, or the defaults.
    ///
    /// # Errors
    /// When the file cannot be read, has an unknown key, or a value that does not fit.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let usual = Path::new("cordon.toml");
        let path = match path {
            Some(path) => path,
            None if usual.exists() => usual,
            None => return Ok(Self::default()),
        };
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.into(), source })?;
        let invalid = |why: String| ConfigError::Invalid { path: path.into(), why };
        let config: Self = toml::from_str(&text).map_err(|why| invalid(why.to_string()))?;
        config.check().map_err(invalid)?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        for (key, address) in [
            ("company.notice_from", &self.company.notice_from),
            ("company.privacy_contact", &self.company.privacy_contact),
        ] {
            Email::parse(address).map_err(|why| format!("{key}: {why}"))?;
        }
        let from = self.company.notice_from.rsplit_once('@').map_or("", |(_, domain)| domain);
        if !self.company.mail_domains.iter().any(|domain| domain == from) {
            return Err("company.notice_from: its domain is not among company.mail_domains".into());
        }
        if self.company.mail_domains.contains(&self.company.canary_domain) {
            return Err("company.canary_domain: it must not be a domain that you send from".into());
        }
        if self.submission.certificate.is_some() != self.submission.key.is_some() {
            return Err("submission: certificate and key go together".into());
        }
        if self.credentials.refresh_seconds == 0 || self.credentials.stale_seconds == 0 {
            return Err("credentials: refresh_seconds and stale_seconds are at least 1".into());
        }
        self.vault.check()?;
        if self.relay.connections == 0 || self.relay.rate_per_second == 0 {
            return Err("relay: connections and rate_per_second are at least 1".into());
        }
        if self.relay.retry_seconds.is_empty() || self.relay.retry_seconds.iter().any(|&s| s < 1) {
            return Err("relay: retry_seconds has at least one wait of at least 1 second".into());
        }
        let collector = self.telemetry.otlp_endpoint.as_deref();
        if collector.is_some_and(|url| !url.starts_with("http://")) {
            return Err("telemetry.otlp_endpoint: it is the http:// URL of a collector".into());
        }
        if !(1..=3_600).contains(&self.gateway.staleness_seconds) {
            return Err("gateway: staleness_seconds is from 1 to 3600".into());
        }
        Ok(())
    }
}

/// The root key from the environment, if it is set there.
#[expect(clippy::disallowed_methods, reason = "this is the door to the environment")]
pub fn root_key_from_environment() -> Option<Secret<String>> {
    std::env::var(ROOT_KEY_VARIABLE).ok().map(Secret::new)
}

/// A vendor's credential from the environment, as it was when the program started.
#[expect(clippy::disallowed_methods, reason = "this is the door to the environment")]
pub fn credential_from_environment(name: &str) -> Option<Secret<String>> {
    std::env::var(name).ok().map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("cordon.toml");
        std::fs::write(&path, text).expect("written");
        Config::load(Some(&path))
    }

    #[test]
    fn the_commented_file_holds_the_defaults() {
        let shown = read(DEFAULT).expect("the default file is valid");
        assert_eq!(format!("{shown:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let refused = read("[company]\nnmae = \"x\"\n").expect_err("unknown key");
        assert!(refused.to_string().contains("line 2"), "{refused}");
    }

    #[test]
    fn notices_come_from_a_domain_of_ours_and_canaries_do_not() {
        assert!(read("[company]\nnotice_from = \"a@other.example\"\n").is_err());
        assert!(read("[company]\ncanary_domain = \"example.com\"\n").is_err());
    }
}
