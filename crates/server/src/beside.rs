//! What can be done on the data folder itself, beside the server that has it, when that does not
//! answer: move a kill switch. The server notices by itself ([`crate::switches`]).

use std::path::Path;

use anyhow::Result;
use model::{Blame, Coded, Secret, Switch, Vendor, VendorName};
use policy::{Act, OperatorQuestion, Policy, Text};
use store::{Store, Tx};

use crate::in_force::Stored;
use crate::{STORE, door, keys, switches};

/// Somebody who may not change the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// The token is no operator's.
    #[error("a valid operator token is needed")]
    Unknown,
}

impl Coded for NotAdmitted {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "unauthorised",
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
/// [`NotAdmitted`], [`OperatorDenied`](policy::OperatorDenied), [`switches::Loosening`]; when the
/// root key or the store cannot be had.
pub async fn switch_beside(
    data: &Path,
    token: &Secret<String>,
    vendor: VendorName,
    to: Switch,
) -> Result<Vendor> {
    let world = door::world();
    let hash = keys::operator_token_key(data, &world)?.mac(&[token.expose().as_bytes()]);
    let at = world.now();
    let store = Store::open_beside(&data.join(STORE), world)?;
    let change = move |tx: &Tx<'_>| {
        let by = tx.operator_by_token(&hash)?.ok_or(NotAdmitted::Unknown)?;
        let roles: Vec<&str> = by.roles.iter().map(String::as_str).collect();
        let act = Act::Contain { vendor: &vendor, switch: to };
        let operator = &by.name;
        stored_policy(tx)?.allow(&OperatorQuestion { operator, roles: &roles, act, at })?;
        let (changed, mut detail) = switches::set(tx, &vendor, to)?;
        detail["direct"] = true.into();
        tx.audit(&format!("operator/{}", by.name), "vendor.switched", vendor.as_str(), &detail)?;
        Ok(changed)
    };
    store.write(change).await
}

/// What is built in, with what `cordon policy set` stored; a policy file is not known here. A text
/// that does not validate any more keeps nobody from cutting a vendor off.
fn stored_policy(tx: &Tx<'_>) -> Result<Policy> {
    let texts: Vec<Text> = Stored::of(tx)?.map(Text::from).into_iter().collect();
    Ok(Policy::compile([], &texts).unwrap_or_default())
}
