//! A connection that can be broken and slowed down from above.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Sleep,
};

/// What was decided of a connection while a request was answered on it.
#[derive(Debug, Default)]
pub(super) struct Control {
    /// Counts the connections from zero.
    pub(super) connection: u64,
    reset: AtomicBool,
    drip: Mutex<Option<Duration>>,
}

impl Control {
    pub(super) fn of(connection: u64) -> Self {
        Self { connection, ..Self::default() }
    }

    /// The connection ends with RST as soon as it is dropped.
    pub(super) fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }

    pub(super) fn drip(&self, every: Option<Duration>) {
        *self.drip.lock().unwrap_or_else(PoisonError::into_inner) = every;
    }
}

#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    control: Arc<Control>,
    /// The next byte may be written then.
    wait: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, control: Arc<Control>) -> Self {
        Self { stream, control, wait: None }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.control.reset.load(Ordering::Relaxed) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let drip = *self.control.drip.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(every) = drip.filter(|_| !bytes.is_empty()) else {
            return Pin::new(&mut self.stream).poll_write(context, bytes);
        };
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(context));
            self.wait = None;
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, &bytes[..1]));
        self.wait = Some(Box::pin(tokio::time::sleep(every)));
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.control.reset.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
