//! Lines of a file: cut out of its bytes as they come, and read as requests.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    model::{Endpoint, LineError},
    rest::Position,
};

/// Longer names for lines than anybody needs.
const CUSTOM_ID_MAX: usize = 512;
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// One line, counted from one. Lines of nothing but blanks are counted and not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cut {
    Line { number: u64, text: Bytes },
    TooLong { number: u64 },
}

impl Cut {
    pub(crate) const fn number(&self) -> u64 {
        match self {
            Self::Line { number, .. } | Self::TooLong { number } => *number,
        }
    }
}

/// Cuts bytes into lines wherever they were broken up on the way, and holds no more than one line of them.
#[derive(Debug)]
pub(crate) struct Splitter {
    buffer: BytesMut,
    /// No line ends before this in the buffer.
    searched: usize,
    /// Of the line that the buffer begins with.
    number: u64,
    /// Where that line begins in its file, and what the buffer begins with: more than that where its head was let go.
    begins: u64,
    given: u64,
    /// The line is too long and its rest is passed over.
    skipping: bool,
    longest: usize,
}

impl Splitter {
    /// For the bytes of a file from the beginning of one of its lines on.
    pub(crate) fn new(longest: usize, from: Position) -> Self {
        let Position { offset, line } = from;
        Self { buffer: BytesMut::new(), searched: 0, number: line, begins: offset, given: offset, skipping: false, longest }
    }

    /// From where on nothing has been cut yet.
    pub(crate) const fn position(&self) -> Position {
        Position { offset: self.begins, line: self.number }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next line that is whole.
    pub(crate) fn next(&mut self) -> Option<Cut> {
        loop {
            let unseen = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(at) = memchr::memchr(b'\n', unseen).map(|at| at + self.searched) else {
                self.searched = self.buffer.len();
                return self.give_up_if_too_long();
            };
            let line = self.buffer.split_to(at + 1).freeze();
            self.searched = 0;
            self.given += line.len() as u64;
            self.begins = self.given;
            if let Some(cut) = self.cut(line.slice(..at)) {
                return Some(cut);
            }
        }
    }

    /// What stands after the last line break.
    pub(crate) fn rest(&mut self) -> Option<Cut> {
        let line = self.buffer.split().freeze();
        self.searched = 0;
        self.given += line.len() as u64;
        self.begins = self.given;
        self.cut(line)
    }

    fn cut(&mut self, line: Bytes) -> Option<Cut> {
        let number = self.number;
        self.number += 1;
        if std::mem::take(&mut self.skipping) {
            return None;
        }
        if line.len() > self.longest {
            return Some(Cut::TooLong { number });
        }
        let line = if number == 1 && line.starts_with(BYTE_ORDER_MARK) { line.slice(BYTE_ORDER_MARK.len()..) } else { line };
        (!line.iter().all(u8::is_ascii_whitespace)).then_some(Cut::Line { number, text: line })
    }

    /// A line that is too long already is told at once, and what else comes of it is let go.
    fn give_up_if_too_long(&mut self) -> Option<Cut> {
        if self.skipping || self.buffer.len() > self.longest {
            self.given += self.buffer.len() as u64;
            self.buffer.clear();
            self.searched = 0;
            return (!std::mem::replace(&mut self.skipping, true)).then_some(Cut::TooLong { number: self.number });
        }
        None
    }
}

#[derive(Debug, Deserialize)]
struct Written<'l> {
    #[serde(default)]
    custom_id: Option<String>,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default, borrow)]
    body: Option<&'l RawValue>,
}

/// What of a body is looked at here; whoever answers it reads the rest.
#[derive(Debug, Deserialize)]
struct Looked {
    #[serde(default)]
    stream: Option<bool>,
}

/// A line that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) number: u64,
    /// No further on in its file than where it begins.
    pub(crate) at: Position,
    pub(crate) custom_id: String,
    pub(crate) body: Bytes,
    /// How often whoever was asked had no time.
    pub(crate) tries: u32,
}

/// Reads a line, or says what is wrong with it.
pub(crate) fn read(number: u64, text: &Bytes, endpoint: Endpoint) -> Result<Asked, LineError> {
    let wrong = |code: &str, param: Option<&str>, message: String| LineError {
        code: code.to_owned(),
        message,
        param: param.map(str::to_owned),
        line: Some(number),
    };
    let written: Written<'_> = serde_json::from_slice(text).map_err(|error| {
        let shaped = error.is_data() && text.trim_ascii_start().first() == Some(&b'{');
        let code = if shaped { "invalid_request" } else { "invalid_json_line" };
        wrong(code, None, format!("the line is not a request in JSON: {error}"))
    })?;
    let missing = |param: &'static str| move || (param, format!("`{param}` is missing"));
    let absent = |(param, message): (&str, String)| wrong("missing_required_parameter", Some(param), message);
    let custom_id = written.custom_id.filter(|id| !id.is_empty()).ok_or_else(missing("custom_id")).map_err(absent)?;
    let method = written.method.ok_or_else(missing("method")).map_err(absent)?;
    let url = written.url.ok_or_else(missing("url")).map_err(absent)?;
    let body = written.body.ok_or_else(missing("body")).map_err(absent)?;
    if custom_id.len() > CUSTOM_ID_MAX {
        return Err(wrong("invalid_request", Some("custom_id"), format!("`custom_id` is longer than {CUSTOM_ID_MAX} bytes")));
    }
    if method != "POST" {
        return Err(wrong("invalid_method", Some("method"), "`method` must be POST".to_owned()));
    }
    if url != endpoint.as_str() {
        let message = format!("`url` must be {}, as the batch says", endpoint.as_str());
        return Err(wrong("url_mismatch", Some("url"), message));
    }
    if !body.get().starts_with('{') {
        return Err(wrong("invalid_request", Some("body"), "`body` must be an object".to_owned()));
    }
    // What else is wrong with a body is told by its answer.
    if serde_json::from_str::<Looked>(body.get()).is_ok_and(|looked| looked.stream == Some(true)) {
        return Err(wrong("invalid_request", Some("body.stream"), "a line of a batch cannot be streamed".to_owned()));
    }
    let body = Bytes::copy_from_slice(body.get().as_bytes());
    Ok(Asked { number, at: Position::START, custom_id, body, tries: 0 })
}
