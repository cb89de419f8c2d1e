//! When the same target is asked again.

use std::time::Duration;

use mainspring_providers::FaultClass::{self, Auth, RateLimited, Server};
use proptest::prelude::*;

use crate::{
    duration::Span,
    retry::{Tried, next},
    route::Retry,
};

fn rules() -> Retry {
    Retry { attempts: 3, backoff: Span::millis(100), max_backoff: Span::millis(300), ..Retry::default() }
}

fn tried(attempts: u32, class: FaultClass) -> Tried {
    Tried { attempts, class, retry_after: None, remaining: Duration::from_secs(60) }
}

fn millis(wait: Option<Duration>) -> Option<u128> {
    wait.map(|wait| wait.as_millis())
}

#[test]
fn waits_double_up_to_the_longest_and_end_with_the_attempts() {
    for (attempts, longest) in [(1, Some(100)), (2, Some(200)), (3, Some(300)), (4, None)] {
        assert_eq!(millis(next(&rules(), &tried(attempts, Server), 1.0)), longest, "after {attempts}");
    }
}

#[test]
fn the_whole_wait_is_random() {
    for (jitter, wait) in [(0.0, 0), (0.25, 50), (0.5, 100), (1.0, 200)] {
        assert_eq!(millis(next(&rules(), &tried(2, Server), jitter)), Some(wait));
    }
}

#[test]
fn only_faults_the_route_names_are_tried_again() {
    assert_eq!(next(&rules(), &tried(1, Auth), 0.5), None);
    let named = Retry { on: vec![Auth], ..rules() };
    assert!(next(&named, &tried(1, Auth), 0.5).is_some());
    assert_eq!(next(&named, &tried(1, Server), 0.5), None);
    assert_eq!(next(&Retry { attempts: 0, ..rules() }, &tried(1, Server), 0.5), None);
}

#[test]
fn nothing_comes_sooner_than_the_provider_asked() {
    let asked = Tried { retry_after: Some(Duration::from_millis(250)), ..tried(1, RateLimited) };
    assert_eq!(millis(next(&rules(), &asked, 0.0)), Some(250));
    let short = Tried { retry_after: Some(Duration::from_millis(10)), ..asked };
    assert_eq!(millis(next(&rules(), &short, 1.0)), Some(100), "the backoff is longer");
}

#[test]
fn a_wait_longer_than_the_longest_is_the_clients_own() {
    let asked = |millis| Tried { retry_after: Some(Duration::from_millis(millis)), ..tried(1, RateLimited) };
    assert_eq!(millis(next(&rules(), &asked(300), 0.0)), Some(300));
    assert_eq!(next(&rules(), &asked(301), 0.0), None);
    let patient = Retry { max_backoff: Span::seconds(7), ..rules() };
    assert_eq!(millis(next(&patient, &asked(7_000), 0.0)), Some(7_000), "unless the route says so");
}

#[test]
fn a_wait_beyond_the_deadline_is_no_wait() {
    let patient = Retry { max_backoff: Span::seconds(7), ..rules() };
    let asked = Tried { retry_after: Some(Duration::from_secs(7)), remaining: Duration::from_secs(7), ..tried(1, RateLimited) };
    assert_eq!(next(&patient, &asked, 0.0), None);
    let enough = Tried { remaining: Duration::from_millis(7_001), ..asked };
    assert_eq!(millis(next(&patient, &enough, 0.0)), Some(7_000));
}

proptest! {
    #[test]
    fn a_wait_is_within_its_bounds(
        attempts in 0_u32..200, backoff in 0_u64..100_000, max in 0_u64..100_000, asked in proptest::option::of(0_u64..100_000),
        remaining in 0_u64..200_000, jitter in -1.0_f64..2.0,
    ) {
        let rules = Retry { attempts: 100, backoff: Span::millis(backoff), max_backoff: Span::millis(max), ..Retry::default() };
        let retry_after = asked.map(Duration::from_millis);
        let tried = Tried { attempts, class: Server, retry_after, remaining: Duration::from_millis(remaining) };
        if let Some(wait) = next(&rules, &tried, jitter) {
            prop_assert!(attempts <= 100);
            prop_assert!(wait >= retry_after.unwrap_or_default());
            prop_assert!(wait < tried.remaining);
            prop_assert!(wait <= rules.max_backoff.as_duration());
        }
    }
}
