//! Traces of more spans than are in memory at once, in pieces of two.

use super::*;
use crate::{adopting::large::changes, table::to_batch};

const PAGES: (usize, usize) = (2, 1_000);

#[tokio::test(flavor = "multi_thread")]
async fn the_first_of_the_topmost_spans_is_found_page_by_page() {
    let dir = tempfile::tempdir().unwrap();
    let it = opened(dir.path()).await;
    let (room, trace) = (&it.room, TraceId::random());
    let top = part("top", trace, None, NOW + 3);
    // Of wrong clocks, and three that began together: no page ends between them and leaves one out.
    let mut below: Vec<Span> = (0..3).map(|_| part("below", trace, Some(top.span), NOW)).collect();
    below.sort_by_key(|span| span.span);
    let mut record = part("record", trace, None, NOW + 2);
    record.attributes.insert(names::SIGNAL.to_owned(), json!("log"));
    let deeper = part("deeper", trace, Some(below[2].span), NOW + 1);
    let other = part("other", trace, None, NOW + 4);
    // What another project has of the trace stands above nothing here.
    let theirs = Span { project: ProjectId::from_raw(8), span: top.parent.unwrap(), ..part("theirs", trace, None, NOW) };
    tell(room, &[top.clone(), record, deeper, other, theirs]).await;
    tell(room, &below).await;
    let id = |span: &Span| (span.project, span.trace, span.span);
    let changed = async |pages| changes(room.table().as_ref(), (project(), trace), pages).await.unwrap();
    assert_eq!(changed(PAGES).await, [(id(&top), true)]);
    assert_eq!(changed((2, 4)).await, [(id(&below[0]), true)], "nobody looks for ever");
    look_later(&it).await;
    assert!(changed(PAGES).await.is_empty());
    assert_eq!(changed((2, 4)).await.len(), 2, "what was adopted is known wherever it lies");
    // So is an entry, though it began last.
    room.table().append(to_batch(&[root("root", trace, NOW + 9)]).unwrap()).await.unwrap();
    assert_eq!(changed(PAGES).await, [(id(&top), false)]);

    let mut circle = [part("one", TraceId::random(), None, NOW), part("two", TraceId::random(), None, NOW + 1)];
    circle[1].trace = circle[0].trace;
    (circle[0].parent, circle[1].parent) = (Some(circle[1].span), Some(circle[0].span));
    tell(room, &circle).await;
    let found = changes(room.table().as_ref(), (project(), circle[0].trace), PAGES).await.unwrap();
    assert_eq!(found, [(id(&circle[0]), true)]);
    it.tasks.shut_down(WAIT).await.unwrap();
}
