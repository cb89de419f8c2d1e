//! The attempts of one call: targets in their order, retries, hedges, until one answers or none is left.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use http::HeaderMap;
use mainspring_providers::{FaultClass, Operation};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep, timeout_at},
};

use crate::{
    asked::Asked,
    attempt::{Attempt, Of},
    begin::{Begun, Reach},
    bill::{Bill, Desk},
    breaker::Standing,
    choose::{Bar, Order},
    fault::GatewayFault,
    hedge,
    input::Input,
    retry::{self, Tried},
    route::Choose,
    service::Body,
    trace,
};

/// What the attempts came to.
pub(crate) enum Got {
    Whole { attempt: Attempt, body: Body, lost: Vec<String>, headers: HeaderMap },
    Stream(Begun),
}

/// A target in its turn.
#[derive(Debug, Clone, Copy)]
struct Turn {
    index: usize,
    /// Its provider was busy when its turn came first, and everyone else has been asked meanwhile.
    waits: bool,
    /// It made what the call goes on from: it is asked whether somebody failed or not.
    preferred: bool,
}

pub(crate) struct Run<'a> {
    reach: &'a Reach,
    desk: &'a Desk,
    asked: &'a Asked,
    bill: &'a Arc<Bill>,
    queue: VecDeque<Turn>,
    barred: Vec<(usize, Bar)>,
    /// The target that is asked first whatever the rest say, as soon as it can be asked.
    preferred: Option<usize>,
}

impl Got {
    /// The response that is made in the background when the answer is over.
    pub(crate) fn left(&self) -> Option<&str> {
        match self {
            Self::Whole { attempt, .. } => attempt.left(),
            Self::Stream(begun) => begun.attempt.left(),
        }
    }
}

impl<'a> Run<'a> {
    pub(crate) fn of(reach: &'a Reach, desk: &'a Desk, (asked, bill): (&'a Asked, &'a Arc<Bill>), order: Order) -> Self {
        let Order { picked, barred, preferred } = order;
        let turn = |index: usize| Turn { index, waits: false, preferred: preferred == Some(index) };
        let queue = picked.iter().map(|picked| turn(picked.index)).collect();
        Self { reach, desk, asked, bill, queue, barred, preferred }
    }

    pub(crate) async fn run(mut self) -> Result<Got, GatewayFault> {
        if let Some(rules) = &self.asked.route.spec.hedge {
            self.asked.route.hedges.earn(rules.at_most);
        }
        // Of the targets that were asked, in turn.
        let mut faults: Vec<(usize, GatewayFault)> = Vec::new();
        while let Some(turn) = self.place(faults.last().map(|(_, fault)| fault)).and_then(|place| self.queue.remove(place)) {
            match self.target(turn, faults.is_empty()).await {
                Some(Ok(got)) => return Ok(got),
                Some(Err(fault)) => {
                    let is_last = self.place(Some(&fault)).is_none() || self.is_over() || !self.bill.may_go_on();
                    faults.push((turn.index, fault));
                    if is_last {
                        break;
                    }
                }
                None if self.is_over() => break,
                None => {}
            }
        }
        Err(self.told(faults))
    }

    /// Which of several faults the client is told: the last. Where that only says what its target cannot do, and the same call
    /// may go well later, it is told so instead: another's fault passes by itself, or one that was not asked may be there again.
    fn told(&self, mut faults: Vec<(usize, GatewayFault)>) -> GatewayFault {
        let last = faults.last().and_then(|(_, last)| last.class());
        if last.is_some_and(is_of_target) {
            let passing = faults.iter().rposition(|(_, fault)| fault.class().is_some_and(passes));
            if let Some(place) = passing {
                let (target, passing) = faults.swap_remove(place);
                self.bill.tells_of(&self.asked.route.targets[target], &self.asked.named);
                return passing;
            }
            if self.barred.iter().any(|(index, bar)| self.comes_back(*index, bar, &faults)) {
                return self.nobody(&faults);
            }
        }
        match faults.pop() {
            Some((_, last)) => last,
            None => self.nobody(&faults),
        }
    }

    /// Whether a target that could not be asked now may take the same call later: in its turn before those that failed, or
    /// after one of their faults.
    fn comes_back(&self, index: usize, bar: &Bar, faults: &[(usize, GatewayFault)]) -> bool {
        if !matches!(bar, Bar::Unwell(_) | Bar::Busy) || faults.iter().any(|(asked, _)| *asked == index) {
            return false;
        }
        // When it is well again it is asked before all others.
        if self.preferred == Some(index) {
            return true;
        }
        let Some((first, _)) = faults.first() else {
            return self.may_begin(Turn { index, waits: false, preferred: false });
        };
        let mut classes = faults.iter().filter_map(|(_, fault)| fault.class());
        self.may_precede(index, *first) || classes.any(|class| self.follows(index, class))
    }

    /// Whether a target's turn may come before another's, where both are well.
    fn may_precede(&self, index: usize, other: usize) -> bool {
        let (spec, targets) = (&self.asked.route.spec, &self.asked.route.targets);
        let (tier, of_other) = (targets[index].spec.tier, targets[other].spec.tier);
        // Dice, numbers that change or a key decide among those of a tier, or how they are written.
        let in_tier = spec.choose != Choose::First || spec.sticky.is_some() || index < other;
        let is_always_first = self.preferred == Some(other);
        targets[index].spec.on.is_empty() && !is_always_first && (tier < of_other || (tier == of_other && in_tier))
    }

    /// Where in the queue the next target stands, of those that are asked after this fault, or before there is one.
    fn place(&self, last: Option<&GatewayFault>) -> Option<usize> {
        let Some(fault) = last else { return self.queue.iter().position(|turn| self.may_begin(*turn)) };
        let class = fault.class()?;
        self.queue.iter().position(|turn| self.follows(turn.index, class))
    }

    /// Whether a target is asked though nobody has failed. That a call surely does not fit elsewhere is known without asking.
    fn may_begin(&self, turn: Turn) -> bool {
        let on = &self.asked.route.targets[turn.index].spec.on;
        let too_long = || self.barred.iter().any(|(_, bar)| matches!(bar, Bar::ContextWindow { .. }));
        turn.preferred || on.is_empty() || (on.contains(&FaultClass::ContextWindow) && too_long())
    }

    fn follows(&self, index: usize, class: FaultClass) -> bool {
        let (route, own) = (&self.asked.route, &self.asked.route.targets[index].spec.on);
        if own.is_empty() { route.spec.fallback.on.contains(&class) } else { own.contains(&class) }
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.asked.deadline
    }

    /// Asks one target until it answers or is given up; nothing where it could not be asked at all.
    async fn target(&mut self, turn: Turn, first: bool) -> Option<Result<Got, GatewayFault>> {
        let mut fault = None;
        for attempts in 1.. {
            let attempt = match self.enter(turn).await {
                Ok(attempt) => attempt,
                // A breaker that opened meanwhile ends the retries.
                Err(_) => return fault.map(Err),
            };
            let begun = self.begin(turn.index, attempt, first && attempts == 1).await;
            let told = match self.finish(begun).await {
                Ok(got) => return Some(Ok(got)),
                Err(told) => told,
            };
            match self.pause(&told, attempts) {
                Some(wait) if self.bill.may_go_on() => sleep(wait).await,
                _ => return Some(Err(told)),
            }
            fault = Some(told);
        }
        None
    }

    /// How long to wait before the same target is asked again.
    fn pause(&self, fault: &GatewayFault, attempts: u32) -> Option<Duration> {
        use mainspring_kernel::Fault as _;
        let spec = &self.asked.route.spec;
        let class = fault.class()?;
        let tried = Tried {
            attempts,
            class,
            retry_after: fault.retry_after(),
            remaining: self.asked.deadline.saturating_duration_since(Instant::now()),
        };
        retry::next(&spec.retry, &tried, rand::random())
    }

    async fn finish(&self, begun: Result<Begun, GatewayFault>) -> Result<Got, GatewayFault> {
        let begun = begun?;
        if self.asked.request.peeked.stream && begun.is_stream() {
            return Ok(Got::Stream(begun));
        }
        let (attempt, body, lost, headers) = begun.finish().await?;
        Ok(Got::Whole { attempt, body, lost, headers })
    }

    /// The right to ask a target now. A busy provider's turn comes again after everyone else's, and then it is waited for.
    async fn enter(&mut self, turn: Turn) -> Result<Attempt, ()> {
        let slots = self.asked.route.targets[turn.index].provider.slots.clone();
        let slot = match slots {
            None => None,
            Some(slots) => match Arc::clone(&slots).try_acquire_owned() {
                Ok(slot) => Some(slot),
                Err(_) if !turn.waits && !self.queue.is_empty() => {
                    self.queue.push_back(Turn { waits: true, ..turn });
                    return Err(());
                }
                Err(_) => match timeout_at(self.asked.deadline, slots.acquire_owned()).await {
                    Ok(Ok(slot)) => Some(slot),
                    Ok(Err(_)) | Err(_) => {
                        self.barred.push((turn.index, Bar::Busy));
                        return Err(());
                    }
                },
            },
        };
        self.attempt(turn.index, slot).map_err(|bar| self.barred.push((turn.index, bar)))
    }

    fn attempt(&self, index: usize, slot: Option<OwnedSemaphorePermit>) -> Result<Attempt, Bar> {
        let Asked { request, route, named, size, .. } = self.asked;
        let (now, manner) = (Instant::now(), self.asked.manner());
        let entered = route.targets[index].state.enter(&route.spec.breaker, now).map_err(Bar::Unwell)?;
        let (named, input) = (Arc::clone(named), Input::of(request, *size));
        let most = self.asked.most(&route.targets[index]);
        let background = self.asked.is_background();
        let kept = request.operation == Operation::Responses && !request.peeked.unkept;
        let (bill, route) = (Arc::clone(self.bill), Arc::clone(route));
        let of = Of { bill, route, index, named, input, most, manner, background, kept };
        Ok(Attempt::new(of, entered, slot, now))
    }

    /// Starts an attempt, and a second one at another target if it is late and the route says so.
    async fn begin(&mut self, index: usize, attempt: Attempt, first: bool) -> Result<Begun, GatewayFault> {
        let (reach, asked) = (self.reach, self.asked);
        // Boxed: calls wait here, and most of them for one attempt only.
        let begin = Box::pin(reach.begin(asked, index, attempt));
        let rules = asked
            .route
            .spec
            .hedge
            .as_ref()
            .filter(|_| first && !asked.request.is_line() && !asked.is_background() && !self.queue.is_empty());
        let late = rules.and_then(|rules| hedge::delay(rules, &asked.route.targets[index].state, asked.manner()));
        match late {
            Some(late) => {
                hedge::race(begin, late, || self.second().map(|(index, attempt)| Box::pin(reach.begin(asked, index, attempt))))
                    .await
            }
            None => begin.await,
        }
    }

    /// The target that takes the second attempt: the next one that is well and can take it at once.
    fn second(&mut self) -> Option<(usize, Attempt)> {
        let route = Arc::clone(&self.asked.route);
        for place in 0..self.queue.len() {
            let index = self.queue[place].index;
            let target = &route.targets[index];
            // The first has not failed: it is late.
            if !target.spec.on.is_empty() {
                continue;
            }
            let slot = match target.provider.slots.clone() {
                None => None,
                Some(slots) => match slots.try_acquire_owned() {
                    Ok(slot) => Some(slot),
                    Err(_) => continue,
                },
            };
            if target.state.standing(Instant::now()) != Standing::Closed {
                continue;
            }
            if !route.hedges.spend() || self.bill.again().is_err() {
                return None;
            }
            if let Ok(mut attempt) = self.attempt(index, slot) {
                self.queue.remove(place);
                self.desk.counters.hedged();
                attempt.mark(|span| span.set(trace::HEDGE, true));
                return Some((index, attempt));
            }
            // The money is set aside already, and once is enough.
            return None;
        }
        None
    }

    /// Why nobody could be asked, or none but targets that cannot do it.
    fn nobody(&self, faults: &[(usize, GatewayFault)]) -> GatewayFault {
        let Asked { route, named, .. } = self.asked;
        let last = faults.last().map(|(_, last)| last);
        let all = |class: fn(&Bar) -> bool| !self.barred.is_empty() && self.barred.iter().all(|(_, bar)| class(bar));
        let told = self.barred.iter().map(|(index, bar)| format!("{}: {bar}", route.target_name(*index, named)));
        let told = told.chain(last.map(ToString::to_string)).collect::<Vec<_>>().join("; ");
        let same = [
            (FaultClass::ContextWindow, all(|bar| matches!(bar, Bar::ContextWindow { .. }))),
            (FaultClass::Unsupported, all(|bar| matches!(bar, Bar::Unsupported))),
        ];
        if let Some((class, _)) = same.into_iter().find(|(_, holds)| *holds) {
            // As the targets themselves would say it.
            return route.targets[self.barred[0].0].fault(class, told).into();
        }
        if last.is_none() && self.is_over() {
            return GatewayFault::Late { model: named.to_string(), within: self.asked.deadline - self.asked.started };
        }
        let why = if route.targets.is_empty() {
            "it has none whose provider can be read".to_owned()
        } else if told.is_empty() {
            "all it has are asked only after a fault of another".to_owned()
        } else {
            told
        };
        let wait = |bar: &Bar| match bar {
            Bar::Unwell(Standing::Open { wait_ms }) => Some(Duration::from_millis(*wait_ms)),
            Bar::Unwell(_) | Bar::Busy => Some(Duration::from_secs(1)),
            Bar::ContextWindow { .. } | Bar::Unsupported => None,
        };
        // One that is not asked even then is nobody to come back for.
        let back = self.barred.iter().filter(|(index, bar)| self.comes_back(*index, bar, faults));
        let retry_after = back.filter_map(|(_, bar)| wait(bar)).min();
        GatewayFault::NoTarget { model: named.to_string(), why, retry_after }
    }
}

/// Whether a fault says of its target that it does not take the call, now or later, and nothing of others.
const fn is_of_target(class: FaultClass) -> bool {
    use FaultClass::{Auth, ContextWindow, NotFound, Quota, TooLarge, Unsupported};
    matches!(class, Auth | Quota | NotFound | ContextWindow | TooLarge | Unsupported)
}

/// Whether a fault may be gone when the call is made again.
const fn passes(class: FaultClass) -> bool {
    use FaultClass::{Connect, Malformed, Overloaded, RateLimited, Reset, Server, Timeout};
    matches!(class, Connect | Timeout | Reset | Malformed | RateLimited | Overloaded | Server)
}
