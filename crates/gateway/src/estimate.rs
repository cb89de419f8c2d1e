//! How many tokens something has, where nobody said. Guesses are for what is set aside, and for what is settled when a
//! provider told nothing; each says on which side of the truth it lies.

use mainspring_providers::Operation;
use memchr::{memchr, memchr2, memmem};
use serde::Deserialize;
use serde_json::Value;

use crate::reckon;

/// What an image or a sound is set aside for at least: more than the large providers charge for one at its finest.
const MEDIA_TOKENS: u64 = 3_000;
/// About what one comes to: what is set aside for it is some times as much.
pub(crate) const MEDIA_ABOUT: u64 = MEDIA_TOKENS / MEDIA_OVER;
const MEDIA_OVER: u64 = 3;
/// Files may be many pages of text; a page of a PDF has some 50 kB in base64.
const MEDIA_BYTES_PER_TOKEN: u64 = 32;
/// Text of natural languages and of programs has three to five bytes for a token.
const BYTES_PER_TOKEN: u64 = 4;
/// Hardly any text has more bytes for a token.
const BYTES_PER_TOKEN_MOST: u64 = 8;
/// Shorter strings are not looked at: they are set aside for as if they were text.
const BLOB_MIN: usize = 2_048;
/// `data:image/png;base64,` and longer media types stand before what is in base64.
const BLOB_PREFIX: usize = 96;

/// What a body holds, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Size {
    /// Bytes without what is in base64.
    text: u64,
    /// Tokens of what is no text.
    media: u64,
    /// Somebody counted: nothing has to be guessed.
    counted: Option<u64>,
}

/// Looks at a body without reading it.
pub(crate) fn size(body: &[u8]) -> Size {
    let blobs = if body.len() > BLOB_MIN { blobs(body) } else { Size::default() };
    let named = |word: &str| memmem::find_iter(body, word).count() as u64;
    // Of parts of the responses endpoint, texts are text.
    let parts = named("\"input_").saturating_sub(named("\"input_text\""));
    let linked = named("image_url").max(parts).max(named("\"file_"));
    let media = blobs.media.max(linked.saturating_mul(MEDIA_TOKENS));
    Size { text: (body.len() as u64).saturating_sub(blobs.text), media, counted: None }
}

impl Size {
    /// Of a request that is said to have so many tokens.
    pub(crate) const fn of_tokens(tokens: u64) -> Self {
        Self { text: 0, media: 0, counted: Some(tokens) }
    }

    /// Not fewer than the text of the request has, since no tokenizer makes more tokens than there are bytes; of media
    /// a generous guess.
    pub(crate) const fn most(self) -> u64 {
        match self.counted {
            Some(tokens) => tokens,
            None => self.text.saturating_add(self.media),
        }
    }

    /// Surely not more than the request has.
    pub(crate) const fn least(self) -> u64 {
        match self.counted {
            Some(tokens) => tokens,
            None => self.text / BYTES_PER_TOKEN_MOST,
        }
    }

    /// About as many as the request has, its media among them.
    pub(crate) const fn about(self) -> u64 {
        match self.counted {
            Some(tokens) => tokens,
            None => about(self.text).saturating_add(self.media / MEDIA_OVER),
        }
    }
}

/// About as many tokens as a text of so many bytes has.
pub(crate) const fn about(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN)
}

/// The strings of a body that are in base64: their bytes, and the tokens set aside for them.
fn blobs(body: &[u8]) -> Size {
    let mut found = Size::default();
    let mut rest = body;
    // Everything between two quotes: strings, and what stands between strings, which is short.
    while let Some(quote) = memchr(b'"', rest) {
        let (inside, after) = rest.split_at(quote);
        if inside.len() >= BLOB_MIN && inside[BLOB_PREFIX..].iter().all(is_base64) {
            let bytes = inside.len() as u64;
            found.text += bytes;
            found.media += MEDIA_TOKENS.max(bytes / MEDIA_BYTES_PER_TOKEN);
        }
        rest = &after[1..];
    }
    found
}

fn is_base64(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
}

/// About how many tokens of text an event of a stream brings, in eighths, found by the names its dialect gives to text.
pub(crate) fn streamed_text(event: &[u8], names: &[&str]) -> u64 {
    let mut eighths = 0;
    for name in names {
        // The name with its quotes, a colon, perhaps a space, and the quote that opens the text.
        for at in memmem::find_iter(event, name) {
            let after = &event[at + name.len()..];
            let Some(after) = after.strip_prefix(b":") else { continue };
            let after = after.strip_prefix(b" ").unwrap_or(after);
            if let Some(text) = after.strip_prefix(b"\"") {
                eighths += text_eighths(text);
            }
        }
    }
    eighths
}

/// What a whole answer calls text that was written.
const WRITTEN: &[&str] = &["\"text\"", "\"content\"", "\"arguments\""];
/// Chat completions have what was thought, and why nothing is said, beside the content.
const WRITTEN_IN_CHAT: &[&str] =
    &["\"text\"", "\"content\"", "\"reasoning_content\"", "\"reasoning\"", "\"arguments\"", "\"refusal\""];

/// About how many eighths of a token of text a whole answer has that was written: of a response its output, since it repeats
/// instructions, tools and more of its request.
pub(crate) fn whole_text(operation: Operation, answer: &[u8]) -> u64 {
    match operation {
        Operation::Responses | Operation::Compact => output_text(answer),
        Operation::Chat => streamed_text(answer, WRITTEN_IN_CHAT),
        _ => streamed_text(answer, WRITTEN),
    }
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    output: Vec<Value>,
}

fn output_text(answer: &[u8]) -> u64 {
    let Ok(Response { output }) = serde_json::from_slice(answer) else {
        // Nobody can read it: what stands from there on.
        let from = memmem::find(answer, b"\"output\"").unwrap_or_default();
        return streamed_text(&answer[from..], WRITTEN);
    };
    // A conversation that was made shorter has what its users said.
    let is_asked = |item: &&Value| matches!(item["role"].as_str(), Some("user" | "system" | "developer"));
    let written = output.iter().filter(|item| !is_asked(item));
    written.map(|item| streamed_text(item.to_string().as_bytes(), WRITTEN)).sum()
}

/// How many eighths of a token a JSON string has that has begun.
fn text_eighths(text: &[u8]) -> u64 {
    let (text, escaped) = begun_string(text);
    // What is cut within a character, or within an escape, is counted by its length.
    let by_length = text.len() as u64 * reckon::TOKEN / BYTES_PER_TOKEN;
    let Ok(text) = std::str::from_utf8(text) else { return by_length };
    if escaped {
        serde_json::from_str::<String>(&format!("\"{text}\"")).map_or(by_length, |said| reckon::eighths(&said))
    } else {
        reckon::eighths(text)
    }
}

/// A JSON string that has begun until it ends, and whether it has escapes.
fn begun_string(text: &[u8]) -> (&[u8], bool) {
    let (mut end, mut escaped) = (0, false);
    loop {
        match memchr2(b'"', b'\\', &text[end..]) {
            Some(at) if text[end + at] == b'\\' => {
                escaped = true;
                // With what it escapes.
                end = (end + at + 2).min(text.len());
            }
            Some(at) => return (&text[..end + at], escaped),
            None => return (text, escaped),
        }
    }
}
