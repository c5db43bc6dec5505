//! Operators. Knows their roles as words only; what a role may do is the server's to say.

use model::{OperatorId, OperatorName, Timestamp};

use crate::columns::bind;
use crate::engine::{Row, Tx};
use crate::error::Refused;

/// A person who acts through the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Their id.
    pub id: OperatorId,
    /// Their name, as the audit log has it.
    pub name: OperatorName,
    /// What they may do, as words.
    pub roles: Vec<String>,
    /// Since when they are registered.
    pub created_at: Timestamp,
    /// Since when they may do nothing.
    pub disabled_at: Option<Timestamp>,
}

const OPERATOR: &str = "SELECT id, name, roles, created_at, disabled_at FROM operators";

impl Tx<'_> {
    /// Registers an operator, who is known by the keyed hash of a token; their new id.
    ///
    /// # Errors
    /// [`Refused::Exists`] when the name (or the hash) is taken.
    pub fn insert_operator(
        &self,
        name: &OperatorName,
        token_hash: &[u8; 32],
        roles: &[impl AsRef<str>],
    ) -> anyhow::Result<OperatorId> {
        let id = self.world.id();
        let inserted = self.execute(
            "INSERT INTO operators (id, name, token_hash, roles, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            bind![id, name, token_hash, &joined(roles), self.world.now()],
        )?;
        if inserted == 1 { Ok(id) } else { Err(Refused::exists("operator", name)) }
    }

    /// The operator whose token has this hash, unless there is none or they are disabled.
    ///
    /// # Errors
    /// Faults only.
    pub fn operator_by_token(&self, token_hash: &[u8; 32]) -> anyhow::Result<Option<Operator>> {
        self.one(
            &format!("{OPERATOR} WHERE token_hash = ?1 AND disabled_at IS NULL"),
            bind![token_hash],
            operator,
        )
    }

    /// The operator of this name, disabled or not.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn operator(&self, name: &OperatorName) -> anyhow::Result<Operator> {
        self.one(&format!("{OPERATOR} WHERE name = ?1"), bind![name], operator)?
            .ok_or_else(|| Refused::not_found("operator", name))
    }

    /// Every operator, by name.
    ///
    /// # Errors
    /// Faults only.
    pub fn operators(&self) -> anyhow::Result<Vec<Operator>> {
        self.all(&format!("{OPERATOR} ORDER BY name"), bind![], operator)
    }

    /// Gives an operator other roles.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn set_operator_roles(
        &self,
        name: &OperatorName,
        roles: &[impl AsRef<str>],
    ) -> anyhow::Result<()> {
        let changed = self.execute(
            "UPDATE operators SET roles = ?2 WHERE name = ?1",
            bind![name, &joined(roles)],
        )?;
        if changed == 1 { Ok(()) } else { Err(Refused::not_found("operator", name)) }
    }

    /// Gives an operator another token; the one before opens nothing from now on.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn replace_operator_token(
        &self,
        name: &OperatorName,
        token_hash: &[u8; 32],
    ) -> anyhow::Result<()> {
        let changed = self.execute(
            "UPDATE operators SET token_hash = ?2 WHERE name = ?1",
            bind![name, token_hash],
        )?;
        if changed == 1 { Ok(()) } else { Err(Refused::not_found("operator", name)) }
    }

    /// Takes every right from an operator. The name stays taken: the audit log has it.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn disable_operator(&self, name: &OperatorName) -> anyhow::Result<()> {
        let changed = self.execute(
            "UPDATE operators SET disabled_at = COALESCE(disabled_at, ?2) WHERE name = ?1",
            bind![name, self.world.now()],
        )?;
        if changed == 1 { Ok(()) } else { Err(Refused::not_found("operator", name)) }
    }
}

fn joined(roles: &[impl AsRef<str>]) -> String {
    roles.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(",")
}

fn operator(row: &Row<'_>) -> anyhow::Result<Operator> {
    let roles: String = row.get(2)?;
    Ok(Operator {
        id: row.get(0)?,
        name: row.get(1)?,
        roles: roles.split(',').filter(|role| !role.is_empty()).map(str::to_owned).collect(),
        created_at: row.get(3)?,
        disabled_at: row.get(4)?,
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{START, Scratch, code, operator_name};

    #[test]
    fn an_operator_is_known_by_the_hash_of_a_token_until_disabled() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let ann = operator_name("ann");
        let id = tx.insert_operator(&ann, &[1; 32], &["responder", "approver"]).expect("new");
        assert_eq!(code(tx.insert_operator(&ann, &[2; 32], &["viewer"])), "exists");

        let found = tx.operator_by_token(&[1; 32]).expect("runs").expect("known");
        assert_eq!((found.id, found.created_at), (id, START));
        assert_eq!(found.roles, ["responder", "approver"]);
        assert_eq!(tx.operator_by_token(&[2; 32]).expect("runs"), None);

        tx.replace_operator_token(&ann, &[3; 32]).expect("there");
        assert_eq!(tx.operator_by_token(&[1; 32]).expect("runs"), None);
        tx.set_operator_roles(&ann, &[] as &[&str]).expect("there");
        let found = tx.operator_by_token(&[3; 32]).expect("runs").expect("known");
        assert!(found.roles.is_empty());

        tx.disable_operator(&ann).expect("there");
        assert_eq!(tx.operator_by_token(&[3; 32]).expect("runs"), None);
        scratch.clock.advance_seconds(60);
        tx.disable_operator(&ann).expect("there");
        assert_eq!(tx.operator(&ann).expect("there").disabled_at, Some(START), "the first time");
        assert_eq!(tx.operators().expect("lists").len(), 1);
    }

    #[test]
    fn who_is_not_registered_is_not_found() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let bob = operator_name("bob");
        assert_eq!(code(tx.operator(&bob)), "not-found");
        assert_eq!(code(tx.set_operator_roles(&bob, &["viewer"])), "not-found");
        assert_eq!(code(tx.replace_operator_token(&bob, &[1; 32])), "not-found");
        assert_eq!(code(tx.disable_operator(&bob)), "not-found");
    }
}
