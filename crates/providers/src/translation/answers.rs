//! Answers: what clients get of what providers said. The answers are made after the providers' references.

use mainspring_llm::exchange::Answer;

use super::{Client, Server, holds};
use crate::{anthropic, openai, seam::adapter};

/// Something an answer says, and how it is known again.
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) server: Server,
    pub(super) body: &'static str,
    pub(super) marks: &'static [&'static str],
}

const fn row(server: Server, body: &'static str, what: &'static str, marks: &'static [&'static str]) -> Row {
    Row { what, server, body, marks }
}

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("../../fixtures/", $name))
    };
}

const OPENAI_TOOLS: &str = recorded!("openai/chat_tools.json");
const OPENAI_REFUSAL: &str = recorded!("openai/chat_refusal.json");
const OPENAI_AUDIO: &str = recorded!("openai/chat_audio.json");
const OPENAI_ROUTER: &str = recorded!("openai/chat_openrouter.json");
const OPENAI_TEXT: &str = recorded!("openai/chat_text.json");
const CLAUDE_TOOLS: &str = recorded!("anthropic/message_tools.json");
const CLAUDE_SEARCH: &str = recorded!("anthropic/message_search.json");
const CLAUDE_CACHED: &str = recorded!("anthropic/message_cached.json");
const GEMINI_TOOLS: &str = recorded!("gemini/tools.json");
const GEMINI_SIGNED: &str = recorded!("gemini/signed_text.json");
const GEMINI_DRAWN: &str = recorded!("gemini/drawn.json");
const GEMINI_GROUNDED: &str = recorded!("gemini/grounded.json");
const GEMINI_TWO: &str = recorded!("gemini/two_candidates.json");
const GEMINI_TEXT: &str = recorded!("gemini/text.json");
const BEDROCK_TOOLS: &str = recorded!("bedrock/tools.json");
const BEDROCK_CITED: &str = recorded!("bedrock/cited.json");
const BEDROCK_STOPPED: &str = recorded!("bedrock/stopped.json");

pub(super) const ROWS: &[Row] = &[
    row(Server::OpenAi, OPENAI_TEXT, "Text", &["Mainspring listens on port 7400."]),
    row(
        Server::OpenAi,
        OPENAI_TOOLS,
        "Several calls of functions",
        &["call_6iDdnXVxJTvXVQYqHhmy2Amb", "call_T7HnZ5WmVf3s0y8ugRkKpAJd"],
    ),
    row(Server::OpenAi, OPENAI_REFUSAL, "A refusal", &["I cannot help with that."]),
    row(Server::OpenAi, OPENAI_AUDIO, "Sound", &["UklGRiQAAABXQVZFZm10IBAAAAABAAEA"]),
    row(Server::OpenAi, OPENAI_ROUTER, "Thinking", &["The question is about the Eiffel tower."]),
    row(Server::OpenAi, OPENAI_ROUTER, "The signature of thinking", &["ErUBCkYIBRgCIkDZlq0fYw=="]),
    row(Server::OpenAi, OPENAI_ROUTER, "Sources", &["https://example.org/tower"]),
    row(Server::OpenAi, OPENAI_TEXT, "Tokens from the cache", &["_tokens\":1024"]),
    row(Server::OpenAi, OPENAI_ROUTER, "Tokens of thinking", &["_tokens\":11"]),
    row(Server::OpenAi, OPENAI_AUDIO, "Tokens of sound", &["_tokens\":63", "_tokens\":108"]),
    row(Server::OpenAi, OPENAI_TEXT, "The fingerprint of the system", &["fp_34a54ae93c"]),
    row(Server::Anthropic, CLAUDE_TOOLS, "Text", &["Ich sehe nach. ☂"]),
    row(
        Server::Anthropic,
        CLAUDE_TOOLS,
        "Several calls of functions",
        &["toolu_01A09q90qw90lq917835lq9", "toolu_01B09q90qw90lq917835lq9"],
    ),
    row(Server::Anthropic, CLAUDE_TOOLS, "Thinking", &["Two cities are asked for"]),
    row(
        Server::Anthropic,
        CLAUDE_TOOLS,
        "The signature of thinking",
        &["EqQBCgIYAhIkN2ZlMGI5/+Zz09YzE3ZTk4NDdjZGY1YmE0NWU4OGFkMTQyY2U="],
    ),
    row(
        Server::Anthropic,
        CLAUDE_TOOLS,
        "Sealed thinking",
        &["EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIwxtE3rAFBa8cr3qpP"],
    ),
    row(Server::Anthropic, CLAUDE_SEARCH, "Calls of tools that Anthropic runs", &["srvtoolu_01WYG3ziw53XMcoyKL4XcZmE"]),
    row(Server::Anthropic, CLAUDE_SEARCH, "Citations", &["Eo8BCioIAhgBIiQyYjQ0OWJmZi1lNm.."]),
    row(Server::Anthropic, CLAUDE_CACHED, "Tokens from the cache", &["_tokens\":18930"]),
    row(Server::Anthropic, CLAUDE_CACHED, "Tokens written to the cache", &["_tokens\":1248"]),
    row(Server::Anthropic, CLAUDE_TOOLS, "Tokens of thinking", &["_tokens\":61"]),
    row(Server::Gemini, GEMINI_TEXT, "Text", &["The Danube rises in the Black Forest."]),
    row(Server::Gemini, GEMINI_TOOLS, "Several calls of functions", &["Ulm", "Linz"]),
    row(Server::Gemini, GEMINI_TOOLS, "Thinking", &["Both towns are asked for."]),
    row(Server::Gemini, GEMINI_TOOLS, "The signature of thinking", &["CiIBcsjaf9+Q0rGm/dJ4cYk1bQ=="]),
    row(Server::Gemini, GEMINI_TOOLS, "The signature of a call", &["CqYBcsjafzW/+3gbV8y0Kk3iX1Zt5nE0uQ=="]),
    row(Server::Gemini, GEMINI_SIGNED, "The signature of a text", &["EjQKMgEMOdbHVa5m1/r8yT+k="]),
    row(Server::Gemini, GEMINI_DRAWN, "An image", &["iVBORw0KGgoAAAANSUhEUg=="]),
    row(Server::Gemini, GEMINI_DRAWN, "Sound", &["AAABAAI="]),
    row(Server::Gemini, GEMINI_GROUNDED, "Code that Google ran", &["print(2**10)"]),
    row(Server::Gemini, GEMINI_GROUNDED, "Sources", &["uefa.com"]),
    row(Server::Gemini, GEMINI_TWO, "A second answer", &["Second"]),
    row(Server::Gemini, GEMINI_TWO, "Log probabilities", &["-0.03"]),
    row(Server::Gemini, GEMINI_TEXT, "Tokens of thinking", &["_tokens\":224"]),
    row(Server::Gemini, GEMINI_DRAWN, "Tokens of images", &["_tokens\":1290"]),
    row(Server::Bedrock, BEDROCK_TOOLS, "Text", &["I will look."]),
    row(
        Server::Bedrock,
        BEDROCK_TOOLS,
        "Several calls of functions",
        &["tooluse_hbTgdi0CSLq_hM4P8csZJA", "tooluse_kZJMlvQmRJ6eAyJE5GIl7Q"],
    ),
    row(Server::Bedrock, BEDROCK_TOOLS, "Thinking", &["Two towns are asked for."]),
    row(Server::Bedrock, BEDROCK_TOOLS, "The signature of thinking", &["ErUBCkYIBxgCIkDcX0+/q1n8Q=="]),
    row(Server::Bedrock, BEDROCK_TOOLS, "Sealed thinking", &["EmwKAhgBEgy3va3pzix/Lafp"]),
    row(Server::Bedrock, BEDROCK_CITED, "Citations", &["Opening hours"]),
    row(Server::Bedrock, BEDROCK_CITED, "An image", &["iVBORw0KGgo="]),
    row(Server::Bedrock, BEDROCK_STOPPED, "The stop sequence that was met", &["\"END\""]),
    row(Server::Bedrock, BEDROCK_TOOLS, "Tokens from the cache", &["_tokens\":2048"]),
    row(Server::Bedrock, BEDROCK_TOOLS, "Tokens written to the cache", &["_tokens\":500"]),
];

/// What clients of each dialect get of it; nothing where they get the answer as it came.
pub(super) fn fates(row: &Row) -> Vec<Option<bool>> {
    let answer = decoded(row.server, row.body);
    let told = |client: Client| {
        let as_it_came = matches!((client, row.server), (Client::Chat, Server::OpenAi) | (Client::Messages, Server::Anthropic));
        let answer = answer.as_ref()?;
        (!as_it_came).then(|| holds(&written(client, answer), row.marks))
    };
    Client::ALL.into_iter().map(told).collect()
}

pub(super) fn decoded(server: Server, body: &str) -> Option<Answer> {
    adapter(server.kind())?.decode(&server.endpoint()?, body.as_bytes()).ok()
}

/// An answer as a client of this dialect gets it.
pub(super) fn written(client: Client, answer: &Answer) -> String {
    match client {
        Client::Chat => openai::chat::write(answer, 0, "m").to_string(),
        Client::Responses => openai::responses::write(answer, 0, "m").to_string(),
        Client::Messages => anthropic::write(answer).to_string(),
    }
}
