//! How programs in other languages write the script and read what was asked.
//!
//! `GET /_requests` lists the requests, `DELETE /_requests` forgets them, `POST /_script` reads lines of `next BEHAVIOUR`,
//! `model NAME BEHAVIOUR` and `otherwise BEHAVIOUR` over an empty script.

use std::sync::{Arc, PoisonError};

use http::{Method, Response, StatusCode};
use serde_json::Value;

use super::{
    body::Paced,
    record::{Seen, Ticket},
    script::{Behaviour, Script},
    serve::{State, is_own, plain},
    wire::Control,
};

pub(super) fn answer(method: &Method, path: &str, body: &[u8], state: &State, control: &Arc<Control>) -> Option<Response<Paced>> {
    if !is_own(method, path) {
        return None;
    }
    let say = |status, text: &str| {
        // Requests for the server itself are not among those it was asked.
        Some(plain(status, text, control, Ticket::unseen()))
    };
    match (method, path) {
        (&Method::GET, "/_requests") => {
            let seen: Value = state.log.seen().iter().map(Seen::view).collect();
            say(StatusCode::OK, &seen.to_string())
        }
        (&Method::DELETE, "/_requests") => {
            state.log.forget();
            say(StatusCode::OK, "{}")
        }
        (&Method::POST, "/_script") => match read(&String::from_utf8_lossy(body)) {
            Ok(script) => {
                *state.script.lock().unwrap_or_else(PoisonError::into_inner) = script;
                say(StatusCode::OK, "{}")
            }
            Err(fault) => say(StatusCode::BAD_REQUEST, &fault),
        },
        _ => say(StatusCode::NOT_FOUND, "the server knows `_requests` and `_script`"),
    }
}

fn read(text: &str) -> Result<Script, String> {
    let mut script = Script::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "next" => script.next.push_back(behaviour(rest)?),
            "otherwise" => script.otherwise = behaviour(rest)?,
            "model" => {
                let (model, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                script.models.insert(model.to_owned(), behaviour(rest)?);
            }
            _ => return Err(format!("`{line}` begins with none of `next`, `model`, `otherwise`")),
        }
    }
    Ok(script)
}

fn behaviour(text: &str) -> Result<Behaviour, String> {
    text.trim().parse::<Behaviour>().map_err(|fault| fault.to_string())
}
