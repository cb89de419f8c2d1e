//! Two channels: data to standard output, talk to standard error.

use std::io::{IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// Prints data. A reader that went away (`| head`) ends the program quietly.
pub(crate) fn data(text: &str) {
    raw(text.as_bytes());
}

/// The same of bytes that come in parts.
pub(crate) fn raw(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    if out.write_all(bytes).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

pub(crate) fn line(text: &str) {
    data(&format!("{text}\n"));
}

pub(crate) fn json(value: &impl Serialize) {
    line(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// One of many values on standard output: a line each.
pub(crate) fn json_line(value: &impl Serialize) {
    line(&serde_json::to_string(value).unwrap_or_default());
}

/// Says how to see the rest of a list.
pub(crate) fn more(next: Option<&str>) {
    if let Some(next) = next {
        say(&format!("there is more: --cursor {next}"));
    }
}

/// Says something to the person, not to the pipe.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[must_use]
pub(crate) fn is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

pub(crate) fn table(header: &[&str], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        say("nothing here yet");
        return;
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header.iter().map(|name| name.to_uppercase()));
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell)));
    }
    line(&table.to_string());
}

/// Text from documents and servers, without the control characters that move a terminal's cursor.
#[must_use]
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

#[must_use]
pub(crate) fn dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.to_string())
}

#[must_use]
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if count < 1000 {
        return format!("{count} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "a size for people to read")]
    let mut size = count as f64 / 1000.0;
    let mut unit = 0;
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}
