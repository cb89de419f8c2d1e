//! What the server does with a request, as values for tests and as text for everyone else.

use std::{
    collections::{BTreeMap, VecDeque},
    str::FromStr,
    time::Duration,
};

use serde_json::json;

/// What happens to one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    pub status: u16,
    /// The code or type in an error's body, where the dialect has one: `context_length_exceeded`.
    pub code: Option<String>,
    /// Beside the dialect's own.
    pub headers: Vec<(String, String)>,
    /// Instead of what the dialect would say.
    pub body: Option<String>,
    /// Before the head of the answer.
    pub delay: Duration,
    /// Between the head and the first piece.
    pub first: Duration,
    /// Between two pieces; a piece is one event of a stream, or one half of a whole answer.
    pub gap: Duration,
    /// While the first piece is waited for, a comment of an event stream as often as this.
    pub comments: Option<Duration>,
    /// Pieces of text a stream is made of.
    pub chunks: usize,
    /// Bytes of text in each of them; absent: short words.
    pub bytes: Option<usize>,
    /// What is said, instead of made-up words.
    pub text: Option<String>,
    /// What is thought before.
    pub think: Option<String>,
    /// The tool that is called, and with what.
    pub tool: Option<(String, String)>,
    /// Absent: the answer does not say what it used.
    pub usage: Option<Used>,
    pub trouble: Option<Trouble>,
    /// Writes the answer, its head included, a byte at a time.
    pub drip: Option<Duration>,
    /// Requests it happens to, when it is written as text; those after them are answered well.
    pub times: Option<usize>,
}

/// Tokens, all of them in `input` and `output`; dialects that count otherwise are written as they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub reasoning: u64,
}

/// How an answer goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Says nothing more, and keeps the connection.
    Hang(When),
    /// Breaks the connection with RST.
    Reset(When),
    /// Closes the connection before what it promised is complete.
    Close(When),
    /// Ends in order, as HTTP sees it, after so many pieces.
    End(usize),
    /// Says nothing after so many pieces but a byte now and then, which says nothing either, for ever.
    Trickle(usize),
    /// Says after so many pieces what no parser can read.
    Malformed(usize),
    /// Says after so many pieces, in the stream and in the dialect's words, that it has no capacity.
    Error(usize),
    /// JSON that is no answer.
    WrongJson,
    /// A page in HTML.
    NotJson,
    /// A line of so many bytes.
    LongLine(usize),
    /// A line that never ends.
    EndlessLine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    BeforeHead,
    /// After so many pieces.
    After(usize),
}

impl Default for Used {
    fn default() -> Self {
        Self { input: 12, output: 8, cache_read: 0, cache_write: 0, reasoning: 0 }
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            status: 200,
            code: None,
            headers: Vec::new(),
            body: None,
            delay: Duration::ZERO,
            first: Duration::ZERO,
            gap: Duration::ZERO,
            comments: None,
            chunks: 8,
            bytes: None,
            text: None,
            think: None,
            tool: None,
            usage: Some(Used::default()),
            trouble: None,
            drip: None,
            times: None,
        }
    }
}

impl Behaviour {
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    #[must_use]
    pub fn trouble(trouble: Trouble) -> Self {
        Self { trouble: Some(trouble), ..Self::default() }
    }

    #[must_use]
    pub fn saying(text: &str) -> Self {
        Self { text: Some(text.to_owned()), ..Self::default() }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The pieces of text, before a dialect puts them into events.
    pub(super) fn texts(&self) -> Vec<String> {
        if let Some(Trouble::LongLine(bytes)) = self.trouble {
            return vec!["x".repeat(bytes)];
        }
        match (&self.text, self.bytes) {
            (Some(text), _) => cut(text, self.chunks),
            (None, Some(bytes)) => vec!["x".repeat(bytes); self.chunks],
            (None, None) => (0..self.chunks).map(|at| format!("word{at} ")).collect(),
        }
    }
}

/// A text in so many pieces of about the same length, never within a character.
pub(super) fn cut(text: &str, pieces: usize) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let size = letters.len().div_ceil(pieces.max(1)).max(1);
    letters.chunks(size).map(|piece| piece.iter().collect()).collect()
}

/// Which request gets what. A request that says itself what it wants comes first: by a model named `do:BEHAVIOUR`, or
/// by a path that begins with `/do/BEHAVIOUR`.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// Each is for one request, in this order.
    pub next: VecDeque<Behaviour>,
    pub models: BTreeMap<String, Behaviour>,
    pub otherwise: Behaviour,
}

impl Script {
    #[must_use]
    pub fn always(otherwise: Behaviour) -> Self {
        Self { otherwise, ..Self::default() }
    }

    #[must_use]
    pub fn then(mut self, behaviour: Behaviour) -> Self {
        self.next.push_back(behaviour);
        self
    }

    #[must_use]
    pub fn times(mut self, times: usize, behaviour: &Behaviour) -> Self {
        self.next.extend(std::iter::repeat_n(behaviour.clone(), times));
        self
    }

    #[must_use]
    pub fn model(mut self, model: &str, behaviour: Behaviour) -> Self {
        self.models.insert(model.to_owned(), behaviour);
        self
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is nothing this server can do")]
pub struct BehaviourFault {
    given: String,
}

/// `status=503,retry-after=2,delay=200ms`; see the README for the words.
impl FromStr for Behaviour {
    type Err = BehaviourFault;

    fn from_str(text: &str) -> Result<Self, BehaviourFault> {
        let mut behaviour = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (word, value) = part.split_once('=').unwrap_or((part, ""));
            behaviour.set(word, value).ok_or_else(|| BehaviourFault { given: part.to_owned() })?;
        }
        Ok(behaviour)
    }
}

impl Behaviour {
    fn set(&mut self, word: &str, value: &str) -> Option<()> {
        match word {
            "status" => self.status = value.parse().ok()?,
            "code" => self.code = Some(value.to_owned()),
            "retry-after" => self.headers.push((word.to_owned(), value.to_owned())),
            "header" => {
                let (name, value) = value.split_once(':')?;
                self.headers.push((name.to_owned(), value.to_owned()));
            }
            "body" => self.body = Some(value.to_owned()),
            "delay" => self.delay = duration(value)?,
            "first" => self.first = duration(value)?,
            "gap" => self.gap = duration(value)?,
            "comments" => self.comments = Some(duration(value)?),
            "drip" => self.drip = Some(duration(value)?),
            "chunks" => self.chunks = value.parse().ok()?,
            "bytes" => self.bytes = Some(value.parse().ok()?),
            "text" => self.text = Some(value.to_owned()),
            "think" => self.think = Some(value.to_owned()),
            "tool" => self.tool = Some(tool(value)?),
            "times" => self.times = Some(value.parse().ok()?),
            "usage" if value == "none" => self.usage = None,
            "input" => self.used().input = value.parse().ok()?,
            "output" => self.used().output = value.parse().ok()?,
            "cached" => self.used().cache_read = value.parse().ok()?,
            "cache-write" => self.used().cache_write = value.parse().ok()?,
            "reasoning" => self.used().reasoning = value.parse().ok()?,
            _ => self.trouble = Some(trouble(word, value)?),
        }
        Some(())
    }

    fn used(&mut self) -> &mut Used {
        self.usage.get_or_insert_default()
    }
}

/// `weather`, or with what it is called with: `Bash:command:ls`.
fn tool(value: &str) -> Option<(String, String)> {
    let Some((name, argument)) = value.split_once(':') else {
        return Some((value.to_owned(), r#"{"city":"Paris"}"#.to_owned()));
    };
    let (field, text) = argument.split_once(':')?;
    Some((name.to_owned(), json!({ field: text }).to_string()))
}

fn trouble(word: &str, value: &str) -> Option<Trouble> {
    let when = || if value.is_empty() { Some(When::BeforeHead) } else { value.parse().ok().map(When::After) };
    let after = || if value.is_empty() { Some(0) } else { value.parse().ok() };
    Some(match word {
        "hang" => Trouble::Hang(when()?),
        "reset" => Trouble::Reset(when()?),
        "close" => Trouble::Close(when()?),
        "end" => Trouble::End(after()?),
        "trickle" => Trouble::Trickle(after()?),
        "malformed" => Trouble::Malformed(after()?),
        "error" => Trouble::Error(after()?),
        "wrong-json" => Trouble::WrongJson,
        "not-json" => Trouble::NotJson,
        "long-line" => Trouble::LongLine(value.parse().ok()?),
        "endless-line" => Trouble::EndlessLine,
        _ => return None,
    })
}

fn duration(text: &str) -> Option<Duration> {
    match text.strip_suffix("ms") {
        Some(millis) => millis.parse().ok().map(Duration::from_millis),
        None => Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok(),
    }
}
