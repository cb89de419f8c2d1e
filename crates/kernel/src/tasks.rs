//! Every background task has a name and an owner, so that shutdown can wait for it.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Told to a task when it should finish.
#[derive(Debug, Clone)]
pub struct Stop(CancellationToken);

impl Stop {
    /// Resolves when shutdown was asked for.
    pub async fn requested(&self) {
        self.0.cancelled().await;
    }

    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Sleeps, unless shutdown comes first; answers whether the task should go on.
    pub async fn sleep(&self, duration: Duration) -> bool {
        tokio::select! {
            () = self.0.cancelled() => false,
            () = tokio::time::sleep(duration) => true,
        }
    }

    /// A stop that is never asked for: tests and one-shot commands.
    #[must_use]
    pub fn never() -> Self {
        Self(CancellationToken::new())
    }
}

#[derive(Debug, Clone, Default)]
pub struct Tasks {
    token: CancellationToken,
    running: Arc<Mutex<Vec<Running>>>,
}

/// A task under its name.
type Running = (String, JoinHandle<()>);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("these tasks did not finish in time: {}", names.join(", "))]
pub struct Unfinished {
    pub names: Vec<String>,
}

impl Tasks {
    #[must_use]
    pub fn stop(&self) -> Stop {
        Stop(self.token.clone())
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that may spawn: it registers what it spawns")]
    pub fn spawn<F>(&self, name: impl Into<String>, task: impl FnOnce(Stop) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let handle = tokio::spawn(task(self.stop()));
        let mut running = self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        running.retain(|(_, handle)| !handle.is_finished());
        running.push((name.into(), handle));
    }

    /// Asks every task to stop and waits for none of them.
    pub fn ask_to_stop(&self) {
        self.token.cancel();
    }

    /// Asks every task to stop and waits for them, newest last, and for what they start while they stop.
    pub async fn shut_down(&self, within: Duration) -> Result<(), Unfinished> {
        self.ask_to_stop();
        let deadline = tokio::time::Instant::now() + within;
        let mut names = Vec::new();
        loop {
            let running = std::mem::take(&mut *self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
            if running.is_empty() {
                break;
            }
            for (name, mut handle) in running {
                if tokio::time::timeout_at(deadline, &mut handle).await.is_err() {
                    handle.abort();
                    names.push(name);
                }
            }
        }
        if names.is_empty() { Ok(()) } else { Err(Unfinished { names }) }
    }
}
