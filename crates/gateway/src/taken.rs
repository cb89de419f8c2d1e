//! Streams as their clients take them. One is at work only while it is asked for more: of a client that keeps its connection
//! and takes nothing it would never be asked again, no deadline within it would be heard, and its place, its money and its
//! provider would stay taken. So somebody else looks after it.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
    time::Duration,
};

use futures::{Stream, stream::BoxStream};
use mainspring_kernel::{Fault as _, Stop};
use mainspring_llm::Ending;
use tokio::time::Instant;

use crate::{bill::Bill, fault::GatewayFault, record::CallStatus};

const LOOK_EVERY: Duration = Duration::from_millis(500);

type Pieces<T> = BoxStream<'static, Result<T, GatewayFault>>;

/// The streams that clients have.
#[derive(Debug)]
pub(crate) struct Streams {
    all: Mutex<Vec<Weak<dyn Ends>>>,
    /// A client that takes nothing for so long is gone.
    patience: Duration,
}

/// What is looked after.
trait Ends: std::fmt::Debug + Send + Sync {
    /// Ends it if its time is over; answers whether it goes on.
    fn look(&self, now: Instant, patience: Duration) -> bool;
}

/// A stream, held by its client alone.
struct Held<T> {
    model: String,
    deadline: Instant,
    /// Settled by the stream itself, but for who else may hold it. Absent where nothing is paid.
    bill: Option<Weak<Bill>>,
    /// Told of faults, also of those that the stream knows nothing of.
    ending: Ending,
    state: Mutex<State<T>>,
}

struct State<T> {
    /// Absent once it is over.
    pieces: Option<Pieces<T>>,
    /// The client has all there is and waits for more.
    waits: bool,
    /// When it last took something.
    taken: Instant,
    /// For a client that comes back.
    fault: Option<GatewayFault>,
}

impl Streams {
    pub(crate) const fn new(patience: Duration) -> Self {
        Self { all: Mutex::new(Vec::new()), patience }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<dyn Ends>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same stream, which ends at its deadline whether or not anybody takes it.
    pub(crate) fn hold<T: 'static>(
        &self,
        pieces: Pieces<T>,
        (model, deadline): (&str, Instant),
        (bill, ending): (Option<&Arc<Bill>>, &Ending),
    ) -> Pieces<T> {
        let state = State { pieces: Some(pieces), waits: false, taken: Instant::now(), fault: None };
        let (model, bill, ending) = (model.to_owned(), bill.map(Arc::downgrade), ending.clone());
        let held = Arc::new(Held { model, deadline, bill, ending, state: Mutex::new(state) });
        let watched = Arc::downgrade(&held);
        self.lock().push(watched);
        Box::pin(Taken(held))
    }

    /// Looks at each of them, and forgets those that are over.
    pub(crate) fn look(&self, now: Instant) {
        let mut all = std::mem::take(&mut *self.lock());
        all.retain(|held| held.upgrade().is_some_and(|held| held.look(now, self.patience)));
        self.lock().append(&mut all);
    }

    pub(crate) async fn watch(&self, stop: Stop) {
        while stop.sleep(LOOK_EVERY).await {
            self.look(Instant::now());
        }
    }
}

impl<T> std::fmt::Debug for Held<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("model", &self.model).finish_non_exhaustive()
    }
}

impl<T: 'static> Ends for Held<T> {
    fn look(&self, now: Instant, patience: Duration) -> bool {
        // Whoever has it is asking for more at this moment.
        let Ok(mut state) = self.state.try_lock() else { return true };
        if state.pieces.is_none() {
            return false;
        }
        // One that is waited for ends by deadlines of its own; this is for a client that was not even woken.
        let gone = state.taken.checked_add(patience);
        let until = if state.waits {
            self.deadline.checked_add(patience)
        } else {
            Some(gone.map_or(self.deadline, |gone| gone.min(self.deadline)))
        };
        if until.is_none_or(|until| now < until) {
            return true;
        }
        // Of one that is complete nothing is missing but its end.
        let is_settled = |bill: &Weak<Bill>| bill.upgrade().is_none_or(|bill| bill.is_settled());
        let complete = self.bill.as_ref().is_some_and(is_settled);
        let pieces = state.pieces.take();
        state.fault = (!complete).then(|| GatewayFault::NotTaken { model: self.model.clone() });
        if let Some(fault) = &state.fault {
            self.ending.breaks(fault.code());
        }
        drop(state);
        // As if the client had hung up: what was used is charged, and then the call is settled.
        drop(pieces);
        if let Some(bill) = self.bill.as_ref().and_then(Weak::upgrade) {
            bill.settle(CallStatus::Cancelled, None);
        }
        false
    }
}

/// The client's end.
struct Taken<T>(Arc<Held<T>>);

impl<T> Stream for Taken<T> {
    type Item = Result<T, GatewayFault>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { pieces, waits, taken, fault } = &mut *state;
        let Some(stream) = pieces else { return Poll::Ready(fault.take().map(Err)) };
        let polled = stream.as_mut().poll_next(context);
        *waits = polled.is_pending();
        if !*waits {
            *taken = Instant::now();
        }
        match &polled {
            Poll::Ready(None) => *pieces = None,
            Poll::Ready(Some(Err(fault))) => self.0.ending.breaks(fault.code()),
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        polled
    }
}
