//! What a tail tells of spans that come more than once.

use super::{asking::NOW, *};
use crate::{Heard, Tailing};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sender_repeats_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, tasks, .. } = open(dir.path(), Capture::Full).await;
    let (before, one, last) = (span(NOW - 1, &[]), span(NOW, &[]), span(NOW + 1, &[]));
    let send = async |spans: Vec<Span>| room.record_durably(spans, WAIT).await.unwrap();
    send(vec![before.clone()]).await;
    let tailing = Tailing { every_span: true, ..Tailing::default() };
    let mut heard = room.tail(&tasks, actor(Labels::All), tailing).unwrap();
    send(vec![before]).await;
    send(vec![one.clone(), one.clone()]).await;
    send(vec![one.clone()]).await;
    room.drain(WAIT).await.unwrap();
    // It is in the table as it came first.
    send(vec![Span { name: "said otherwise".into(), ..one.clone() }]).await;
    send(vec![last.clone()]).await;
    for wanted in [one, last] {
        match tokio::time::timeout(WAIT, heard.recv()).await {
            Ok(Some(Heard::Span(told))) => assert_eq!((told.span, told.name.as_str()), (wanted.span, "invoke_agent manual")),
            other => panic!("{other:?}"),
        }
    }
    assert!(heard.try_recv().is_err());
    tasks.shut_down(WAIT).await.unwrap();
}
