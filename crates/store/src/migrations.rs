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
    ("0007_tokens", include_str!("../migrations/0007_tokens.sql")),
    ("0008_doors", include_str!("../migrations/0008_doors.sql")),
    ("0009_policy", include_str!("../migrations/0009_policy.sql")),
    ("0010_flow", include_str!("../migrations/0010_flow.sql")),
];

/// Tables whose rows are never changed and never deleted once written.
const APPEND_ONLY: &[&str] = &["audit_log", "audit_checkpoints", "bulletins", "policies"];

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

/// Whether the schema is the one that this program knows.
pub(crate) fn check(connection: &Connection) -> anyhow::Result<()> {
    match connection.schema()? {
        SCHEMA => Ok(()),
        found if found > SCHEMA => Err(Refused::NewerSchema { found, known: SCHEMA }.into()),
        found => Err(Refused::OlderSchema { found, known: SCHEMA }.into()),
    }
}

#[cfg(test)]
mod tests {
    use model::World;

    use super::*;
    use crate::testing::{START, Scratch};

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
                assert!(line.chars().count() <= 100, "{name}: {line}");
            }
        }
    }

    #[test]
    fn migrating_again_changes_nothing_and_each_step_is_recorded_once() {
        let scratch = Scratch::new();
        let recorded = || {
            scratch
                .tx()
                .all("SELECT version, applied_at FROM migrations ORDER BY version", &[], |row| {
                    Ok((row.get::<u64>(0)?, row.get::<Timestamp>(1)?))
                })
                .expect("reads")
        };
        let before = recorded();
        assert_eq!(before, (1..=SCHEMA).map(|version| (version, START)).collect::<Vec<_>>());
        migrate(&scratch.connection, START.plus_seconds(60)).expect("nothing to do");
        assert_eq!(recorded(), before);
    }

    #[test]
    fn a_store_of_any_earlier_schema_is_brought_up_to_date_with_its_rows() {
        for earlier in 1..SCHEMA {
            let dir = tempfile::tempdir().expect("a directory");
            let connection = Connection::open_writer(&dir.path().join("store.db")).expect("opens");
            assert_eq!(connection.schema().expect("new"), 0);
            for (version, (name, sql)) in (1..=earlier).zip(MIGRATIONS) {
                connection.apply_migration(version, name, sql, START).expect(name);
            }
            connection.tamper("INSERT INTO settings (name, document) VALUES ('kept', '1')");
            migrate(&connection, START).expect("migrates");
            assert_eq!(connection.schema().expect("reads"), SCHEMA);
            let (world, _) = World::fixed(START, 1);
            assert_eq!(connection.tx(&world).setting::<u32>("kept").expect("reads"), Some(1));
        }
    }

    #[test]
    fn a_step_that_fails_leaves_nothing_behind() {
        let scratch = Scratch::new();
        let broken = "CREATE TABLE half (x BIGINT); CREATE TABLE half (x BIGINT);";
        let applied = scratch.connection.apply_migration(SCHEMA + 1, "broken", broken, START);
        assert!(applied.is_err());
        assert_eq!(scratch.connection.schema().expect("reads"), SCHEMA);
        scratch.connection.tamper("CREATE TABLE half (x BIGINT)");
    }

    #[test]
    fn the_schema_of_a_newer_program_is_refused() {
        let scratch = Scratch::new();
        let newer = SCHEMA + 1;
        scratch
            .connection
            .apply_migration(newer, "9999_newer", "CREATE TABLE unheard_of (x BIGINT)", START)
            .expect("applies");
        let refused = migrate(&scratch.connection, START).expect_err("refused");
        let refused = refused.downcast_ref::<Refused>().expect("a refusal");
        assert_eq!(*refused, Refused::NewerSchema { found: newer, known: SCHEMA });
    }
}
