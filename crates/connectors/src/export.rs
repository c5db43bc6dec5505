//! What a vendor says that it holds: its own export, row by row.

pub(crate) mod table;

use model::{FieldSet, Identifier, ListName};

/// One contact of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRow {
    /// Every identifier in the row; at least one.
    pub identifiers: Vec<Identifier>,
    /// Fields that have a value.
    pub fields: FieldSet,
    /// Lists that the row says the contact is in.
    pub lists: Vec<ListName>,
}

/// An export being read: a row, or the line that could not be read and why.
pub struct Export<'a> {
    /// Rows in the file's order.
    pub rows: Box<dyn Iterator<Item = Result<ExportRow, ExportError>> + Send + 'a>,
    /// Columns that the vendor does not document; each counts as a `custom` field.
    pub custom_columns: Vec<String>,
}

/// Why an export, or one row of it, cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The header lacks a column that the vendor always writes.
    #[error("the header has no column `{0}`")]
    Column(&'static str),
    /// A row is broken, or names nobody.
    #[error("line {line}: {why}")]
    Row {
        /// Line of the file, from 1.
        line: u64,
        /// What is wrong.
        why: &'static str,
    },
}

impl model::Coded for ExportError {
    fn code(&self) -> &'static str {
        match self {
            Self::Column(_) => "export-column",
            Self::Row { .. } => "export-row",
        }
    }
}
