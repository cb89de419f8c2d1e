//! What is ready before the first piece of text: the prompt that fits, or the quotes.

use std::{collections::BTreeMap, sync::Arc};

use mainspring_llm::{Budget, ChatModel, ChatRequest, Message, Passage, SpanContext, chat::Speaker};
use mainspring_prompts::InferenceSettings;
use serde_json::{Value, json};

use super::{Run, quoting::Bounds};
use crate::{fault::ChainFault, request::sampling, resolve::By};

/// Room kept for an answer when nobody says how long it may be.
const ANSWER_TOKENS: usize = 512;

impl Run {
    /// What can be done before the first piece of text: the prompt, or the quotes.
    /// `query` is what the passages were found by: the question, or with it what it leans on.
    pub(super) async fn prepare(
        &mut self,
        (asked, query): (&str, &str),
        trace: &SpanContext,
        budget: Budget,
    ) -> Result<(), ChainFault> {
        match &self.plan.by {
            By::Model(chosen) => {
                let model = Arc::clone(&chosen.model);
                self.fit_prompt(asked, model.as_ref()).await
            }
            By::Quotes(quoter) => {
                self.refuse_unquotable()?;
                let passages: Vec<Passage> = self.passages.iter().map(|(_, passage)| passage.clone()).collect();
                let bounds = Bounds { max_tokens: self.max_tokens(), stop: self.stop() };
                self.given = quoter.quote(query, &passages, &bounds, trace, budget).await?;
                match &self.given {
                    Some(given) => self.timings.push(("quote".to_owned(), given.took)),
                    // Nothing of it answers, so nothing of it is given as a source.
                    None => {
                        self.passages.clear();
                        self.ranks.clear();
                    }
                }
                Ok(())
            }
        }
    }

    /// What only a model that writes can do.
    fn refuse_unquotable(&self) -> Result<(), ChainFault> {
        let overrides = &self.question.overrides;
        let asked = [("response_format", overrides.json.is_some()), ("logprobs", overrides.logprobs.is_some())];
        match asked.into_iter().find(|(_, asked)| *asked) {
            Some((parameter, _)) => Err(ChainFault::QuotesOnly { app: self.question.target.to_string(), parameter }),
            None => Ok(()),
        }
    }

    /// Renders the prompt, leaving out the worst sources until it fits the context window.
    async fn fit_prompt(&mut self, asked: &str, model: &dyn ChatModel) -> Result<(), ChainFault> {
        let wanted = self.max_tokens().unwrap_or(ANSWER_TOKENS);
        loop {
            self.prompt = self.render(asked)?;
            self.prompt_tokens = model.count_tokens(&self.prompt).await?;
            let Some(window) = model.context_window() else { return Ok(()) };
            if self.prompt_tokens + wanted <= window {
                return Ok(());
            }
            if self.passages.len() <= 1 {
                let least = self.max_tokens().unwrap_or(1);
                if self.prompt_tokens + least <= window {
                    return Ok(());
                }
                let model = model.name().to_owned();
                return Err(ChainFault::PromptTooLong { model, tokens: self.prompt_tokens, window });
            }
            self.drop_worst();
        }
    }

    fn render(&self, asked: &str) -> Result<Vec<Message>, ChainFault> {
        let Some((step, prompt)) = &self.plan.prompt else { return Ok(self.question.messages.clone()) };
        let mut values: BTreeMap<String, Value> = step.with.clone();
        values.extend(self.question.parameters.clone());
        let history = self.history();
        let ours = [("question", json!(asked)), ("sources", self.sources_value()), ("history", json!(history))];
        for (name, value) in ours {
            if prompt.parameters.contains_key(name) {
                values.entry(name.to_owned()).or_insert(value);
            }
        }
        let mut messages = prompt.render(&values)?;
        // A prompt that does not place the conversation itself gets it before its last message.
        if !prompt.parameters.contains_key("history") && !history.is_empty() {
            let at = messages.len().saturating_sub(1);
            messages.splice(at..at, history);
        }
        Ok(messages)
    }

    /// What was said before the question.
    fn history(&self) -> Vec<Message> {
        let messages = &self.question.messages;
        let last = messages.iter().rposition(|message| message.role == Speaker::User).unwrap_or(0);
        messages[..last].to_vec()
    }

    fn sources_value(&self) -> Value {
        let sources = self.passages.iter().enumerate().map(|(index, (_, passage))| {
            json!({
                "number": index + 1,
                "title": passage.title,
                "heading": passage.heading_path.join(" > "),
                "page": passage.page,
                "uri": passage.uri,
                "text": passage.shown(),
            })
        });
        Value::Array(sources.collect())
    }

    fn layers(&self) -> [&InferenceSettings; 3] {
        static NONE: InferenceSettings = InferenceSettings {
            temperature: None,
            top_p: None,
            max_tokens: None,
            seed: None,
            frequency_penalty: None,
            stop: Vec::new(),
        };
        let prompt = self.plan.prompt.as_ref().map_or(&NONE, |(_, prompt)| &prompt.settings);
        [&self.question.overrides.settings, &self.plan.settings, prompt]
    }

    fn max_tokens(&self) -> Option<usize> {
        self.layers().iter().find_map(|layer| layer.max_tokens).map(|tokens| tokens as usize)
    }

    fn stop(&self) -> Vec<String> {
        self.layers().iter().find(|layer| !layer.stop.is_empty()).map(|layer| layer.stop.clone()).unwrap_or_default()
    }

    pub(super) fn chat_request(&self, index: usize) -> ChatRequest {
        let layers = self.layers();
        let mut sampling = sampling(&layers, self.question.overrides.presence_penalty);
        // Alternatives under one seed must differ, and the whole must still repeat.
        sampling.seed = sampling.seed.map(|seed| seed.wrapping_add(u32::try_from(index).unwrap_or(0)));
        ChatRequest {
            messages: self.prompt.clone(),
            sampling,
            max_tokens: self.max_tokens(),
            stop: self.stop(),
            format: self.question.overrides.format(),
            logprobs: self.question.overrides.logprobs,
        }
    }
}
