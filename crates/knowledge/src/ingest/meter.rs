//! How far a run is and how fast: written by its stages, read by whoever watches.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use crate::model::{Progress, Stage};

#[derive(Debug, Clone)]
pub(super) struct Meter {
    inner: Arc<Inner>,
}

/// Reads a run's meter for as long as the run goes on.
#[derive(Debug)]
pub(crate) struct Gauge(Weak<Inner>);

impl Gauge {
    /// `None`: the run has ended.
    pub(crate) fn now(&self) -> Option<Progress> {
        self.0.upgrade().map(|inner| Meter { inner }.now())
    }
}

#[derive(Debug)]
struct Inner {
    started: Instant,
    state: Mutex<State>,
    watchers: watch::Sender<Progress>,
}

#[derive(Debug, Default)]
struct State {
    progress: Progress,
    /// Bytes of documents to do and done: what the ETA is made of, where every source tells sizes before it is fetched.
    bytes_to_do: Option<u64>,
    bytes_done: u64,
    working_since: Option<Instant>,
    busy_since: Option<Instant>,
    busy: Duration,
    in_flight: usize,
}

impl State {
    /// What is left, as a multiple of what is done. A page of the web tells its size when it is there: such documents are
    /// counted.
    fn left(&self) -> Option<f64> {
        let sound = |(done, to_do): &(u64, u64)| *done > 0 && to_do >= done;
        let bytes = self.bytes_to_do.map(|to_do| (self.bytes_done, to_do)).filter(sound);
        let (done, to_do) = bytes.or_else(|| Some((self.progress.done, self.progress.to_do)).filter(sound))?;
        #[expect(clippy::cast_precision_loss, reason = "a guess for people")]
        let left = (to_do - done) as f64 / done as f64;
        Some(left)
    }
}

impl Meter {
    pub(super) fn start(watchers: watch::Sender<Progress>) -> Self {
        let inner = Inner { started: Instant::now(), state: Mutex::default(), watchers };
        Self { inner: Arc::new(inner) }
    }

    pub(super) fn gauge(&self) -> Gauge {
        Gauge(Arc::downgrade(&self.inner))
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Progress)) {
        self.change(|state| change(&mut state.progress));
    }

    pub(super) fn enter(&self, stage: Stage) {
        self.change(|state| {
            state.progress.stage = stage;
            state.progress.current = None;
            if stage == Stage::Working {
                state.working_since = Some(Instant::now());
            }
        });
        self.show();
    }

    pub(super) fn plan_bytes(&self, bytes: Option<u64>) {
        self.change(|state| state.bytes_to_do = bytes);
    }

    pub(super) fn document_done(&self, bytes: u64) {
        self.change(|state| {
            state.progress.done += 1;
            state.bytes_done += bytes;
        });
    }

    /// The encoder got a batch.
    pub(super) fn encoding(&self) {
        self.change(|state| {
            state.in_flight += 1;
            state.busy_since.get_or_insert_with(Instant::now);
        });
    }

    /// The encoder gave a batch back.
    pub(super) fn encoded(&self, texts: u64, tokens: u64) {
        self.change(|state| {
            state.progress.embedded += texts;
            state.progress.tokens += tokens;
            state.in_flight = state.in_flight.saturating_sub(1);
            if state.in_flight == 0 {
                state.busy += state.busy_since.take().map(|since| since.elapsed()).unwrap_or_default();
            }
        });
    }

    pub(super) fn now(&self) -> Progress {
        let state = self.inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut progress = state.progress.clone();
        progress.elapsed_seconds = self.inner.started.elapsed().as_secs_f64();
        let busy = state.busy + state.busy_since.map(|since| since.elapsed()).unwrap_or_default();
        if let Some(working) = state.working_since.map(|since| since.elapsed().as_secs_f64()).filter(|span| *span > 0.0) {
            progress.encoder_busy = Some((busy.as_secs_f64() / working).min(1.0));
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let tokens = progress.tokens as f64;
            progress.tokens_per_second = (tokens > 0.0).then(|| tokens / working);
            progress.eta_seconds = state.left().map(|left| working * left);
        }
        progress
    }

    /// Tells the watchers; none may be there.
    pub(super) fn show(&self) -> Progress {
        let progress = self.now();
        self.tell(progress.clone());
        progress
    }

    pub(super) fn tell(&self, progress: Progress) {
        self.inner.watchers.send_replace(progress);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(to_do: u64, bytes: Option<u64>) -> Meter {
        let meter = Meter::start(watch::channel(Progress::default()).0);
        meter.count(|progress| progress.to_do = to_do);
        meter.plan_bytes(bytes);
        meter.enter(Stage::Working);
        std::thread::sleep(Duration::from_millis(2));
        meter
    }

    fn left(meter: &Meter) -> Option<f64> {
        meter.inner.state.lock().unwrap().left()
    }

    #[test]
    fn what_is_left_is_told_in_bytes_and_of_pages_without_a_size_in_documents() {
        let files = meter(2, Some(1_000));
        assert_eq!((left(&files), files.now().eta_seconds), (None, None), "nothing to tell from");
        files.document_done(800);
        assert_eq!(left(&files), Some(0.25));
        assert!(files.now().eta_seconds.is_some_and(|eta| eta > 0.0));
        files.document_done(200);
        assert_eq!(files.now().eta_seconds, Some(0.0));

        let pages = meter(4, None);
        assert_eq!(left(&pages), None);
        pages.document_done(123_456);
        assert_eq!(left(&pages), Some(3.0));
        assert!(pages.now().eta_seconds.is_some_and(|eta| eta > 0.0));

        let grown = meter(4, Some(100));
        grown.document_done(300);
        assert_eq!(left(&grown), Some(3.0), "one that grew since it was listed says nothing of the others");
    }
}
