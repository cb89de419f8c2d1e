//! The threads on which questions in SQL are planned and run.
//!
//! They have stacks for every text that is let in, and one that works on a question for long keeps nobody else waiting but
//! other questions. They stay for as long as the lake, since connections to a store belong to the threads that made them.

use std::{
    future::Future,
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use mainspring_lake::LakeFault;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::Semaphore,
    task::AbortHandle,
};

/// The engine plans and reckons by recursion. Only what is used of it takes memory.
const STACK: usize = 256 << 20;
const THREADS: usize = 2;
/// More questions wait for their turn.
const AT_ONCE: usize = 4;
/// A question that has not noticed that its time is over is left alone after this.
const GRACE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct SqlThreads {
    runtime: Mutex<Option<Runtime>>,
    turns: Semaphore,
}

impl Default for SqlThreads {
    fn default() -> Self {
        Self { runtime: Mutex::default(), turns: Semaphore::new(AT_ONCE) }
    }
}

impl SqlThreads {
    fn handle(&self) -> io::Result<Handle> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*runtime {
            return Ok(runtime.handle().clone());
        }
        let fresh = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("lake-sql")
            .thread_stack_size(STACK)
            .enable_all()
            .build()?;
        let handle = fresh.handle().clone();
        *runtime = Some(fresh);
        Ok(handle)
    }

    /// The answer to a question, which ends when its time is over or when nobody waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        within: Duration,
        question: impl Future<Output = Result<T, LakeFault>> + Send + 'static,
    ) -> Result<T, LakeFault> {
        let ended = |reason: String| LakeFault::Engine { table: "of a question in SQL".to_owned(), reason };
        let _turn = self.turns.acquire().await.map_err(|error| ended(error.to_string()))?;
        let task = self.handle().map_err(|error| ended(error.to_string()))?.spawn(question);
        let _ends = Ends(task.abort_handle());
        match tokio::time::timeout(within + GRACE, task).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Err(ended(error.to_string())),
            Err(_) => Err(LakeFault::QueryTooLong { within }),
        }
    }
}

struct Ends(AbortHandle);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for SqlThreads {
    fn drop(&mut self) {
        // Waiting for threads is not allowed where other tasks run.
        if let Some(runtime) = self.runtime.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            runtime.shutdown_background();
        }
    }
}
