//! A connection that is given up when its client is.
//!
//! Nothing of HTTP says how slowly a client may send or take. One that sends a head a byte now and then, or takes nothing of an
//! answer, would hold all that is held for it for ever. What comes after the head is the business of whoever reads the body.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep, sleep_until},
};

use super::Patience;

/// What HTTP/2 begins with, and no method of HTTP/1.
const MANY: &[u8] = b"PRI ";

/// The requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Asked {
    begun: AtomicUsize,
    open: AtomicUsize,
    /// Several at once come on it.
    many: AtomicBool,
}

/// A request that is not answered to its end.
#[derive(Debug)]
pub(super) struct Open(Arc<Asked>);

impl Asked {
    /// The head of a request is there.
    pub(super) fn begins(asked: &Arc<Self>, many: bool) -> Open {
        if many {
            asked.many.store(true, Ordering::Relaxed);
        }
        asked.begun.fetch_add(1, Ordering::Relaxed);
        asked.open.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(asked))
    }

    /// Whether a request is being answered, or may be at any time.
    fn is_busy(&self) -> bool {
        self.many.load(Ordering::Relaxed) || self.open.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
pub(super) struct Line<S> {
    stream: S,
    asked: Arc<Asked>,
    patience: Patience,
    /// Requests that had begun when it was last looked.
    known: usize,
    /// Bytes of the next one came.
    begins: bool,
    /// When the next one has to be there, while none is answered.
    due: Instant,
    /// Set for a moment before that is due: what is due moves with every request, and timers are dear.
    reading: Option<Pin<Box<Sleep>>>,
    writing: Option<Pin<Box<Sleep>>>,
}

impl<S> Line<S> {
    pub(super) fn new(stream: S, asked: Arc<Asked>, patience: Patience) -> Self {
        let due = Instant::now() + patience.head;
        Self { stream, asked, patience, known: 0, begins: false, due, reading: None, writing: None }
    }

    /// Notes whether a request came and went since it was last looked.
    fn turn(&mut self) {
        let begun = self.asked.begun.load(Ordering::Relaxed);
        if begun != self.known {
            self.known = begun;
            self.begins = false;
            self.due = Instant::now() + self.patience.next;
        }
    }

    fn hears(&mut self, bytes: &[u8]) {
        if self.asked.is_busy() {
            return;
        }
        self.turn();
        let first = self.known == 0;
        if first && !self.begins && bytes.starts_with(MANY) {
            self.asked.many.store(true, Ordering::Relaxed);
        }
        // Of a connection's first request it counts from the connection's beginning.
        if !std::mem::replace(&mut self.begins, true) && !first {
            self.due = Instant::now() + self.patience.head;
        }
    }

    /// Nothing came; it may have been waited for too long. Nobody asks again when an answer ends, so the timer runs meanwhile.
    fn waits(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if self.asked.many.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        let due = if self.asked.is_busy() {
            Instant::now() + self.patience.next
        } else {
            self.turn();
            self.due
        };
        let timer = self.reading.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        loop {
            ready!(timer.as_mut().poll(context));
            if Instant::now() >= due {
                return Poll::Ready(late("no request came"));
            }
            timer.as_mut().reset(due);
        }
    }

    fn writes<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing = None;
            return written;
        }
        let within = self.patience.taken;
        let timer = self.writing.get_or_insert_with(|| Box::pin(sleep(within)));
        timer.as_mut().poll(context).map(|()| Err(late("nothing was taken")))
    }
}

fn late(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut line.stream).poll_read(context, buffer) {
            Poll::Pending => line.waits(context).map(Err),
            Poll::Ready(Ok(())) => {
                if let Some(bytes) = buffer.filled().get(before..).filter(|bytes| !bytes.is_empty()) {
                    line.hears(bytes);
                }
                Poll::Ready(Ok(()))
            }
            broken => broken,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        let written = Pin::new(&mut line.stream).poll_write(context, bytes);
        line.writes(written, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        let written = Pin::new(&mut line.stream).poll_write_vectored(context, slices);
        line.writes(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
