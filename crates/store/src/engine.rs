//! The engine: SQLite, in the binary. The only file that knows `rusqlite`, its settings and what is
//! peculiar to its SQL; the rest of the crate speaks the common subset (`?N`, TEXT, BIGINT, BLOB,
//! `ON CONFLICT`, `RETURNING`), so that a second engine is a second arm here.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use model::{Timestamp, World, limits};
use rusqlite::backup::Progress;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{OpenFlags, ToSql};

use crate::columns::{Bind, Cell, Column, bind};

/// One connection to the engine.
pub(crate) struct Connection(rusqlite::Connection);

/// A transaction, as changes and questions see it: one method per question, in the file of its
/// subject. Everything that one closure does through it is kept together or not at all.
pub struct Tx<'c> {
    connection: &'c rusqlite::Connection,
    pub(crate) world: &'c World,
}

/// A row of an answer.
pub(crate) struct Row<'r>(&'r rusqlite::Row<'r>);

impl Connection {
    /// Opens the file for writing and makes it if there is none, readable by its owner only.
    pub(crate) fn open_writer(path: &Path) -> anyhow::Result<Self> {
        create_private(path).context("creating the store's file")?;
        let connection = rusqlite::Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        // `FULL` syncs the write-ahead file at each commit; `secure_delete` overwrites what is
        // gone; with `recursive_triggers`, `REPLACE` counts as the deletion that it is.
        connection.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;
             PRAGMA recursive_triggers = ON; PRAGMA journal_size_limit = {};",
            limits::STORE_WAL_BYTES
        ))?;
        let journal: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
        anyhow::ensure!(journal == "wal", "the file system does not allow write-ahead: {journal}");
        Self(connection).prepared()
    }

    /// Opens the file for reading; what the writer has committed is seen, nothing can be changed.
    pub(crate) fn open_reader(path: &Path) -> anyhow::Result<Self> {
        let connection = rusqlite::Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        Self(connection).prepared()
    }

    /// As [`Connection::open_reader`], but does not wait long for a lock: it looks again anyway.
    pub(crate) fn open_watcher(path: &Path) -> anyhow::Result<Self> {
        let connection = Self::open_reader(path)?;
        connection.0.busy_timeout(Duration::from_millis(limits::SWITCH_WATCH_MS))?;
        Ok(connection)
    }

    /// A number that differs from the last answer when anybody else committed in between, through
    /// whichever process.
    pub(crate) fn data_version(&self) -> anyhow::Result<i64> {
        let version = self.0.query_row("PRAGMA data_version", [], |row| row.get(0));
        version.context("asking for changes of the store")
    }

    fn prepared(self) -> anyhow::Result<Self> {
        self.0.busy_timeout(Duration::from_millis(limits::STORE_BUSY_MS))?;
        self.0.execute_batch(&format!(
            "PRAGMA foreign_keys = ON; PRAGMA cache_size = -{};",
            limits::STORE_CACHE_KIB
        ))?;
        self.0.set_prepared_statement_cache_capacity(limits::STORE_STATEMENTS);
        Ok(self)
    }

    /// The schema of the file; 0 when it is new.
    pub(crate) fn schema(&self) -> anyhow::Result<u64> {
        self.0.execute_batch(
            "CREATE TABLE IF NOT EXISTS migrations (
                 version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL
             )",
        )?;
        let newest = "SELECT COALESCE(MAX(version), 0) FROM migrations";
        let version: i64 = self.0.query_row(newest, [], |row| row.get(0))?;
        u64::try_from(version).context("the recorded schema is negative")
    }

    /// Runs one step of the schema and records it, in one transaction.
    pub(crate) fn apply_migration(
        &self,
        version: u64,
        name: &str,
        sql: &str,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let transaction = self.0.unchecked_transaction()?;
        transaction.execute_batch(sql)?;
        run(
            &transaction,
            "INSERT INTO migrations (version, name, applied_at) VALUES (?1, ?2, ?3)",
            bind![version, name, now],
        )?;
        Ok(transaction.commit()?)
    }

    /// Makes the engine refuse to change or delete a row of this table.
    pub(crate) fn forbid_change(&self, table: &str) -> anyhow::Result<()> {
        for event in ["UPDATE", "DELETE"] {
            self.0.execute_batch(&format!(
                "CREATE TRIGGER IF NOT EXISTS {table}_forbids_{event} BEFORE {event} ON {table}
                 BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            ))?;
        }
        Ok(())
    }

    /// Starts a transaction that may write.
    pub(crate) fn begin(&self) -> anyhow::Result<()> {
        run(&self.0, "BEGIN IMMEDIATE", &[]).map(drop)
    }

    /// Makes durable what was changed since [`Connection::begin`].
    pub(crate) fn commit(&self) -> anyhow::Result<()> {
        run(&self.0, "COMMIT", &[]).map(drop)
    }

    /// Whether a transaction is under way. A full disk, among others, makes the engine end it.
    pub(crate) fn in_transaction(&self) -> bool {
        !self.0.is_autocommit()
    }

    /// Undoes what was changed since [`Connection::begin`], if that has not happened already.
    pub(crate) fn roll_back(&self) -> anyhow::Result<()> {
        if self.in_transaction() { run(&self.0, "ROLLBACK", &[]).map(drop) } else { Ok(()) }
    }

    /// Starts a part of the transaction that can be undone alone.
    pub(crate) fn begin_part(&self) -> anyhow::Result<()> {
        run(&self.0, "SAVEPOINT part", &[]).map(drop)
    }

    /// Ends the part, and undoes it first unless it is to be kept.
    pub(crate) fn end_part(&self, keep: bool) -> anyhow::Result<()> {
        if !keep {
            run(&self.0, "ROLLBACK TO part", &[])?;
        }
        run(&self.0, "RELEASE part", &[]).map(drop)
    }

    /// The transaction under way, for closures.
    pub(crate) fn tx<'c>(&'c self, world: &'c World) -> Tx<'c> {
        Tx { connection: &self.0, world }
    }

    /// Answers one question from one state of the store.
    pub(crate) fn snapshot<T>(
        &self,
        world: &World,
        question: impl FnOnce(&Tx<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let transaction = self.0.unchecked_transaction()?;
        question(&Tx { connection: &transaction, world })
    }

    /// Folds the write-ahead file in and empties it, waiting for those who read an earlier state.
    pub(crate) fn fold(&self) -> anyhow::Result<()> {
        let fold = "PRAGMA wal_checkpoint(TRUNCATE)";
        let busy: i64 = self.0.query_row(fold, [], |row| row.get(0))?;
        anyhow::ensure!(busy == 0, "somebody reads an earlier state of the store for too long");
        Ok(())
    }

    /// Writes a copy of the whole store, as it is now, to a file that does not exist yet.
    pub(crate) fn copy_to(&self, path: &Path) -> anyhow::Result<()> {
        create_private(path).context("creating the copy's file")?;
        Ok(self.0.backup(rusqlite::MAIN_DB, path, None::<fn(Progress)>)?)
    }
}

impl Tx<'_> {
    /// Runs a statement; how many rows it touched.
    pub(crate) fn execute(&self, sql: &str, values: &[Bind<'_>]) -> anyhow::Result<usize> {
        run(self.connection, sql, values)
    }

    /// The first row of an answer, if there is one.
    pub(crate) fn one<T>(
        &self,
        sql: &str,
        values: &[Bind<'_>],
        read: impl FnOnce(&Row<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<Option<T>> {
        let mut statement = bound(self.connection, sql, values)?;
        let mut rows = statement.raw_query();
        rows.next().with_context(|| failed(sql))?.map(|row| read(&Row(row))).transpose()
    }

    /// Every row of an answer.
    pub(crate) fn all<T>(
        &self,
        sql: &str,
        values: &[Bind<'_>],
        read: impl Fn(&Row<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<Vec<T>> {
        let mut found = Vec::new();
        self.visit(sql, values, |row| {
            found.push(read(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// Shows every row of an answer, one after the other.
    pub(crate) fn visit(
        &self,
        sql: &str,
        values: &[Bind<'_>],
        mut visit: impl FnMut(&Row<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut statement = bound(self.connection, sql, values)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().with_context(|| failed(sql))? {
            visit(&Row(row))?;
        }
        Ok(())
    }
}

impl Row<'_> {
    /// The column at this place, the first being 0.
    pub(crate) fn get<T: Column>(&self, place: usize) -> anyhow::Result<T> {
        let cell = match self.0.get_ref(place)? {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(value) => Cell::Int(value),
            ValueRef::Text(text) => Cell::Text(std::str::from_utf8(text)?),
            ValueRef::Blob(bytes) => Cell::Blob(bytes),
            ValueRef::Real(_) => anyhow::bail!("column {place} holds a fraction"),
        };
        T::read(cell).with_context(|| format!("reading column {place}"))
    }
}

impl ToSql for Bind<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
            Self::Key(key) => ValueRef::Blob(key),
        }))
    }
}

fn run(connection: &rusqlite::Connection, sql: &str, values: &[Bind<'_>]) -> anyhow::Result<usize> {
    let mut statement = bound(connection, sql, values)?;
    statement.raw_execute().with_context(|| failed(sql))
}

/// A statement with its values: `?N` is the N-th of them, wherever in the text it stands.
fn bound<'c>(
    connection: &'c rusqlite::Connection,
    sql: &str,
    values: &[Bind<'_>],
) -> anyhow::Result<rusqlite::CachedStatement<'c>> {
    let mut statement = connection.prepare_cached(sql).with_context(|| failed(sql))?;
    let asked = statement.parameter_count();
    anyhow::ensure!(asked == values.len(), "{asked} values asked, {} given", values.len());
    for (place, value) in (1..).zip(values) {
        statement.raw_bind_parameter(place, value).with_context(|| failed(sql))?;
    }
    Ok(statement)
}

/// Names a statement by its text, which holds no values.
fn failed(sql: &str) -> String {
    format!("running `{}`", sql.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

#[cfg(test)]
impl Connection {
    /// What a tamperer with the file in hand can do.
    pub(crate) fn tamper(&self, sql: &str) {
        self.0.execute_batch(sql).expect(sql);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> (tempfile::TempDir, Connection) {
        let dir = tempfile::tempdir().expect("a directory");
        let connection = Connection::open_writer(&dir.path().join("store.db")).expect("opens");
        (dir, connection)
    }

    #[test]
    fn a_numbered_value_goes_where_its_number_says_in_any_order() {
        let (_dir, connection) = connection();
        let (world, _) = World::fixed(Timestamp::from_seconds(0), 1);
        let tx = connection.tx(&world);
        let row = tx
            .one("SELECT ?3, ?1, ?2, ?1", bind![1i64, "two", Some(3i64)], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .expect("runs");
        assert_eq!(row, Some((3i64, 1i64, "two".to_owned(), 1i64)));
        assert!(tx.execute("SELECT ?2", bind![1i64]).is_err(), "one value is missing");
    }

    #[test]
    fn a_write_is_synced_at_commit_and_foreign_keys_hold() {
        let (_dir, connection) = connection();
        for (pragma, expect) in [("synchronous", 2), ("foreign_keys", 1), ("secure_delete", 1)] {
            let found: i64 = connection
                .0
                .query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
                .expect(pragma);
            assert_eq!(found, expect, "{pragma}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_files() {
        use std::os::unix::fs::PermissionsExt;
        let (dir, connection) = connection();
        connection.tamper("CREATE TABLE t (x BIGINT)");
        for entry in std::fs::read_dir(dir.path()).expect("lists") {
            let entry = entry.expect("an entry");
            let mode = entry.metadata().expect("metadata").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{:?}", entry.file_name());
        }
    }
}
