//! The policy in force: from which texts it is compiled, when it changes, and which one it was.
//!
//! An operator's own text comes from the file that `cordon.toml` names, from `cordon policy set`,
//! or from both; the grants of workloads are rendered beside it. A text that does not validate
//! changes nothing: the policy before stays in force.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use model::{Field, FieldAction, PolicyDigest, VendorName, Workload, limits};
use policy::{Policy, Rejected, Text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Tx;

use crate::app::App;
use crate::config::ConfigError;

const SETTING: &str = "policy";

/// A text that `cordon policy set` stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The name of the file that it was read from.
    pub name: String,
    /// Cedar.
    pub text: String,
}

impl Stored {
    /// The one that is stored, if any.
    ///
    /// # Errors
    /// Faults of the store.
    pub fn of(tx: &Tx<'_>) -> Result<Option<Self>> {
        tx.setting(SETTING)
    }

    /// Stores it in the place of the one before; an empty text takes that away.
    ///
    /// # Errors
    /// Faults of the store.
    pub fn keep(&self, tx: &Tx<'_>) -> Result<()> {
        match self.text.trim().is_empty() {
            true => tx.unset_setting(SETTING).map(drop),
            false => tx.set_setting(SETTING, self),
        }
    }
}

impl From<Stored> for Text {
    fn from(stored: Stored) -> Self {
        Self { origin: stored.name, text: stored.text }
    }
}

/// An operator's own text outside the store, and what became of the last one.
#[derive(Debug, Default)]
pub struct OwnPolicy {
    /// The text of the file that `cordon.toml` names, as it was last read.
    file: Mutex<Option<Text>>,
    /// The whole text that was rejected last, so that it is said once.
    rejected: Mutex<Option<PolicyDigest>>,
}

impl OwnPolicy {
    /// Reads the file, if one is named.
    ///
    /// # Errors
    /// When it cannot be read, is too large or does not validate: nothing starts on half of what
    /// was meant.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let file = read(path)?;
        Policy::compile([], file.as_slice())?;
        Ok(Self { file: Mutex::new(file), rejected: Mutex::default() })
    }

    /// Whether what is set is not in force, since it does not validate any more.
    pub fn is_rejected(&self) -> bool {
        self.rejected.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn file(&self) -> Option<Text> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace_file(&self, text: Option<Text>) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    /// Whether this is another text than the one rejected last, if any; it is from now on.
    fn reject(&self, digest: Option<PolicyDigest>) -> bool {
        let mut last = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *last, digest) != digest
    }
}

fn read(path: Option<&Path>) -> Result<Option<Text>> {
    let Some(path) = path else { return Ok(None) };
    let unreadable = |source| ConfigError::Unreadable { path: path.into(), source };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    if text.len() > limits::POLICY_TEXT_BYTES {
        let why = format!("a policy has at most {} bytes", limits::POLICY_TEXT_BYTES);
        return Err(ConfigError::Invalid { path: path.into(), why }.into());
    }
    let origin = path
        .file_name()
        .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    Ok(Some(Text { origin, text }))
}

/// What of an operator's own text is another one than in force.
#[derive(Debug, Clone)]
pub enum Own {
    /// The file has another text; the stored one stays.
    File(Option<Text>),
    /// Another text stands in the place of the stored one; the file's stays.
    Stored(Text),
    /// Another text stands in the place of all of it.
    All(Text),
}

impl App {
    /// Compiles a policy from the grants as they are and an operator's own text.
    ///
    /// # Errors
    /// [`Rejected`] when it does not validate; faults of the store.
    pub async fn compile_policy(&self, own: Own) -> Result<Policy> {
        let (workloads, stored) =
            self.store.read(|tx| Ok((tx.workloads()?, Stored::of(tx)?))).await?;
        let file = self.own_policy.file();
        let texts = match own {
            Own::File(text) => both(text, stored.map(Text::from)),
            Own::Stored(text) => both(file, Some(text)),
            Own::All(text) => vec![text],
        };
        Ok(compile(workloads, texts).await??)
    }

    /// The policy that is to be in force with these grants and the stored text. When an operator's
    /// own text does not validate any more, the policy before stays: a registry that cuts a vendor
    /// off must not wait for somebody to mend a text.
    pub fn policy_in_force(&self, workloads: &[Workload], stored: Option<Stored>) -> Arc<Policy> {
        let before = self.gateway.registry().policy.clone();
        let texts = both(self.own_policy.file(), stored.map(Text::from));
        let digest = Policy::digest_of(workloads, &texts);
        if digest == before.digest() {
            self.own_policy.reject(None);
            return before; // and with it the answers that it has kept
        }
        match Policy::compile(workloads, &texts) {
            Ok(policy) => {
                self.own_policy.reject(None);
                Arc::new(policy)
            }
            Err(rejected) => {
                if self.own_policy.reject(Some(digest)) {
                    tracing::error!(%rejected, "the policy before stays in force");
                }
                before
            }
        }
    }

    /// Keeps the text of a policy that came into force, by the digest that records name.
    pub async fn keep_policy(&self, policy: Arc<Policy>) {
        let digest = policy.digest();
        tracing::info!(policy.digest = %digest, "another policy is in force");
        if let Err(error) = self.store.write(move |tx| tx.keep_policy(digest, policy.text())).await
        {
            let error = format!("{error:#}");
            tracing::error!(error, policy.digest = %digest, "its text could not be kept");
        }
    }

    /// Reads the file again that `cordon.toml` names, and takes it when it validates.
    ///
    /// # Errors
    /// [`Rejected`] when it does not validate, [`ConfigError`] when it cannot be read; the one
    /// before stays then.
    pub async fn reload_policy_file(&self) -> Result<Policy> {
        let text = read(self.config.policy.file.as_deref())?;
        let policy = self.compile_policy(Own::File(text.clone())).await?;
        self.own_policy.replace_file(text);
        Ok(policy)
    }
}

/// The file's text and the stored one, each under a name of its own.
fn both(file: Option<Text>, mut stored: Option<Text>) -> Vec<Text> {
    if let (Some(file), Some(stored)) = (&file, &mut stored)
        && file.origin == stored.origin
    {
        stored.origin = format!("stored:{}", stored.origin);
    }
    file.into_iter().chain(stored).collect()
}

/// Compiling takes some milliseconds for each hundred grants.
async fn compile(workloads: Vec<Workload>, texts: Vec<Text>) -> Result<Result<Policy, Rejected>> {
    tokio::task::spawn_blocking(move || Policy::compile(&workloads, &texts))
        .await
        .context("compiling the policy")
}

/// What policies speak of.
pub const POLICY_SCHEMA: &str = policy::SCHEMA;

/// Checks a text by itself, as `POST /api/v1/policy/check` answers, for the command line where no
/// server runs: grants, and names that nobody registered, are not looked at.
pub fn check_policy_alone(name: &str, text: &str) -> Value {
    let text = Text { origin: name.to_owned(), text: text.to_owned() };
    match Policy::compile([], &[text]) {
        Ok(policy) => json!({ "valid": true, "warnings": policy.warnings() }),
        Err(rejected) => json!({ "valid": false, "problems": rejected.problems }),
    }
}

/// What happens to the fields of every vendor, by its name.
pub type Actions = BTreeMap<VendorName, BTreeMap<Field, FieldAction>>;
