//! Responses that were made, for whoever comes back for them. One in the background is under way when it is asked for first.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use http::Method;
use serde_json::{Value, json};

use super::{
    dialects::{Question, openai},
    script::Behaviour,
};

/// What comes of a request: a status and a body.
pub(super) type Told = (u16, String);

#[derive(Debug)]
pub(super) struct Kept {
    /// More are not kept.
    most: usize,
    made: Mutex<HashMap<String, Made>>,
}

#[derive(Debug)]
struct Made {
    number: u64,
    model: String,
    behaviour: Behaviour,
    background: bool,
    input: Value,
    /// How often it was asked for.
    asked: usize,
    cancelled: bool,
}

impl Kept {
    pub(super) fn new(most: usize) -> Self {
        Self { most, made: Mutex::default() }
    }

    /// Keeps a response that is about to be made.
    pub(super) fn note(&self, question: &Question<'_>, number: u64, behaviour: &Behaviour) {
        let asked: Value = serde_json::from_slice(question.body).unwrap_or_default();
        let mut all = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = (200..300).contains(&behaviour.status) && behaviour.body.is_none() && asked["store"] != json!(false);
        if !wanted || all.len() >= self.most {
            return;
        }
        let made = Made {
            number,
            model: question.model.clone(),
            behaviour: behaviour.clone(),
            background: question.background,
            input: asked["input"].clone(),
            asked: 0,
            cancelled: false,
        };
        all.insert(openai::response_id(number), made);
    }

    /// What is said to a request about a response; `path` is without its query.
    pub(super) fn tell(&self, method: &Method, path: &str) -> Told {
        let (id, action) = named(path).unwrap_or_default();
        let mut all = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(made) = all.get_mut(id) else { return refusal(404, &format!("Response with id '{id}' not found.")) };
        match (method, action) {
            (&Method::DELETE, "") => {
                all.remove(id);
                (200, json!({ "id": id, "object": "response", "deleted": true }).to_string())
            }
            (&Method::GET, "input_items") => (200, made.items().to_string()),
            (&Method::POST, "cancel") if !made.background => refusal(400, "Cannot cancel a synchronous response."),
            (&Method::POST, _) => {
                made.cancelled = made.asked < 2;
                (200, made.now().to_string())
            }
            _ => {
                made.asked += 1;
                (200, made.now().to_string())
            }
        }
    }
}

impl Made {
    fn now(&self) -> Value {
        let status = match (self.cancelled, self.background && self.asked < 2) {
            (true, _) => "cancelled",
            (false, true) => "in_progress",
            (false, false) => "completed",
        };
        openai::response((self.model.as_str(), self.background), self.number, &self.behaviour, status)
    }

    fn items(&self) -> Value {
        let content = json!([{ "type": "input_text", "text": self.input }]);
        let id = format!("msg_in_{}", self.number);
        let item = json!({ "id": id, "type": "message", "role": "user", "status": "completed", "content": content });
        json!({ "object": "list", "data": [item], "first_id": id, "last_id": id, "has_more": false })
    }
}

fn refusal(status: u16, message: &str) -> Told {
    let error = json!({ "message": message, "type": "invalid_request_error", "param": null, "code": null });
    (status, json!({ "error": error }).to_string())
}

/// The response that a path names, and what is to be done with it; empty where it is read or deleted.
pub(super) fn named(path: &str) -> Option<(&str, &str)> {
    let (_, rest) = path.split_once("/responses/")?;
    let (id, action) = rest.split_once('/').unwrap_or((rest, ""));
    let is_own = matches!((id, action), ("compact" | "input_tokens", ""));
    (!is_own && matches!(action, "" | "cancel" | "input_items")).then_some((id, action))
}
