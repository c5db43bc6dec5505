//! A vendor's own export, read by the columns that its file names.

use csv::StringRecord;
use model::{Email, Field, FieldSet, Identifier, ListName, Phone};

use super::keys::Role;
use crate::export::table::{Table, plain};
use crate::export::{Export, ExportError, ExportRow};

/// Reads the header and hands out the rows. Columns that are not named count as `custom`.
pub(super) fn read<'a>(
    columns: &[(String, Role)],
    csv: &'a [u8],
) -> Result<Export<'a>, ExportError> {
    let table = Table::open(csv)?;
    let role = |name: &String| {
        let known = columns.iter().find(|(column, _)| plain(column) == plain(name));
        known.map_or(Role::Field(Field::Custom), |(_, role)| *role)
    };
    let roles: Vec<Role> = table.columns().iter().map(role).collect();
    if !roles.iter().any(|role| matches!(role, Role::Names { .. })) {
        return Err(ExportError::Column("that names a person"));
    }
    let known = |name: &&String| columns.iter().any(|(column, _)| plain(column) == plain(name));
    let custom_columns = table.columns().iter().filter(|name| !known(name)).cloned().collect();
    let rows = table.map(move |row| row.and_then(|(line, row)| contact(&roles, line, &row)));
    Ok(Export { rows: Box::new(rows), custom_columns })
}

/// Reads a table of which nobody says what its columns are: by the names that people usually give.
pub(crate) fn plain_columns(csv: &[u8]) -> Result<Export<'_>, ExportError> {
    const EMAIL: Role = Role::Names { field: Field::Email, strict: true, space: "" };
    const PHONE: Role = Role::Names { field: Field::Phone, strict: false, space: "" };
    const USER: Role = Role::Names { field: Field::Username, strict: false, space: "" };
    const USUAL: [(&str, Role); 24] = [
        ("email", EMAIL),
        ("e-mail", EMAIL),
        ("email_address", EMAIL),
        ("phone", PHONE),
        ("phone_number", PHONE),
        ("mobile", PHONE),
        ("user_id", USER),
        ("person_id", USER),
        ("external_id", USER),
        ("username", Role::Field(Field::Username)),
        ("name", Role::Field(Field::Name)),
        ("first_name", Role::Field(Field::Name)),
        ("last_name", Role::Field(Field::Name)),
        ("address", Role::Field(Field::Address)),
        ("street", Role::Field(Field::Address)),
        ("postal_code", Role::Field(Field::Address)),
        ("zip", Role::Field(Field::Address)),
        ("city", Role::Field(Field::Location)),
        ("region", Role::Field(Field::Location)),
        ("country", Role::Field(Field::Location)),
        ("ip", Role::Field(Field::Ip)),
        ("language", Role::Field(Field::Language)),
        ("birthdate", Role::Field(Field::Birthdate)),
        ("date_of_birth", Role::Field(Field::Birthdate)),
    ];
    read(&USUAL.map(|(name, role)| (name.to_owned(), role)), csv)
}

fn contact(roles: &[Role], line: u64, row: &StringRecord) -> Result<ExportRow, ExportError> {
    let wrong = |why| ExportError::Row { line, why };
    let mut found =
        ExportRow { identifiers: Vec::new(), fields: FieldSet::EMPTY, lists: Vec::new() };
    for (role, cell) in roles.iter().zip(row.iter()) {
        let cell = cell.trim();
        if cell.is_empty() {
            continue;
        }
        found.fields = found.fields.union(role.carries());
        match role {
            Role::Names { field, strict, .. } => match identifier(*field, cell) {
                Some(identifier) => found.identifiers.push(identifier),
                None if *strict => return Err(wrong("an address or number in it is none")),
                None => {}
            },
            Role::Id { space, .. } => {
                found.identifiers.push(Identifier::UserId(format!("{space}:{cell}").into()));
            }
            Role::List => {
                let list = ListName::parse(cell).map_err(|_| wrong("a list in it is none"))?;
                found.lists.push(list);
            }
            _ => {}
        }
    }
    if found.identifiers.is_empty() { Err(wrong("it names nobody")) } else { Ok(found) }
}

/// The identifier in a cell.
fn identifier(field: Field, text: &str) -> Option<Identifier> {
    match field {
        Field::Email => Email::parse(text).ok().map(Identifier::Email),
        Field::Phone => Phone::parse(text).ok().map(Identifier::Phone),
        _ => Some(Identifier::UserId(text.into())),
    }
}
