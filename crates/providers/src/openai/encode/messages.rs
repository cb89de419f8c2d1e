//! Turns as messages.

use mainspring_llm::exchange::{Dialect, Part, Reasoning, Role, Turn};
use serde_json::{Map, Value, json};

use super::{
    super::{
        chat::message::{self, Taken},
        extra,
    },
    Writer,
};
use crate::{fault::UpstreamFault, plain};

impl Writer<'_> {
    pub(super) fn messages(&mut self) -> Result<Vec<Value>, UpstreamFault> {
        let mut out = Vec::with_capacity(self.call.turns.len());
        // Images of tools' results: they stand in no message of a tool, and no other may come between those.
        let mut shown = Vec::new();
        let call = self.call;
        for (index, turn) in call.turns.iter().enumerate() {
            let place = format!("messages[{index}]");
            let (results, mut rest): (Vec<&Part>, Vec<&Part>) =
                turn.parts.iter().partition(|part| matches!(part, Part::ToolResult { .. }));
            let only_results = !results.is_empty() && rest.is_empty();
            for part in results {
                self.result(&place, part, turn, &mut out, &mut shown)?;
            }
            if only_results {
                continue;
            }
            flush(&mut shown, &mut out);
            if turn.role == Role::Assistant && self.leaves_out(&place, &mut rest) && rest.is_empty() {
                continue;
            }
            match whole(&rest) {
                Some(message) if self.own => out.push(message.clone()),
                _ => out.push(self.message(&place, turn, &rest)?),
            }
        }
        flush(&mut shown, &mut out);
        Ok(out)
    }

    /// Leaves out of an answer what tools of another provider's have done in it, if anything.
    fn leaves_out(&mut self, place: &str, parts: &mut Vec<&Part>) -> bool {
        let all = parts.len();
        parts.retain(|part| match part {
            Part::Other { said_in, value } => *said_in == Dialect::OpenAiChat || !plain::may_go(value),
            _ => true,
        });
        if parts.len() < all {
            self.lose(format!("{place}.content"), plain::ITS_OWN);
        }
        parts.len() < all
    }

    fn message(&mut self, place: &str, turn: &Turn, parts: &[&Part]) -> Result<Value, UpstreamFault> {
        let taken = self.taken();
        for part in parts {
            self.note(place, part, taken)?;
        }
        let role = match turn.role {
            Role::System => "system",
            Role::Developer if self.habits.developer => "developer",
            // Others know instructions under the older word only.
            Role::Developer => "system",
            Role::Assistant => "assistant",
            Role::User | Role::Tool => "user",
        };
        let mut map = Map::from_iter([("role".to_owned(), Value::from(role))]);
        let cannot = |what: &str| UpstreamFault::unsupported(self.endpoint, &format!("{what} ({place})"));
        if turn.role == Role::Assistant {
            map.extend(message::assistant(parts.iter().copied(), taken).map_err(cannot)?);
        } else {
            let (content, fields) = message::content(parts, taken).map_err(cannot)?;
            map.insert("content".to_owned(), content);
            map.extend(fields);
        }
        if let Some(name) = &turn.name {
            map.insert("name".to_owned(), name.as_str().into());
        }
        Ok(Value::Object(map))
    }

    /// Says what of a part is left behind; what must not be is a fault.
    fn note(&mut self, place: &str, part: &Part, taken: Taken) -> Result<(), UpstreamFault> {
        match part {
            Part::Other { said_in, .. } if *said_in != Dialect::OpenAiChat => {
                Err(self.unsupported(&format!("a part that only another provider knows ({place})")))
            }
            Part::Reasoning(reasoning) => {
                self.note_thought(place, reasoning, taken);
                Ok(())
            }
            Part::Text { cache: Some(_), .. } | Part::Image { cache: Some(_), .. } | Part::File { cache: Some(_), .. }
                if !taken.unknown =>
            {
                self.lose("cache_control", "the server caches by itself");
                Ok(())
            }
            Part::ToolCall { signature: Some(_), .. } if !taken.unknown => {
                self.lose(format!("{place}.tool_calls"), "the signature of another provider");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn note_thought(&mut self, place: &str, reasoning: &Reasoning, taken: Taken) {
        let bound = reasoning.signature.is_some() || reasoning.sealed.is_some();
        if !taken.thoughts {
            self.lose(format!("{place}.reasoning"), "the server takes no thinking back");
        } else if bound && !taken.details {
            self.lose(format!("{place}.reasoning"), "without the signature of another provider");
        }
    }

    fn result(
        &mut self,
        place: &str,
        part: &Part,
        turn: &Turn,
        out: &mut Vec<Value>,
        shown: &mut Vec<Value>,
    ) -> Result<(), UpstreamFault> {
        let Part::ToolResult { id, name, parts, is_error, cache } = part else { return Ok(()) };
        let taken = self.taken();
        let (seen, said): (Vec<&Part>, Vec<&Part>) = parts.iter().partition(|part| !self.own && is_media(part));
        for part in &said {
            self.note(place, part, taken)?;
        }
        let cannot = |what: &str| UpstreamFault::unsupported(self.endpoint, &format!("{what} ({place})"));
        let (content, _) = message::content(&said, taken).map_err(cannot)?;
        let seen =
            seen.into_iter().map(|part| message::content_part(part, taken)).collect::<Result<Vec<_>, _>>().map_err(cannot)?;
        let mut map = Map::from_iter([
            ("role".to_owned(), Value::from("tool")),
            ("tool_call_id".to_owned(), id.as_str().into()),
            ("content".to_owned(), content),
        ]);
        if let Some(name) = name.as_ref().or(turn.name.as_ref()).filter(|_| self.own) {
            map.insert("name".to_owned(), name.as_str().into());
        }
        match cache {
            Some(cache) if taken.unknown => {
                map.insert("cache_control".to_owned(), cache.clone());
            }
            Some(_) => self.lose("cache_control", "the server caches by itself"),
            None => {}
        }
        if *is_error {
            self.lose(format!("{place}.is_error"), "a result does not say that it is an error");
        }
        if !seen.is_empty() {
            self.lose(format!("{place}.content"), "images of a tool's result are shown after it");
            shown.push(json!({"type": "text", "text": format!("Result of the tool call {id}:")}));
            shown.extend(seen);
        }
        out.push(Value::Object(map));
        Ok(())
    }
}

const fn is_media(part: &Part) -> bool {
    matches!(part, Part::Image { .. } | Part::Audio { .. } | Part::File { .. })
}

/// A message that is repeated as it came.
fn whole<'a>(parts: &[&'a Part]) -> Option<&'a Value> {
    match parts {
        [Part::Other { said_in: Dialect::OpenAiChat, value }] if matches!(extra::kind(value), extra::Kind::Message) => {
            Some(value)
        }
        _ => None,
    }
}

fn flush(shown: &mut Vec<Value>, out: &mut Vec<Value>) {
    if !shown.is_empty() {
        out.push(json!({"role": "user", "content": std::mem::take(shown)}));
    }
}
