//! Workbooks: a heading and tables per sheet.

use std::io::Cursor;

use calamine::{Data, Reader, open_workbook_auto_from_rs};

use crate::{archive::Archive, build::Builder, fault::ParseFault, limits::Limits, model::ParsedDocument, records};

const FORMAT: &str = "workbook";
const ROWS_MAX: usize = 200_000;
const CELLS_MAX: usize = 5_000_000;

pub(crate) fn parse(bytes: &[u8], file_name: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    if bytes.starts_with(b"PK") {
        check_expansion(bytes, limits)?;
    }
    let mut workbook = open_workbook_auto_from_rs(Cursor::new(bytes)).map_err(|error| {
        let text = error.to_string();
        if text.to_ascii_lowercase().contains("password") { ParseFault::Encrypted } else { ParseFault::malformed(FORMAT, text) }
    })?;
    let mut builder = Builder::new(limits);
    for name in workbook.sheet_names() {
        let range = match workbook.worksheet_range(&name) {
            Ok(range) => range,
            Err(error) => {
                builder.warnings.push(format!(
                    "sheet `{}` cannot be read: {}",
                    mainspring_kernel::text::elide(&name, 60),
                    mainspring_kernel::text::elide(&error.to_string(), 120)
                ));
                continue;
            }
        };
        let (height, width) = range.get_size();
        if height.saturating_mul(width) > CELLS_MAX {
            return Err(ParseFault::Expansion { limit: limits.expansion, entries: limits.entries });
        }
        builder.heading(2, &name)?;
        let rows: Vec<Vec<String>> = range
            .rows()
            .take(ROWS_MAX)
            .map(|row| row.iter().map(cell).collect())
            .filter(|row: &Vec<String>| row.iter().any(|cell| !cell.is_empty()))
            .collect();
        records::tables(&rows, &mut builder)?;
    }
    builder.title = Some(crate::build::stem(file_name));
    Ok(builder.finish("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", file_name, None))
}

/// calamine unpacks whole members; what they unpack to is counted first.
fn check_expansion(bytes: &[u8], limits: &Limits) -> Result<(), ParseFault> {
    let mut archive = Archive::open(bytes, FORMAT, limits)?;
    for name in archive.names() {
        archive.read(&name, FORMAT)?;
    }
    Ok(())
}

fn cell(data: &Data) -> String {
    match data {
        Data::Empty => String::new(),
        data => data.to_string(),
    }
}
