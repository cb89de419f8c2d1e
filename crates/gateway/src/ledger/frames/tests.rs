use mainspring_kernel::{
    Digest, Money, Timestamp,
    id::{ApiKeyId, CallId, PrincipalId, ProjectId},
};
use mainspring_llm::{Provenance, TokenUsage};
use mainspring_providers::FaultClass;
use proptest::prelude::*;

use super::{Entry, Header, Mark, Segment, line, parse};
use crate::record::{CallRecord, CallStatus, Caller, PriceStamp};

fn record(number: u128) -> CallRecord {
    CallRecord {
        id: CallId::from_raw(number),
        caller: Caller {
            project: ProjectId::from_raw(1),
            principal: PrincipalId::from_raw(2),
            key: Some(ApiKeyId::from_raw(3)),
            user: Some("ann".to_owned()),
            app: Some("helpdesk".to_owned()),
            line_of: None,
        },
        at: Timestamp::from_micros(1_764_130_000_123_456),
        took_ms: 812,
        first_ms: Some(143),
        model: "smart".to_owned(),
        route: Some("smart".to_owned()),
        provider: Some("anthropic".to_owned()),
        target: Some("claude-sonnet-4-5".to_owned()),
        operation: "chat".to_owned(),
        status: CallStatus::Failed,
        class: Some(FaultClass::Reset),
        attempts: 2,
        usage: TokenUsage { input: 12, output: 7, cache_read: 3, output_from: Provenance::Estimated, ..TokenUsage::default() },
        cost: Money::from_pico(135_000_000),
        price: Some(PriceStamp { table: Digest::of(b"table"), entry: "claude-sonnet-4-5*".to_owned() }),
        charges: Vec::new(),
        cached: false,
        batch: true,
        response: None,
        account: None,
        background: None,
        trace: "0af7651916cd43dd8448eb211c80319c".parse().unwrap(),
    }
}

fn written(entries: &[Entry]) -> Vec<u8> {
    entries.iter().flat_map(Entry::frame).collect()
}

fn entries() -> Vec<Entry> {
    vec![
        Entry::Header(Header { v: 1, owner: "0123456789abcdef".to_owned() }),
        Entry::Began(record(1)),
        Entry::Began(record(2)),
        Entry::Ended(record(1)),
        Entry::Batch(Mark { number: 41, calls: 1 }),
        Entry::Ended(record(2)),
    ]
}

#[test]
fn what_is_written_is_read_again() {
    let entries = entries();
    assert_eq!(parse(&written(&entries)), Segment { entries: entries.clone(), torn: 0, damaged: 0 });
    let frame = entries[3].frame();
    assert_eq!(serde_json::from_slice::<CallRecord>(line(&frame)).unwrap(), record(1));
}

/// Journals of the first released version are read for ever: this one was written by it.
#[test]
fn a_journal_of_version_1_is_read() {
    let segment = parse(include_bytes!("version-1.journal"));
    assert_eq!(segment, Segment { entries: entries(), torn: 0, damaged: 0 });
}

#[test]
fn a_torn_end_is_seen_and_what_is_before_it_is_kept() {
    let bytes = written(&entries());
    let last = entries().last().unwrap().frame().len();
    for cut in 1..last {
        let segment = parse(&bytes[..bytes.len() - cut]);
        assert_eq!((segment.entries.len(), segment.damaged), (5, 0), "{cut} bytes cut");
        assert_eq!(segment.torn, last - cut);
    }
}

#[test]
fn a_damaged_frame_is_counted_and_those_after_it_are_read() {
    let entries = entries();
    let mut bytes = written(&entries);
    let at = entries[0].frame().len() + 40;
    bytes[at] ^= 0x20;
    let segment = parse(&bytes);
    assert_eq!((segment.entries.len(), segment.damaged, segment.torn), (5, 1, 0));
    assert_eq!(segment.entries[1], entries[2]);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_mutation_panics_or_invents_a_call(cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), keep in any::<prop::sample::Index>()) {
        let mut bytes = written(&entries());
        for (at, byte) in cuts {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(keep.index(bytes.len()) + 1);
        let known = entries();
        for entry in parse(&bytes).entries {
            prop_assert!(known.contains(&entry), "{entry:?}");
        }
    }
}
