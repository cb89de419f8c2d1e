//! A streamed answer: each event of the stream is a small answer of its own, and nothing but a finish reason says that the
//! last one has come.

use std::collections::BTreeMap;

use mainspring_llm::{
    TokenUsage,
    exchange::{Dialect, Event, Finish},
};
use serde_json::{Value, json};

use super::{
    decode::{Candidate, Piece, Response, broken, finish, made_id, thought_id},
    refusal,
};
use crate::{
    fault::{FaultClass, UpstreamFault},
    seam::{Endpoint, Events},
    sse,
};

pub(super) struct Stream {
    endpoint: Endpoint,
    decoder: sse::Decoder,
    began: bool,
    id: String,
    choices: BTreeMap<u32, Progress>,
    /// What was told last: Gemini repeats it in every event.
    usage: Option<TokenUsage>,
}

#[derive(Debug, Default)]
struct Progress {
    calls: u32,
    finished: bool,
}

impl Stream {
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        Self {
            endpoint: endpoint.clone(),
            decoder: sse::Decoder::default(),
            began: false,
            id: String::new(),
            choices: BTreeMap::new(),
            usage: None,
        }
    }

    fn read(&mut self, data: &str, out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
        if data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        let mut response = Response::read(&self.endpoint, data.as_bytes())?;
        if let Some(error) = &response.error {
            return Err(refusal::within_stream(&self.endpoint, error));
        }
        self.begin(&response, out);
        let usage = response.tokens();
        if let Some(fault) = response.refused(&self.endpoint) {
            self.tell(usage, out);
            return Err(fault);
        }
        let candidates = response.candidates.take().unwrap_or_default();
        for candidate in &candidates {
            self.pieces(candidate, out);
        }
        self.tell(usage, out);
        for candidate in &candidates {
            self.finish(candidate, out)?;
        }
        Ok(())
    }

    fn begin(&mut self, response: &Response, out: &mut Vec<Event>) {
        if self.began {
            return;
        }
        self.began = true;
        self.id = response.response_id.clone().unwrap_or_default();
        let model = response.model_version.clone().unwrap_or_else(|| self.endpoint.model.clone());
        out.push(Event::Began { id: self.id.clone(), model });
    }

    fn tell(&mut self, usage: Option<TokenUsage>, out: &mut Vec<Event>) {
        if let Some(usage) = usage
            && self.usage != Some(usage)
        {
            self.usage = Some(usage);
            out.push(Event::Usage(usage));
        }
    }

    fn pieces(&mut self, candidate: &Candidate, out: &mut Vec<Event>) {
        let choice = candidate.index();
        let progress = self.choices.entry(choice).or_default();
        if progress.finished {
            return;
        }
        let mut logprobs = candidate.logprobs();
        for piece in candidate.pieces() {
            match piece {
                Piece::Text(text) => out.push(Event::Text { choice, text, logprobs: logprobs.take() }),
                Piece::Thought(text) => out.push(Event::Reasoning { choice, text }),
                Piece::Signed(signature) => {
                    let id = Some(thought_id(&signature));
                    out.push(Event::ReasoningDone { choice, id, signature: None, sealed: Some(signature) });
                }
                Piece::Call { id, name, arguments, signature } => {
                    let call = progress.calls;
                    progress.calls += 1;
                    let id = id.unwrap_or_else(|| made_id(&self.id, choice, call, &arguments));
                    out.push(Event::ToolCall { choice, call, id, name, signature });
                    out.push(Event::Arguments { choice, call, fragment: arguments });
                }
                Piece::Medium { media_type, data } => {
                    let value = json!({"inlineData": {"mimeType": media_type, "data": data}});
                    out.push(Event::Other { said_in: Dialect::Gemini, value });
                }
                Piece::Other(value) => out.push(Event::Other { said_in: Dialect::Gemini, value }),
            }
        }
        if let Some(value) = beside(candidate) {
            out.push(Event::Other { said_in: Dialect::Gemini, value });
        }
    }

    fn finish(&mut self, candidate: &Candidate, out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
        let Some(reason) = candidate.finish_reason.as_deref() else {
            return Ok(());
        };
        let choice = candidate.index();
        let progress = self.choices.entry(choice).or_default();
        if progress.finished {
            return Ok(());
        }
        let finish = finish(reason).ok_or_else(|| broken(&self.endpoint, reason))?;
        progress.finished = true;
        let finish = if progress.calls > 0 && finish == Finish::Stop { Finish::ToolCalls } else { finish };
        out.push(Event::Finished { choice, finish, stop_sequence: None });
        Ok(())
    }
}

/// Sources, citations and ratings beside the content.
fn beside(candidate: &Candidate) -> Option<Value> {
    (!candidate.rest.is_empty()).then(|| {
        let mut rest = candidate.rest.clone();
        rest.insert("index".into(), candidate.index().into());
        Value::Object(rest)
    })
}

impl Events for Stream {
    fn push(&mut self, chunk: &[u8], out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
        let mut frames = Vec::new();
        let fault = self.decoder.push(chunk, &mut frames);
        for frame in &frames {
            self.read(&frame.data, out)?;
        }
        fault.map_err(|fault| UpstreamFault::malformed(&self.endpoint, fault.to_string()))
    }

    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
        let mut frames = Vec::new();
        let fault = self.decoder.end(&mut frames);
        for frame in &frames {
            self.read(&frame.data, out)?;
        }
        fault.map_err(|fault| UpstreamFault::malformed(&self.endpoint, fault.to_string()))?;
        if self.choices.is_empty() || self.choices.values().any(|progress| !progress.finished) {
            return Err(UpstreamFault::new(&self.endpoint, FaultClass::Reset, "the stream ended before the answer did"));
        }
        out.push(Event::Ended);
        Ok(())
    }
}
