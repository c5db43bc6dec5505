//! What can be done on the data folder itself, beside the server that has it, when that does not
//! answer: move a kill switch. The server notices by itself ([`crate::switches`]).

use std::path::Path;

use anyhow::Result;
use model::{Blame, Coded, Secret, Switch, Vendor, VendorName};
use store::Store;

use crate::api::auth::{Permission, Role};
use crate::{STORE, door, keys, switches};

/// Somebody who may not change the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// The token is no operator's.
    #[error("a valid operator token is needed")]
    Unknown,
    /// The operator's roles do not allow it.
    #[error("the operator may not do this")]
    NotPermitted,
}

impl Coded for NotAdmitted {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "unauthorised",
            Self::NotPermitted => "not-permitted",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

/// Moves a vendor's kill switch in the store of a data folder, under the rules of the API and with
/// the same record in the audit log. Needs no server; one that runs there goes by it at once.
///
/// # Errors
/// [`NotAdmitted`], [`switches::Loosening`]; when the root key or the store cannot be had.
pub async fn switch_beside(
    data: &Path,
    token: &Secret<String>,
    vendor: VendorName,
    to: Switch,
) -> Result<Vendor> {
    let world = door::world();
    let hash = keys::operator_token_key(data, &world)?.mac(&[token.expose().as_bytes()]);
    let store = Store::open_beside(&data.join(STORE), world)?;
    let change = move |tx: &store::Tx<'_>| {
        let by = tx.operator_by_token(&hash)?.ok_or(NotAdmitted::Unknown)?;
        let mut roles = by.roles.iter().filter_map(|name| Role::named(name));
        if !roles.any(|role| role.may(Permission::Respond)) {
            return Err(NotAdmitted::NotPermitted.into());
        }
        let (changed, mut detail) = switches::set(tx, &vendor, to)?;
        detail["direct"] = true.into();
        tx.audit(&format!("operator/{}", by.name), "vendor.switched", vendor.as_str(), &detail)?;
        Ok(changed)
    };
    store.write(change).await
}
