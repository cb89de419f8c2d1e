//! The table as a page of the reference.

use std::fmt::Write as _;

use super::{
    aliases::{ALIASES, Convention, Fact},
    contents::{CONTENTS, DETAIL_EVENTS, FIRST_TOKEN_EVENTS, MESSAGE_EVENTS, PREFIXES},
    kinds::{PROVIDERS, WORDS},
};

const INTRODUCTION: &str = "Instrumentations give the same thing many names. Spans are stored with the attributes they came with; \
these tables say from which of them the columns of a span, its messages and its documents are read. Of several names that a span \
carries, the upper one counts. Names under `mainspring.` are this server's own: from outside they are stored under \
`client.mainspring.` and read as nothing.\n";

/// What is read, as a reader would say it, and from which facts.
const SECTIONS: &[(&str, &[Fact])] = &[
    ("`type`: what kind of work it is", &[Fact::Type, Fact::Operation]),
    ("`provider`", &[Fact::Provider]),
    ("`model`: the model that was asked", &[Fact::RequestModel]),
    ("The same: `model` among the parameters of the call", &[Fact::Parameters]),
    ("`response_model`: the model that answered", &[Fact::ResponseModel]),
    ("`response_model` where it is known which model was asked, otherwise `model`", &[Fact::Model]),
    ("`input_tokens`", &[Fact::InputTokens]),
    ("`output_tokens`", &[Fact::OutputTokens]),
    ("`cache_read_tokens`, a part of the input", &[Fact::CacheRead]),
    ("`cache_write_tokens`, a part of the input", &[Fact::CacheWrite]),
    ("`reasoning_tokens`, a part of the output", &[Fact::Reasoning]),
    ("All tokens together: what is missing of a sum", &[Fact::TotalTokens]),
    ("Several numbers of tokens in one object", &[Fact::Usage]),
    ("`cost`, in billionths of a US dollar", &[Fact::Cost, Fact::InputCost, Fact::OutputCost, Fact::Costs]),
    ("`first_token`: milliseconds", &[Fact::FirstTokenMillis]),
    ("`first_token`: seconds", &[Fact::FirstTokenSeconds]),
    ("`first_token`: the moment itself", &[Fact::FirstTokenAt]),
    ("`user`", &[Fact::User]),
    ("`session`", &[Fact::Session]),
    ("`tags`", &[Fact::Tags]),
    ("`app`", &[Fact::App]),
    ("`key`", &[Fact::Key]),
    ("`service`", &[Fact::Service]),
    ("`environment`", &[Fact::Environment]),
    ("`release`: the version of the app or service", &[Fact::Release]),
    ("`prompt`: name and version", &[Fact::Prompt, Fact::PromptVersion, Fact::Prompts]),
    ("`error_type`", &[Fact::Error]),
];

const CONTENT_SECTIONS: &[(&str, &[Fact])] = &[
    ("What was asked", &[Fact::Input]),
    ("What was answered", &[Fact::Output]),
    ("Instructions to the model", &[Fact::System]),
    ("Tools the model was told of", &[Fact::Tools]),
    ("What was searched for", &[Fact::Query]),
    ("What was found", &[Fact::Documents]),
    ("The tool that was called", &[Fact::ToolName, Fact::ToolCall]),
    ("The same, where a span of the type `tool` says no more than its own name", &[Fact::StepName]),
    ("What a tool was given", &[Fact::ToolArguments]),
    ("What a tool gave back", &[Fact::ToolResult]),
    ("Other content", &[Fact::Content]),
];

/// The whole page below its title.
#[must_use]
pub fn page() -> String {
    let mut text = format!("{INTRODUCTION}\n## Columns\n");
    for (what, facts) in SECTIONS {
        section(&mut text, what, facts);
    }
    text.push_str(USAGE);
    text.push_str("\n## Messages and documents\n\n");
    text.push_str(MESSAGES);
    text.push_str(STEPS);
    for (what, facts) in CONTENT_SECTIONS {
        section(&mut text, what, facts);
    }
    events(&mut text);
    words(&mut text);
    text
}

fn section(text: &mut String, what: &str, facts: &[Fact]) {
    let _ = write!(text, "\n### {what}\n\n| Attribute | Convention |\n|---|---|\n");
    let of = |fact: &Fact| facts.contains(fact);
    for (_, spoken, name) in ALIASES.iter().chain(CONTENTS).filter(|(fact, ..)| of(fact)) {
        row(text, &format!("`{name}`"), *spoken);
    }
    for (_, spoken, prefix) in PREFIXES.iter().filter(|(fact, ..)| of(fact)) {
        row(text, &format!("`{prefix}N…`"), *spoken);
    }
}

fn row(text: &mut String, what: &str, spoken: Convention) {
    let _ = writeln!(text, "| {what} | {} |", spoken.as_str());
}

const USAGE: &str = "
## Tokens and money

`input_tokens` is everything that was read, cached or not, and `output_tokens` everything that was written, reasoning included; \
parts are never added to the whole. Where the parts a sender names are larger than its whole, it counted them beside it, as \
Anthropic does with what comes from a cache, and they are added once. So they are where a span carries a bare `input_tokens`, \
which Claude Code writes. The numbers in `langfuse.observation.usage_details` do not overlap: those of the input are added up, \
and those of the output, unless they are in the words of OpenAI. A `details.*` number is a part like any other. A call \
that names a model and tokens and no cost is priced by the project's prices and the built-in ones: that is an estimate, and \
`mainspring.estimate.cost` and what stands beside it say so. Tokens of a model that no table knows have no cost.

## What counts

Several spans of a trace may say the same usage: an agent says what its calls used, a caller says what the gateway says too. \
Tokens and cost are settled apart. Each row has a column `counted`, which is true where all of its usage counts; where only one of \
the two does, it is false, and the column `counted_part` says which: `tokens` or `cost`. So tokens are summed up where `counted or \
counted_part = 'tokens'`, and cost where `counted or counted_part = 'cost'`. The numbers themselves stay as the span says them, \
whether they count or not.

- A span that says no tokens and no cost, or noughts only, has nothing to count: null.
- A span's tokens count unless a span beneath it, in the same trace and project, says tokens too, and its cost unless one beneath \
it says a cost: of an agent that says both above calls that say tokens only, the cost counts.
- What lies beneath a tool is another piece of work and does not make what stands above the tool count less; \
neither do embeddings and rerankings beneath anything but a search or other work of their kind.
- What an event that was logged in a span says counts where that span says no usage itself; where it says one of the two, the \
other counts unless a span beneath it says that.
- Of this server's own calls, the call counts, with all its attempts; an attempt is a part of it (null), and an app's usage is \
that of its calls (false).

The parent, its child and what lies between them may come in any order and in different batches. Each batch is settled together \
with what is stored of its traces, before it can be found: a parent that comes later does not count, and one that was counted \
stops counting when its child comes. Where two servers take a parent and its child at the same moment, both count until another \
span of the trace comes.
";

const MESSAGES: &str = "Messages of every convention are read as a role and parts: `text`, `reasoning`, `tool_call`, \
`tool_call_response`, `uri`, `blob`, `file`, and `other` for what is in no known shape. JSON that was written as text is opened, and a text that MLflow or OpenLLMetry wrote as JSON stands without its quotes. \
Attributes that end in `N…` are lists written as many attributes. These names, and those of events below, are what the settings \
`metadata` and `none` of `traces.capture` leave out, and in events under `gen_ai.` whatever no convention knows; `none` also leaves out users and sessions under all their names.\n";

const STEPS: &str = "\nMany conventions have one pair of names for what goes into a step and what comes out of it. Of a span of the \
type `tool` these are the tool's arguments and its result, where it has no names of their own for them, and its name is the last \
resort for the tool's. Of one of the type `retriever` what came out is what was found, where it is a list of documents or of texts, \
alone or under `documents`, `results`, `docs`, `matches`, `chunks` or `nodes`; and what went in is what was searched for, where it is \
a text or an object that holds one.\n";

fn events(text: &mut String) {
    text.push_str("\n### Events\n\n| Event | What is read from it |\n|---|---|\n");
    for (event, role) in MESSAGE_EVENTS {
        let _ = writeln!(text, "| `{event}` | a message, of `{role}` where it does not say |");
    }
    for event in DETAIL_EVENTS {
        let _ = writeln!(text, "| `{event}` | messages under the names above |");
    }
    for event in FIRST_TOKEN_EVENTS {
        let _ = writeln!(text, "| `{event}` | the first one is the first token |");
    }
}

fn words(text: &mut String) {
    text.push_str("\n## Words\n\nLetter case does not matter.\n\n### Types\n\n| `type` | Words |\n|---|---|\n");
    let list = |words: &[&str]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    for (kind, words) in WORDS {
        let _ = writeln!(text, "| `{}` | {} |", kind.as_str(), list(words));
    }
    text.push_str(
        "\nOf `ai.operationId`, what ends in `.doGenerate` or `.doStream` is a `chat`, in `.doEmbed` an `embedding`; `ai.toolCall` \
         is a `tool`, and the others are the chains around them. A span that names no type is a `tool`, a `retriever` or a `chat` if \
         it carries what only those carry.\n\n### Providers\n\n| `provider` | Words |\n|---|---|\n",
    );
    for (provider, words) in PROVIDERS {
        let _ = writeln!(text, "| `{provider}` | {} |", list(words));
    }
}
