//! CSV, JSON and JSON lines.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    build::{Builder, one_line},
    fault::ParseFault,
    limits::Limits,
    model::{BlockKind, ParsedDocument},
    warning::WarningKind,
};

/// Rows of one table block; a larger file becomes several, each with the header row.
const ROWS: usize = 200;
const COLUMNS: usize = 500;
/// Lines that are named with what is wrong with them; of more it is said how many.
const LINES_SHOWN: usize = 20;

pub(crate) fn csv(text: &str, file_name: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    let mut builder = Builder::new(limits);
    let (delimiter, text) = delimiter(text);
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut widest = 0;
    for record in reader(text, delimiter).records() {
        let record = record.map_err(|error| ParseFault::malformed("CSV", error))?;
        widest = widest.max(record.len());
        rows.push(record.iter().take(COLUMNS).map(str::to_owned).collect());
    }
    if widest > COLUMNS {
        let cut = format!("rows have up to {widest} columns; the first {COLUMNS} are read");
        builder.warn(WarningKind::TableCut, cut);
    }
    tables(&rows, &mut builder)?;
    Ok(builder.finish("text/csv", file_name, None))
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes())
}

/// What stands between fields, and the rows: as the first line says (`sep=;`, which spreadsheets write), or what
/// cuts most of the first rows into the same number of fields, and into the most.
fn delimiter(text: &str) -> (u8, &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    if let [said] = first.trim_end().strip_prefix("sep=").unwrap_or_default().as_bytes() {
        return (*said, rest);
    }
    let fit = |delimiter: &u8| {
        let rows = reader(text, *delimiter).into_records().take(50).map_while(Result::ok);
        let mut alike: BTreeMap<usize, usize> = BTreeMap::new();
        rows.filter(|row| row.len() > 1).for_each(|row| *alike.entry(row.len()).or_default() += 1);
        alike.into_iter().map(|(width, rows)| (rows, width)).max()
    };
    // Of equals the last is taken, so the most usual comes last.
    (b"|\t;,".iter().copied().max_by_key(fit).unwrap_or(b','), text)
}

/// Rows as table blocks, each beginning with the first row.
pub(crate) fn tables(rows: &[Vec<String>], builder: &mut Builder) -> Result<(), ParseFault> {
    let Some((header, body)) = rows.split_first() else { return Ok(()) };
    if body.is_empty() {
        return builder.table(rows);
    }
    for part in body.chunks(ROWS) {
        let mut table = Vec::with_capacity(part.len() + 1);
        table.push(header.clone());
        table.extend_from_slice(part);
        builder.table(&table)?;
    }
    Ok(())
}

pub(crate) fn json(text: &str, file_name: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    check_depth(text, limits.depth)?;
    let mut builder = Builder::new(limits);
    let value: Value = serde_json::from_str(text).map_err(|error| ParseFault::malformed("JSON", error))?;
    match &value {
        Value::Array(items) => items.iter().try_for_each(|item| record(item, &mut builder))?,
        value => record(value, &mut builder)?,
    }
    Ok(builder.finish("application/json", file_name, None))
}

pub(crate) fn json_lines(text: &str, file_name: &str, limits: &Limits) -> Result<ParsedDocument, ParseFault> {
    let mut builder = Builder::new(limits);
    let (mut read, mut unread, mut first) = (0_usize, 0_usize, None);
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match json_line(line, limits) {
            Ok(value) => {
                read += 1;
                record(&value, &mut builder)?;
            }
            // Whoever was writing may have been cut off; the other lines are whole all the same.
            Err(why) => {
                let why = format!("line {} cannot be read: {why}", index + 1);
                unread += 1;
                if unread <= LINES_SHOWN {
                    builder.warn(WarningKind::RecordUnread, why.clone());
                }
                first = first.or(Some(why));
            }
        }
    }
    if unread > LINES_SHOWN {
        builder.warn(WarningKind::RecordUnread, format!("{unread} of {} lines cannot be read", read + unread));
    }
    match first {
        Some(why) if read == 0 => Err(ParseFault::malformed("JSON lines", why)),
        _ => Ok(builder.finish("application/jsonl", file_name, None)),
    }
}

fn json_line(line: &str, limits: &Limits) -> Result<Value, String> {
    check_depth(line, limits.depth).map_err(|fault| fault.to_string())?;
    serde_json::from_str(line).map_err(|error| {
        // It knows of this line only, and calls it the first.
        let said = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        format!("{} at column {}", said.strip_suffix(&place).unwrap_or(&said), error.column())
    })
}

/// `key: value` lines, nested keys joined by dots.
fn record(value: &Value, builder: &mut Builder) -> Result<(), ParseFault> {
    let mut lines = Vec::new();
    flatten("", value, &mut lines);
    builder.block(BlockKind::Record, &lines.join("\n"))
}

fn flatten(path: &str, value: &Value, lines: &mut Vec<String>) {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| flatten(&join(key), value, lines)),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            lines.push(line(path, &items.iter().map(scalar).collect::<Vec<_>>().join(", ")));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| flatten(&join(&(index + 1).to_string()), item, lines))
        }
        value => lines.push(line(path, &scalar(value))),
    }
}

fn line(path: &str, value: &str) -> String {
    if path.is_empty() { value.to_owned() } else { format!("{path}: {value}") }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => one_line(text),
        Value::Null => "none".to_owned(),
        value => value.to_string(),
    }
}

/// serde_json has a limit of its own, but says less.
fn check_depth(text: &str, limit: u32) -> Result<(), ParseFault> {
    // serde_json stops at 128 levels.
    let limit = limit.min(127);
    let (mut depth, mut in_text, mut escaped) = (0_u32, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                if depth > limit {
                    return Err(ParseFault::TooDeep { limit });
                }
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}
