//! TEMPORARY until parsers is there.
use serde::{Deserialize, Serialize};
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParsedDocument { pub title: Option<String>, pub text: String, pub media_type: String, pub pages: Option<u32>, pub warnings: Vec<String> }
#[derive(Debug, Clone)]
pub struct ParserPool;
#[derive(Debug)]
pub struct ParseRequest { pub bytes: bytes::Bytes, pub media_type: Option<String>, pub file_name: String }
#[derive(Debug, thiserror::Error)]
#[error("parse")]
pub struct ParseFault;
impl mainspring_kernel::Fault for ParseFault { fn kind(&self) -> mainspring_kernel::FaultKind { mainspring_kernel::FaultKind::Invalid } fn code(&self) -> &'static str { "parse" } }
impl ParserPool { pub async fn parse(&self, request: ParseRequest) -> Result<ParsedDocument, ParseFault> {
  let text = String::from_utf8(request.bytes.to_vec()).map_err(|_| ParseFault)?;
  if text.contains("UNPARSEABLE") { return Err(ParseFault) }
  let title = text.lines().find_map(|l| l.strip_prefix("# ")).map(str::to_owned);
  Ok(ParsedDocument { title, text, media_type: "text/markdown".into(), pages: None, warnings: vec![] }) } }
