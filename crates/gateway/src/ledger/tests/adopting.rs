//! Calls in the background over several processes: each is somebody's, until it is settled once.

use mainspring_catalog::Catalog;
use mainspring_kernel::{Digest, Money};
use mainspring_testservers::on_every_engine;
use tokio::sync::oneshot::error::TryRecvError;

use super::{
    Room, all_calls, money, refused, seconds, set,
    shares::{admit, settle},
    sums,
};
use crate::{
    ledger::{Ledger, Metric, Permit, SubjectKind, UsageBy, frames, journal},
    record::CallRecord,
};

on_every_engine!(Catalog: [
    a_call_of_a_process_that_is_gone_is_taken_over_by_one_and_settled_once,
    a_process_that_was_cut_off_leaves_what_it_settled_to_who_has_taken_it_over,
    a_process_that_comes_back_leaves_what_it_settled_to_who_has_taken_it_over,
    what_was_taken_along_is_not_handed_out_once_more,
    a_process_takes_back_what_it_still_waits_for_and_settles_it_once,
    over_a_restart_what_was_set_aside_stays_so_for_every_process,
    a_call_that_the_journal_has_lost_goes_on_as_the_catalog_knows_it,
    a_call_that_an_earlier_version_wrote_down_is_one_of_them,
    a_word_about_how_it_ended_is_left_once,
    a_process_lets_go_of_what_another_has_taken_over,
    only_what_is_in_the_catalog_is_heard_of,
]);

/// A call in the background, of at most six cents.
async fn begun(ledger: &Ledger, room: &Room, response: &str) -> Permit {
    let mut permit = admit(ledger, room, 100_000).await.unwrap();
    let (response, account) = (Some(response.to_owned()), Some(Digest::of(b"account")));
    permit.leaves(&CallRecord { response, account, ..permit.worst().clone() }).unwrap();
    ledger.tell_left(permit.worst()).await.unwrap();
    permit
}

/// Limits that all of them know.
async fn limited(room: &Room, processes: &[&Ledger]) {
    set(processes[0], room, SubjectKind::Project, "*", Metric::UsdPerDay, "1").await;
    set(processes[0], room, SubjectKind::Project, "*", Metric::Concurrent, "2").await;
    for process in processes {
        process.refresh().await.unwrap();
    }
}

/// All that is known of the project's money at last: calls, what they cost, what is spent and what is held of the budget.
async fn last(room: &Room, ledger: &Ledger) -> (u64, Money, Money, Money) {
    ledger.flush().await.unwrap();
    ledger.give_back(true).await;
    let total = sums(ledger, room, UsageBy::Project).await.total;
    let (spent, fetched) = room.account().await;
    (total.calls, total.cost, spent, fetched)
}

async fn a_call_of_a_process_that_is_gone_is_taken_over_by_one_and_settled_once(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let (one, two, three) = (room.process("one").await, room.process("two").await, room.process("three").await);
    limited(&room, &[&one, &two, &three]).await;
    let permit = begun(&one, &room, "resp_1").await;
    let (id, set_aside) = (permit.worst().id, permit.set_aside());
    // Neither settled nor dropped: the process is gone.
    std::mem::forget(permit);
    drop(one);
    let held = room.account().await;
    assert_eq!(held, (Money::ZERO, set_aside));
    room.clock.advance(seconds(50));
    assert!(two.adopt(9).await.unwrap().is_empty(), "it may be starting again");
    room.clock.advance(seconds(11));
    two.say_alive().await;
    three.say_alive().await;
    let (by_two, by_three) = tokio::join!(two.adopt(9), three.adopt(9));
    let (by_two, by_three) = (by_two.unwrap(), by_three.unwrap());
    assert_eq!(by_two.len() + by_three.len(), 1, "one of them has it");
    let (adopter, other) = if by_two.is_empty() { (&three, &two) } else { (&two, &three) };
    let permit = by_two.into_iter().chain(by_three).next().unwrap();
    assert_eq!((permit.worst().id, permit.set_aside(), adopter.under_way()), (id, set_aside, 1));
    assert_eq!(room.account().await, held, "what was set aside came along");
    let place = admit(other, &room, 1).await.unwrap();
    assert_eq!(refused(admit(other, &room, 1).await).metric, Metric::Concurrent, "it has its place among two");
    drop(place);
    other.flush().await.unwrap();
    other.give_back(true).await;
    let before = room.account().await.0;
    settle(adopter, permit, 50_000);
    let (calls, _, spent, fetched) = last(&room, adopter).await;
    assert_eq!((calls, spent - before, fetched), (2, money("0.03"), Money::ZERO));
    // It comes back, and nothing is left for it.
    let again = room.process("one").await;
    assert_eq!((again.under_way(), again.waiting(), again.take_left().len()), (0, 0, 0));
    assert_eq!(journal::segments_in(&room.journal.with_file_name("one")).unwrap().len(), 1);
    assert_eq!(last(&room, &again).await.0, 2);
    assert!(other.adopt(9).await.unwrap().is_empty(), "what is settled is nobody's");
}

async fn a_process_that_was_cut_off_leaves_what_it_settled_to_who_has_taken_it_over(catalog: Catalog) {
    let (room, one, two) = settled_by_both(catalog).await;
    assert_eq!(last(&room, &one).await.0, 2, "what it writes now is not counted once more");
    assert!(!written(&one).contains("calls_total"), "{}", written(&one));
    once(&room, &two).await;
}

async fn a_process_that_comes_back_leaves_what_it_settled_to_who_has_taken_it_over(catalog: Catalog) {
    let (room, one, two) = settled_by_both(catalog).await;
    drop(one);
    let again = room.process("one").await;
    assert_eq!((again.under_way(), again.waiting(), again.take_left().len()), (0, 0, 0));
    once(&room, &two).await;
}

/// One of two calls ended where the catalog never heard of it, and both were taken over meanwhile.
async fn settled_by_both(catalog: Catalog) -> (Room, Ledger, Ledger) {
    let room = Room::over(catalog).await;
    let (one, two) = (room.process("one").await, room.process("two").await);
    limited(&room, &[&one, &two]).await;
    let (first, second) = (begun(&one, &room, "resp_1").await, begun(&one, &room, "resp_2").await);
    settle(&one, first, 50_000);
    std::mem::forget(second);
    room.clock.advance(seconds(61));
    two.say_alive().await;
    let adopted = two.adopt(9).await.unwrap();
    assert_eq!(adopted.len(), 2);
    for (permit, used) in adopted.into_iter().zip([40_000, 20_000]) {
        settle(&two, permit, used);
    }
    two.flush().await.unwrap();
    (room, one, two)
}

async fn once(room: &Room, two: &Ledger) {
    let cost = money("0.036");
    assert_eq!(last(room, two).await, (2, cost, cost, Money::ZERO));
    assert_eq!(all_calls(two, room).await.iter().map(|call| call.cost).sum::<Money>(), cost);
}

/// What metrics say of a process's calls.
fn written(ledger: &Ledger) -> String {
    ledger.inner.parts.metrics.render()
}

async fn what_was_taken_along_is_not_handed_out_once_more(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let (one, two) = (room.process("one").await, room.process("two").await);
    limited(&room, &[&one, &two]).await;
    let (permit, other) = (begun(&one, &room, "resp_1").await, admit(&one, &room, 50_000).await.unwrap());
    room.clock.advance(seconds(61));
    two.say_alive().await;
    for permit in two.adopt(9).await.unwrap() {
        settle(&two, permit, 40_000);
    }
    two.flush().await.unwrap();
    settle(&one, permit, 50_000);
    // What ends from here on waits while that is written.
    one.state().journal.close().unwrap();
    settle(&one, other, 10_000);
    assert_eq!(last(&room, &one).await.0, 2);
    assert!(written(&one).contains("mainspring_ledger_calls_total{status=\"ok\"} 1\n"), "{}", written(&one));
    let cost = money("0.03");
    assert_eq!(last(&room, &two).await, (2, cost, cost, Money::ZERO), "all is spent or given back");
}

/// It was cut off, and who took its calls over is gone by now.
async fn a_process_takes_back_what_it_still_waits_for_and_settles_it_once(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let (one, two) = (room.process("one").await, room.process("two").await);
    limited(&room, &[&one, &two]).await;
    let (first, second) = (begun(&one, &room, "resp_1").await, begun(&one, &room, "resp_2").await);
    room.clock.advance(seconds(61));
    two.say_alive().await;
    two.adopt(9).await.unwrap().into_iter().for_each(std::mem::forget);
    drop(two);
    // One has ended where the catalog has not heard of it yet.
    settle(&one, first, 50_000);
    room.clock.advance(seconds(61));
    one.say_alive().await;
    let back = one.adopt(9).await.unwrap();
    let named: Vec<_> = back.iter().map(|permit| permit.worst().response.as_deref()).collect();
    assert_eq!(named, [Some("resp_1")], "the other is waited for as it was");
    for permit in back {
        settle(&one, permit, 40_000);
    }
    settle(&one, second, 20_000);
    let cost = money("0.042");
    assert_eq!(last(&room, &one).await, (2, cost, cost, Money::ZERO), "the first word counts");
    let _places = (admit(&one, &room, 1).await.unwrap(), admit(&one, &room, 1).await.unwrap());
    assert_eq!(refused(admit(&one, &room, 1).await).metric, Metric::Concurrent, "two, as before");
}

async fn over_a_restart_what_was_set_aside_stays_so_for_every_process(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let one = room.process("one").await;
    limited(&room, &[&one]).await;
    let mut set_aside = Money::ZERO;
    for response in ["resp_1", "resp_2"] {
        let permit = begun(&one, &room, response).await;
        set_aside += permit.set_aside();
        std::mem::forget(permit);
    }
    drop(one);
    let again = room.process("one").await;
    let two = room.process("two").await;
    assert_eq!(room.account().await, (Money::ZERO, set_aside), "that, and no more");
    assert_eq!(refused(admit(&two, &room, 1).await).metric, Metric::Concurrent);
    assert_eq!(refused(admit(&again, &room, 1).await).metric, Metric::Concurrent);
    two.give_back(true).await;
    let mut left = again.take_left();
    assert_eq!(left.len(), 2);
    settle(&again, left.remove(0), 50_000);
    let others = left[0].set_aside();
    assert_eq!(last(&room, &again).await, (1, money("0.03"), money("0.03"), others), "the other's stays set aside");
    room.clock.advance(seconds(1));
    drop(admit(&two, &room, 1).await.unwrap());
    settle(&again, left.remove(0), 0);
    assert_eq!(last(&room, &again).await.0, 2);
}

async fn a_call_that_the_journal_has_lost_goes_on_as_the_catalog_knows_it(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let one = room.process("one").await;
    limited(&room, &[&one]).await;
    let permit = begun(&one, &room, "resp_1").await;
    let worst = permit.worst().clone();
    std::mem::forget(permit);
    drop(one);
    let dir = room.journal.with_file_name("one");
    for number in journal::segments_in(&dir).unwrap() {
        std::fs::remove_file(journal::path(&dir, number)).unwrap();
    }
    for _ in 0..2 {
        let again = room.process("one").await;
        let left = again.take_left();
        assert_eq!((left.len(), again.under_way(), left[0].worst()), (1, 1, &worst));
        assert_eq!(room.account().await, (Money::ZERO, left[0].set_aside()));
        left.into_iter().for_each(Permit::stays_open);
    }
}

async fn a_call_that_an_earlier_version_wrote_down_is_one_of_them(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let one = room.process("one").await;
    let permit = begun(&one, &room, "resp_1").await;
    let before = CallRecord { background: None, ..permit.worst().clone() };
    one.state().journal.begin(before.id, frames::began(&before)).unwrap();
    std::mem::forget(permit);
    drop(one);
    let again = room.process("one").await;
    let permit = again.take_left().remove(0);
    assert_eq!(permit.worst().background, Some(permit.set_aside()));
    settle(&again, permit, 1);
    again.flush().await.unwrap();
    assert_eq!(again.waited_for(room.admin.project, "resp_1").await.unwrap(), None, "and ends as they do");
}

async fn a_word_about_how_it_ended_is_left_once(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let (one, two) = (room.process("one").await, room.process("two").await);
    let permit = begun(&one, &room, "resp_1").await;
    let (project, id) = (room.admin.project, permit.worst().id);
    assert_eq!(two.waited_for(project, "resp_1").await.unwrap().as_ref(), Some(permit.worst()));
    assert_eq!(two.waited_for(room.stranger.project, "resp_1").await.unwrap(), None);
    assert_eq!(one.word_of(id).await.unwrap(), "");
    two.leave_word(id, "first").await.unwrap();
    two.leave_word(id, "second").await.unwrap();
    one.tell_left(permit.worst()).await.unwrap();
    assert_eq!(one.word_of(id).await.unwrap(), "first");
    settle(&one, permit, 1);
    one.flush().await.unwrap();
    assert_eq!((two.waited_for(project, "resp_1").await.unwrap(), one.word_of(id).await.unwrap()), (None, String::new()));
    room.clock.advance(seconds(93 * 86_400));
    one.tidy().await.unwrap();
    let rows = room.catalog.query("SELECT id FROM background_call", Vec::new()).await.unwrap();
    assert!(rows.is_empty(), "{rows:?}");
}

/// It was cut off, and finds out while it waits.
async fn a_process_lets_go_of_what_another_has_taken_over(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let (one, two) = (room.process("one").await, room.process("two").await);
    limited(&room, &[&one, &two]).await;
    let (permit, kept) = (begun(&one, &room, "resp_1").await, begun(&one, &room, "resp_2").await);
    let calls = [permit.worst().id, kept.worst().id];
    assert!(one.taken_by_others(&calls).await.unwrap().is_empty(), "both are its own");
    room.clock.advance(seconds(61));
    two.say_alive().await;
    let mut adopted = two.adopt(1).await.unwrap();
    let theirs = adopted.remove(0);
    assert_eq!(one.taken_by_others(&calls).await.unwrap().into_iter().collect::<Vec<_>>(), [theirs.worst().id]);
    one.say_alive().await;
    let (gone, kept) = if permit.worst().id == theirs.worst().id { (permit, kept) } else { (kept, permit) };
    gone.goes_elsewhere();
    assert_eq!((one.under_way(), one.waiting()), (1, 0), "it has not ended: it goes on elsewhere");
    settle(&one, kept, 50_000);
    settle(&two, theirs, 20_000);
    last(&room, &one).await;
    let cost = money("0.042");
    assert_eq!(last(&room, &two).await, (2, cost, cost, Money::ZERO), "all is spent or given back");
    let _places = (admit(&one, &room, 1).await.unwrap(), admit(&one, &room, 1).await.unwrap());
    assert_eq!(refused(admit(&one, &room, 1).await).metric, Metric::Concurrent, "two, as before");
}

async fn only_what_is_in_the_catalog_is_heard_of(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let (one, two) = (room.process("one").await, room.process("two").await);
    limited(&room, &[&one, &two]).await;
    let permit = begun(&one, &room, "resp_1").await;
    room.clock.advance(seconds(61));
    two.say_alive().await;
    let theirs = two.adopt(9).await.unwrap().remove(0);
    let (lost, settled) = (permit.worst().clone(), theirs.worst().clone());
    let (mut by_one, mut by_two) = (permit.settle_and_hear(lost), theirs.settle_and_hear(settled.clone()));
    assert_eq!((by_one.try_recv(), by_two.try_recv()), (Err(TryRecvError::Empty), Err(TryRecvError::Empty)), "not yet");
    one.flush().await.unwrap();
    two.flush().await.unwrap();
    assert_eq!((by_one.try_recv(), by_two.try_recv()), (Err(TryRecvError::Closed), Ok(settled)));
}
