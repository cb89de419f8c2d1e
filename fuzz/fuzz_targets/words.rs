//! The words of the kernel: names, references, digests, ids, money, times, stretches of time, cursors. What is read is
//! written in one form, which is read as the same.
#![no_main]

use std::{fmt, str::FromStr};

use libfuzzer_sys::fuzz_target;
use mainspring_kernel::{
    AssetKind, AssetRef, Digest, Money, Name, PageRequest, Role, Selector, Timestamp, duration,
    id::{BatchId, CallId, ProjectId},
    page::cursor,
    text,
};
use mainspring_llm::{SpanId, TraceId};

fuzz_target!(|data: &[u8]| {
    let given = String::from_utf8_lossy(data);
    let given = given.as_ref();
    again::<Name>(given);
    again::<AssetKind>(given);
    again::<AssetRef>(given);
    again::<Digest>(given);
    again::<Money>(given);
    again::<Role>(given);
    again::<ProjectId>(given);
    again::<CallId>(given);
    again::<BatchId>(given);
    again::<TraceId>(given);
    again::<SpanId>(given);
    if let Ok(selector) = Selector::parse(given) {
        assert_eq!(Selector::parse(&selector.to_string()), Ok(selector));
    }
    if let Some(time) = Timestamp::parse(given) {
        assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
    }
    if let Some(stretch) = duration::read(given) {
        assert_eq!(duration::read(&duration::write(stretch)), Some(stretch));
    }
    assert!(text::elide(given, 20).chars().count() <= 20);
    pages(given);
});

fn again<W: FromStr + fmt::Display + fmt::Debug + PartialEq>(given: &str) {
    if let Ok(word) = given.parse::<W>() {
        let written = word.to_string();
        assert_eq!(written.parse::<W>().ok(), Some(word), "{written}");
    }
}

fn pages(given: &str) {
    let request = PageRequest::new(None, Some(given.to_owned())).expect("a limit that may be");
    let _ = request.after::<u32>();
    let _ = request.after::<(AssetKind, Name, u32, String)>();
    if let Ok(Some(key)) = request.after::<(i64, String)>() {
        let request = PageRequest::new(None, Some(cursor(&key))).expect("a limit that may be");
        assert_eq!(request.after::<(i64, String)>(), Ok(Some(key)));
    }
    if let Ok(Some(key)) = request.after::<(Timestamp, CallId)>() {
        let request = PageRequest::new(None, Some(cursor(&key))).expect("a limit that may be");
        assert_eq!(request.after::<(Timestamp, CallId)>(), Ok(Some(key)));
    }
}
