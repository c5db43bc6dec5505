//! What each command does: most are one call of the API.

pub mod call;
pub mod doctor;
pub mod drill;
pub mod requests;
pub mod serve;

use anyhow::{Context as _, Result};
use model::Secret;
use server::client::Client;

use crate::args::Global;

/// The API that the global options name.
pub fn client(global: &Global) -> Result<Client> {
    let token = global
        .token_file
        .as_ref()
        .map(|path| {
            std::fs::read_to_string(path)
                .map(|text| Secret::new(text.trim().to_owned()))
                .with_context(|| format!("reading `{}`", path.display()))
        })
        .transpose()?;
    let local = Client::local(&global.data);
    match (&global.server, token) {
        (Some(url), Some(token)) => Ok(Client::new(url.clone(), token)),
        (Some(url), None) => {
            let kept = std::fs::read_to_string(global.data.join("keys/operator.token"))
                .context("`--server` needs a token: name its file with `--token-file`")?;
            Ok(Client::new(url.clone(), Secret::new(kept.trim().to_owned())))
        }
        (None, Some(token)) => Ok(local?.with_token(token)),
        (None, None) => local,
    }
}
