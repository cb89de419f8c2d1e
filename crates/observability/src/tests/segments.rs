//! Files of spans on their way to the table: what is read of them, and what is counted.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn stored_spans_come_back_once_after_a_crash_between_commit_and_removal() {
    let dir = tempfile::tempdir().unwrap();
    let spans: Vec<Span> = (0..5).map(|n| span(n, &[])).collect();
    {
        let Room { room, tasks, .. } = open(dir.path(), Capture::Full).await;
        spans[..2].iter().for_each(|span| room.record(span.clone()));
        room.drain(WAIT).await.unwrap();
        tasks.shut_down(WAIT).await.unwrap();
    }
    // A segment holding two spans that are in the lake, three that are not, and a torn tail.
    let kept = spill::Spill::open(&dir.path().join("spill"), u64::MAX).unwrap();
    let path = left(&kept, &spans);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(&[9, 0, 0, 0, 1, 2, 3, 4, b'{']);
    std::fs::write(&path, bytes).unwrap();

    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let found = room.list(&actor(Labels::All), &TraceFilter::default(), &PageRequest::first(50)).await.unwrap();
    let ids: Vec<TraceId> = found.items.iter().map(|trace| trace.trace).collect();
    assert_eq!(ids, spans.iter().rev().map(|span| span.trace).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_of_any_size_comes_back_after_a_kill_and_so_does_what_stands_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut spans: Vec<Span> = (0..3).map(|n| span(n, &[])).collect();
    // Six bytes of JSON each.
    spans[1].attributes.insert("long".into(), "\u{1}".repeat(12 << 20).into());
    let path = left(&spill::Spill::open(&dir.path().join("spill"), u64::MAX).unwrap(), &spans);
    assert!(spill::size(&path) > 64 << 20);
    let segment = spill::read(&path).unwrap().unwrap();
    assert_eq!((segment.torn, segment.damaged), (0, 0));
    assert!(segment.spans == spans);

    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    // So much is brought while the process is there already.
    room.bring_all(WAIT).await.unwrap();
    let found = room.list(&actor(Labels::All), &TraceFilter::default(), &PageRequest::first(50)).await.unwrap();
    let ids: Vec<TraceId> = found.items.iter().map(|trace| trace.trace).collect();
    assert_eq!(ids, spans.iter().rev().map(|span| span.trace).collect::<Vec<_>>());
}

#[test]
fn segments_that_another_process_takes_away_are_counted_no_longer_whoever_wrote_them() {
    let dir = tempfile::tempdir().unwrap();
    let found = left(&spill::Spill::open(dir.path(), u64::MAX).unwrap(), &[span(1, &[])]);
    let kept = spill::Spill::open(dir.path(), u64::MAX).unwrap();
    let own = left(&kept, &[span(2, &[]), span(3, &[])]);
    let alone = left(&kept, &[span(4, &[])]);
    assert!(kept.may_be_there(&found), "of what an earlier process left");
    [&own, &alone].into_iter().for_each(|path| kept.release(path, false));
    assert_eq!(kept.leave_alone(&alone), 1, "nobody waits for its spans");
    assert_eq!((kept.left_alone(), kept.segments().unwrap()), (1, vec![found.clone(), own.clone()]));
    [&found, &own].into_iter().for_each(|path| std::fs::remove_file(path).unwrap());
    assert_eq!(kept.vanished(), 2);
    assert_eq!((kept.vanished(), kept.bytes()), (0, spill::size(&alone)));
}

#[test]
fn a_frame_holds_a_span_as_it_is_written_otherwise() {
    let mut one = span(1, &["a|b"]);
    one.parent = Some(SpanId::random());
    one.status = SpanStatus::Error("a \"quoted\" line\n".into());
    one.events = vec![SpanEvent { name: "e".into(), at: one.start, attributes: one.attributes.clone() }];
    let dir = tempfile::tempdir().unwrap();
    // Whose it is and what stands above it is another's for each.
    let elsewhere = Span { project: ProjectId::from_raw(99), ..span(2, &[]) };
    let spans = [one.clone(), elsewhere, span(3, &[])];
    let path = left(&spill::Spill::open(dir.path(), u64::MAX).unwrap(), &spans);
    let bytes = std::fs::read(path).unwrap();
    let plain = serde_json::to_vec(&one).unwrap();
    assert_eq!(&bytes[8..8 + plain.len()], plain.as_slice());
    assert_eq!(spill::parse(&bytes).spans, spans);
}

/// On one thread nobody takes spans out of the queue before whoever puts them there gives way.
#[tokio::test]
async fn what_is_sent_together_is_stored_together_while_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.path().join("lake")))).await.unwrap();
    let settings = Settings { bring: Bring::WhenQuiet, ..settings(&dir.path().join("spill"), 1 << 30, Capture::Full) };
    let clock: Arc<dyn Clock> = Arc::new(FrozenClock::at(Timestamp::from_micros(1)));
    let (tasks, access) = (Tasks::default(), Arc::new(Readable::default()));
    let room = Observability::open(&lake, settings, &tasks, (clock, Metrics::default()), access).await.unwrap();
    room.record_durably((0..500).map(|n| span(n, &[])).collect(), WAIT).await.unwrap();
    assert_eq!(room.spill.waiting().unwrap().len(), 1);
    // More than the queue holds.
    room.record_durably((0..2_500).map(|n| span(n, &[])).collect(), WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    assert_eq!(room.table().count(mainspring_lake::Filter::All).await.unwrap(), 3_000);
    tasks.shut_down(WAIT).await.unwrap();
}

proptest! {
    #[test]
    fn any_bytes_are_read_as_a_segment(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = spill::parse(&bytes);
    }

    #[test]
    fn a_segment_cut_anywhere_keeps_the_frames_before_the_cut(cut in 0_usize..4_000) {
        let dir = tempfile::tempdir().unwrap();
        let kept = spill::Spill::open(dir.path(), u64::MAX).unwrap();
        let spans = [span(1, &[]), span(2, &[]), span(3, &[])];
        let path = left(&kept, &spans);
        let bytes = std::fs::read(path).unwrap();
        let cut = cut.min(bytes.len());
        let segment = spill::parse(&bytes[..cut]);
        prop_assert!(segment.spans.iter().zip(&spans).all(|(read, written)| read == written));
        prop_assert_eq!(segment.torn, u64::from(cut < bytes.len() && segment.spans.len() < 3 && cut > 0 && !on_border(&bytes, cut)));
    }
}

fn on_border(bytes: &[u8], cut: usize) -> bool {
    let mut at = 0;
    while at < cut {
        at += 8 + u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    }
    at == cut
}
