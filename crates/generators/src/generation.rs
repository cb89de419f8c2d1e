//! One request on its way through the engine: from prompt to last token.

use llama_cpp_2::{
    sampling::LlamaSampler,
    token::{LlamaToken, data::LlamaTokenData, data_array::LlamaTokenDataArray},
};
use mainspring_llm::{
    Delta, FinishReason, ModelFault, Usage,
    chat::{Sampling, TokenLogprob},
};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    gate::Gate,
    model::Model,
    sampler::{Candidate, Sampler, log_probabilities},
};

/// Under a grammar, so many of the likeliest tokens are asked first: checking all of them takes
/// longer than computing the next token.
const GRAMMAR_FIRST: usize = 256;

/// What a caller asked for, ready for the engine.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) prompt: Vec<LlamaToken>,
    /// Tokens to generate at most.
    pub(crate) limit: usize,
    pub(crate) sampling: Sampling,
    pub(crate) grammar: Option<String>,
    pub(crate) stop: Vec<String>,
    pub(crate) logprobs: Option<u8>,
    pub(crate) deadline: Instant,
    /// Has room for everything the request can produce.
    pub(crate) out: mpsc::Sender<Result<Delta, ModelFault>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// So many tokens of the prompt are in the cache.
    Prefill { done: usize },
    /// This token comes next.
    Decode { last: LlamaToken },
}

#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) request: Request,
    pub(crate) slot: usize,
    pub(crate) phase: Phase,
    cached: usize,
    generated: usize,
    sampler: Sampler,
    grammar: Option<LlamaSampler>,
    gate: Gate,
    /// With log probabilities: tokens whose text was not shown yet, with where it begins.
    unshown: Vec<(TokenLogprob, usize)>,
    /// Bytes of text that were pushed into the gate, and that came out.
    pushed: usize,
    shown: usize,
}

/// Whether a generation goes on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    GoOn,
    Ended,
}

impl Generation {
    pub(crate) fn new(request: Request, slot: usize, cached: usize, model: &Model) -> Result<Self, ModelFault> {
        let grammar = match &request.grammar {
            None => None,
            Some(text) => {
                let sampler = LlamaSampler::grammar(&model.llama, text, "root");
                Some(sampler.map_err(|_| ModelFault::InvalidParameter {
                    parameter: "response_format",
                    reason: "the schema's grammar is too large".to_owned(),
                })?)
            }
        };
        let seed = request.sampling.seed.map_or_else(rand::random, u64::from);
        Ok(Self {
            slot,
            phase: Phase::Prefill { done: cached },
            cached,
            generated: 0,
            sampler: Sampler::new(request.sampling.clone(), seed),
            grammar,
            gate: Gate::new(request.stop.clone()),
            unshown: Vec::new(),
            pushed: 0,
            shown: 0,
            request,
        })
    }

    /// Whether the same numbers must come out whoever runs beside.
    pub(crate) fn is_exact(&self) -> bool {
        self.request.sampling.seed.is_some() || self.request.sampling.temperature <= 0.0
    }

    /// Where the next token goes in the slot.
    pub(crate) fn position(&self) -> usize {
        match self.phase {
            Phase::Prefill { done } => done,
            Phase::Decode { .. } => self.request.prompt.len() + self.generated - 1,
        }
    }

    /// Whether somebody still reads, in time. Tells a reader that it is too late.
    pub(crate) fn is_wanted(&self, model: &str) -> bool {
        if self.request.out.is_closed() {
            return false;
        }
        if Instant::now() >= self.request.deadline {
            self.fail(ModelFault::Timeout { model: model.to_owned() });
            return false;
        }
        true
    }

    pub(crate) fn fail(&self, fault: ModelFault) {
        // A reader that left needs no reason.
        let _ = self.request.out.try_send(Err(fault));
    }

    /// Chooses the next token from the model's numbers, and sends what may be shown.
    pub(crate) fn advance(&mut self, logits: &[f32], model: &Model) -> Result<Next, String> {
        let token = self.choose(logits)?;
        if model.is_end(token) {
            return Ok(self.end(FinishReason::Stop));
        }
        self.generated += 1;
        let bytes = model.bytes(token);
        if let Some(alternatives) = self.request.logprobs {
            let (logprob, top) = log_probabilities(logits, token.0, usize::from(alternatives));
            let text = |token: i32| String::from_utf8_lossy(&model.bytes(LlamaToken(token))).into_owned();
            let top = top.into_iter().map(|(token, logprob)| (text(token), logprob)).collect();
            let entry = TokenLogprob { token: text(token.0), logprob, top };
            self.unshown.push((entry, self.pushed));
        }
        self.pushed += bytes.len();
        let text = self.gate.push(&bytes);
        self.send(text, self.gate.is_stopped());
        if self.gate.is_stopped() {
            return Ok(self.end(FinishReason::Stop));
        }
        if self.generated >= self.request.limit {
            return Ok(self.end(FinishReason::Length));
        }
        self.phase = Phase::Decode { last: token };
        Ok(Next::GoOn)
    }

    fn choose(&mut self, logits: &[f32]) -> Result<LlamaToken, String> {
        let none = || "no token is possible".to_owned();
        let mut candidates = self.sampler.candidates(logits);
        let Some(grammar) = &mut self.grammar else {
            let token = self.sampler.pick(&mut candidates).ok_or_else(none)?;
            self.sampler.accept(token);
            return Ok(LlamaToken(token));
        };
        let by_logit = |a: &Candidate, b: &Candidate| b.logit.total_cmp(&a.logit).then(a.token.cmp(&b.token));
        let first = GRAMMAR_FIRST.min(candidates.len());
        if first < candidates.len() {
            candidates.select_nth_unstable_by(first, by_logit);
        }
        let mut possible = allowed(grammar, &candidates[..first]);
        if possible.is_empty() {
            possible = allowed(grammar, &candidates[first..]);
        }
        let token = self.sampler.pick(&mut possible).ok_or_else(none)?;
        self.sampler.accept(token);
        grammar.try_accept(LlamaToken(token)).map_err(|fault| format!("the grammar failed: {fault}"))?;
        Ok(LlamaToken(token))
    }

    fn end(&mut self, finish: FinishReason) -> Next {
        let text = self.gate.finish();
        self.send(text, true);
        let usage = Usage {
            input_tokens: self.request.prompt.len() as u64,
            output_tokens: self.generated as u64,
            cached_tokens: self.cached as u64,
        };
        let _ = self.request.out.try_send(Ok(Delta::Done { finish, usage }));
        Next::Ended
    }

    /// The channel has room for a delta per token, so that a slow reader never holds the engine.
    fn send(&mut self, text: String, last: bool) {
        // Replacement characters make shown text longer than the bytes; log probabilities may then
        // come a piece early, never late.
        self.shown += text.len();
        let cut = self.gate.is_stopped();
        let ready = self.unshown.iter().take_while(|(_, start)| (last && !cut) || *start < self.shown).count();
        let logprobs: Vec<TokenLogprob> = self.unshown.drain(..ready).map(|(entry, _)| entry).collect();
        if !text.is_empty() || !logprobs.is_empty() {
            let _ = self.request.out.try_send(Ok(Delta::Text { text, logprobs }));
        }
    }
}

/// The candidates that the grammar lets come next.
pub(crate) fn allowed(grammar: &mut LlamaSampler, candidates: &[Candidate]) -> Vec<Candidate> {
    let data = candidates.iter().map(|candidate| LlamaTokenData::new(LlamaToken(candidate.token), candidate.logit, 0.0));
    let mut data = LlamaTokenDataArray::from_iter(data, false);
    data.apply_sampler(grammar);
    let possible = data.data.iter().filter(|entry| entry.logit().is_finite());
    possible.map(|entry| Candidate { token: entry.id().0, logit: entry.logit() }).collect()
}
