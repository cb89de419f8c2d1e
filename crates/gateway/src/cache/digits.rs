//! Numbers that are written more exactly than they are read.

use memchr::memchr2;

/// So many digits a float tells apart.
const TOLD_APART: usize = 15;

/// The numbers of a JSON text with more digits than that, as they are written and in their order: of two that differ the
/// values may be the same.
pub(super) fn long(text: &[u8]) -> Vec<u8> {
    let mut long = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.first() {
        let end = match first {
            b'"' => end_of_string(rest),
            b'-' | b'0'..=b'9' => {
                let end = rest.iter().position(|byte| !is_of_number(*byte)).unwrap_or(rest.len());
                if is_long(&rest[..end]) {
                    long.extend_from_slice(&rest[..end]);
                    long.push(b',');
                }
                end
            }
            _ => 1,
        };
        rest = &rest[end..];
    }
    long
}

/// Of the string that the text begins with.
fn end_of_string(text: &[u8]) -> usize {
    let mut end = 1;
    loop {
        match memchr2(b'"', b'\\', &text[end..]) {
            Some(at) if text[end + at] == b'\\' => end = (end + at + 2).min(text.len()),
            Some(at) => return end + at + 1,
            None => return text.len(),
        }
    }
}

const fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

fn is_long(number: &[u8]) -> bool {
    let before_exponent = number.iter().take_while(|byte| !matches!(byte, b'e' | b'E'));
    let digits = before_exponent.filter(|byte| byte.is_ascii_digit()).skip_while(|digit| **digit == b'0');
    digits.count() > TOLD_APART
}

#[cfg(test)]
mod tests {
    use super::long;

    #[test]
    fn only_what_a_float_may_not_tell_apart_is_kept_as_it_is_written() {
        for (text, found) in [
            (r#"{"a":[0,-1.5,1e300,0.000000000000000000001,123456789012345]}"#, ""),
            (
                r#"{"a":100000000000000000001,"b":[-0.1234567890123456,12345678901234567e-3]}"#,
                "100000000000000000001,-0.1234567890123456,12345678901234567e-3,",
            ),
            (
                r#"{"a":"100000000000000000001","b\"1000000000000000000011":"\\","c":1000000000000000000012}"#,
                "1000000000000000000012,",
            ),
            (r#""cut\"#, ""),
            (r#""cut"#, ""),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8(long(text.as_bytes())).unwrap(), found, "{text}");
        }
    }
}
