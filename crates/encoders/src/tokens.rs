//! The model's tokenizer: ids for the model, places for chunking.

use std::{
    fmt,
    ops::Range,
    sync::{Arc, OnceLock},
};

use mainspring_llm::{ModelFault, TextTokenizer, Tokens};
use tokenizers::{EncodeInput, PostProcessor as _, Tokenizer, TruncationParams, TruncationStrategy};

use crate::{engine::Encoded, spec::Locate};

/// Long documents are tokenised in pieces of about this size, cut at white space, so that the
/// tokenizer's own bookkeeping (some dozens of bytes for each byte of text) stays small.
const PIECE: usize = 64 << 10;
/// No text of a model's length has more bytes for each token than this, or it is looked at whole.
const BYTES_PER_TOKEN: usize = 48;

/// A tokenizer that cuts to the model's length.
pub(crate) struct Encoder {
    tokenizer: Tokenizer,
    max_tokens: usize,
    pad: u32,
}

impl Encoder {
    pub(crate) fn load(bytes: &[u8], max_tokens: usize) -> Result<Self, String> {
        let mut tokenizer = parse(bytes)?;
        let padding = tokenizer.get_padding().map(|padding| padding.pad_id);
        let pad = padding.or_else(|| tokenizer.token_to_id("[PAD]")).or_else(|| tokenizer.token_to_id("<pad>"));
        tokenizer.with_padding(None);
        let truncation =
            TruncationParams { max_length: max_tokens, strategy: TruncationStrategy::LongestFirst, ..Default::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(|fault| fault.to_string())?;
        Ok(Self { tokenizer, max_tokens, pad: pad.unwrap_or(0) })
    }

    pub(crate) fn pad(&self) -> u32 {
        self.pad
    }

    /// The ids of one text, special tokens included. What is too long is cut.
    pub(crate) fn encode(&self, text: &str) -> Result<Encoded, String> {
        let short = head(text, self.max_tokens * BYTES_PER_TOKEN);
        let encoded = self.ids(short.into())?;
        if short.len() < text.len() && encoded.ids.len() < self.max_tokens {
            return self.ids(text.into());
        }
        Ok(encoded)
    }

    /// The ids of a query and a passage as one row.
    pub(crate) fn encode_pair(&self, query: &str, passage: &str) -> Result<Encoded, String> {
        let limit = self.max_tokens * BYTES_PER_TOKEN;
        self.ids((head(query, limit), head(passage, limit)).into())
    }

    fn ids(&self, input: EncodeInput<'_>) -> Result<Encoded, String> {
        let encoding = self.tokenizer.encode_fast(input, true).map_err(|fault| fault.to_string())?;
        Ok(Encoded { ids: encoding.get_ids().to_vec(), types: encoding.get_type_ids().to_vec() })
    }
}

fn parse(bytes: &[u8]) -> Result<Tokenizer, String> {
    let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|fault| fault.to_string())?;
    // Text that says "[SEP]" is text: documents do not get to write control tokens.
    tokenizer.set_encode_special_tokens(true);
    Ok(tokenizer)
}

/// The first `limit` bytes, or fewer at a character's border.
fn head(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// Places tokens in documents. Loaded when first used.
pub(crate) struct LazyTokenizer {
    name: String,
    locate: Locate,
    loaded: OnceLock<Tokenizer>,
}

impl fmt::Debug for LazyTokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyTokenizer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl LazyTokenizer {
    pub(crate) fn new(name: String, locate: Locate) -> Self {
        Self { name, locate, loaded: OnceLock::new() }
    }

    pub(crate) fn load(&self) -> Result<&Tokenizer, ModelFault> {
        if let Some(tokenizer) = self.loaded.get() {
            return Ok(tokenizer);
        }
        let path = (self.locate)()?.tokenizer;
        let bytes = std::fs::read(&path).map_err(|cause| self.fault(format!("cannot read {}: {cause}", path.display())))?;
        let mut tokenizer = parse(&bytes).map_err(|reason| self.fault(reason))?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|cause| self.fault(cause.to_string()))?;
        Ok(self.loaded.get_or_init(|| tokenizer))
    }
}

impl LazyTokenizer {
    /// As many tokens as the model would be given if it cut nothing, its special ones included.
    pub(crate) fn count_whole(&self, text: &str) -> Result<usize, ModelFault> {
        let tokenizer = self.load()?;
        let special = tokenizer.get_post_processor().map_or(0, |post| post.added_tokens(false));
        let mut count = special;
        for piece in pieces(text, PIECE) {
            let encoding = tokenizer.encode_fast(&text[piece], false);
            count += encoding.map_err(|cause| self.fault(cause.to_string()))?.len();
        }
        Ok(count)
    }

    fn fault(&self, reason: String) -> ModelFault {
        ModelFault::Engine { model: self.name.clone(), reason }
    }
}

impl TextTokenizer for LazyTokenizer {
    fn tokenize(&self, text: &str) -> Tokens {
        let tokenizer = match self.load() {
            Ok(tokenizer) => tokenizer,
            Err(fault) => {
                tracing::error!(model = self.name, %fault, "no tokenizer: token places are guessed");
                return guess(text);
            }
        };
        let mut ranges = Vec::with_capacity(text.len() / 4);
        for piece in pieces(text, PIECE) {
            match tokenizer.encode(&text[piece.clone()], false) {
                Ok(encoding) => {
                    ranges.extend(encoding.get_offsets().iter().map(|(from, to)| piece.start + from..piece.start + to));
                }
                Err(fault) => {
                    tracing::error!(model = self.name, %fault, "a text could not be tokenised: token places are guessed");
                    ranges.extend(
                        guess(&text[piece.clone()]).ranges.into_iter().map(|r| piece.start + r.start..piece.start + r.end),
                    );
                }
            }
        }
        Tokens { ranges }
    }
}

/// Cuts a long text at white space, where no token reaches across.
pub(crate) fn pieces(text: &str, size: usize) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while text.len() - start > size {
        let window = &text[start..text.floor_char_boundary(start + size)];
        let cut = window.rfind(char::is_whitespace).filter(|at| *at > 0).unwrap_or(window.len());
        pieces.push(start..start + cut);
        start += cut;
    }
    if start < text.len() {
        pieces.push(start..text.len());
    }
    pieces
}

/// Words in pieces of up to four characters, and single signs: about what word pieces come to.
/// Stands in when there is no tokenizer, so that limits still hold roughly.
pub(crate) fn guess(text: &str) -> Tokens {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut run = 0;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        if c.is_alphanumeric() {
            match ranges.last_mut() {
                Some(last) if run > 0 && run % 4 != 0 => last.end = end,
                _ => ranges.push(at..end),
            }
            run += 1;
        } else {
            if !c.is_whitespace() {
                ranges.push(at..end);
            }
            run = 0;
        }
    }
    Tokens { ranges }
}

/// The same object for all callers of one embedder.
pub(crate) type SharedTokenizer = Arc<LazyTokenizer>;
