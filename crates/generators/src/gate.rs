//! From bytes of tokens to text that may be shown: whole characters, and nothing of a stop sequence.

/// Holds back what may still become a stop sequence, and bytes that are not a whole character yet.
#[derive(Debug)]
pub(crate) struct Gate {
    stops: Vec<String>,
    /// Bytes that do not make a character yet.
    bytes: Vec<u8>,
    /// Text that may be the beginning of a stop sequence.
    held: String,
    stopped: bool,
}

impl Gate {
    /// Empty stop sequences are ignored.
    pub(crate) fn new(stops: Vec<String>) -> Self {
        let stops = stops.into_iter().filter(|stop| !stop.is_empty()).collect();
        Self { stops, bytes: Vec::new(), held: String::new(), stopped: false }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Takes a token's bytes and gives the text that is safe to show.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        if self.stopped {
            return String::new();
        }
        self.bytes.extend_from_slice(bytes);
        self.take_characters(false);
        self.release(false)
    }

    /// Nothing comes any more: gives what was held back, unless a stop sequence was met.
    pub(crate) fn finish(&mut self) -> String {
        if self.stopped {
            return String::new();
        }
        self.take_characters(true);
        self.release(true)
    }

    /// Moves whole characters from `bytes` to `held`. Bytes that can never become one are marked.
    fn take_characters(&mut self, last: bool) {
        let mut rest = std::mem::take(&mut self.bytes);
        let mut start = 0;
        for chunk in rest.utf8_chunks() {
            self.held.push_str(chunk.valid());
            start += chunk.valid().len();
            let invalid = chunk.invalid();
            let at_end = start + invalid.len() == rest.len();
            if !invalid.is_empty() && at_end && !last && may_continue(invalid) {
                break;
            }
            if !invalid.is_empty() {
                self.held.push(char::REPLACEMENT_CHARACTER);
                start += invalid.len();
            }
        }
        self.bytes = rest.split_off(start);
    }

    fn release(&mut self, last: bool) -> String {
        // The one that is complete first wins, so that the cut does not depend on the tokens' borders.
        let complete = |stop: &String| self.held.find(stop.as_str()).map(|at| (at + stop.len(), at));
        if let Some((_, at)) = self.stops.iter().filter_map(complete).min() {
            self.stopped = true;
            self.held.truncate(at);
            return std::mem::take(&mut self.held);
        }
        if last {
            return std::mem::take(&mut self.held);
        }
        let keep = self.stops.iter().map(|stop| overlap(&self.held, stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        std::mem::replace(&mut self.held, rest)
    }
}

/// Whether more bytes could make these a character.
fn may_continue(bytes: &[u8]) -> bool {
    let needed = match bytes.first() {
        Some(0xC2..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..=0xF4) => 4,
        _ => return false,
    };
    bytes.len() < needed
}

/// How many bytes at the end of `text` are the beginning of `stop`.
fn overlap(text: &str, stop: &str) -> usize {
    let longest = text.len().min(stop.len().saturating_sub(1));
    let tail = text.len() - longest;
    (tail..text.len())
        .filter(|at| text.is_char_boundary(*at))
        .find(|at| stop.starts_with(&text[*at..]))
        .map_or(0, |at| text.len() - at)
}
