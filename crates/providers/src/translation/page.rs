//! The tables as a page of the reference.

use std::fmt::Write as _;

use super::{
    Client, Fate, Server,
    answers::{self, ROWS},
    endings, requests,
};

const INTRODUCTION: &str = "Where client and provider speak the same dialect, requests and answers go through as they came: nothing is lost, \
fields that nobody here knows included. Everywhere else they are translated, and these tables say what becomes of each part: \
*yes*, it is said in the provider's words; *left out*, it changes no answer and is named in the header `x-mainspring-lost`; \
*refused*, the answer would be another without it, so the call goes to the route's next target or is answered with \
[`upstream-unsupported`](../errors/upstream-unsupported.md). They were made by translating, for one model of each provider; \
what depends on the model is said in the guides. Recorded traffic with real providers is translated too: of requests to chat \
completions, Responses and Anthropic's messages, a test fails where something that was read is neither said nor named. What is \
lost is listed, with how often, in `crates/providers/src/recorded/requests.txt` and `answers.txt`; what reading leaves behind is \
listed there only where a dialect is said again in itself, which chat completions and Anthropic's messages are.\n";

/// The whole page below its title.
#[must_use]
pub fn page() -> String {
    let mut text = format!("{INTRODUCTION}\n## Requests\n");
    for client in Client::ALL {
        let servers: Vec<&str> = client.servers().iter().map(|server| server.name()).collect();
        let _ = write!(text, "\n### {}\n\n", client.name());
        head(&mut text, "What is said", &servers);
        for (what, fates) in requests::table(client) {
            line(&mut text, what, fates.iter().map(shown));
        }
    }
    let clients = Client::ALL.map(Client::name);
    text.push_str("\n## Answers\n\nOf answers as the providers' references show them.\n");
    for server in Server::ALL {
        let _ = write!(text, "\n### {}\n\n", server.name());
        head(&mut text, "What is said", &clients);
        for row in ROWS.iter().filter(|row| row.server == server) {
            let told = |fate: &Option<bool>| match fate {
                None => "as it came",
                Some(true) => "yes",
                Some(false) => "left out",
            };
            line(&mut text, row.what, answers::fates(row).iter().map(|fate| told(fate).to_owned()));
        }
    }
    text.push_str("\n## Why an answer ended\n\n");
    head(&mut text, "The provider's word", &clients);
    for (server, reason, words) in endings::table() {
        line(&mut text, &format!("{}: `{reason}`", server.name()), words.iter().map(|word| format!("`{word}`")));
    }
    text
}

fn head(text: &mut String, first: &str, others: &[&str]) {
    let _ = writeln!(text, "| {first} | {} |", others.join(" | "));
    let _ = writeln!(text, "|---|{}", "---|".repeat(others.len()));
}

fn line(text: &mut String, what: &str, cells: impl Iterator<Item = String>) {
    let _ = writeln!(text, "| {what} | {} |", cells.collect::<Vec<_>>().join(" | "));
}

fn shown(fate: &Fate) -> String {
    let named = |fields: &[String]| fields.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ");
    match fate {
        Fate::Kept => "yes".to_owned(),
        Fate::Changed(fields) => format!("yes, changed: {}", named(fields)),
        Fate::Lost(fields) => format!("left out: {}", named(fields)),
        Fate::Refused => "refused".to_owned(),
        Fate::Gone => "not said".to_owned(),
    }
}
