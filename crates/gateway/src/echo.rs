//! What completions repeat of their prompts where they are asked to (`echo`): it was read, and nobody wrote it.

use std::collections::HashMap;

use mainspring_providers::Operation;
use memchr::memmem;
use serde_json::Value;

use crate::reckon;

/// The prompts of a call whose answers repeat them first.
#[derive(Debug)]
pub(crate) struct Echo {
    prompts: Vec<Prompt>,
    /// Answers for each prompt.
    answers: usize,
    /// How much of its prompt each answer has repeated so far, in bytes, or in eighths of a token; nothing of one that is
    /// beyond it.
    repeated: HashMap<usize, Option<usize>>,
}

#[derive(Debug)]
enum Prompt {
    Text(String),
    /// Nobody here knows which text they are: so many eighths of a token.
    Tokens(usize),
}

impl Echo {
    /// What a request, as the provider gets it, has repeated.
    pub(crate) fn of(operation: Operation, body: &[u8]) -> Option<Self> {
        if operation != Operation::Completions || memmem::find(body, b"\"echo\"").is_none() {
            return None;
        }
        let said: Value = serde_json::from_slice(body).ok()?;
        if said["echo"] != Value::Bool(true) {
            return None;
        }
        let answers = said["n"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(1).max(1);
        Some(Self { prompts: prompts(&said["prompt"]), answers, repeated: HashMap::new() })
    }

    /// About how many eighths of a token were written of what an event, or a whole answer, says; nothing where it cannot be
    /// read.
    pub(crate) fn beside(&mut self, answer: &[u8]) -> Option<u64> {
        let said: Value = serde_json::from_slice(answer).ok()?;
        let mut written = 0_u64;
        for (place, choice) in said["choices"].as_array()?.iter().enumerate() {
            let index = choice["index"].as_u64().and_then(|index| usize::try_from(index).ok()).unwrap_or(place);
            let text = choice["text"].as_str().unwrap_or_default();
            written = written.saturating_add(self.written(index, text));
        }
        Some(written)
    }

    fn written(&mut self, index: usize, text: &str) -> u64 {
        let Some(prompt) = self.prompts.get(index / self.answers) else { return reckon::eighths(text) };
        let repeated = self.repeated.entry(index).or_insert(Some(0));
        let Some(so_far) = *repeated else { return reckon::eighths(text) };
        let (now, written) = prompt.beside(so_far, text);
        *repeated = now;
        written
    }
}

impl Prompt {
    /// How much of it is repeated with this text, unless all of it is, and how much of the text was written.
    fn beside(&self, so_far: usize, text: &str) -> (Option<usize>, u64) {
        match self {
            Self::Text(prompt) => {
                let (before, rest) = prompt.split_at(so_far);
                if let Some(written) = text.strip_prefix(rest) {
                    (None, reckon::eighths(written))
                } else if rest.starts_with(text) {
                    (Some(so_far + text.len()), 0)
                } else {
                    // The server repeats nothing, and what was written begins as the prompt does.
                    (None, reckon::eighths(before).saturating_add(reckon::eighths(text)))
                }
            }
            Self::Tokens(all) => {
                let now = so_far.saturating_add(usize::try_from(reckon::eighths(text)).unwrap_or(usize::MAX));
                if now <= *all { (Some(now), 0) } else { (None, (now - all) as u64) }
            }
        }
    }
}

/// A text, texts, tokens, or lists of tokens.
fn prompts(said: &Value) -> Vec<Prompt> {
    let tokens = |list: &[Value]| Prompt::Tokens(list.len().saturating_mul(reckon::TOKEN as usize));
    match said {
        Value::String(text) => vec![Prompt::Text(text.clone())],
        Value::Array(list) if list.iter().all(Value::is_number) => vec![tokens(list)],
        Value::Array(list) => list
            .iter()
            .map(|prompt| match prompt {
                Value::Array(list) => tokens(list),
                prompt => Prompt::Text(prompt.as_str().unwrap_or_default().to_owned()),
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use mainspring_providers::Operation;
    use serde_json::{Value, json};

    use super::Echo;
    use crate::reckon::{eighths, tokens};

    /// What is written of answers, each piece a list of indices and texts.
    #[track_caller]
    fn check(asked: Value, pieces: &[&[(u64, &str)]], written: &str) {
        let mut echo = Echo::of(Operation::Completions, asked.to_string().as_bytes()).unwrap();
        let piece = |choices: &&[(u64, &str)]| {
            let choices: Vec<Value> = choices.iter().map(|(index, text)| json!({"index": index, "text": text})).collect();
            echo.beside(json!({"choices": choices}).to_string().as_bytes()).unwrap()
        };
        assert_eq!(tokens(pieces.iter().map(piece).sum()), tokens(eighths(written)), "{asked} {pieces:?}");
    }

    #[test]
    fn what_an_answer_repeats_was_not_written() {
        let one = json!({"prompt": "Once upon a time", "echo": true});
        check(one.clone(), &[&[(0, "Once upon a time there was a king")]], " there was a king");
        check(one.clone(), &[&[(0, "Once upon a time")]], "");
        // In pieces of any length.
        check(one.clone(), &[&[(0, "Once up")], &[(0, "")], &[(0, "on a time there")], &[(0, " was")]], " there was");
        check(one.clone(), &[&[(0, "Once upon a time")], &[(0, " Once upon a time")]], " Once upon a time");
        // Servers that repeat nothing, whatever they are asked.
        check(one.clone(), &[&[(0, " there was a king")]], " there was a king");
        check(one, &[&[(0, "Once")], &[(0, " more")]], "Once more");
        let two = json!({"prompt": ["one", "two"], "n": 2, "echo": true});
        check(two.clone(), &[&[(0, "one a"), (1, "one b"), (2, "two c"), (3, "two d")]], " a b c d");
        check(two, &[&[(3, "two")], &[(0, "one")], &[(3, " d")], &[(0, " a")]], " d a");
        check(json!({"prompt": [11, 12, 13], "echo": true}), &[&[(0, "Once upon a time")]], "time");
        check(json!({"prompt": [[11], [12]], "echo": true}), &[&[(0, "Once upon"), (1, "a")]], " upon");
        check(json!({"prompt": "x", "echo": true}), &[&[(7, "whose is it?")]], "whose is it?");
    }

    #[test]
    fn only_completions_that_are_asked_to_repeat_anything() {
        for body in [json!({"prompt": "x"}), json!({"prompt": "x", "echo": false}), json!({"prompt": "\"echo\"", "echo": null})] {
            assert!(Echo::of(Operation::Completions, body.to_string().as_bytes()).is_none(), "{body}");
        }
        let asked = json!({"prompt": "x", "echo": true}).to_string();
        assert!(Echo::of(Operation::Chat, asked.as_bytes()).is_none());
        let mut echo = Echo::of(Operation::Completions, asked.as_bytes()).unwrap();
        assert_eq!((echo.beside(b"no JSON"), echo.beside(b"{}")), (None, None));
    }
}
