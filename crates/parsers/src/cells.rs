//! Values of a workbook's cells as people write them.

use calamine::ExcelDateTime;

const SECONDS_A_DAY: f64 = 86_400.0;

/// A workbook keeps 15 digits of a number; the rest is what binary fractions leave behind.
pub(crate) fn number(value: f64) -> String {
    let rounded = format!("{value:.14e}").parse::<f64>().unwrap_or(value);
    // Adding nothing takes the sign from a zero.
    (rounded + 0.0).to_string()
}

/// `2024-01-31`, `2024-01-31 09:30:00`, `09:30:00`, or for a length of time `26:30:00`.
pub(crate) fn moment(moment: &ExcelDateTime) -> String {
    let days = moment.as_f64();
    if moment.is_duration() {
        return span(days * SECONDS_A_DAY);
    }
    // Days count from 1: less than one is a time of day.
    if (0.0..1.0).contains(&days) {
        let clock = span(days * SECONDS_A_DAY);
        return if clock.starts_with("24:") { "00:00:00".to_owned() } else { clock };
    }
    if days < 0.0 || !days.is_finite() {
        return number(days);
    }
    let (year, month, day, hour, minute, second, milli) = moment.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    match (hour, minute, second, milli) {
        (0, 0, 0, 0) => date,
        (_, _, _, 0) => format!("{date} {hour:02}:{minute:02}:{second:02}"),
        _ => format!("{date} {hour:02}:{minute:02}:{second:02}.{milli:03}"),
    }
}

/// `2024-01-31T00:00:00` is a date that OpenDocument wrote with a time.
pub(crate) fn iso_moment(text: &str) -> String {
    let text = text.trim();
    match text.split_once('T') {
        Some((date, time)) if time.trim_end_matches(['0', ':', '.']).is_empty() => date.to_owned(),
        Some((date, time)) => format!("{date} {time}"),
        None => text.to_owned(),
    }
}

/// `PT09H30M00S` is how OpenDocument writes times of day and lengths of time.
pub(crate) fn iso_duration(text: &str) -> String {
    seconds(text.trim()).map_or_else(|| text.to_owned(), span)
}

fn seconds(text: &str) -> Option<f64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    let mut rest = text.strip_prefix('P')?.replace('T', "");
    let mut total = 0.0;
    for (unit, seconds) in [('D', SECONDS_A_DAY), ('H', 3_600.0), ('M', 60.0), ('S', 1.0)] {
        if let Some((count, after)) = rest.split_once(unit) {
            total += count.parse::<f64>().ok()? * seconds;
            rest = after.to_owned();
        }
    }
    rest.is_empty().then_some(sign * total)
}

fn span(seconds: f64) -> String {
    let millis = (seconds.abs() * 1_000.0).round() as u64;
    let (whole, milli) = (millis / 1_000, millis % 1_000);
    let sign = if seconds < 0.0 && millis > 0 { "-" } else { "" };
    let clock = format!("{sign}{:02}:{:02}:{:02}", whole / 3_600, whole / 60 % 60, whole % 60);
    if milli == 0 { clock } else { format!("{clock}.{milli:03}") }
}
