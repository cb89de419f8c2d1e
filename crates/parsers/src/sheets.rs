//! Workbooks: a heading and tables per sheet.

use std::{fmt::Display, io::Cursor};

use calamine::{Data, Ods, OdsError, Reader, SheetType, SheetVisible, Sheets, Xls, XlsError, Xlsb, Xlsx};
use mainspring_kernel::text::elide;

use crate::{
    archive::Archive, build::Builder, cells, fault::ParseFault, limits::Limits, model::ParsedDocument, records,
    warning::WarningKind,
};

const FORMAT: &str = "workbook";
const CELLS_MAX: usize = 5_000_000;

pub(crate) fn parse(bytes: &[u8], file_name: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    let mut workbook = open(bytes, limits)?;
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

/// By what the file is. A reader that is only tried, as calamine's own choice does, does not say what was wrong.
fn open<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Sheets<Cursor<&'a [u8]>>, ParseFault> {
    let malformed = |error: &dyn Display| ParseFault::malformed(FORMAT, error);
    let from = Cursor::new(bytes);
    if !bytes.starts_with(b"PK") {
        return Xls::new(from).map(Sheets::Xls).map_err(|error| match error {
            XlsError::Password => ParseFault::Encrypted,
            error => malformed(&error),
        });
    }
    let names = expanded(bytes, limits)?;
    if !names.iter().any(|name| name.starts_with("xl/")) {
        return Ods::new(from).map(Sheets::Ods).map_err(|error| match error {
            OdsError::Password => ParseFault::Encrypted,
            error => malformed(&error),
        });
    }
    if names.iter().any(|name| name == "xl/workbook.bin") {
        return Xlsb::new(from).map(Sheets::Xlsb).map_err(|error| malformed(&error));
    }
    Xlsx::new(from).map(Sheets::Xlsx).map_err(|error| malformed(&error))
}

/// The members of an archive. calamine unpacks whole ones; what they unpack to is counted first.
fn expanded(bytes: &[u8], limits: &Limits) -> Result<Vec<String>, ParseFault> {
    let mut archive = Archive::open(bytes, FORMAT, limits)?;
    let names = archive.names();
    for name in &names {
        archive.read(name, FORMAT)?;
    }
    Ok(names)
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
