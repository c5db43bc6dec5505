//! The company's system of record for people, read row by row when needed and never kept.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray as _;
use arrow_array::{Array, RecordBatch};
use model::{Contact, Country, Email, Language, Phone, Region};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// The columns of a directory; the order is free, `person_id` is needed, the others may be empty.
pub const COLUMNS: [&str; 8] =
    ["person_id", "email", "phone", "name", "country", "region", "language", "two_factor"];

/// A system of record that can be read from the first person to the last.
pub trait Directory: Send + Sync {
    /// Everybody, in any order. A row that cannot be read is an error of its own; the rest goes on.
    ///
    /// # Errors
    /// When the directory cannot be opened at all.
    fn contacts(&self) -> Result<Contacts, DirectoryError>;
}

/// Rows of a directory.
pub type Contacts = Box<dyn Iterator<Item = Result<Contact, DirectoryError>> + Send>;

/// Why a directory, or one row of it, cannot be read. Never says what is in the row.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// No directory is set.
    #[error("no directory of people is set")]
    None,
    /// It cannot be opened or read on.
    #[error("the directory `{}` cannot be read: {why}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// A column is missing.
    #[error("the directory has no column `{0}`")]
    Column(&'static str),
    /// A row is broken.
    #[error("row {row}: column `{column}`: {why}")]
    Row {
        /// From 1, without the header.
        row: u64,
        /// Which column.
        column: &'static str,
        /// What is wrong.
        why: String,
    },
}

impl model::Coded for DirectoryError {
    fn code(&self) -> &'static str {
        match self {
            Self::None => "directory-none",
            Self::Unreadable { .. } => "directory-unreadable",
            Self::Column(_) => "directory-column",
            Self::Row { .. } => "directory-row",
        }
    }

    fn hint(&self) -> Option<String> {
        matches!(self, Self::None)
            .then(|| "set `directory.path` in cordon.toml to a .csv or .parquet file".into())
    }
}

/// The directory in this file; the ending says the format.
pub fn open(path: Option<&Path>) -> Box<dyn Directory> {
    match path {
        None => Box::new(Nobody),
        Some(path) if path.extension().is_some_and(|ending| ending == "parquet") => {
            Box::new(ParquetFile(path.into()))
        }
        Some(path) => Box::new(CsvFile(path.into())),
    }
}

struct Nobody;

impl Directory for Nobody {
    fn contacts(&self) -> Result<Contacts, DirectoryError> {
        Err(DirectoryError::None)
    }
}

/// A CSV file with a header.
struct CsvFile(PathBuf);

impl Directory for CsvFile {
    fn contacts(&self) -> Result<Contacts, DirectoryError> {
        let path = self.0.clone();
        let unreadable = move |why: csv::Error| DirectoryError::Unreadable {
            path: path.clone(),
            why: why.to_string(),
        };
        let mut reader =
            csv::ReaderBuilder::new().flexible(true).from_path(&self.0).map_err(&unreadable)?;
        let header = reader.headers().map_err(&unreadable)?.clone();
        let at = COLUMNS.map(|column| header.iter().position(|name| name.trim() == column));
        if at[0].is_none() {
            return Err(DirectoryError::Column(COLUMNS[0]));
        }
        let rows = reader.into_records().zip(1u64..).map(move |(record, row)| {
            let record = record.map_err(|why| DirectoryError::Row {
                row,
                column: COLUMNS[0],
                why: format!("{:?}", why.kind())
                    .chars()
                    .take_while(|c| c.is_alphabetic())
                    .collect(),
            })?;
            contact(row, |column| at[column].and_then(|index| record.get(index)))
        });
        Ok(Box::new(rows))
    }
}

/// A Parquet file with text columns; `two_factor` may be boolean.
struct ParquetFile(PathBuf);

impl Directory for ParquetFile {
    fn contacts(&self) -> Result<Contacts, DirectoryError> {
        let unreadable = |why: String| DirectoryError::Unreadable { path: self.0.clone(), why };
        let file = File::open(&self.0).map_err(|why| unreadable(why.to_string()))?;
        let batches = ParquetRecordBatchReaderBuilder::try_new(file)
            .and_then(ParquetRecordBatchReaderBuilder::build)
            .map_err(|why| unreadable(why.to_string()))?;
        let path = self.0.clone();
        let mut before = 0;
        let rows = batches.flat_map(move |batch| {
            let batch = batch.map_err(|why| DirectoryError::Unreadable {
                path: path.clone(),
                why: why.to_string(),
            });
            let first = before;
            before += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
            match batch {
                Ok(batch) => batch_contacts(&batch, first),
                Err(error) => vec![Err(error)],
            }
        });
        Ok(Box::new(rows))
    }
}

fn batch_contacts(batch: &RecordBatch, before: u64) -> Vec<Result<Contact, DirectoryError>> {
    let columns = COLUMNS.map(|column| batch.column_by_name(column));
    if columns[0].is_none() {
        return vec![Err(DirectoryError::Column(COLUMNS[0]))];
    }
    (0..batch.num_rows())
        .map(|row| {
            contact(before + row as u64 + 1, |column| {
                columns[column].and_then(|array| text_at(array.as_ref(), row))
            })
        })
        .collect()
}

fn text_at(array: &dyn Array, row: usize) -> Option<&str> {
    if array.is_null(row) {
        return None;
    }
    if let Some(texts) = array.as_string_opt::<i32>() {
        return Some(texts.value(row));
    }
    if let Some(texts) = array.as_string_opt::<i64>() {
        return Some(texts.value(row));
    }
    if let Some(texts) = array.as_string_view_opt() {
        return Some(texts.value(row));
    }
    array.as_boolean_opt().map(|flags| if flags.value(row) { "true" } else { "false" })
}

fn contact<'a>(
    row: u64,
    cell: impl Fn(usize) -> Option<&'a str>,
) -> Result<Contact, DirectoryError> {
    let filled = |column: usize| cell(column).map(str::trim).filter(|text| !text.is_empty());
    let wrong =
        |column: usize, why: String| DirectoryError::Row { row, column: COLUMNS[column], why };
    fn read<T>(
        column: usize,
        text: Option<&str>,
        parse: impl Fn(&str) -> Result<T, model::error::Malformed>,
        wrong: impl Fn(usize, String) -> DirectoryError,
    ) -> Result<Option<T>, DirectoryError> {
        text.map(|text| parse(text).map_err(|why| wrong(column, why.to_string()))).transpose()
    }
    Ok(Contact {
        person_id: filled(0).ok_or_else(|| wrong(0, "it is empty".into()))?.into(),
        email: read(1, filled(1), Email::parse, wrong)?,
        phone: read(2, filled(2), Phone::parse, wrong)?,
        name: filled(3).map(Into::into),
        country: read(4, filled(4), Country::parse, wrong)?,
        region: read(5, filled(5), Region::parse, wrong)?,
        language: read(6, filled(6), Language::parse, wrong)?,
        two_factor: read(7, filled(7), flag, wrong)?,
    })
}

fn flag(text: &str) -> Result<bool, model::error::Malformed> {
    match text {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(model::error::Malformed::new("flag", "use true or false")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BooleanArray, StringArray};
    use arrow_schema::{DataType, Field, Schema};
    use parquet::arrow::ArrowWriter;

    use super::*;

    fn all(path: &Path) -> Vec<Result<Contact, DirectoryError>> {
        open(Some(path)).contacts().expect("opens").collect()
    }

    #[test]
    fn a_broken_row_is_named_and_the_others_are_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("people.csv");
        let csv = "person_id,email,country,two_factor\n1,ann@x.example,DE,true\n2,nobody,DE,\n,a@x.example,,\n4,,,no\n";
        std::fs::write(&path, csv).expect("written");
        let rows = all(&path);
        assert_eq!(rows[0].as_ref().expect("row 1").two_factor, Some(true));
        let refused = rows[1].as_ref().expect_err("row 2").to_string();
        assert_eq!(refused, "row 2: column `email`: not a valid e-mail address: it has no `@`");
        assert!(rows[2].is_err());
        let last = rows[3].as_ref().expect("row 4");
        assert_eq!((last.email.clone(), last.two_factor), (None, Some(false)));
    }

    #[test]
    fn a_parquet_file_gives_the_same_people() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("people.parquet");
        let schema = Arc::new(Schema::new(vec![
            Field::new("person_id", DataType::Utf8, false),
            Field::new("email", DataType::Utf8, true),
            Field::new("two_factor", DataType::Boolean, true),
        ]));
        let batch = RecordBatch::try_new(
            schema.clone(),
            vec![
                Arc::new(StringArray::from(vec!["1", "2"])),
                Arc::new(StringArray::from(vec![Some("ann@x.example"), None])),
                Arc::new(BooleanArray::from(vec![Some(true), None])),
            ],
        )
        .expect("a batch");
        let mut writer =
            ArrowWriter::try_new(File::create(&path).expect("made"), schema, None).expect("writer");
        writer.write(&batch).expect("written");
        writer.close().expect("closed");
        let rows: Vec<Contact> = all(&path).into_iter().map(|row| row.expect("valid")).collect();
        assert_eq!(rows[0].email.as_ref().map(Email::as_str), Some("ann@x.example"));
        assert_eq!((rows[0].two_factor, rows[1].two_factor), (Some(true), None));
    }

    #[test]
    fn no_directory_is_said_and_not_taken_for_an_empty_one() {
        assert!(matches!(open(None).contacts(), Err(DirectoryError::None)));
    }
}
