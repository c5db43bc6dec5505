//! Keys of an installation: made on first start, files readable by their owner alone.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use model::{Blame, Coded, MacKey, RootKey, SealKey, Secret, TokeniseKey, World, crypto};

use crate::config;

/// Every key, derived from the root key or read from its file.
pub struct Keys {
    /// Identifiers of people.
    pub identifier: MacKey,
    /// Workloads' tokens.
    pub workload_token: MacKey,
    /// Operators' tokens.
    pub operator_token: MacKey,
    /// References in messages.
    pub reference: MacKey,
    /// Pseudonyms for vendors.
    pub pseudonym: MacKey,
    /// Tokens that stand for values at vendors.
    pub tokenise: TokeniseKey,
    /// Codes in notices.
    pub notice_code: MacKey,
    /// Secrets at rest.
    pub seal: SealKey,
    /// What waits in the gateway's spool.
    pub spool: SealKey,
    /// The first operator's token, for whoever can read the data folder.
    pub first_operator: Secret<String>,
    /// Signatures of notices.
    pub dkim: mail::DkimKeys,
}

/// A key that is not used as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    /// Others than its owner may read the file.
    #[error("`{0}` can be read by others")]
    Open(String),
    /// There is data, and not the root key that it was made with.
    #[error("the root key that the data was made with is not in `{0}`")]
    Missing(String),
    /// It is no root key.
    #[error("the root key in {0} does not have 64 hexadecimal digits")]
    Root(String),
}

impl Coded for KeyRefused {
    fn code(&self) -> &'static str {
        match self {
            Self::Open(_) => "key-open",
            Self::Missing(_) => "key-missing",
            Self::Root(_) => "key-malformed",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Ours
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Open(file) => Some(format!("close it with `chmod 600 {file}`")),
            Self::Missing(_) | Self::Root(_) => Some(format!(
                "restore it from its backup, or set `{}`: no other key opens the data",
                config::ROOT_KEY_VARIABLE
            )),
        }
    }
}

impl Keys {
    /// Reads the keys below `data`, making those that are not there yet.
    ///
    /// # Errors
    /// When a file cannot be read or written, is readable by others, or does not hold a key.
    pub fn open(data: &Path, mail_domain: &str, world: &World) -> Result<Self> {
        let dir = data.join("keys");
        fs::create_dir_all(&dir).context("making the folder of keys")?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700))
            .context("closing the folder of keys to others")?;
        let root = root_key(&dir, data.join(crate::STORE).exists(), world)?;
        let first_operator = kept(&dir.join("operator.token"), || {
            format!("cop_{}", crypto::to_hex(&world.bytes::<32>()))
        })?;
        let dkim = dkim_keys(&dir.join("dkim.pem"), mail_domain)?;
        Ok(Self {
            identifier: root.mac_key("identifier"),
            workload_token: root.mac_key("workload-token"),
            operator_token: root.mac_key("operator-token"),
            reference: root.mac_key("reference"),
            pseudonym: root.mac_key("pseudonym"),
            tokenise: TokeniseKey::new(root.mac_key("tokenise")),
            notice_code: root.mac_key("notice-code"),
            seal: root.seal_key("secrets"),
            spool: root.seal_key("spool"),
            first_operator,
            dkim,
        })
    }
}

/// Under which operators' tokens are kept, of an installation that there is.
///
/// # Errors
/// As [`Keys::open`], but nothing is made.
pub fn operator_token_key(data: &Path, world: &World) -> Result<MacKey> {
    Ok(root_key(&data.join("keys"), true, world)?.mac_key("operator-token"))
}

fn root_key(dir: &Path, has_data: bool, world: &World) -> Result<RootKey> {
    let file = dir.join("root.key");
    let (text, place) = match config::root_key_from_environment() {
        Some(text) => (text, format!("the environment's `{}`", config::ROOT_KEY_VARIABLE)),
        None if has_data && !file.exists() => {
            return Err(KeyRefused::Missing(file.display().to_string()).into());
        }
        None => {
            let text = kept(&file, || crypto::to_hex(&world.bytes::<32>()))?;
            (text, format!("`{}`", file.display()))
        }
    };
    Ok(RootKey::parse(text.expose()).map_err(|_| KeyRefused::Root(place))?)
}

/// Under which selector our DKIM keys are published.
const SELECTOR: &str = "cordon1";

fn dkim_keys(path: &Path, domain: &str) -> Result<mail::DkimKeys> {
    if !path.exists() {
        let made = mail::DkimKeys::generate(domain, SELECTOR).context("making the DKIM keys")?;
        let pem = made.to_pem().context("writing the DKIM keys")?;
        kept(path, || pem.expose().clone())?;
    }
    let pem = read(path)?;
    mail::DkimKeys::from_pem(domain, SELECTOR, pem.expose()).context("reading the DKIM keys")
}

/// What the file holds; a new one is written whole, synced, and only then named.
fn kept(path: &Path, make: impl FnOnce() -> String) -> Result<Secret<String>> {
    if path.exists() {
        return read(path);
    }
    let secret = Secret::new(make());
    let part = path.with_extension("part");
    let shown = path.display();
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)
        .with_context(|| format!("making `{shown}`"))?;
    writeln!(file, "{}", secret.expose())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&part, path))
        .with_context(|| format!("writing `{shown}`"))?;
    Ok(secret)
}

fn read(path: &Path) -> Result<Secret<String>> {
    let shown = path.display();
    let mode =
        fs::metadata(path).with_context(|| format!("reading `{shown}`"))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeyRefused::Open(shown.to_string()).into());
    }
    let text = fs::read_to_string(path).with_context(|| format!("reading `{shown}`"))?;
    Ok(Secret::new(text.trim_end().to_owned()))
}
