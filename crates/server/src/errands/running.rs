//! A process that runs errands, as who started it sees it.

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::OsStr,
    path::Path,
    process::Stdio,
    time::Duration,
};

use mainspring_observability::{Ended, ErrandKind};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::oneshot,
    time::{Instant, timeout},
};

use super::{
    Outcome, Wanted, Why,
    words::{Ask, Order, Said},
};

/// It says every second that it lives.
const SILENT_MAX: Duration = Duration::from_secs(20);
/// It reads what it is told on a thread of its own.
const READ_WITHIN: Duration = Duration::from_secs(5);
/// What was killed is gone at once, unless the kernel waits for a disk.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// What it may need of the environment beside its order: where programs and libraries are and files for a moment, how to log, how
/// to reach stores. Keys of providers, which specs may name, are none of its business.
const PASSED: [&str; 18] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "TZ",
    "LD_LIBRARY_PATH",
    "RUST_LOG",
    "RUST_BACKTRACE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "MALLOC_ARENA_MAX",
];
const PASSED_WITH: [&str; 4] = ["AWS_", "LANCE_", "MAINSPRING_", "MIMALLOC_"];
/// Settings that are secrets. It reads no settings.
const SECRETS: [&str; 6] = [
    "MAINSPRING_API_KEY",
    "MAINSPRING_CATALOG",
    "MAINSPRING_MASTER_KEY",
    "MAINSPRING__CLIENT__API_KEY",
    "MAINSPRING__CATALOG__URL",
    "MAINSPRING__SECRETS__MASTER_KEY",
];

#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    input: ChildStdin,
    pub(super) lines: Lines<BufReader<ChildStdout>>,
    ready: bool,
    heard: Instant,
    /// It was told to stop, and has until then.
    ends_at: Option<Instant>,
    /// Not told of yet.
    wanted: VecDeque<Wanted>,
    under_way: BTreeMap<u64, (ErrandKind, oneshot::Sender<Outcome>)>,
    next: u64,
    /// What failed, and is told when it is gone.
    failed: Vec<(u64, String)>,
    /// Why it can do nothing of it, by its own word.
    reason: Option<String>,
}

impl Running {
    pub(super) async fn start(program: &Path, order: &Order) -> std::io::Result<Self> {
        let mut child = Command::new(program)
            .arg0("mainspring")
            .arg("__errand")
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| is_passed(name)))
            // Whoever presses Ctrl-C stops the gateway, which says so to its child.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let missing = || std::io::Error::other("the child has no pipes");
        let (input, output) = (child.stdin.take().ok_or_else(missing)?, child.stdout.take().ok_or_else(missing)?);
        let mut running = Self {
            child,
            input,
            lines: BufReader::new(output).lines(),
            ready: false,
            heard: Instant::now(),
            ends_at: None,
            wanted: VecDeque::new(),
            under_way: BTreeMap::new(),
            next: 0,
            failed: Vec::new(),
            reason: None,
        };
        running.say(order).await?;
        Ok(running)
    }

    pub(super) fn want(&mut self, wanted: Wanted) {
        self.wanted.push_back(wanted);
    }

    pub(super) const fn is_ending(&self) -> bool {
        self.ends_at.is_some()
    }

    pub(super) const fn ends_at(&self) -> Option<Instant> {
        self.ends_at
    }

    pub(super) fn silent_at(&self) -> Instant {
        self.heard + SILENT_MAX
    }

    /// Tells it what is wanted, once it is ready; and to stop, when nothing is left.
    pub(super) async fn hand_over(&mut self, end_within: Duration) -> Result<(), Why> {
        if !self.ready || self.is_ending() {
            return Ok(());
        }
        while let Some(Wanted { errand, answer }) = self.wanted.pop_front() {
            let (id, kind) = (self.next, errand.kind());
            self.next += 1;
            self.under_way.insert(id, (kind, answer));
            let said = self.say(&Ask::Run { id, errand }).await;
            said.map_err(|error| Why::Killed(format!("it does not listen: {error}")))?;
        }
        if self.under_way.is_empty() {
            self.stop(end_within).await;
        }
        Ok(())
    }

    /// Tells it to write whole what it is at, and to end.
    pub(super) async fn stop(&mut self, within: Duration) {
        if !self.is_ending() {
            self.ends_at = Some(Instant::now() + within);
            // One that does not listen is killed when its time is over.
            let _ = timeout(within, self.say(&Ask::Stop)).await;
        }
    }

    /// Takes note of what it said. Answers why it is to be watched no longer, if so.
    pub(super) fn hear(&mut self, line: &str) -> Option<Why> {
        self.heard = Instant::now();
        match serde_json::from_str(line) {
            Ok(Said::Ready) => self.ready = true,
            Ok(Said::Lives) => {}
            Ok(Said::Ended { id, ended }) => self.answer(id, Ok(ended)),
            Ok(Said::Failed { id, reason }) => {
                // A commit may still be under way: whoever brings the same again would not find it in the table yet.
                if self.under_way.get(&id).is_some_and(|(kind, _)| *kind == ErrandKind::Bring) {
                    self.failed.push((id, reason));
                    return Some(Why::Killed("its process was ended, since another errand in it failed".to_owned()));
                }
                self.answer(id, Err(reason));
            }
            Ok(Said::Fails { reason }) => self.reason = Some(reason),
            Err(error) => return Some(Why::Killed(format!("it said what nobody understands: {error}"))),
        }
        None
    }

    /// Who asked may have gone.
    fn answer(&mut self, id: u64, outcome: Outcome) {
        if let Some((_, answer)) = self.under_way.remove(&id) {
            let _ = answer.send(outcome);
        }
    }

    async fn say(&mut self, what: &impl serde::Serialize) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        timeout(READ_WITHIN, self.input.write_all(&line)).await.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?
    }

    /// Sees to its end. Whoever still waits hears why then, and not before it is gone.
    pub(super) async fn put_away(mut self, why: Why, closing: bool) {
        let (killed, gone) = match why {
            Why::Ended => (None, None),
            Why::Killed(reason) => (Some(reason), None),
            Why::Unwanted(reason, gone) => (Some(reason), Some(gone)),
        };
        let ended = self.end(killed.is_some()).await;
        let reason = killed.or_else(|| self.reason.take()).unwrap_or(ended);
        for (id, reason) in std::mem::take(&mut self.failed) {
            self.answer(id, Err(reason));
        }
        for (_, answer) in std::mem::take(&mut self.under_way).into_values() {
            let _ = answer.send(Err(reason.clone()));
        }
        for wanted in std::mem::take(&mut self.wanted) {
            wanted.tell(if closing { Ok(Ended::Stopped) } else { Err(reason.clone()) });
        }
        if let Some(gone) = gone {
            let _ = gone.send(());
        }
    }

    /// Waits until it is gone. Answers how it ended.
    async fn end(&mut self, mut kill: bool) -> String {
        loop {
            if kill && let Err(error) = self.child.start_kill() {
                tracing::debug!(%error, "a process that works at traces could not be killed: it has ended, perhaps");
            }
            match timeout(GONE_WITHIN, self.child.wait()).await {
                Ok(Ok(status)) => return status.to_string(),
                Ok(Err(error)) => return error.to_string(),
                // It said that it ends.
                Err(_) if !kill => kill = true,
                Err(_) => {
                    let process = self.child.id();
                    tracing::error!(
                        process,
                        "a process that works at traces was killed and does not go; no other can work at them"
                    );
                    return "it does not go".to_owned();
                }
            }
        }
    }
}

fn is_passed(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        let ours = PASSED.contains(&name) || PASSED_WITH.iter().any(|beginning| name.starts_with(beginning));
        ours && !SECRETS.contains(&name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_has_what_it_needs_of_the_environment_and_no_secrets() {
        let passed = |name: &str| is_passed(OsStr::new(name));
        for name in [
            "TMPDIR",
            "RUST_LOG",
            "https_proxy",
            "NO_PROXY",
            "SSL_CERT_DIR",
            "AWS_REGION",
            "MAINSPRING_LAKE",
            "MAINSPRING__LAKE__DURABILITY",
        ] {
            assert!(passed(name), "{name}");
        }
        for name in ["OPENAI_API_KEY", "MAINSPRING_MASTER_KEY", "MAINSPRING_CATALOG", "LD_PRELOAD", "MY_AWS_KEY", ""] {
            assert!(!passed(name), "{name}");
        }
    }
}
