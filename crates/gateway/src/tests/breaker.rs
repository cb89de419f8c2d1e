//! Breakers, on a clock the test moves.

use std::time::Duration;

use mainspring_providers::FaultClass;
use proptest::prelude::*;
use tokio::time::Instant;

use crate::{
    breaker::{BreakerState, Pass, Standing, Verdict, verdict},
    duration::Span,
    route::Breaker,
};

const SECOND: Duration = Duration::from_secs(1);

/// Opens at half of at least four within ten seconds, for five seconds.
fn rules() -> Breaker {
    Breaker { failure_rate: 0.5, min_attempts: 4, window: Span::seconds(10), open_for: Span::seconds(5), probes: 1 }
}

struct Bench {
    state: BreakerState,
    rules: Breaker,
    now: Instant,
}

impl Bench {
    fn new(rules: Breaker) -> Self {
        let now = Instant::now();
        Self { state: BreakerState::new(now), rules, now }
    }

    fn enter(&mut self) -> Result<Pass, Standing> {
        self.state.enter(&self.rules, self.now)
    }

    fn leave(&mut self, pass: Pass, verdict: Verdict) {
        self.state.leave(&self.rules, pass, verdict, self.now);
    }

    #[track_caller]
    fn attempt(&mut self, verdict: Verdict) {
        let pass = self.enter().unwrap();
        self.leave(pass, verdict);
    }

    fn standing(&self) -> Standing {
        self.state.standing(self.now)
    }

    fn opened() -> Self {
        let mut bench = Self::new(rules());
        (0..4).for_each(|_| bench.attempt(Verdict::Failed));
        assert_eq!(bench.standing(), Standing::Open { wait_ms: 5_000 });
        bench
    }
}

#[test]
fn too_few_attempts_open_nothing_and_the_share_must_be_reached() {
    let mut bench = Bench::new(rules());
    (0..3).for_each(|_| bench.attempt(Verdict::Failed));
    assert_eq!(bench.standing(), Standing::Closed);
    let mut bench = Bench::new(rules());
    (0..4).for_each(|_| bench.attempt(Verdict::Well));
    (0..3).for_each(|_| bench.attempt(Verdict::Failed));
    assert_eq!(bench.standing(), Standing::Closed, "3 of 7");
    bench.attempt(Verdict::Failed);
    assert_eq!(bench.standing(), Standing::Open { wait_ms: 5_000 }, "4 of 8");
}

#[test]
fn failures_before_the_window_are_forgotten() {
    let mut bench = Bench::new(rules());
    (0..3).for_each(|_| bench.attempt(Verdict::Failed));
    bench.now += SECOND * 11;
    bench.attempt(Verdict::Failed);
    assert_eq!(bench.standing(), Standing::Closed);
    (0..3).for_each(|_| bench.attempt(Verdict::Failed));
    assert!(matches!(bench.standing(), Standing::Open { .. }));
}

#[test]
fn an_open_breaker_lets_nobody_through_until_its_time_is_over() {
    let mut bench = Bench::opened();
    assert_eq!(bench.enter(), Err(Standing::Open { wait_ms: 5_000 }));
    bench.now += SECOND * 4;
    assert_eq!(bench.enter(), Err(Standing::Open { wait_ms: 1_000 }));
    bench.now += SECOND;
    assert_eq!(bench.standing(), Standing::HalfOpen);
    assert!(bench.enter().is_ok());
    assert_eq!(bench.enter(), Err(Standing::HalfOpen), "one probe at once");
}

#[test]
fn a_probe_that_goes_well_closes_it_with_a_clean_slate() {
    let mut bench = Bench::opened();
    bench.now += SECOND * 5;
    bench.attempt(Verdict::Well);
    assert_eq!(bench.standing(), Standing::Closed);
    (0..3).for_each(|_| bench.attempt(Verdict::Failed));
    assert_eq!(bench.standing(), Standing::Closed, "what was before is forgotten");
}

#[test]
fn failed_probes_double_the_wait_up_to_eight_times() {
    let mut bench = Bench::opened();
    bench.now += SECOND * 5;
    for wait in [10, 20, 40, 40, 40] {
        bench.attempt(Verdict::Failed);
        assert_eq!(bench.standing(), Standing::Open { wait_ms: wait * 1_000 });
        bench.now += SECOND * u32::try_from(wait).unwrap();
    }
    bench.attempt(Verdict::Well);
    (0..4).for_each(|_| bench.attempt(Verdict::Failed));
    assert_eq!(bench.standing(), Standing::Open { wait_ms: 5_000 }, "it starts anew");
}

#[test]
fn a_probe_that_says_nothing_makes_room_for_the_next() {
    let mut bench = Bench::opened();
    bench.now += SECOND * 5;
    bench.attempt(Verdict::Neither);
    assert_eq!(bench.standing(), Standing::HalfOpen);
    bench.attempt(Verdict::Well);
    assert_eq!(bench.standing(), Standing::Closed);
}

#[test]
fn what_began_before_a_change_says_nothing_after_it() {
    let mut bench = Bench::new(rules());
    let early = bench.enter().unwrap();
    (0..4).for_each(|_| bench.attempt(Verdict::Failed));
    bench.leave(early, Verdict::Well);
    assert!(matches!(bench.standing(), Standing::Open { .. }));
    bench.now += SECOND * 5;
    let probe = bench.enter().unwrap();
    bench.leave(early, Verdict::Failed);
    bench.leave(probe, Verdict::Well);
    assert_eq!(bench.standing(), Standing::Closed);
}

#[test]
fn several_probes_go_at_once_where_the_route_says_so() {
    let mut bench = Bench::opened();
    bench.rules.probes = 3;
    bench.now += SECOND * 5;
    let probes: Vec<Pass> = (0..3).map(|_| bench.enter().unwrap()).collect();
    assert!(bench.enter().is_err());
    bench.leave(probes[0], Verdict::Well);
    bench.leave(probes[1], Verdict::Failed);
    assert_eq!(bench.standing(), Standing::Closed, "the first word decides");
}

#[test]
fn an_answer_that_broke_off_counts_as_a_failure() {
    let mut bench = Bench::new(rules());
    for _ in 0..2 {
        bench.attempt(Verdict::Well);
        bench.state.broke_off(&bench.rules, bench.now);
    }
    assert!(matches!(bench.standing(), Standing::Open { .. }), "2 of 4");
}

#[test]
fn what_the_client_did_wrong_says_nothing_of_the_target() {
    use FaultClass::*;
    for class in [Invalid, ContentFilter, ContextWindow, Unsupported, TooLarge] {
        assert_eq!(verdict(class), Verdict::Neither, "{class:?}");
        let mut bench = Bench::new(rules());
        (0..100).for_each(|_| bench.attempt(verdict(class)));
        assert_eq!(bench.standing(), Standing::Closed, "{class:?}");
    }
    for class in [Connect, Timeout, Reset, Malformed, RateLimited, Overloaded, Server, Auth, Quota, NotFound] {
        assert_eq!(verdict(class), Verdict::Failed, "{class:?}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Enter,
    Leave(usize, u8),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Enter),
        3 => (0_usize..8, 0_u8..3).prop_map(|(which, verdict)| Step::Leave(which, verdict)),
        1 => (0_u64..20_000).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Whatever happens: never more probes at once than allowed, nobody through an open breaker, no wait beyond eight
    /// times, and without a failure it never opens.
    #[test]
    fn a_breaker_keeps_its_word(steps in proptest::collection::vec(step(), 0..200), probes in 1_u32..4, failing in any::<bool>()) {
        let mut bench = Bench::new(Breaker { probes, ..rules() });
        let mut held: Vec<(Pass, bool)> = Vec::new();
        for step in steps {
            match step {
                Step::Enter => {
                    let before = bench.standing();
                    match bench.enter() {
                        Ok(pass) => {
                            let open = matches!(before, Standing::Open { .. });
                            prop_assert!(!open);
                            held.push((pass, before == Standing::HalfOpen));
                        }
                        Err(standing) => prop_assert!(standing != Standing::Closed),
                    }
                    if bench.standing() == Standing::HalfOpen {
                        let latest = held.last().map(|(pass, _)| *pass);
                        let probing = held.iter().filter(|(pass, probe)| *probe && Some(*pass) == latest).count();
                        prop_assert!(probing <= probes as usize);
                    }
                }
                Step::Leave(which, word) if !held.is_empty() => {
                    let (pass, _) = held.remove(which % held.len());
                    let verdict = match word {
                        0 => Verdict::Well,
                        1 if failing => Verdict::Failed,
                        _ => Verdict::Neither,
                    };
                    bench.leave(pass, verdict);
                }
                Step::Leave(..) => {}
                Step::Wait(millis) => bench.now += Duration::from_millis(millis),
            }
            if let Standing::Open { wait_ms } = bench.standing() {
                prop_assert!(failing && wait_ms <= 40_000);
            }
        }
    }
}
