//! The side that serves: a pool of children, each reused until it fails.

use std::{ffi::OsString, os::unix::process::ExitStatusExt, path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{Mutex, Semaphore},
};

use crate::{
    fault::ParseFault,
    frame::{Order, Reply, check_length},
    limits::Limits,
    model::ParsedDocument,
};

#[derive(Debug, Clone)]
pub struct ParserConfig {
    /// The binary that runs `child_main`, and its arguments.
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub workers: usize,
    pub limits: Limits,
}

#[derive(Debug, Clone)]
pub struct ParseRequest {
    pub bytes: Bytes,
    /// Only its ending and its last part mean something; it never becomes a path.
    pub file_name: String,
    pub media_type: Option<String>,
}

#[derive(Debug, Clone)]
pub struct ParserPool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: ParserConfig,
    permits: Semaphore,
    idle: Mutex<Vec<Worker>>,
}

#[derive(Debug)]
struct Worker {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    served: u32,
}

/// A child is replaced after this many files, so that what a parser leaks stays small.
const SERVED_MAX: u32 = 500;

impl ParserPool {
    /// Children start when the first file comes.
    #[must_use]
    pub fn start(config: ParserConfig) -> Self {
        let workers = config.workers.clamp(1, 64);
        Self { inner: Arc::new(Inner { permits: Semaphore::new(workers), idle: Mutex::default(), config }) }
    }

    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.inner.config.limits
    }

    /// Parses one file, waiting for a child to be free. Dropping the future kills the child that was at it.
    pub async fn parse(&self, request: ParseRequest) -> Result<ParsedDocument, ParseFault> {
        let limits = &self.inner.config.limits;
        if request.bytes.len() as u64 > limits.input {
            return Err(ParseFault::TooLarge { bytes: request.bytes.len() as u64, limit: limits.input });
        }
        let pool = |reason: String| ParseFault::Pool { reason };
        let _permit = self.inner.permits.acquire().await.map_err(|error| pool(error.to_string()))?;
        let idle = self.inner.idle.lock().await.pop();
        let spawn = || self.spawn().map_err(|error| pool(error.to_string()));
        let (worker, is_used) = match idle {
            Some(worker) => (worker, true),
            None => (spawn()?, false),
        };
        let answer = match self.ask(worker, &request).await {
            // It may have died while nobody asked it anything, or of what it had done before: a fresh one says.
            Err(_) if is_used => self.ask(spawn()?, &request).await,
            answer => answer,
        };
        answer.unwrap_or_else(|reason| Err(ParseFault::Crashed { reason }))
    }

    /// The child's answer, after which it is free for others; or of what it died.
    async fn ask(&self, mut worker: Worker, request: &ParseRequest) -> Result<Reply, String> {
        let limits = &self.inner.config.limits;
        match tokio::time::timeout(limits.wall, worker.serve(request, limits)).await {
            Ok(Ok(reply)) => {
                worker.served += 1;
                if worker.served < SERVED_MAX {
                    self.inner.idle.lock().await.push(worker);
                }
                Ok(reply)
            }
            Ok(Err(error)) => Err(worker.death(&error).await),
            Err(_) => {
                // Dropping the worker kills the child, which cannot be asked to stop.
                let _ = worker.child.start_kill();
                Ok(Err(ParseFault::TimedOut { seconds: limits.wall.as_secs() }))
            }
        }
    }

    fn spawn(&self) -> std::io::Result<Worker> {
        let config = &self.inner.config;
        let mut child = Command::new(&config.program)
            .arg0("mainspring")
            .args(&config.args)
            .env_clear()
            // The limit on memory is one on addresses: the allocator must not set aside more of them than are used.
            .env("MIMALLOC_ARENA_RESERVE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let missing = || std::io::Error::other("the child has no pipes");
        let input = child.stdin.take().ok_or_else(missing)?;
        let output = child.stdout.take().ok_or_else(missing)?;
        Ok(Worker { child, input, output, served: 0 })
    }
}

impl Worker {
    async fn serve(&mut self, request: &ParseRequest, limits: &Limits) -> std::io::Result<Reply> {
        let (file_name, media_type) = (request.file_name.clone(), request.media_type.clone());
        let order = Order { file_name, media_type, limits: *limits, parent: std::process::id() };
        self.write(&serde_json::to_vec(&order)?).await?;
        self.write(&request.bytes).await?;
        let mut length = [0; 8];
        self.output.read_exact(&mut length).await?;
        let length = check_length(length)?;
        let mut bytes = Vec::new();
        (&mut self.output).take(length).read_to_end(&mut bytes).await?;
        if bytes.len() as u64 != length {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_slice(&bytes)?)
    }

    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.input.write_all(&(bytes.len() as u64).to_le_bytes()).await?;
        self.input.write_all(bytes).await?;
        self.input.flush().await
    }

    /// What the operating system says of a child that stopped answering.
    async fn death(&mut self, error: &std::io::Error) -> String {
        let status = tokio::time::timeout(Duration::from_secs(2), self.child.wait()).await;
        match status {
            Ok(Ok(status)) => match status.signal() {
                // An allocation that fails aborts; a stack that overflows faults.
                Some(6) => "it ran out of memory".to_owned(),
                Some(11) => "it was nested too deeply".to_owned(),
                Some(signal) => format!("signal {signal}"),
                None => format!("exit code {}", status.code().unwrap_or(-1)),
            },
            _ => error.to_string(),
        }
    }
}
