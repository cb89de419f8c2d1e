//! Which dialect a request is in, and what its answer looks like.

mod anthropic;
mod bedrock;
mod gemini;
pub(super) mod openai;

use std::borrow::Cow;

use bytes::Bytes;
use http::Method;
use serde::Deserialize;

use super::{
    kept,
    script::{Behaviour, Trouble, cut},
};

/// What a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Chat,
    Responses,
    /// About one that was made.
    Kept,
    Compact,
    InputTokens,
    Completions,
    Embeddings,
    Moderations,
    Rerank,
    Models,
    Messages,
    CountTokens,
    Generate,
    EmbedContent,
    EmbedContents,
    CountContent,
    Converse,
    Invoke,
}

/// A request, as far as its answer depends on it.
#[derive(Debug)]
pub(super) struct Question<'b> {
    pub(super) asked: Asked,
    pub(super) model: String,
    pub(super) stream: bool,
    /// It is to be made while its client is away.
    pub(super) background: bool,
    /// What is known of the response it is about.
    pub(super) kept: Option<kept::Told>,
    include_usage: bool,
    pub(super) body: &'b [u8],
}

/// What goes out, before delays and troubles.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) media_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) pieces: Vec<Bytes>,
    /// What ends a stream that runs out of capacity.
    pub(super) error: Bytes,
    /// What no parser of the dialect can read.
    pub(super) garbage: Bytes,
}

#[derive(Default, Deserialize)]
struct Peek<'b> {
    #[serde(borrow, default)]
    model: Option<Cow<'b, str>>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    background: Option<bool>,
}

#[derive(Default, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

impl<'b> Question<'b> {
    /// `None` for a path that no dialect has. `path` is without its query.
    pub(super) fn read(method: &Method, path: &str, body: &'b [u8]) -> Option<Self> {
        let place = place(method, path)?;
        let peek: Peek = serde_json::from_slice(body).unwrap_or_default();
        Some(Self {
            asked: place.asked,
            model: place.model.or(peek.model.map(Cow::into_owned)).unwrap_or_default(),
            stream: place.stream || peek.stream == Some(true),
            background: place.asked == Asked::Responses && peek.background == Some(true),
            kept: None,
            include_usage: peek.stream_options.is_some_and(|options| options.include_usage),
            body,
        })
    }

    pub(super) fn reply(&self, number: u64, behaviour: &Behaviour) -> Reply {
        let mut reply = match self.asked {
            Asked::Messages | Asked::CountTokens => anthropic::reply(self, number, behaviour),
            Asked::Generate | Asked::EmbedContent | Asked::EmbedContents | Asked::CountContent => {
                gemini::reply(self, number, behaviour)
            }
            Asked::Converse | Asked::Invoke => bedrock::reply(self, behaviour),
            _ => openai::reply(self, number, behaviour),
        };
        match behaviour.trouble {
            Some(Trouble::WrongJson) => reply.pieces = vec![self.framed(r#"{"unexpected":["shape"]}"#)],
            Some(Trouble::NotJson) if self.stream => reply.pieces = vec![self.framed("<html>no model here</html>")],
            Some(Trouble::NotJson) => {
                reply.media_type = "text/html";
                reply.pieces = vec![Bytes::from_static(b"<!doctype html><title>no model here</title>")];
            }
            _ => {}
        }
        reply
    }

    /// The body of an answer with an error's status, and headers that come with it.
    pub(super) fn refusal(&self, status: u16, code: Option<&str>) -> (String, Vec<(&'static str, String)>) {
        match self.asked {
            Asked::Messages | Asked::CountTokens => (anthropic::error(status, code), Vec::new()),
            Asked::Generate | Asked::EmbedContent | Asked::EmbedContents | Asked::CountContent => {
                (gemini::error(status, code), Vec::new())
            }
            Asked::Converse | Asked::Invoke => {
                let kind = bedrock::error_kind(status, code);
                (r#"{"message":"the script says so"}"#.to_owned(), vec![("x-amzn-errortype", kind.to_owned())])
            }
            _ => (openai::error(status, code), Vec::new()),
        }
    }

    fn framed(&self, json: &str) -> Bytes {
        match (self.stream, self.asked) {
            (false, _) => json.to_owned().into(),
            (true, Asked::Converse) => bedrock::frame("event", "contentBlockDelta", json.as_bytes()),
            (true, _) => format!("data: {json}\n\n").into(),
        }
    }
}

struct Place {
    asked: Asked,
    model: Option<String>,
    stream: bool,
}

fn place(method: &Method, path: &str) -> Option<Place> {
    let named = |asked, model: &str, stream| Some(Place { asked, model: Some(decoded(model)), stream });
    if let Some((_, rest)) = path.split_once("/model/") {
        let (model, action) = rest.rsplit_once('/')?;
        return match action {
            "converse" => named(Asked::Converse, model, false),
            "converse-stream" => named(Asked::Converse, model, true),
            "invoke" => named(Asked::Invoke, model, false),
            _ => None,
        };
    }
    if let Some((_, rest)) = path.split_once("/models/")
        && let Some((model, action)) = rest.rsplit_once(':')
    {
        return match action {
            "generateContent" => named(Asked::Generate, model, false),
            "streamGenerateContent" => named(Asked::Generate, model, true),
            "embedContent" => named(Asked::EmbedContent, model, false),
            "batchEmbedContents" => named(Asked::EmbedContents, model, false),
            "countTokens" => named(Asked::CountContent, model, false),
            _ => None,
        };
    }
    let about = match kept::named(path) {
        Some((_, "")) => matches!(*method, Method::GET | Method::DELETE),
        Some((_, "cancel")) => method == Method::POST,
        Some(_) => method == Method::GET,
        None => false,
    };
    if about {
        return Some(Place { asked: Asked::Kept, model: None, stream: false });
    }
    const PLACES: [(&str, Asked); 10] = [
        ("/chat/completions", Asked::Chat),
        ("/completions", Asked::Completions),
        ("/responses", Asked::Responses),
        ("/responses/compact", Asked::Compact),
        ("/responses/input_tokens", Asked::InputTokens),
        ("/embeddings", Asked::Embeddings),
        ("/moderations", Asked::Moderations),
        ("/rerank", Asked::Rerank),
        ("/messages/count_tokens", Asked::CountTokens),
        ("/messages", Asked::Messages),
    ];
    if method == Method::GET {
        return path.ends_with("/models").then_some(Place { asked: Asked::Models, model: None, stream: false });
    }
    let (_, asked) = PLACES.into_iter().find(|(end, _)| path.ends_with(end))?;
    // Azure names the deployment in the path.
    let deployment = path.split_once("/deployments/").and_then(|(_, rest)| rest.split('/').next()).map(decoded);
    Some(Place { asked, model: deployment, stream: false })
}

/// Undoes `%3A`; what is no escape stays.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()).filter(|_| byte == b'%');
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(meant) => {
                bytes.push(meant);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Text as JSON writes it, with its quotes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A whole answer in two pieces, so that it can break off in its middle.
fn halves(body: String) -> Vec<Bytes> {
    let body = Bytes::from(body);
    let middle = body.len() / 2;
    vec![body.slice(..middle), body.slice(middle..)]
}

/// A tool's arguments as models write them: bit by bit.
fn bits(arguments: &str) -> Vec<String> {
    cut(arguments, 3)
}

const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";
const JSON: &str = "application/json";

/// What breaks every reader of event streams that looks into its events: JSON that is cut, and bytes that are no text.
const GARBAGE: &[u8] = b"data: {\"id\": \"x\", \"choices\": [{\n\ndata\xff\xfe: }{\n\nevent\r\r\ndata: \x00\n\n";
