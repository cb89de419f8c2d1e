//! What the server was asked, and how each request ended.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Value, json};

/// One request.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Counts the requests from zero.
    pub number: u64,
    /// Counts the connections from zero: requests with the same came over the same one.
    pub connection: u64,
    pub at: Instant,
    pub method: Method,
    /// With the query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub model: String,
    pub stream: bool,
    pub ended: Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Still being answered.
    Open,
    /// The whole answer was given to the connection, though not all of it need have arrived.
    Answered(Instant),
    /// The server broke it off, as the script has it.
    BrokenOff(Instant),
    /// The client was gone before the answer was complete.
    HungUp(Instant),
}

impl Seen {
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON; `null` where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    #[must_use]
    pub fn hung_up(&self) -> bool {
        matches!(self.ended, Ended::HungUp(_))
    }

    pub(super) fn view(&self) -> Value {
        let headers = self.headers.iter().map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]));
        let ended = match self.ended {
            Ended::Open => "open",
            Ended::Answered(_) => "answered",
            Ended::BrokenOff(_) => "broken_off",
            Ended::HungUp(_) => "hung_up",
        };
        json!({
            "number": self.number,
            "connection": self.connection,
            "method": self.method.as_str(),
            "path": self.path,
            "headers": headers.collect::<Vec<_>>(),
            "body": String::from_utf8_lossy(&self.body),
            "model": self.model,
            "stream": self.stream,
            "ended": ended,
        })
    }
}

/// The last requests; older ones are forgotten, so that a bench can run for long.
#[derive(Debug)]
pub(super) struct Log {
    keep: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    count: u64,
    seen: VecDeque<Seen>,
}

impl Log {
    pub(super) fn new(keep: usize) -> Self {
        Self { keep, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(self: &Arc<Self>, mut seen: Seen) -> Ticket {
        let mut kept = self.kept();
        let number = kept.count;
        kept.count += 1;
        if self.keep > 0 {
            seen.number = number;
            kept.seen.push_back(seen);
            if kept.seen.len() > self.keep {
                kept.seen.pop_front();
            }
        }
        Ticket { log: self.clone(), number, fate: Fate::Pending }
    }

    pub(super) fn count(&self) -> u64 {
        self.kept().count
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.kept().seen.iter().cloned().collect()
    }

    pub(super) fn forget(&self) {
        self.kept().seen.clear();
    }

    fn end(&self, number: u64, ended: Ended) {
        if let Some(seen) = self.kept().seen.iter_mut().find(|seen| seen.number == number) {
            seen.ended = ended;
        }
    }
}

/// Notes how a request ended when it is dropped: with nothing said, the client went away.
#[derive(Debug)]
pub(super) struct Ticket {
    log: Arc<Log>,
    pub(super) number: u64,
    fate: Fate,
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Pending,
    Answered,
    BrokenOff,
}

impl Ticket {
    /// For what is no request of a model.
    pub(super) fn unseen() -> Self {
        Self { log: Arc::new(Log::new(0)), number: 0, fate: Fate::Pending }
    }

    pub(super) fn answered(&mut self) {
        self.fate = Fate::Answered;
    }

    pub(super) fn broken_off(&mut self) {
        self.fate = Fate::BrokenOff;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let now = Instant::now();
        let ended = match self.fate {
            Fate::Pending => Ended::HungUp(now),
            Fate::Answered => Ended::Answered(now),
            Fate::BrokenOff => Ended::BrokenOff(now),
        };
        self.log.end(self.number, ended);
    }
}
