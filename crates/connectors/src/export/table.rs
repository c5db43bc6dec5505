//! CSV read strictly: a header, then rows that are whole or named as broken. It does not know what
//! a column means.

use csv::{ByteRecord, Reader, ReaderBuilder, StringRecord};
use model::limits;

use crate::export::ExportError;

/// A CSV text with a header. Iterating gives each row with its line, counted from 1.
pub(crate) struct Table<'a> {
    bytes: &'a [u8],
    reader: Reader<&'a [u8]>,
    columns: Vec<String>,
}

impl<'a> Table<'a> {
    /// Reads the header; a byte order mark is skipped.
    ///
    /// # Errors
    /// When the header is not UTF-8 or names a column twice.
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, ExportError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
        let mut table = Self { bytes, reader, columns: Vec::new() };
        if let Some(header) = table.row() {
            let (_, header) = header?;
            table.columns = header.iter().map(|column| column.trim().to_owned()).collect();
        }
        let mut names: Vec<String> = table.columns.iter().map(|column| plain(column)).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(ExportError::Row { line: 1, why: "the header names a column twice" });
        }
        Ok(table)
    }

    /// The columns as they are written.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Where the column of this plain name is.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| plain(column) == name)
    }

    fn row(&mut self) -> Option<Result<(u64, StringRecord), ExportError>> {
        let mut record = ByteRecord::new();
        match self.reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(_) => return Some(Err(ExportError::Row { line: 0, why: "it cannot be read" })),
        }
        let start = record.position().map_or(0, csv::Position::byte) as usize;
        let line = record.position().map_or(0, csv::Position::line);
        let raw = &self.bytes[start..self.reader.position().byte() as usize];
        let wrong = |why| Some(Err(ExportError::Row { line, why }));
        if raw.len() > limits::IMPORT_ROW_BYTES {
            return wrong("the row is over 64 KiB");
        }
        if raw.iter().filter(|&&byte| byte == b'"').count() % 2 == 1 {
            return wrong("its quotes do not pair");
        }
        match StringRecord::from_byte_record(record) {
            Ok(record) => Some(Ok((line, record))),
            Err(_) => wrong("it is not UTF-8"),
        }
    }
}

impl Iterator for Table<'_> {
    type Item = Result<(u64, StringRecord), ExportError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.row()?.and_then(|(line, record)| {
            if record.len() == self.columns.len() {
                Ok((line, record))
            } else {
                Err(ExportError::Row { line, why: "it has not as many columns as the header" })
            }
        }))
    }
}

/// A column's name without regard to case, spaces and underscores.
pub(crate) fn plain(column: &str) -> String {
    column.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_row_is_named_and_the_next_one_is_read() {
        let text = b"\xef\xbb\xbfA,B\n1,2\n3\n\xff,4\n5,\"6\n7\"\n8,\"9";
        let table = Table::open(text).expect("a header");
        assert_eq!(table.columns(), ["A", "B"]);
        let rows: Vec<_> =
            table.map(|row| row.map(|(line, row)| (line, row[1].to_owned()))).collect();
        let broken = |line, why| Err(ExportError::Row { line, why });
        assert_eq!(rows[0], Ok((2, "2".to_owned())));
        assert_eq!(rows[1], broken(3, "it has not as many columns as the header"));
        assert_eq!(rows[2], broken(4, "it is not UTF-8"));
        assert_eq!(rows[3], Ok((5, "6\n7".to_owned())));
        assert_eq!(rows[4], broken(7, "its quotes do not pair"));
        assert_eq!(rows.len(), 5);
    }

    #[test]
    fn a_row_has_a_limit_and_a_column_one_name() {
        let long = format!("A\n{}\nb\n", "x".repeat(limits::IMPORT_ROW_BYTES + 1));
        let rows: Vec<_> = Table::open(long.as_bytes()).expect("a header").collect();
        assert!(rows[0].is_err() && rows[1].is_ok());
        assert!(Table::open(b"First_Name,first name\n").is_err());
    }
}
