//! An answer as a whole, for a client.

use mainspring_llm::exchange::{Answer, Choice, Dialect, Finish, Part};
use serde_json::Value;

use super::{
    custom::{self, CustomTools},
    later,
    outcome::{self, Call, Frame},
    sealed,
};

/// `created` is in seconds; `model` is the name the client knows. The endpoint gives one choice, the first.
#[must_use]
pub fn write(answer: &Answer, created: i64, model: &str) -> Value {
    write_with(answer, (created, model), &CustomTools::default())
}

/// The same for a client that has tools which take text, or namespaces of tools.
#[must_use]
pub fn write_with(answer: &Answer, (created, model): (i64, &str), custom: &CustomTools) -> Value {
    let frame = Frame::new(&answer.id, created, model, answer.service_tier.clone());
    let choice = answer.choices.first();
    let output = choice.map(|choice| items(&frame, choice, custom)).unwrap_or_default();
    let finish = choice.map_or(Finish::Stop, |choice| choice.finish);
    frame.response(output, Some(finish), answer.usage.as_ref())
}

fn items(frame: &Frame, choice: &Choice, custom: &CustomTools) -> Vec<Value> {
    let (mut items, mut content) = (Vec::new(), Vec::new());
    let mut logprobs = outcome::token_logprobs(choice.logprobs.as_ref());
    // Texts that follow one another are one message.
    let close = |content: &mut Vec<Value>, items: &mut Vec<Value>| {
        if !content.is_empty() {
            items.push(outcome::message(&frame.item_id("msg_", items.len()), "completed", std::mem::take(content)));
        }
    };
    for part in choice.parts.iter().filter(|part| !outcome::is_left_out(part)) {
        match part {
            Part::Text { text, .. } => content.push(outcome::text_part(text, &[], &std::mem::take(&mut logprobs))),
            Part::Refusal { text } => content.push(outcome::refusal_part(text)),
            Part::Reasoning(thought) => {
                close(&mut content, &mut items);
                let made = || frame.item_id(sealed::MADE_ID, items.len());
                let id = thought.id.clone().unwrap_or_else(made);
                items.push(outcome::reasoning(&id, thought));
            }
            Part::ToolCall { id, name, arguments, .. } if custom.is_search(name) => {
                close(&mut content, &mut items);
                items.push(later::call(&frame.item_id(later::ITEM_ID, items.len()), "completed", id, arguments));
            }
            Part::ToolCall { id, name, arguments, .. } if custom.has(name) => {
                close(&mut content, &mut items);
                let (space, name) = custom.split(name);
                let call = Call { id, space, name, arguments: &custom::input(arguments) };
                items.push(outcome::custom_call(&frame.item_id("ctc_", items.len()), "completed", &call));
            }
            Part::ToolCall { id, name, arguments, .. } => {
                close(&mut content, &mut items);
                let (space, name) = custom.split(name);
                let call = Call { id, space, name, arguments };
                items.push(outcome::function_call(&frame.item_id("fc_", items.len()), "completed", &call));
            }
            Part::Other { said_in: Dialect::OpenAiResponses, value } => {
                close(&mut content, &mut items);
                items.push(value.clone());
            }
            Part::Other { said_in: Dialect::OpenAiChat, value } => cite(content.last_mut(), value),
            _ => {}
        }
    }
    close(&mut content, &mut items);
    if let Some(last) = items.last_mut().filter(|last| choice.finish == Finish::Length && last["type"] == "message") {
        last["status"] = "incomplete".into();
    }
    items
}

/// Chat gives citations beside the text; here they stand in it.
fn cite(text: Option<&mut Value>, value: &Value) {
    if let Some(Value::Array(list)) = text.and_then(|text| text.get_mut("annotations")) {
        list.extend(outcome::annotations(value));
    }
}
