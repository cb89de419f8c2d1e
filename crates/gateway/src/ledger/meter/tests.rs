use std::time::Duration;

use proptest::prelude::*;

use super::{ASK_AGAIN, Meter, Metric, Reply, Share, Verdict, Wait, Wish, block};

const NOW: i64 = 1_700_000_000_000_000_000;

fn share(meter: &mut Meter) -> &mut Share {
    match meter {
        Meter::Share(share) => share,
        other => panic!("{other:?} is no share"),
    }
}

#[test]
fn a_budget_counts_what_is_spent_and_what_is_set_aside() {
    let mut meter = Meter::new(Metric::UsdPerDay, false);
    assert_eq!(meter.check(100, 60, NOW), Verdict::Room);
    meter.take(100, 60, NOW);
    assert_eq!(meter.check(100, 60, NOW), Verdict::Full(Wait::Soon), "the call under way may give some back");
    assert_eq!(meter.taken(100), 60);
    meter.settle(100, (60, 50), NOW);
    assert_eq!(meter.check(100, 50, NOW), Verdict::Room);
    assert_eq!(meter.check(100, 51, NOW), Verdict::Full(Wait::NextWindow));
    assert_eq!(meter.quota(100, NOW).left, 50);
}

#[test]
fn calls_at_once_come_and_go() {
    let mut meter = Meter::new(Metric::Concurrent, false);
    for _ in 0..3 {
        assert_eq!(meter.check(3, 1, NOW), Verdict::Room);
        meter.take(3, 1, NOW);
    }
    assert_eq!(meter.check(3, 1, NOW), Verdict::Full(Wait::Soon));
    meter.settle(3, (1, 0), NOW);
    assert_eq!(meter.check(3, 1, NOW), Verdict::Room);
    assert!(!meter.is_idle(NOW));
}

#[test]
fn tokens_that_were_not_used_come_back() {
    let mut meter = Meter::new(Metric::TokensPerMinute, false);
    meter.take(1_000, 900, NOW);
    assert!(matches!(meter.check(1_000, 200, NOW), Verdict::Full(Wait::Exactly(_))));
    meter.settle(1_000, (900, 100), NOW);
    assert_eq!(meter.quota(1_000, NOW).left, 900);
}

#[test]
fn a_share_asks_for_a_block_and_hands_it_out() {
    let mut meter = Meter::new(Metric::RequestsPerMinute, true);
    assert_eq!(meter.check(1_000, 1, NOW), Verdict::Fetching);
    assert_eq!(share(&mut meter).wish(), Some(Wish { least: 1, most: 20 }));
    assert_eq!(share(&mut meter).wish(), None, "it is asked for once");
    share(&mut meter).reply(Reply::Granted { amount: 20, left: 980, full_at: NOW }, NOW);
    for number in 0..20 {
        assert_eq!(meter.check(1_000, 1, NOW), Verdict::Room, "{number}");
        meter.take(1_000, 1, NOW);
    }
    assert!(share(&mut meter).wish().is_some(), "the next block is asked for before this one is used up");
    assert_eq!(meter.check(1_000, 1, NOW), Verdict::Fetching);
    assert_eq!(block(1_000), 20);
    assert_eq!(block(10), 1);
}

#[test]
fn a_refused_share_says_so_for_a_moment_and_then_asks_again() {
    let mut meter = Meter::new(Metric::UsdPerMonth, true);
    assert_eq!(meter.check(100, 10, NOW), Verdict::Fetching);
    let wish = share(&mut meter).wish().unwrap();
    assert_eq!(wish.least, 10);
    share(&mut meter).reply(Reply::Refused { wait: Wait::NextWindow, left: 4 }, NOW);
    assert_eq!(meter.check(100, 10, NOW), Verdict::Full(Wait::NextWindow));
    assert_eq!(meter.taken(100), 96);
    assert_eq!(meter.check(100, 10, NOW + ASK_AGAIN), Verdict::Fetching);
}

#[test]
fn while_the_catalog_is_away_money_stays_shut_and_counts_are_kept_here() {
    let mut money = Meter::new(Metric::UsdPerDay, true);
    assert_eq!(money.check(100, 10, NOW), Verdict::Fetching);
    let wish = share(&mut money).wish().unwrap();
    share(&mut money).away(Metric::UsdPerDay, 100, wish, NOW);
    assert_eq!(money.check(100, 10, NOW), Verdict::Away);

    let mut requests = Meter::new(Metric::RequestsPerMinute, true);
    let mut came_through = 0;
    for _ in 0..20 {
        if requests.check(5, 1, NOW) == Verdict::Fetching {
            let wish = share(&mut requests).wish().unwrap();
            share(&mut requests).away(Metric::RequestsPerMinute, 5, wish, NOW);
        }
        if requests.check(5, 1, NOW) == Verdict::Room {
            requests.take(5, 1, NOW);
            came_through += 1;
        }
        let _ = share(&mut requests).wish();
    }
    assert_eq!(came_through, 5);
}

#[test]
fn what_is_not_used_goes_back_after_a_while() {
    let mut meter = Meter::new(Metric::RequestsPerMinute, true);
    let second = 1_000_000_000;
    share(&mut meter).reply(Reply::Granted { amount: 20, left: 0, full_at: NOW }, NOW);
    assert_eq!(share(&mut meter).surplus(1_000, false, NOW + second), 0);
    assert_eq!(share(&mut meter).surplus(1_000, false, NOW + 2 * second), 20);
    assert_eq!(share(&mut meter).surplus(1_000, false, NOW + 2 * second), 0);
    assert!(meter.is_idle(NOW + 2 * second));
    share(&mut meter).add(7);
    assert_eq!(share(&mut meter).surplus(1_000, true, NOW), 7, "a changed limit takes all back at once");
}

#[test]
fn a_clock_that_is_set_back_does_not_lock_a_share() {
    let mut meter = Meter::new(Metric::RequestsPerMinute, true);
    share(&mut meter).reply(Reply::Refused { wait: Wait::Exactly(Duration::from_secs(30)), left: 0 }, NOW);
    meter.move_back(3_600_000_000_000);
    let then = NOW - 3_600_000_000_000;
    assert!(matches!(meter.check(100, 1, then), Verdict::Full(_)));
    assert_eq!(meter.check(100, 1, then + ASK_AGAIN), Verdict::Fetching);
}

proptest! {
    /// Whatever calls do, what a budget has handed out and not got back never exceeds it, if they keep to what was set aside.
    #[test]
    fn a_budget_is_never_exceeded_by_calls_that_keep_to_their_word(steps in proptest::collection::vec((1_i128..60, 0_u8..100, any::<bool>()), 1..200)) {
        let (mut meter, mut under_way, mut spent) = (Meter::new(Metric::UsdPerDay, false), Vec::new(), 0);
        for (need, share, begin) in steps {
            if begin && meter.check(1_000, need, NOW) == Verdict::Room {
                meter.take(1_000, need, NOW);
                under_way.push(need);
            } else if let Some(reserved) = under_way.pop() {
                let used = reserved * i128::from(share) / 100;
                meter.settle(1_000, (reserved, used), NOW);
                spent += used;
            }
            prop_assert!(spent + under_way.iter().sum::<i128>() <= 1_000);
            prop_assert_eq!(meter.taken(1_000), spent + under_way.iter().sum::<i128>());
        }
    }

    /// A share has handed out exactly what it was given, less what is free.
    #[test]
    fn a_share_loses_nothing_and_makes_nothing(steps in proptest::collection::vec((0_u8..4, 1_i128..50), 1..200)) {
        let (mut meter, mut given, mut used_up, mut under_way) = (Meter::new(Metric::UsdPerDay, true), 0, 0, Vec::new());
        for (what, amount) in steps {
            match what {
                0 => {
                    share(&mut meter).reply(Reply::Granted { amount, left: 0, full_at: NOW }, NOW);
                    given += amount;
                }
                1 if meter.check(1_000, amount, NOW) == Verdict::Room => {
                    meter.take(1_000, amount, NOW);
                    under_way.push(amount);
                }
                2 => if let Some(reserved) = under_way.pop() {
                    let used = reserved / 2;
                    meter.settle(1_000, (reserved, used), NOW);
                    used_up += used;
                },
                _ => {
                    let _ = share(&mut meter).wish();
                    given -= share(&mut meter).surplus(1_000, true, NOW);
                }
            }
            let Meter::Share(share) = &meter else { unreachable!() };
            prop_assert_eq!(share.free + share.held, given - used_up);
            prop_assert!(share.free >= 0);
        }
    }
}
