//! Figures as people read them: in sentences of monitors, and in what is told of them.

/// Three digits that say something.
#[must_use]
pub fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let whole = value.abs().log10().floor();
    let decimals = if whole >= 2.0 { 0 } else { (2.0 - whole) as usize };
    let text = format!("{value:.*}", decimals.min(12));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Of one: `23 %`.
#[must_use]
pub fn share(value: f64) -> String {
    format!("{} %", number(value * 100.0))
}

/// A figure with its unit: `share` is of one, `points` the difference of two of these, `s` and `$` are as they are read, and
/// whatever else follows the number.
#[must_use]
pub fn amount(value: f64, unit: &str) -> String {
    match unit {
        "" => number(value),
        "share" => share(value),
        "points" => format!("{} points", number(value * 100.0)),
        "s" => seconds(value),
        "$" => format!("{}${}", if value < 0.0 { "-" } else { "" }, number(value.abs())),
        unit => format!("{} {unit}", number(value)),
    }
}

fn seconds(value: f64) -> String {
    let (parts, unit) = match value.abs() {
        long if long >= 7_200.0 => (value / 3_600.0, "h"),
        long if long >= 120.0 => (value / 60.0, "min"),
        short if short > 0.0 && short < 1.0 => (value * 1_000.0, "ms"),
        _ => (value, "s"),
    };
    format!("{} {unit}", number(parts))
}

#[cfg(test)]
mod tests {
    use super::amount;

    #[track_caller]
    fn check(value: f64, unit: &str, want: &str) {
        assert_eq!(amount(value, unit), want, "{value} {unit}");
    }

    #[test]
    fn figures_are_rounded_and_have_their_unit() {
        check(5.194_805_194_805_19, "", "5.19");
        check(0.0, "", "0");
        check(12_345.6, "", "12346");
        check(0.229_551_451_187_335_08, "share", "23 %");
        check(0.608, "points", "60.8 points");
        check(-0.05, "points", "-5 points");
        check(4.012_3, "s", "4.01 s");
        check(0.221_4, "s", "221 ms");
        check(0.0, "s", "0 s");
        check(-150.0, "s", "-2.5 min");
        check(9_000.0, "s", "2.5 h");
        check(1.2, "$", "$1.2");
        check(-0.004, "$", "-$0.004");
        check(14.4, "times", "14.4 times");
    }
}
