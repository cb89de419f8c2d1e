//! TEMPORARY until the chunker is there.
use mainspring_llm::TextTokenizer;
use serde::{Deserialize, Serialize};
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChunkSpec { pub max_tokens: u32, pub overlap: u32 }
impl Default for ChunkSpec { fn default() -> Self { Self { max_tokens: 200, overlap: 0 } } }
impl ChunkSpec { pub fn check(&self) -> Result<(), (&'static str, String)> { if self.max_tokens < 8 { Err(("max_tokens", "at least 8".into())) } else { Ok(()) } } }
#[derive(Debug, Clone)]
pub struct Piece { pub start: usize, pub end: usize, pub parent_start: usize, pub parent_end: usize, pub heading_path: Vec<String>, pub tokens: u32 }
pub fn chunk(text: &str, spec: &ChunkSpec, tokenizer: &dyn TextTokenizer) -> Vec<Piece> {
  let mut out = vec![]; let mut at = 0; let mut heading = vec![];
  for section in text.split("\n\n") { let start = at; at += section.len() + 2; if section.trim().is_empty() { continue }
    if let Some(h) = section.strip_prefix("# ") { heading = vec![h.lines().next().unwrap_or("").to_owned()]; }
    let tokens = tokenizer.tokenize(section).ranges;
    for piece in tokens.chunks(spec.max_tokens as usize) {
      let (Some(f), Some(l)) = (piece.first(), piece.last()) else { continue };
      out.push(Piece { start: start + f.start, end: start + l.end, parent_start: start, parent_end: start + section.len(), heading_path: heading.clone(), tokens: piece.len() as u32 });
    } }
  out
}
