//! Workbooks: a heading and tables per sheet.

use std::io::Cursor;

use calamine::{Data, Reader, SheetType, SheetVisible, Sheets, open_workbook_auto_from_rs};
use mainspring_kernel::text::elide;

use crate::{
    archive::Archive, build::Builder, cells, fault::ParseFault, limits::Limits, model::ParsedDocument, records,
    warning::WarningKind,
};

const FORMAT: &str = "workbook";
const CELLS_MAX: usize = 5_000_000;

pub(crate) fn parse(bytes: &[u8], file_name: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    if bytes.starts_with(b"PK") {
        check_expansion(bytes, limits)?;
    }
    let mut workbook = open_workbook_auto_from_rs(Cursor::new(bytes)).map_err(|error| {
        let text = error.to_string();
        if text.to_ascii_lowercase().contains("password") { ParseFault::Encrypted } else { ParseFault::malformed(FORMAT, text) }
    })?;
    let media_type = match &workbook {
        Sheets::Xls(_) => "application/vnd.ms-excel",
        Sheets::Ods(_) => "application/vnd.oasis.opendocument.spreadsheet",
        _ => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    };
    let mut builder = Builder::new(limits);
    for sheet in workbook.sheets_metadata().to_vec() {
        // A sheet that is only a chart shows cells of other sheets.
        if sheet.typ == SheetType::ChartSheet {
            continue;
        }
        let shown = elide(&sheet.name, 60);
        let range = match workbook.worksheet_range(&sheet.name) {
            Ok(range) => range,
            Err(error) => {
                let why = elide(&error.to_string(), 120);
                builder.warn(WarningKind::SheetUnread, format!("sheet `{shown}` cannot be read: {why}"));
                continue;
            }
        };
        let (height, width) = range.get_size();
        if height.saturating_mul(width) > CELLS_MAX {
            return Err(ParseFault::Expansion { limit: limits.expansion, entries: limits.entries });
        }
        if sheet.visible != SheetVisible::Visible {
            builder.warn(WarningKind::SheetHidden, format!("sheet `{shown}` is hidden in the workbook"));
        }
        builder.heading(2, &sheet.name)?;
        let rows: Vec<Vec<String>> = range
            .rows()
            .map(|row| row.iter().map(cell).collect())
            .filter(|row: &Vec<String>| row.iter().any(|cell| !cell.is_empty()))
            .collect();
        records::tables(&rows, &mut builder)?;
    }
    builder.title = Some(crate::build::stem(file_name));
    Ok(builder.finish(media_type, file_name, None))
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
        Data::String(text) => text.clone(),
        Data::Bool(value) => if *value { "TRUE" } else { "FALSE" }.to_owned(),
        Data::Int(value) => value.to_string(),
        Data::Float(value) => cells::number(*value),
        Data::DateTime(moment) => cells::moment(moment),
        Data::DateTimeIso(text) => cells::iso_moment(text),
        Data::DurationIso(text) => cells::iso_duration(text),
        Data::Error(error) => error.to_string(),
    }
}
