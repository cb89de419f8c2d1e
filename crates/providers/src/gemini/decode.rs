//! Gemini's answers, and the pieces that whole answers and streams have in common.

use bytes::Bytes;
use mainspring_kernel::Digest;
use mainspring_llm::{
    TokenUsage,
    exchange::{Answer, Choice, Dialect, Finish, Media, Part, Reasoning},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{logprobs, usage};
use crate::{
    fault::{FaultClass, UpstreamFault},
    seam::Endpoint,
};

/// Ids made here begin so. Gemini names calls only lately, and is not told other ids than its own; thoughts it never names,
/// and their signatures look like those of others, who would refuse them.
pub(super) const MADE_ID: &str = "gmn_";

/// A whole answer, or an event of a stream.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Response {
    pub(super) candidates: Option<Vec<Candidate>>,
    pub(super) prompt_feedback: Option<Value>,
    usage_metadata: Option<Value>,
    pub(super) model_version: Option<String>,
    pub(super) response_id: Option<String>,
    pub(super) error: Option<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate {
    content: Option<Content>,
    pub(super) finish_reason: Option<String>,
    index: Option<u32>,
    logprobs_result: Option<Value>,
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Content {
    parts: Option<Vec<Value>>,
}

impl Response {
    pub(super) fn read(endpoint: &Endpoint, body: &[u8]) -> Result<Self, UpstreamFault> {
        serde_json::from_slice(body).map_err(|error| {
            let place = format!("line {} column {} is not Gemini's JSON", error.line(), error.column());
            UpstreamFault::malformed(endpoint, place)
        })
    }

    pub(super) fn tokens(&self) -> Option<TokenUsage> {
        let metadata = self.usage_metadata.as_ref()?;
        usage::UsageMetadata::deserialize(metadata).ok().as_ref().map(usage::tokens)
    }

    /// The provider's filter has refused the prompt itself.
    pub(super) fn refused(&self, endpoint: &Endpoint) -> Option<UpstreamFault> {
        let reason = self.prompt_feedback.as_ref()?.get("blockReason")?.as_str()?;
        let any = self.candidates.as_ref().is_some_and(|candidates| !candidates.is_empty());
        if any || reason == "BLOCK_REASON_UNSPECIFIED" {
            return None;
        }
        let mut fault = UpstreamFault::new(endpoint, FaultClass::ContentFilter, format!("the prompt was refused: {reason}"));
        fault.said = Some(reason.to_owned());
        Some(fault)
    }
}

impl Candidate {
    pub(super) fn index(&self) -> u32 {
        self.index.unwrap_or(0)
    }

    pub(super) fn logprobs(&self) -> Option<Value> {
        self.logprobs_result.as_ref().and_then(logprobs::in_openai_form)
    }

    pub(super) fn pieces(&self) -> Vec<Piece> {
        let parts = self.content.iter().filter_map(|content| content.parts.as_ref()).flatten();
        parts.flat_map(pieces).collect()
    }
}

#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    Thought(String),
    /// Ends what was thought.
    Signed(String),
    Call {
        id: Option<String>,
        name: String,
        arguments: String,
        signature: Option<String>,
    },
    Medium {
        media_type: String,
        data: String,
    },
    Other(Value),
}

/// A part is one piece, and its signature another.
fn pieces(part: &Value) -> Vec<Piece> {
    let text = |place: &Value, name: &str| place.get(name).and_then(Value::as_str).map(str::to_owned);
    let signature = text(part, "thoughtSignature");
    if let Some(call) = part.get("functionCall") {
        let arguments = call.get("args").filter(|args| !args.is_null()).map_or_else(|| "{}".to_owned(), Value::to_string);
        let id = text(call, "id").filter(|id| !id.is_empty());
        return vec![Piece::Call { id, name: text(call, "name").unwrap_or_default(), arguments, signature }];
    }
    let thought = part.get("thought") == Some(&Value::Bool(true));
    let mut pieces = Vec::with_capacity(2);
    if let Some(said) = text(part, "text") {
        if !said.is_empty() {
            pieces.push(if thought { Piece::Thought(said) } else { Piece::Text(said) });
        }
    } else if let Some((media_type, data)) =
        part.get("inlineData").and_then(|data| text(data, "mimeType").zip(text(data, "data")))
    {
        pieces.push(Piece::Medium { media_type, data });
    } else if signature.is_none() || part.as_object().is_some_and(|fields| fields.len() > 1 + usize::from(thought)) {
        return vec![Piece::Other(part.clone())];
    }
    // What was said aloud may be signed too; nobody but Gemini has a word for that.
    pieces.extend(signature.map(|signature| {
        if thought { Piece::Signed(signature) } else { Piece::Other(json!({"text": "", "thoughtSignature": signature})) }
    }));
    pieces
}

/// Stable: the same answer gives the same ids however often it is read.
pub(super) fn made_id(response: &str, choice: u32, call: u32, arguments: &str) -> String {
    let parts = [response.as_bytes(), &choice.to_le_bytes(), &call.to_le_bytes(), arguments.as_bytes()];
    format!("{MADE_ID}{}", &Digest::of_parts(parts).hex()[..24])
}

pub(super) fn thought_id(signature: &str) -> String {
    format!("{MADE_ID}{}", &Digest::of(signature.as_bytes()).hex()[..24])
}

/// `None` is an answer that broke off with nothing to show for it.
pub(super) fn finish(reason: &str) -> Option<Finish> {
    Some(match reason {
        "STOP" | "FINISH_REASON_UNSPECIFIED" => Finish::Stop,
        "MAX_TOKENS" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => Finish::ContentFilter,
        "MALFORMED_FUNCTION_CALL"
        | "MALFORMED_RESPONSE"
        | "MISSING_THOUGHT_SIGNATURE"
        | "NO_IMAGE"
        | "TOO_MANY_TOOL_CALLS"
        | "UNEXPECTED_TOOL_CALL" => return None,
        _ => Finish::Stop,
    })
}

/// Tokens were used, but there is nothing to give to the client.
pub(super) fn broken(endpoint: &Endpoint, reason: &str) -> UpstreamFault {
    let mut fault = UpstreamFault::malformed(endpoint, format!("the model broke off: {reason}"));
    fault.said = Some(reason.to_owned());
    fault
}

pub(super) fn decode(endpoint: &Endpoint, body: &[u8]) -> Result<Answer, UpstreamFault> {
    let response = Response::read(endpoint, body)?;
    // The body goes along: it says what the refused prompt used.
    let with_body = |fault: UpstreamFault| UpstreamFault { body: Some(Bytes::copy_from_slice(body)), ..fault };
    if let Some(fault) = response.refused(endpoint) {
        return Err(with_body(fault));
    }
    let usage = response.tokens();
    let Response { candidates, prompt_feedback, model_version, response_id, mut rest, .. } = response;
    let id = response_id.unwrap_or_default();
    let mut candidates = candidates.unwrap_or_default();
    candidates.sort_by_key(Candidate::index);
    if candidates.is_empty() {
        return Err(UpstreamFault::malformed(endpoint, "it has no candidates"));
    }
    let mut choices = Vec::with_capacity(candidates.len());
    let mut broke = None;
    for candidate in &candidates {
        let reason = candidate.finish_reason.as_deref().unwrap_or("STOP");
        match finish(reason) {
            Some(finish) => choices.push(choice(&id, candidate, finish)),
            None => broke = Some(reason),
        }
    }
    if let (true, Some(reason)) = (choices.is_empty(), broke) {
        return Err(with_body(broken(endpoint, reason)));
    }
    if candidates.iter().any(|candidate| !candidate.rest.is_empty()) {
        let rests: Vec<Value> = candidates.into_iter().map(|candidate| candidate.rest.into()).collect();
        rest.insert("candidates".into(), rests.into());
    }
    rest.extend(prompt_feedback.map(|feedback| ("promptFeedback".to_owned(), feedback)));
    Ok(Answer {
        id,
        model: model_version.unwrap_or_else(|| endpoint.model.clone()),
        choices,
        usage,
        service_tier: None,
        fingerprint: None,
        said_in: Dialect::Gemini,
        extra: rest,
    })
}

fn choice(response: &str, candidate: &Candidate, finish: Finish) -> Choice {
    let mut parts = Vec::new();
    let mut calls = 0;
    for piece in candidate.pieces() {
        match piece {
            Piece::Text(said) => match parts.last_mut() {
                Some(Part::Text { text, .. }) => text.push_str(&said),
                _ => parts.push(Part::text(said)),
            },
            Piece::Thought(thought) => match parts.last_mut() {
                Some(Part::Reasoning(Reasoning { text, sealed: None, .. })) => text.push_str(&thought),
                _ => parts.push(Part::Reasoning(Reasoning { text: thought, ..Reasoning::default() })),
            },
            Piece::Signed(signature) => {
                let (id, sealed) = (Some(thought_id(&signature)), Some(signature));
                match parts.last_mut() {
                    Some(Part::Reasoning(thought)) if thought.sealed.is_none() => (thought.id, thought.sealed) = (id, sealed),
                    _ => parts.push(Part::Reasoning(Reasoning { id, sealed, ..Reasoning::default() })),
                }
            }
            Piece::Call { id, name, arguments, signature } => {
                let id = id.unwrap_or_else(|| made_id(response, candidate.index(), calls, &arguments));
                calls += 1;
                parts.push(Part::ToolCall { id, name, arguments, signature });
            }
            Piece::Medium { media_type, data } => parts.push(medium(media_type, data)),
            Piece::Other(value) => parts.push(Part::Other { said_in: Dialect::Gemini, value }),
        }
    }
    let finish = if calls > 0 && finish == Finish::Stop { Finish::ToolCalls } else { finish };
    Choice { parts, finish, stop_sequence: None, logprobs: candidate.logprobs() }
}

fn medium(media_type: String, data: String) -> Part {
    let (image, audio) = (media_type.starts_with("image/"), media_type.starts_with("audio/"));
    let source = Media::Base64 { media_type, data };
    match (image, audio) {
        (true, _) => Part::Image { source, detail: None, cache: None },
        (_, true) => Part::Audio { source, format: None },
        _ => Part::File { source, name: None, cache: None },
    }
}
