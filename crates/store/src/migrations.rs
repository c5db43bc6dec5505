//! The schema, step by step. Each step is one file of `migrations/`, which explains its tables; a
//! released step is never changed, a new one is added at the end.

use anyhow::Context;
use model::Timestamp;

use crate::engine::Connection;
use crate::error::Refused;

/// Name and text of every step, in order; the first is schema 1.
pub(crate) const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_registry", include_str!("../migrations/0001_registry.sql")),
    ("0002_watch", include_str!("../migrations/0002_watch.sql")),
    ("0003_incidents", include_str!("../migrations/0003_incidents.sql")),
    ("0004_notices", include_str!("../migrations/0004_notices.sql")),
    ("0005_portal", include_str!("../migrations/0005_portal.sql")),
    ("0006_audit", include_str!("../migrations/0006_audit.sql")),
];

/// Tables whose rows are never changed and never deleted once written.
const APPEND_ONLY: &[&str] = &["audit_log", "audit_checkpoints", "bulletins"];

/// The newest schema that this program knows.
pub(crate) const SCHEMA: u64 = MIGRATIONS.len() as u64;

/// Applies the steps that are missing, each in a transaction with the record of it.
pub(crate) fn migrate(connection: &Connection, now: Timestamp) -> anyhow::Result<()> {
    let found = connection.schema()?;
    if found > SCHEMA {
        return Err(Refused::NewerSchema { found, known: SCHEMA }.into());
    }
    for (version, (name, sql)) in (1..).zip(MIGRATIONS).skip(found as usize) {
        connection
            .apply_migration(version, name, sql, now)
            .with_context(|| format!("applying migration `{name}`"))?;
    }
    APPEND_ONLY.iter().try_for_each(|table| connection.forbid_change(table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_step_and_its_number_is_its_place() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder is there")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .collect();
        files.sort();
        let listed: Vec<String> =
            MIGRATIONS.iter().map(|(name, _)| format!("{name}.sql")).collect();
        assert_eq!(files, listed);
        for (number, (name, sql)) in (1..).zip(MIGRATIONS) {
            assert!(name.starts_with(&format!("{number:04}_")), "{name}");
            assert!(sql.starts_with("-- "), "{name} explains itself first");
        }
    }

    #[test]
    fn every_table_is_explained_by_the_comment_above_it() {
        for (name, sql) in MIGRATIONS {
            for (index, line) in sql.lines().enumerate() {
                if line.starts_with("CREATE TABLE") {
                    let above = sql.lines().nth(index - 1).unwrap_or_default();
                    assert!(above.starts_with("--"), "{name}: {line}");
                }
                assert!(line.len() <= 100, "{name}: {line}");
            }
        }
    }
}
