//! A model server that speaks every dialect and misbehaves on command.
//!
//! It runs in a thread of its own with a runtime of its own, so that a test which blocks, or a bench, does not slow it down.

mod body;
mod control;
mod dialects;
mod kept;
mod record;
mod script;
mod serve;
mod tls;
mod wire;

#[cfg(test)]
mod tests;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{runtime::Builder, sync::oneshot, time::Instant};

use self::serve::State;
pub use self::{
    record::{Ended, Seen},
    script::{Behaviour, BehaviourFault, Script, Trouble, Used, When},
    tls::Certificate,
};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the server listens.
#[derive(Debug, Clone)]
pub struct Options {
    /// 0: a free one.
    pub port: u16,
    pub threads: usize,
    /// Requests that are remembered; 0: none.
    pub keep: usize,
    /// With it the server speaks TLS only.
    pub certificate: Option<Arc<Certificate>>,
    /// What the server agrees to speak under TLS, best first.
    pub protocols: Vec<&'static str>,
    /// Requests at once on one HTTP/2 connection; absent: as hyper has it.
    pub streams: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { port: 0, threads: 1, keep: 10_000, certificate: None, protocols: vec!["http/1.1"], streams: None }
    }
}

/// A running server; gone with the value.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    secure: bool,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Upstream {
    pub fn start(script: Script) -> io::Result<Self> {
        Self::start_with(script, &Options::default())
    }

    pub fn start_with(script: Script, options: &Options) -> io::Result<Self> {
        let protocols = &options.protocols;
        let tls = options.certificate.as_ref().map(|certificate| certificate.server(protocols)).transpose()?;
        let secure = tls.is_some();
        let state = Arc::new(State::new(script, options.keep, tls, options.streams));
        let listener = TcpListener::bind(("127.0.0.1", options.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = match options.threads {
            0 | 1 => Builder::new_current_thread().enable_all().build()?,
            threads => Builder::new_multi_thread().worker_threads(threads).enable_all().build()?,
        };
        let (stop, stopped) = oneshot::channel();
        let shared = state.clone();
        let thread = thread::Builder::new().name("upstream".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = serve::accept(listener, shared) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { address, secure, state, stop: Some(stop), thread: Some(thread) })
    }

    /// Without a path: `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Replaces the script for the requests to come.
    pub fn script(&self, script: Script) {
        *self.state.script.lock().unwrap_or_else(PoisonError::into_inner) = script;
    }

    /// The requests so far, oldest first.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.state.log.seen()
    }

    /// How many there were, those that are not remembered among them.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.state.log.count()
    }

    /// Waits until the requests are as they are wanted.
    ///
    /// # Panics
    /// Where they are not, after a minute.
    pub async fn wait_until(&self, wanted: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.seen();
            if wanted(&seen) {
                return seen;
            }
            let short: Vec<String> = seen.iter().map(|seen| format!("{} {:?}", seen.path, seen.ended)).collect();
            assert!(Instant::now() < deadline, "the upstream's requests never became as wanted: {short:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the server is there for the client no more: until it has seen that a client hung up.
    pub async fn wait_until_hung_up(&self) -> Vec<Seen> {
        self.wait_until(|seen| seen.last().is_some_and(Seen::hung_up)).await
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An address of this machine where nothing listens.
pub fn nobody() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(format!("http://{}", listener.local_addr()?))
}
