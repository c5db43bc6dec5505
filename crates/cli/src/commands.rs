//! What each command does: most are one call of the API.

pub mod call;
pub mod connector;
pub mod doctor;
pub mod drill;
pub mod gateway;
pub mod policy;
pub mod requests;
pub mod serve;
pub mod sidecar;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use model::{Coded, Secret};
use server::client::Client;

use crate::args::Global;

/// A command that cannot be carried out as it was typed.
#[derive(Debug, thiserror::Error)]
pub enum Usage {
    /// A file that it names cannot be read.
    #[error("`{}` cannot be read", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file that should hold text does not.
    #[error("`{}` is not UTF-8 text", .0.display())]
    NoText(PathBuf),
    /// No scenario has this name, and no file either.
    #[error("there is no scenario `{0}`")]
    NoScenario(String),
    /// Tokens and people's data would go to the gateway in the clear.
    #[error("`{0}` is no URL that begins with `https://`")]
    UpstreamInTheClear(String),
}

impl Coded for Usage {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } | Self::NoText(_) => "file-unreadable",
            Self::NoScenario(_) => "scenario-unknown",
            Self::UpstreamInTheClear(_) => "upstream-in-the-clear",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoScenario(_) => Some("`cordon drill list` shows them".into()),
            Self::UpstreamInTheClear(_) => {
                Some("the gateway speaks TLS with `[gateway.tls]`".into())
            }
            Self::Unreadable { .. } | Self::NoText(_) => None,
        }
    }
}

/// The API that the global options name.
pub fn client(global: &Global) -> Result<Client> {
    let token = global.token_file.as_deref().map(token_in).transpose()?;
    let local = Client::local(&global.data);
    match (&global.server, token) {
        (Some(url), Some(token)) => Ok(Client::new(url.clone(), token)),
        (Some(url), None) => {
            let kept = token_in(&global.data.join("keys/operator.token"))
                .context("`--server` needs a token: name its file with `--token-file`")?;
            Ok(Client::new(url.clone(), kept))
        }
        (None, Some(token)) => Ok(local?.with_token(token)),
        (None, None) => local,
    }
}

/// The operator's token that the global options name.
pub fn token(global: &Global) -> Result<Secret<String>> {
    let first = global.data.join("keys/operator.token");
    token_in(global.token_file.as_deref().unwrap_or(&first))
}

fn token_in(file: &Path) -> Result<Secret<String>> {
    Ok(Secret::new(requests::text_in(file)?))
}
