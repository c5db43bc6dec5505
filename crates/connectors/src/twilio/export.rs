//! Twilio's log of messages as CSV: one row per message. It does not read the log of calls.

use csv::StringRecord;
use model::{Field, FieldSet};

use super::messages::phone;
use crate::export::table::{Table, plain};
use crate::export::{Export, ExportError, ExportRow};

/// Columns that the log is documented to have, beside those that are read.
const SILENT: [&str; 20] = [
    "status",
    "sentdate",
    "datesent",
    "datecreated",
    "dateupdated",
    "apiversion",
    "numsegments",
    "errorcode",
    "errormessage",
    "accountsid",
    "messagingservicesid",
    "sid",
    "messagesid",
    "price",
    "priceunit",
    "uri",
    "subresourceuris",
    "direction",
    "from",
    "to",
];

/// Reads the header and hands out the rows.
pub(super) fn read(csv: &[u8]) -> Result<Export<'_>, ExportError> {
    let table = Table::open(csv)?;
    let to = table.find("to").ok_or(ExportError::Column("To"))?;
    let from = table.find("from").ok_or(ExportError::Column("From"))?;
    let (direction, body) = (table.find("direction"), table.find("body"));
    let media = table.find("nummedia");
    let is_known = |name: &String| {
        let name = plain(name);
        SILENT.contains(&name.as_str()) || name == "body" || name == "nummedia"
    };
    let custom: Vec<usize> = table
        .columns()
        .iter()
        .enumerate()
        .filter(|(_, name)| !is_known(name))
        .map(|(index, _)| index)
        .collect();
    let custom_columns = custom.iter().map(|&index| table.columns()[index].clone()).collect();

    let message = move |line: u64, row: &StringRecord| {
        let cell = |index: Option<usize>| index.and_then(|at| row.get(at)).unwrap_or("").trim();
        // Of a message that came in, the person is the one who sent it.
        let person = if cell(direction).starts_with("inbound") { from } else { to };
        let Some(identifier) = phone(cell(Some(person))) else {
            return Err(ExportError::Row { line, why: "it names nobody by a number" });
        };
        let found = [
            (Field::Phone, true),
            (Field::Content, !cell(body).is_empty()),
            (Field::Attachment, !matches!(cell(media), "" | "0")),
            (Field::Custom, custom.iter().any(|&index| !cell(Some(index)).is_empty())),
        ];
        let fields: FieldSet =
            found.into_iter().filter(|(_, present)| *present).map(|(field, _)| field).collect();
        Ok(ExportRow { identifiers: vec![identifier], fields, lists: Vec::new() })
    };
    let rows = table.map(move |row| row.and_then(|(line, row)| message(line, &row)));
    Ok(Export { rows: Box::new(rows), custom_columns })
}
