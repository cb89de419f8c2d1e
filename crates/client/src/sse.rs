//! Reads server-sent events from a byte stream.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::StreamExt;

use crate::{fault::ClientFault, transport::BodyStream};

/// An event without a line break in its buffer for this long is not ours.
const EVENT_MAX: usize = 64 * 1024 * 1024;

/// The `data` of each event, in order.
pub struct Events {
    body: BodyStream,
    parser: Parser,
    ended: bool,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    pub(crate) fn new(body: BodyStream) -> Self {
        Self { body, parser: Parser::default(), ended: false }
    }

    pub async fn next(&mut self) -> Option<Result<String, ClientFault>> {
        loop {
            if let Some(data) = self.parser.ready.pop_front() {
                return Some(Ok(data));
            }
            if self.ended {
                return None;
            }
            match self.body.next().await {
                Some(Ok(part)) => {
                    if let Err(fault) = self.parser.feed(&part) {
                        self.ended = true;
                        return Some(Err(fault));
                    }
                }
                Some(Err(fault)) => {
                    self.ended = true;
                    return Some(Err(fault));
                }
                None => self.ended = true,
            }
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    data: Option<String>,
    pub(crate) ready: VecDeque<String>,
}

impl Parser {
    pub(crate) fn feed(&mut self, part: &Bytes) -> Result<(), ClientFault> {
        for &byte in part {
            if byte == b'\n' {
                self.end_line();
            } else {
                self.line.push(byte);
            }
        }
        let held = self.line.len() + self.data.as_ref().map_or(0, String::len);
        if held > EVENT_MAX {
            return Err(ClientFault::Unreadable { reason: "an event is larger than 64 MiB".into() });
        }
        Ok(())
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned();
        if line.is_empty() {
            self.ready.extend(self.data.take());
        } else if let Some(value) = line.strip_prefix("data:") {
            let value = value.strip_prefix(' ').unwrap_or(value);
            match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            }
        }
    }
}
