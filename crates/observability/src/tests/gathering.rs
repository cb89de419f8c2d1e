//! Sessions in their order, however many there are.

use super::{
    asking::{NOW, record},
    *,
};
use crate::{GatheredBy, query};

const HOUR: i64 = 3_600_000_000;
const SESSIONS: i64 = 60;

/// Sessions of several spans over half a year, some of which were active last at the same moment.
fn sessions() -> Vec<(String, i64)> {
    let mut spans = Vec::new();
    for n in 0..SESSIONS {
        let id = format!("s-{:02}", n * 7 % SESSIONS);
        let hours = |hours: i64| NOW - hours * HOUR;
        spans.extend((1..4).map(|more| (id.clone(), hours((n * 83 + more * more * 389) % 4_500))));
        if n % 4 == 0 {
            spans.push((id, hours(n / 8 * 3)));
        }
    }
    spans
}

/// The last active first, and by name where they were so at the same moment.
fn in_order(spans: &[(String, i64)]) -> Vec<String> {
    let mut last: std::collections::BTreeMap<&str, i64> = std::collections::BTreeMap::new();
    for (id, at) in spans {
        let known = last.entry(id).or_insert(*at);
        *known = (*known).max(*at);
    }
    let mut order: Vec<(i64, &str)> = last.into_iter().map(|(id, at)| (-at, id)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, id)| id.to_owned()).collect()
}

fn named((session, at): &(String, i64)) -> Span {
    let mut made = span(*at, &[]);
    made.attributes.insert(names::CONVERSATION.into(), json!(session));
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn every_session_has_its_place_once_whichever_way_they_are_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let spans = sessions();
    record(&room, spans.iter().map(named)).await;
    let (all, expected) = (actor(Labels::All), in_order(&spans));
    assert_eq!(expected.len(), usize::try_from(SESSIONS).unwrap());
    let everything = TraceFilter::default();
    for limit in [1, 7, 100] {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = PageRequest::new(Some(limit), cursor).unwrap();
            let page = room.gathered(&all, GatheredBy::Session, &everything, &page).await.unwrap();
            assert!(page.items.len() <= limit);
            found.extend(page.items.into_iter().map(|session| session.id));
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(found, expected, "{limit} on a page");
    }
    // As where there are too many to put in order at once: a few of a window are looked at, then the next few.
    let asking = room.asking(&all, Timestamp::from_micros(NOW));
    for most in [(5, 1), (5, 3), (1_000, 4), (1_000, 1_000)] {
        let found = query::in_windows(asking, (GatheredBy::Session, &everything), most).await.unwrap();
        assert_eq!(found, expected.iter().take(most.0).cloned().collect::<Vec<_>>(), "{most:?}");
    }
    let late = TraceFilter { from: Some(Timestamp::from_micros(NOW - 100 * HOUR)), ..TraceFilter::default() };
    let lately: Vec<(String, i64)> = spans.iter().filter(|(_, at)| *at >= NOW - 100 * HOUR).cloned().collect();
    let found = query::in_windows(asking, (GatheredBy::Session, &late), (1_000, 2)).await.unwrap();
    assert_eq!(found, in_order(&lately));
}
