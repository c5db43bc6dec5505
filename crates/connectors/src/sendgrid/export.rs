//! SendGrid's export of contacts as CSV: capital letters, then the company's own columns. It does
//! not read the export of e-mail activity.

use csv::StringRecord;
use model::{Email, Field, FieldSet, Identifier, ListName};

use super::contacts::{ATTRIBUTES, identifier};
use crate::export::table::{Table, plain};
use crate::export::{Export, ExportError, ExportRow};

/// Columns that say nothing of a person.
const SILENT: [&str; 5] = ["createdat", "updatedat", "contactid", "id", "segmentids"];

/// Reads the header and hands out the rows.
pub(super) fn read(csv: &[u8]) -> Result<Export<'_>, ExportError> {
    let table = Table::open(csv)?;
    if table.find("email").is_none() {
        return Err(ExportError::Column("EMAIL"));
    }
    let columns: Vec<Column> = table.columns().iter().map(|name| column(name)).collect();
    let named = table.columns().iter().zip(&columns);
    let custom_columns = named
        .filter(|(_, column)| **column == Column::Custom)
        .map(|(name, _)| name.clone())
        .collect();
    let rows = table.map(move |row| row.and_then(|(line, row)| contact(line, &row, &columns)));
    Ok(Export { rows: Box::new(rows), custom_columns })
}

#[derive(Clone, Copy, PartialEq)]
enum Column {
    Email,
    AlternateEmails,
    Lists,
    Attribute(&'static str, Field),
    Silent,
    Custom,
}

fn column(name: &str) -> Column {
    let name = plain(name);
    match name.as_str() {
        "email" => Column::Email,
        "alternateemails" => Column::AlternateEmails,
        "listids" => Column::Lists,
        name if SILENT.contains(&name) => Column::Silent,
        name => ATTRIBUTES
            .iter()
            .find(|attribute| plain(attribute.key) == name)
            .map_or(Column::Custom, |attribute| Column::Attribute(attribute.key, attribute.field)),
    }
}

fn contact(line: u64, row: &StringRecord, columns: &[Column]) -> Result<ExportRow, ExportError> {
    let wrong = |why| ExportError::Row { line, why };
    let mut identifiers = Vec::new();
    let mut fields = FieldSet::EMPTY;
    let mut lists = Vec::new();
    for (value, column) in row.iter().map(str::trim).zip(columns) {
        match *column {
            _ if value.is_empty() => {}
            Column::Silent => {}
            Column::Email => {
                let email = Email::parse(value).map_err(|_| wrong("its address is not valid"))?;
                identifiers.push(Identifier::Email(email));
                fields = fields.with(Field::Email);
            }
            Column::AlternateEmails => {
                let emails = members(value).map(Email::parse);
                let emails = emails.collect::<Result<Vec<_>, _>>();
                let emails = emails.map_err(|_| wrong("an alternate address is not valid"))?;
                identifiers.extend(emails.into_iter().map(Identifier::Email));
                fields = fields.with(Field::Email);
            }
            Column::Lists => {
                let ids = members(value).map(ListName::parse);
                let ids = ids.collect::<Result<Vec<_>, _>>();
                lists = ids.map_err(|_| wrong("the id of a list is not valid"))?;
            }
            Column::Attribute(key, field) => {
                identifiers.extend(identifier(key, value));
                fields = fields.with(field);
            }
            Column::Custom => fields = fields.with(Field::Custom),
        }
    }
    if identifiers.is_empty() {
        Err(wrong("it names nobody"))
    } else {
        Ok(ExportRow { identifiers, fields, lists })
    }
}

/// Several values in one cell, bare or as a list in JSON.
fn members(cell: &str) -> impl Iterator<Item = &str> {
    cell.split([',', ';', '[', ']', '"', ' ']).filter(|member| !member.is_empty())
}
