//! Headers that applications of other gateways send.
#![no_main]

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use mainspring_web_kit::Wished;

/// Names are cut to this many characters.
const NAME_MAX: usize = 200;

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(line[colon + 1..].trim_ascii()));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let Some(wished) = Wished::of(&headers) else { return };
    let short = |name: &String| !name.is_empty() && name.chars().count() <= NAME_MAX;
    assert!(wished.user.as_ref().is_none_or(short) && wished.session.as_ref().is_none_or(short));
    assert!(wished.provider.as_ref().is_none_or(|(name, _)| short(name)));
    let honest = Duration::from_millis(1)..=Duration::from_secs(86_400);
    assert!(wished.timeout.is_none_or(|timeout| honest.contains(&timeout)), "{:?}", wished.timeout);
    assert_eq!(Wished::of(&headers), Some(wished), "the same headers ask for the same");
});
