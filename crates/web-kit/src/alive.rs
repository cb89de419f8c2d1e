//! Streams that say something while nothing comes.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::{Stream, StreamExt};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a stream of an answer is silent at most: many proxies cut a connection on which nothing comes for a minute.
pub const SILENCE: Duration = Duration::from_secs(15);

/// A stream that says a word whenever nothing else has come for a while.
pub struct Alive<S: Stream> {
    stream: S,
    silence: Duration,
    word: fn() -> S::Item,
    /// Since when somebody waits for the next piece. Who took the last one long ago and asks now has waited for nothing yet: it may be
    /// the end that comes.
    since: Option<Instant>,
    /// Made when something is first waited for. What comes does not set it anew: it looks at `since` when it goes off, so that
    /// pieces that follow each other quickly cost no timer.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<S: Stream + Unpin> Alive<S> {
    #[must_use]
    pub fn new(stream: S, silence: Duration, word: fn() -> S::Item) -> Self {
        Self { stream, silence, word, since: None, alarm: None }
    }
}

impl<S: Stream + Unpin> Stream for Alive<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = &mut *self;
        if let Poll::Ready(item) = this.stream.poll_next_unpin(context) {
            this.since = None;
            return Poll::Ready(item);
        }
        let due = *this.since.get_or_insert_with(Instant::now) + this.silence;
        let alarm = this.alarm.get_or_insert_with(|| Box::pin(sleep_until(due)));
        loop {
            ready!(alarm.as_mut().poll(context));
            let now = Instant::now();
            if now >= due {
                this.since = Some(now);
                alarm.as_mut().reset(now + this.silence);
                return Poll::Ready(Some((this.word)()));
            }
            alarm.as_mut().reset(due);
        }
    }
}

impl<S: Stream> fmt::Debug for Alive<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alive").field("silence", &self.silence).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use futures::{FutureExt, StreamExt, stream};
    use tokio::time::sleep;

    use super::Alive;

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_word_is_said_again_and_again_while_nothing_comes() {
        let silent = stream::iter(["a"]).chain(stream::once(pending())).boxed();
        let said: Vec<&str> = Alive::new(silent, SHORT, || "alive").take(4).collect().await;
        assert_eq!(said, ["a", "alive", "alive", "alive"]);
    }

    /// Each piece comes in time, all of them together do not: silence is counted from the last one.
    #[tokio::test]
    async fn what_comes_in_time_needs_no_word_and_the_end_is_the_end() {
        const SILENCE: Duration = Duration::from_millis(600);
        let steady = stream::iter(0..6).then(|number| sleep(SILENCE / 3).map(move |()| number)).boxed();
        let said: Vec<i32> = Alive::new(steady, SILENCE, || -1).collect().await;
        assert_eq!(said, [0, 1, 2, 3, 4, 5]);
    }

    /// A word lies between two pieces that are far apart, and takes the place of neither.
    #[tokio::test]
    async fn nothing_is_lost_between_words() {
        let slow = stream::iter(0..3).then(|number| sleep(SHORT * 4).map(move |()| number)).boxed();
        let said: Vec<i32> = Alive::new(slow, SHORT, || -1).collect().await;
        assert!(said.contains(&-1), "{said:?}");
        let pieces: Vec<i32> = said.into_iter().filter(|number| *number >= 0).collect();
        assert_eq!(pieces, [0, 1, 2]);
    }

    /// A client that comes late for the end hears no word behind the last piece.
    #[tokio::test]
    async fn whoever_comes_late_is_waited_for_and_not_the_stream() {
        let ends_late = stream::iter(["last"]).chain(stream::once(sleep(SHORT / 4)).filter_map(|()| async { None })).boxed();
        let mut alive = Alive::new(ends_late, SHORT, || "alive");
        assert_eq!(alive.next().await, Some("last"));
        sleep(SHORT * 4).await;
        assert_eq!(alive.next().await, None);
    }

    /// As tests of surfaces do, and whoever has all of an answer already.
    #[test]
    fn a_stream_that_never_waits_needs_no_timer() {
        let all = Alive::new(stream::iter(0..3), SHORT, || -1).collect::<Vec<i32>>();
        assert_eq!(all.now_or_never(), Some(vec![0, 1, 2]));
    }
}
