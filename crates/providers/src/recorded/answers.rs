//! Whole answers, and what clients of each dialect get of them.

use mainspring_llm::exchange::{Answer, Event, Finish, Part};
use mainspring_testservers::recordings::{Api, Recording};
use serde_json::Value;

use super::{
    adapter_of, answered, check_each, endpoint, folded, is_decoded, json, said,
    said::{Called, Said, Used},
    same,
    table::{Table, differences},
};
use crate::{anthropic, openai};

/// What clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surface {
    Chat,
    Responses,
    Messages,
}

impl Surface {
    pub(super) const ALL: [Self; 3] = [Self::Chat, Self::Responses, Self::Messages];

    const fn api(self) -> Api {
        match self {
            Self::Chat => Api::Chat,
            Self::Responses => Api::Responses,
            Self::Messages => Api::Messages,
        }
    }

    fn whole(self, answer: &Answer) -> Value {
        match self {
            Self::Chat => openai::chat::write(answer, 1, "m"),
            Self::Responses => openai::responses::write(answer, 1, "m"),
            Self::Messages => anthropic::write(answer),
        }
    }

    /// The stream as a client gets it, put together again.
    fn streamed(self, events: Vec<Event>) -> Value {
        let data: Vec<String> = match self {
            Self::Chat => {
                let mut writer = openai::chat::Writer::new(1, "m", true);
                events.into_iter().flat_map(|event| writer.push(event)).filter(|data| data != "[DONE]").collect()
            }
            Self::Responses => {
                let mut writer = openai::responses::Writer::new(1, "m");
                events.into_iter().flat_map(|event| writer.push(event)).map(|named| named.data).collect()
            }
            Self::Messages => {
                let mut writer = anthropic::Writer::new("m");
                events.into_iter().flat_map(|event| writer.write(event)).map(|(_, data)| data.to_string()).collect()
            }
        };
        let events: Vec<Value> = data.iter().map(|data| json(data.as_bytes())).collect();
        folded::of_events(self.api(), &events)
    }

    /// What a client can be told of what was said.
    fn told(self, mut said: Said) -> Said {
        if said.end == "pause" && self != Self::Messages {
            // Only Anthropic's clients can send an answer back to have it go on.
            said.end = "stop";
        }
        if self == Self::Responses && said.calls.is_empty() && said.end == "tool calls" {
            // The older form of a function's call, which only clients that asked in it are told.
            said.end = "stop";
        }
        if self == Self::Messages {
            // A refusal is a text there, and a way to end.
            if !said.refusal.is_empty() && said.end == "stop" {
                said.end = "content filter";
            }
            let refusal = std::mem::take(&mut said.refusal);
            said.text.push_str(&refusal);
            said.used = Some(said.used.unwrap_or_default());
        }
        said
    }

    pub(super) fn check_whole(self, answer: &Answer, theirs: Said) -> Result<(), String> {
        agree(&format!("{self:?}"), said::told(self.api(), &self.whole(answer)), self.told(theirs))
    }

    pub(super) fn check_stream(self, events: Vec<Event>, theirs: Said) -> Result<(), String> {
        agree(&format!("{self:?}, streamed"), said::told(self.api(), &self.streamed(events)), self.told(theirs))
    }
}

/// Ids are compared where the provider gave some, and are made where it did not.
fn agree(what: &str, mut ours: Said, theirs: Said) -> Result<(), String> {
    for (our, their) in ours.calls.iter_mut().zip(&theirs.calls) {
        if their.id.is_empty() {
            if our.id.is_empty() {
                return Err(format!("{what}: a call of {} without an id", our.name));
            }
            our.id.clear();
        }
    }
    same(what, &ours, &theirs)
}

fn decoded(recording: &Recording) -> Result<Answer, String> {
    let endpoint = endpoint(recording);
    adapter_of(&endpoint).decode(&endpoint, &recording.response).map_err(|fault| fault.to_string())
}

fn whole() -> impl Iterator<Item = &'static Recording> {
    answered().filter(|one| !one.is_streamed() && is_decoded(one.api))
}

fn of_answer(answer: &Answer) -> Said {
    let mut said = Said::default();
    let choice = &answer.choices[0];
    for part in &choice.parts {
        match part {
            Part::Text { text, .. } => said.text.push_str(text),
            Part::Refusal { text } => said.refusal.push_str(text),
            Part::Reasoning(thought) => said.thought.extend(thought.text.chars().filter(|c| *c != '\n')),
            Part::ToolCall { id, name, arguments, .. } => {
                let arguments = serde_json::from_str(arguments).unwrap_or_else(|_| Value::from(arguments.as_str()));
                said.calls.push(Called { id: id.clone(), name: name.clone(), arguments });
            }
            _ => {}
        }
    }
    said.end = match choice.finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool calls",
        Finish::ContentFilter => "content filter",
        Finish::Pause => "pause",
    };
    said.used = answer.usage.map(Used::from);
    said
}

#[test]
fn every_whole_answer_is_read_for_what_it_says_and_used() {
    check_each(whole(), |one| agree("read", of_answer(&decoded(one)?), said::of(one.api, &json(&one.response))));
}

#[test]
fn clients_of_every_dialect_get_what_a_whole_answer_says() {
    check_each(whole(), |one| {
        let answer = decoded(one)?;
        let theirs = said::of(one.api, &json(&one.response));
        Surface::ALL.into_iter().try_for_each(|surface| surface.check_whole(&answer, theirs.clone()))
    });
}

#[test]
fn an_answer_in_its_own_dialect_is_what_it_was_but_for_what_the_table_says() {
    let mut table = Table::default();
    for one in whole().filter(|one| matches!(one.api, Api::Chat | Api::Messages)) {
        let came = json(&one.response);
        let answer = decoded(one).unwrap_or_else(|fault| panic!("{} {}: {fault}", one.package, one.file));
        let written = match one.api {
            Api::Messages => anthropic::write(&answer),
            _ => openai::chat::write(&answer, came["created"].as_i64().unwrap_or(0), &answer.model),
        };
        for difference in differences(&came, &written) {
            table.note(format!("{:?}: {difference}", one.api));
        }
    }
    table.check("answers.txt", include_str!("answers.txt"));
}
