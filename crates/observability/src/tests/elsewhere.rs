//! A tail, of what came in at another server: it is in the table, and this room has not seen it come.

use super::{
    asking::{NOW, SECOND, program},
    *,
};
use crate::{Heard, Tailing, table::to_batch};

async fn brought_elsewhere(room: &Observability, spans: &[Span]) {
    room.kept().table.append(to_batch(spans).unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_tells_once_of_what_this_server_took_and_of_what_others_brought() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = Tasks::default();
    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.path().join("lake")))).await.unwrap();
    let clock: Arc<dyn Clock> = Arc::new(FrozenClock::at(Timestamp::from_micros(NOW)));
    let settings = Settings { shared: true, ..settings(&dir.path().join("spill"), 1 << 30, Capture::Full) };
    let asked = Arc::new(Readable::default());
    let room = Observability::open(&lake, settings, &tasks, (clock, Metrics::default()), asked).await.unwrap();
    // Before anybody looks on, and too long ago.
    let [before, below] = program(NOW - SECOND, "s-0", (1, 0.1));
    brought_elsewhere(&room, &[before, below]).await;
    let tailing = |text: &str, every_span| Tailing { filter: text.parse().unwrap(), every_span };
    let mut every = room.tail(&tasks, actor(Labels::All), tailing("", true)).unwrap();
    let mut entries = room.tail(&tasks, actor(Labels::All), tailing("session = s-2", false)).unwrap();
    let mut stranger = actor(Labels::All);
    stranger.project = ProjectId::from_raw(8);
    let mut strange = room.tail(&tasks, stranger, tailing("", true)).unwrap();
    let [ours, our_call] = program(NOW + 1, "s-1", (1, 0.1));
    room.record_durably(vec![ours.clone(), our_call.clone()], WAIT).await.unwrap();
    let [theirs, their_call] = program(NOW + 3, "s-2", (1, 0.1));
    let [old, old_call] = program(NOW - 300 * SECOND, "s-3", (1, 0.1));
    brought_elsewhere(&room, &[theirs.clone(), their_call.clone(), old, old_call]).await;

    let told = async |heard: &mut tokio::sync::mpsc::Receiver<Heard>| match tokio::time::timeout(WAIT, heard.recv()).await {
        Ok(Some(Heard::Span(span))) => span.span,
        other => panic!("{other:?}"),
    };
    for wanted in [&ours, &our_call, &theirs, &their_call] {
        assert_eq!(told(&mut every).await, wanted.span);
    }
    assert_eq!(told(&mut entries).await, theirs.span);
    // What comes next is next: nothing was told twice.
    let [last, _] = program(NOW + 5, "s-2", (1, 0.1));
    brought_elsewhere(&room, std::slice::from_ref(&last)).await;
    assert_eq!((told(&mut every).await, told(&mut entries).await), (last.span, last.span));
    assert!(strange.try_recv().is_err(), "a project is told of its own spans only");
    tasks.shut_down(WAIT).await.unwrap();
}
