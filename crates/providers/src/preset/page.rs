//! Types of providers and known servers as a page of the reference.

use std::fmt::Write as _;

use super::{Known, Preset};
use crate::spec::{ProviderKind, ProviderSpec};

const INTRODUCTION: &str = "Where a provider is reached, and in which variable its key usually lies, where its spec says neither. \
With a `base_url` of one's own the key has to be named: one that usually lies in a variable is sent to the usual address only. \
A preset keeps its habits at any address.\n";

const TYPES: [(ProviderKind, &str); 6] = [
    (ProviderKind::OpenAi, "OpenAI, and every server of its dialect"),
    (ProviderKind::Azure, "OpenAI's models at Azure"),
    (ProviderKind::Anthropic, "Anthropic"),
    (ProviderKind::Gemini, "Google's Gemini"),
    (ProviderKind::Bedrock, "Amazon Bedrock"),
    (ProviderKind::Local, "the models of this process"),
];

/// The whole page below its title.
#[must_use]
pub fn providers() -> String {
    let mut text = format!("{INTRODUCTION}\n## Types\n\n| `type` | Who that is | Address | Key |\n|---|---|---|---|\n");
    for (kind, who) in TYPES {
        let (address, keys) = usual(kind);
        let _ = writeln!(text, "| `{}` | {who} | {address} | {keys} |", kind.as_str());
    }
    text.push_str(
        "\n## Presets\n\nServers that the type `openai` knows by name. A key that is not needed is sent where its variable is set; \
         to a server without `/responses` requests of that endpoint go as chat completions.\n\n\
         | `preset` | Address | Key | Needed | `/responses` |\n|---|---|---|---|---|\n",
    );
    for preset in Preset::ALL {
        let Known { base_url, credential, needs_credential, habits } = preset.known();
        let key = credential.map_or_else(|| "–".to_owned(), |variable| format!("`{variable}`"));
        let (needed, responses) = (yes(needs_credential), yes(habits.responses));
        let _ = writeln!(text, "| `{preset}` | `{base_url}` | {key} | {needed} | {responses} |");
    }
    text
}

/// The usual address of a type, and the variables that its key usually lies in.
fn usual(kind: ProviderKind) -> (String, String) {
    let mut bare = ProviderSpec::of(kind);
    if kind == ProviderKind::Bedrock {
        bare.region = Some("REGION".to_owned());
    }
    let address = match bare.address() {
        Some(address) => format!("`{address}`"),
        None if kind == ProviderKind::Azure => "`base_url` says it".to_owned(),
        None => "–".to_owned(),
    };
    let variables = bare.variables().iter().map(|variable| format!("`{variable}`")).collect::<Vec<_>>().join(", ");
    let keys = match kind {
        ProviderKind::Azure => "`credential` says it".to_owned(),
        _ if variables.is_empty() => "–".to_owned(),
        _ => variables,
    };
    (address, keys)
}

const fn yes(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "–" }
}
