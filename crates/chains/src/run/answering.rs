//! From what was found to the pieces of an answer, and what is known of it at its end.

use futures::StreamExt;
use mainspring_kernel::Digest;
use mainspring_llm::{
    Budget, ChatStream, Delta, FinishReason, Message, Passage, SpanContext, Usage,
    chat::Speaker,
    trace::{OpenSpan, names},
};

use super::{AnswerEvent, AnswerStream, Run, fail, messages_json, model_call::ModelCall};
use crate::{
    citations,
    fault::ChainFault,
    outcome::{Outcome, Source},
    resolve::By,
};

impl Run {
    fn sources(&self, cited: &[citations::Citation]) -> Vec<Source> {
        let sources = self.passages.iter().enumerate().map(|(index, (knowledge, passage))| {
            Source::of(index + 1, knowledge, passage, cited.iter().any(|citation| citation.source == index + 1))
        });
        sources.collect()
    }

    fn outcome(&self, text: &str, trace: &SpanContext, timings: Vec<(String, f64)>) -> Outcome {
        let passages: Vec<Passage> = self.passages.iter().map(|(_, passage)| passage.clone()).collect();
        let checked = match &self.given {
            // Quotes are carried by where they stand; brackets in them are their document's.
            Some(given) => citations::Checked { citations: given.quoted.citations.clone(), ..citations::Checked::default() },
            None if passages.is_empty() => citations::Checked::default(),
            None => citations::check(text, &passages),
        };
        Outcome {
            trace_id: trace.trace,
            target: self.question.target.to_string(),
            versions: self.versions(),
            tables: self.found.iter().map(|found| found.pin.clone()).collect(),
            abstained: self.abstains(),
            unread: self.unread.clone(),
            sources: self.sources(&checked.citations),
            citations: checked.citations,
            unsupported: checked.unsupported,
            invented_citations: checked.invented,
            dropped_sources: self.dropped,
            timings,
        }
    }

    /// Where there are no sources to show before the model is asked, it is asked at once: what it refuses is a refusal, and no
    /// event of a stream.
    pub(super) async fn stream(self, root: OpenSpan, budget: Budget) -> Result<AnswerStream, ChainFault> {
        if !self.plan.retrieves.is_empty() {
            return Ok(self.answers(root, None, budget));
        }
        let By::Model(chosen) = &self.plan.by else { return Ok(self.answers(root, None, budget)) };
        match ModelCall::begin(&self, chosen, root.context(), 0, budget).await {
            Ok(begun) => Ok(self.answers(root, Some(begun), budget)),
            Err(fault) => {
                fail(root, &fault);
                Err(fault)
            }
        }
    }

    fn answers(self, root: OpenSpan, mut first: Option<(ModelCall, ChatStream)>, budget: Budget) -> AnswerStream {
        let n = self.question.n.max(1);
        Box::pin(async_stream::stream! {
            yield Ok(AnswerEvent::Sources { sources: self.sources(&[]), abstains: self.abstains() });
            // What the model read and wrote, and what of it is told: whoever asks for several answers wrote one prompt.
            let (mut total, mut told) = (Usage::default(), Usage::default());
            let mut outcomes = Vec::with_capacity(n);
            let mut texts = Vec::with_capacity(n);
            for index in 0..n {
                let mut timings = self.timings.clone();
                let mut text = String::new();
                if self.abstains() {
                    text.push_str(&self.abstention());
                    yield Ok(AnswerEvent::Text { index, text: text.clone(), logprobs: Vec::new() });
                    yield Ok(AnswerEvent::Finished { index, finish: FinishReason::Stop });
                } else if let Some(given) = &self.given {
                    for piece in given.quoted.pieces() {
                        yield Ok(AnswerEvent::Text { index, text: piece.to_owned(), logprobs: Vec::new() });
                    }
                    text.push_str(&given.quoted.text);
                    yield Ok(AnswerEvent::Finished { index, finish: given.finish });
                    // However many alternatives: the sources were read once, and each of them is given.
                    let read = if index == 0 { given.usage.input_tokens } else { 0 };
                    let usage = Usage { input_tokens: read, ..given.usage };
                    add(&mut total, usage);
                    add(&mut told, usage);
                } else if let By::Model(chosen) = &self.plan.by {
                    let begun = match first.take() {
                        Some(begun) => Ok(begun),
                        None => ModelCall::begin(&self, chosen, root.context(), index, budget).await,
                    };
                    let (mut call, mut stream) = match begun {
                        Ok(begun) => begun,
                        Err(fault) => {
                            fail(root, &fault);
                            yield Err(fault);
                            return;
                        }
                    };
                    while let Some(delta) = stream.next().await {
                        match delta {
                            Ok(Delta::Text { text: piece, logprobs }) => {
                                call.first_token();
                                text.push_str(&piece);
                                yield Ok(AnswerEvent::Text { index, text: piece, logprobs });
                            }
                            Ok(Delta::Done { finish, usage }) => {
                                add(&mut total, usage);
                                add(&mut told, if index == 0 { usage } else { usage.of_alternative() });
                                timings.extend(call.finish(&text, finish, usage));
                                yield Ok(AnswerEvent::Finished { index, finish });
                                break;
                            }
                            Err(fault) => {
                                let fault = ChainFault::Model(fault);
                                call.fail(&fault);
                                fail(root, &fault);
                                yield Err(fault);
                                return;
                            }
                        }
                    }
                }
                outcomes.push(self.outcome(&text, root.context(), timings));
                texts.push(text);
            }
            close(root, &self, &texts, &outcomes, total);
            yield Ok(AnswerEvent::Done { usage: told, outcomes });
        })
    }
}

fn add(total: &mut Usage, usage: Usage) {
    total.input_tokens += usage.input_tokens;
    total.output_tokens += usage.output_tokens;
    total.cached_tokens += usage.cached_tokens;
}

fn close(mut root: OpenSpan, run: &Run, texts: &[String], outcomes: &[Outcome], usage: Usage) {
    let answers: Vec<Message> = texts.iter().map(|text| Message::new(Speaker::Assistant, text.as_str())).collect();
    root.set(names::OUTPUT_MESSAGES, messages_json(&answers));
    root.set(names::ANSWER_DIGEST, Digest::of(texts.concat().as_bytes()).to_string());
    root.set(names::INPUT_TOKENS, usage.input_tokens);
    root.set(names::OUTPUT_TOKENS, usage.output_tokens);
    root.set(names::RESPONSE_MODEL, run.plan.model_name());
    if let Some(outcome) = outcomes.first() {
        root.set("mainspring.abstained", outcome.abstained);
        root.set("mainspring.citations", outcome.citations.len());
        root.set("mainspring.unsupported_sentences", outcome.unsupported.len());
    }
    root.finish();
}
