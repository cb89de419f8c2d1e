//! What is recognised in a text without being told: each kind finds its places, and a checksum decides where there is one, so
//! that ids and times stay.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    ops::Range,
    sync::LazyLock,
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use regex::Regex;

/// Something that is recognised.
#[derive(Debug)]
pub(super) struct Recogniser {
    pub(super) name: &'static str,
    /// Whether a text may hold any, by what letters it has.
    may: fn(Letters) -> bool,
    find: fn(&str, &mut Vec<Range<usize>>),
}

/// Of two kinds that find the same place the upper one names it.
pub(super) static RECOGNISERS: [Recogniser; 11] = [
    // First: what is found within a key would part it, and leave the rest.
    Recogniser { name: "secret", may: |_| true, find: |text, found| by(&PRIVATE_KEY, text, found) },
    Recogniser { name: "jwt", may: |_| true, find: |text, found| by(&JWT, text, found) },
    Recogniser { name: "secret", may: |_| true, find: |text, found| by(&SECRETS, text, found) },
    Recogniser { name: "secret", may: |_| true, find: basics },
    Recogniser { name: "secret", may: |_| true, find: tokens },
    Recogniser { name: "email", may: |letters| letters.at, find: |text, found| by(&EMAIL, text, found) },
    Recogniser { name: "iban", may: |letters| letters.digits >= 2, find: ibans },
    Recogniser { name: "card", may: |letters| letters.digits >= 13, find: cards },
    Recogniser { name: "ip", may: |letters| letters.colons >= 2, find: |text, found| numbers(text, is_of_v6, v6, found) },
    Recogniser { name: "ip", may: |letters| letters.digits >= 4, find: |text, found| numbers(text, is_of_v4, v4, found) },
    Recogniser { name: "phone", may: |letters| letters.digits >= 7, find: phones },
];

/// The names that stand for what was recognised.
pub(super) const NAMES: [&str; 7] = ["jwt", "secret", "email", "iban", "card", "ip", "phone"];

/// The first kind of which a text holds something, and where.
pub(super) fn first_found(text: &str, found: &mut Vec<Range<usize>>) -> Option<&'static str> {
    found.clear();
    let letters = Letters::of(text);
    RECOGNISERS.iter().filter(|kind| (kind.may)(letters)).find_map(|kind| {
        (kind.find)(text, found);
        (!found.is_empty()).then_some(kind.name)
    })
}

#[derive(Debug, Clone, Copy, Default)]
struct Letters {
    digits: usize,
    colons: usize,
    at: bool,
}

impl Letters {
    fn of(text: &str) -> Self {
        let mut letters = Self::default();
        for byte in text.bytes() {
            match byte {
                b'0'..=b'9' => letters.digits += 1,
                b':' => letters.colons += 1,
                b'@' => letters.at = true,
                _ => {}
            }
        }
        letters
    }
}

// ── By patterns ─────────────────────────────────────────────────────────────
// Word boundaries are those of ASCII: the others are slow on text that is not.

/// One whose end was cut off goes as far as the text.
static PRIVATE_KEY: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    compiled(&[
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\z)",
    ])
});
static JWT: LazyLock<Vec<Regex>> =
    LazyLock::new(|| compiled(&[r"(?-u:\b)eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*"]));
static EMAIL: LazyLock<Vec<Regex>> = LazyLock::new(|| compiled(&[r"[\w.%+\-]+@(?:[\w\-]+\.)+(?:xn--[\w\-]+|\p{L}{2,})"]));
static SECRETS: LazyLock<Vec<Regex>> = LazyLock::new(|| compiled(&SECRET_SHAPES));
static BASICS: LazyLock<Vec<Regex>> = LazyLock::new(|| compiled(&[r"(?i)(?-u:\b)basic[ \t]+([A-Za-z0-9+/]{8,}={0,2})"]));
/// What stands behind the word without a space, as in an address.
static ASSIGNED: LazyLock<Vec<Regex>> = LazyLock::new(|| compiled(&[r#"(?i)token\\?["']?=\\?["']?([^\s"'\\\[\],;&<>{}]{6,})"#]));
static TOKENS: LazyLock<Vec<Regex>> =
    LazyLock::new(|| compiled(&[r#"(?i)token\\?["']?\s{0,3}[:=]\s{0,3}\\?["']?([^\s"'\\\[\],;&<>{}]{12,})"#]));
static PHONES: LazyLock<Vec<Regex>> = LazyLock::new(|| compiled(&PHONE_SHAPES));

/// Where a pattern has a group, the group is the place.
const SECRET_SHAPES: [&str; 8] = [
    r"(?-u:\b)(?:msk_|sk-|pk-lf-|sk_live_|sk_test_|pk_live_|rk_live_|gh[pousr]_|github_pat_|xox[abeoprs]-|xapp-|hf_|glpat-|npm_|pypi-|gsk_|xai-|nvapi-|whsec_|dop_v1_|ya29\.|SG\.)[A-Za-z0-9_.\-]{12,}",
    r"(?-u:\b)(?:AKIA|ASIA)[A-Z0-9]{12,}",
    r"(?-u:\b)AIza[A-Za-z0-9_\-]{20,}",
    r"(?i)(?-u:\b)bearer[ \t]+[A-Za-z0-9._~+/\-]{16,}=*",
    r#"(?i)(?:(?:api|secret|access|account|private)[_-]?key|secret|password|passwd|passphrase|pwd|(?:access|refresh|auth)[_-]?token)\\?["']?\s{0,3}[:=]\s{0,3}\\?["']?([^\s"'\\\[\],;&<>{}]{4,})"#,
    r"(?i)(?-u:\b)[a-z][a-z0-9+.\-]+://[^\s/:@\[\]]*:([^\s/@\[\]]+)@",
    r#"(?i)authorization\\?["']?\s{0,3}[:=]\s{0,3}\\?["']?(?:basic|bearer|token|api-?key|digest|negotiate)[ \t]+([^\s"'\\\[\],;&<>{}]{4,})"#,
    r#"(?i)[?&](?:sig|signature|x-amz-signature|x-amz-security-token|x-goog-signature)=([^\s"'\\\[\],;&<>{}]{8,})"#,
];

const PHONE_SHAPES: [&str; 4] = [
    r"\+[1-9][0-9 ()./\-]{6,18}[0-9]",
    r"(?-u:\b)00[1-9][0-9]{0,2}[ /\-][0-9 ()/\-]{5,16}[0-9]",
    r"(?-u:\b)0[1-9][0-9]{1,4}[ /\-][0-9]{3,8}(?:[ \-][0-9]{2,6})?(?-u:\b)",
    r"\(?(?-u:\b)[2-9][0-9]{2}\)?[ .\-][0-9]{3}[ .\-][0-9]{4}(?-u:\b)",
];

fn compiled(patterns: &[&str]) -> Vec<Regex> {
    patterns.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect()
}

fn by(patterns: &[Regex], text: &str, found: &mut Vec<Range<usize>>) {
    for pattern in patterns {
        if pattern.captures_len() == 1 {
            found.extend(pattern.find_iter(text).map(|place| place.range()));
        } else {
            found.extend(pattern.captures_iter(text).filter_map(|places| places.get(1)).map(|place| place.range()));
        }
    }
}

/// However it is written, a number has so many digits.
fn phones(text: &str, found: &mut Vec<Range<usize>>) {
    by(&PHONES, text, found);
    found.retain(|place| text[place.clone()].bytes().filter(u8::is_ascii_digit).count() >= 7);
}

/// Credentials as HTTP writes them: a name, a colon and a password, in base64. Whatever else is basic is none.
fn basics(text: &str, found: &mut Vec<Range<usize>>) {
    by(&BASICS, text, found);
    found.retain(|place| {
        let said = STANDARD_NO_PAD
            .decode(text[place.clone()].trim_end_matches('='))
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        said.is_some_and(|said| said.contains(':') && !said.contains(char::is_control))
    });
}

/// What follows the word `token`: where models are talked of, that is a number or a word more often than a key.
fn tokens(text: &str, found: &mut Vec<Range<usize>>) {
    by(&ASSIGNED, text, found);
    found.retain(|place| !text[place.clone()].bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    let mut named = Vec::new();
    by(&TOKENS, text, &mut named);
    found.extend(named.into_iter().filter(|place| is_token(&text[place.clone()])));
}

/// Whether a text may be a key, and is no word of a language or of a model.
pub(super) fn is_token(text: &str) -> bool {
    let has = |is: fn(&u8) -> bool| text.as_bytes().iter().any(is);
    let mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
    text.len() >= 8 && (mixed || text.len() >= 20) && !text.contains(char::is_whitespace) && !text.contains("://")
}

// ── By hand ─────────────────────────────────────────────────────────────────
// A pattern takes the longest that looks right, and where that is wrong it has gone past what was.

/// Countries and how long their account numbers are.
const IBANS: &str = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27\
    GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20\
    MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29\
    VA22VG24XK20YE30";

fn length_of_iban(country: &[u8]) -> Option<usize> {
    let known = IBANS.as_bytes().chunks_exact(4).find(|known| known[..2].eq_ignore_ascii_case(country))?;
    Some(usize::from(known[2] - b'0') * 10 + usize::from(known[3] - b'0'))
}

fn ibans(text: &str, found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at + 4 <= bytes.len() {
        let begins = bytes[at].is_ascii_alphabetic() && (at == 0 || !bytes[at - 1].is_ascii_alphanumeric());
        match begins.then(|| iban(bytes, at)).flatten() {
            Some(end) => {
                found.push(at..end);
                at = end;
            }
            None => at += 1,
        }
    }
}

/// Where the account number that begins here ends, if there is one.
fn iban(bytes: &[u8], start: usize) -> Option<usize> {
    let length = length_of_iban(bytes.get(start..start + 2)?)?;
    if !bytes.get(start + 2..start + 4)?.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (mut letters, mut at) = (Vec::with_capacity(length), start);
    while letters.len() < length {
        match *bytes.get(at)? {
            letter if letter.is_ascii_alphanumeric() => letters.push(letter),
            // Between two letters one of them at most.
            b' ' | b'-' if bytes[at - 1].is_ascii_alphanumeric() => {}
            _ => return None,
        }
        at += 1;
    }
    let ends = bytes.get(at).is_none_or(|next| !next.is_ascii_alphanumeric());
    (ends && is_mod_97(&letters)).then_some(at)
}

/// The checksum of account numbers (ISO 13616): the rearranged number is 1 modulo 97.
fn is_mod_97(letters: &[u8]) -> bool {
    let mut rest: u32 = 0;
    for letter in letters[4..].iter().chain(&letters[..4]) {
        let Some(value) = char::from(*letter).to_digit(36) else { return false };
        rest = if value < 10 { rest * 10 + value } else { rest * 100 + value } % 97;
    }
    rest == 1
}

/// Numbers of payment cards: whole groups of digits that together have their length and their checksum.
fn cards(text: &str, found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut at = 0;
    while at < bytes.len() {
        let mut digits = Vec::new();
        while is_digit(at) {
            digits.push(at);
            let apart = matches!(bytes.get(at + 1), Some(b' ' | b'-')) && is_digit(at + 2);
            at += if apart { 2 } else { 1 };
        }
        if digits.len() >= 13 {
            cards_among(bytes, &digits, found);
        }
        at += 1;
    }
}

fn cards_among(bytes: &[u8], places: &[usize], found: &mut Vec<Range<usize>>) {
    let edge = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let mut first = 0;
    while first + 13 <= places.len() {
        let begins = edge(places[first].checked_sub(1));
        let fits = |last: &usize| {
            let digits = &places[first..=*last];
            edge(Some(places[*last] + 1)) && is_card(digits.iter().map(|at| u32::from(bytes[*at] - b'0')))
        };
        let longest = (first + 18).min(places.len() - 1);
        match (first + 12..=longest).rev().find(|last| begins && fits(last)) {
            Some(last) => {
                found.push(places[first]..places[last] + 1);
                first = last + 1;
            }
            None => first += 1,
        }
    }
}

/// The checksum of payment cards (ISO/IEC 7812-1). No card begins with a nought.
fn is_card(digits: impl DoubleEndedIterator<Item = u32> + Clone) -> bool {
    let doubled = |digit: u32| (digit * 2) / 10 + (digit * 2) % 10;
    let sum: u32 = digits.clone().rev().enumerate().map(|(at, digit)| if at % 2 == 0 { digit } else { doubled(digit) }).sum();
    sum.is_multiple_of(10) && digits.clone().next().is_some_and(|first| first > 0)
}

/// Whether a whole number is one of a card. Times in micros or nanos begin otherwise than what banks issue.
pub(super) fn is_card_number(number: u64) -> bool {
    let text = number.to_string();
    (13..=19).contains(&text.len())
        && matches!(text.as_bytes()[0], b'3'..=b'6')
        && is_card(text.bytes().map(|byte| u32::from(byte - b'0')))
}

const fn is_of_v4(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'.'
}

const fn is_of_v6(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || byte == b'.' || byte == b':'
}

/// Addresses of machines; those that name no other machine stay.
fn v4(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok_and(|address| !address.is_loopback() && !address.is_unspecified())
}

/// Two colons also stand in paths of programs: what is shorter, or has no digit, is taken for one.
fn v6(text: &str) -> bool {
    let likely = text.len() >= 7 && text.bytes().any(|byte| byte.is_ascii_digit());
    likely && text.parse::<Ipv6Addr>().is_ok_and(|address| !address.is_loopback() && !address.is_unspecified())
}

/// Stretches of such letters, apart from words, that are what is looked for.
fn numbers(text: &str, is_of: fn(u8) -> bool, is: fn(&str) -> bool, found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let is_word =
        |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let mut at = 0;
    while at < bytes.len() {
        let mut start = at;
        while bytes.get(at).is_some_and(|byte| is_of(*byte)) {
            at += 1;
        }
        let mut end = at;
        // What ends a sentence, or parts a name from its value, is none of it.
        while end > start && (bytes[end - 1] == b'.' || (bytes[end - 1] == b':' && !text[start..end].ends_with("::"))) {
            end -= 1;
        }
        while start < end && (bytes[start] == b'.' || (bytes[start] == b':' && !text[start..end].starts_with("::"))) {
            start += 1;
        }
        let apart = !is_word(start.checked_sub(1)) && !is_word(Some(end));
        if end - start >= 7 && apart && is(&text[start..end]) {
            found.push(start..end);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles_and_every_kind_has_its_name() {
        assert_eq!((PRIVATE_KEY.len(), JWT.len(), EMAIL.len()), (1, 1, 1));
        assert_eq!((SECRETS.len(), PHONES.len()), (SECRET_SHAPES.len(), PHONE_SHAPES.len()));
        assert_eq!((BASICS.len(), ASSIGNED.len(), TOKENS.len()), (1, 1, 1));
        assert!(RECOGNISERS.iter().all(|kind| NAMES.contains(&kind.name)));
        assert_eq!(IBANS.len() % 4, 0);
    }

    #[test]
    fn a_number_is_a_cards_where_banks_issue_such() {
        assert!(is_card_number(4_111_111_111_111_111) && is_card_number(378_282_246_310_005));
        assert!(!is_card_number(4_111_111_111_111_112));
        // Of ten times in nanos one has the checksum.
        assert!((0..1_000).all(|more| !is_card_number(1_700_000_000_000_000_000 + more)));
    }
}
