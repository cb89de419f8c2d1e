//! What a span says, in one model.

use std::borrow::Cow;

use mainspring_llm::{
    Span,
    trace::{SpanStatus, names},
};
use serde::Serialize;
use serde_json::Value;

use super::{
    aliases::{self, Fact},
    contents::FIRST_TOKEN_EVENTS,
    counted::{Quantity, Uses},
    kinds::{self, SpanType},
    said::Said,
    usage::{self, Tokens},
    values::{self, micros, moment, text, words},
};
use crate::pricing::{self, ESTIMATE};

type Word<'a> = Option<Cow<'a, str>>;

/// Read from the attributes of a span by the alias table; the attributes themselves stay as they came.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Facts<'a> {
    #[serde(rename = "type")]
    pub kind: SpanType,
    pub operation: Word<'a>,
    pub provider: Word<'a>,
    pub request_model: Word<'a>,
    pub response_model: Word<'a>,
    #[serde(flatten)]
    pub tokens: Tokens,
    /// Billionths of a US dollar.
    pub cost: Option<i64>,
    /// Microseconds from the start of the span to the first piece of the answer.
    pub first_token: Option<i64>,
    pub user: Word<'a>,
    pub session: Word<'a>,
    pub tags: Vec<Cow<'a, str>>,
    pub app: Word<'a>,
    /// The key a call of this gateway was made with.
    pub key: Word<'a>,
    pub service: Word<'a>,
    pub environment: Word<'a>,
    /// The version of the app or service.
    pub release: Word<'a>,
    /// `name@version`, or the name alone.
    pub prompt: Word<'a>,
    pub error_type: Word<'a>,
    /// Whether its usage counts: `None` where it says none, or is a part of what the span above it says; `false` where a span
    /// beneath it says the same usage.
    pub counted: Option<bool>,
    /// Of usage that does not count, what does all the same: a span beneath it says the rest. Only the table says so.
    #[serde(skip)]
    pub(crate) counted_part: Option<Quantity>,
    /// Its trace is entered by it for want of an entry. No span says so: the table does.
    #[serde(skip)]
    pub adopted: bool,
    /// Which of its user, session and app it took from other spans of its trace (`belonging.rs`). Only the table says so.
    #[serde(skip)]
    pub lent: Option<i64>,
}

impl<'a> Facts<'a> {
    #[must_use]
    pub fn of(span: &'a Span) -> Self {
        if is_ours(span) { ours(span) } else { theirs(span) }
    }

    /// The same, with nothing borrowed.
    #[must_use]
    pub fn into_owned(self) -> Facts<'static> {
        fn own(word: Word<'_>) -> Word<'static> {
            word.map(|word| Cow::Owned(word.into_owned()))
        }
        Facts {
            kind: self.kind,
            operation: own(self.operation),
            provider: own(self.provider),
            request_model: own(self.request_model),
            response_model: own(self.response_model),
            tokens: self.tokens,
            cost: self.cost,
            first_token: self.first_token,
            user: own(self.user),
            session: own(self.session),
            tags: self.tags.into_iter().map(|tag| Cow::Owned(tag.into_owned())).collect(),
            app: own(self.app),
            key: own(self.key),
            service: own(self.service),
            environment: own(self.environment),
            release: own(self.release),
            prompt: own(self.prompt),
            error_type: own(self.error_type),
            counted: self.counted,
            counted_part: self.counted_part,
            adopted: self.adopted,
            lent: self.lent,
        }
    }

    /// This of its usage is said by others, and counts there.
    pub(crate) fn cover(&mut self, said: Uses) {
        let counted = (self.counted, self.counted_part);
        (self.counted, self.counted_part) = Uses::of(self).covered(counted, said);
    }

    /// The model that was asked; where nobody says, the one that answered.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.request_model.as_deref().or(self.response_model.as_deref())
    }
}

const MILLI: f64 = 1e3;
const SECOND: f64 = 1e6;

/// What is said of anybody's span: that something was forgotten or redacted, and for how many spans it stands.
const OF_ANYBODY: [&str; 3] = [names::FORGOTTEN, names::REDACTED, names::SAMPLING_WEIGHT];

/// Nobody outside speaks our words: what comes from there under them is renamed. Some are said of anybody's span, as what it
/// probably cost is.
pub(crate) fn is_ours(span: &Span) -> bool {
    let ours = |name: &String| name.starts_with("mainspring.") && !OF_ANYBODY.contains(&name.as_str());
    span.attributes.keys().any(|name| ours(name) && !name.starts_with(ESTIMATE))
}

fn theirs(span: &Span) -> Facts<'_> {
    let said = Said::by(span);
    let word = |fact: Fact| said.value(fact).and_then(text);
    let kind = said.kind();
    let (tokens, cost) = (Tokens::of(&said), cost(span, &said));
    let [request_model, response_model] = models(&said);
    // Noughts are what an instrumentation says that was told nothing.
    let says_usage = Uses::read([tokens.input, tokens.output], cost).any();
    Facts {
        kind,
        operation: word(Fact::Operation).or_else(|| kind.operation().map(Cow::Borrowed)),
        provider: word(Fact::Provider).map(kinds::provider),
        request_model,
        response_model,
        tokens,
        cost,
        first_token: first_token(span, &said),
        user: word(Fact::User),
        session: word(Fact::Session),
        tags: said.value(Fact::Tags).map(words).unwrap_or_default(),
        app: None,
        key: None,
        service: word(Fact::Service),
        environment: word(Fact::Environment),
        release: word(Fact::Release),
        prompt: prompt(&said),
        error_type: word(Fact::Error).or_else(|| exception(span)),
        counted: says_usage.then_some(true),
        counted_part: None,
        adopted: false,
        lent: None,
    }
}

/// The model that was asked, and the one that answered. A call that failed may say only with what it was made.
fn models<'a>(said: &Said<'a>) -> [Word<'a>; 2] {
    let word = |fact: Fact| said.value(fact).and_then(text);
    let among = |parameters: &Value| {
        let parameters = values::opened(parameters);
        let named = ["model", "model_name"].iter().find_map(|name| text(parameters.get(*name)?).map(Cow::into_owned));
        named.map(Cow::Owned)
    };
    let asked = word(Fact::RequestModel).or_else(|| said.value(Fact::Parameters).and_then(among));
    let answered = word(Fact::ResponseModel);
    match asked {
        Some(asked) => [Some(asked), answered.or_else(|| word(Fact::Model))],
        None => [word(Fact::Model), answered],
    }
}

/// What its sender says, otherwise what it probably was.
fn cost(span: &Span, said: &Said<'_>) -> Option<i64> {
    usage::cost(said).or_else(|| span.attributes.get(pricing::COST).and_then(values::nanos))
}

/// A call of a model, as far as it is priced.
#[derive(Debug)]
pub(crate) struct Unpriced<'a> {
    pub(crate) provider: Word<'a>,
    /// The one that was asked, and the one that answered where that is another.
    pub(crate) models: [Word<'a>; 2],
    pub(crate) tokens: Tokens,
}

/// The call that a span from outside tells of, if it says no cost.
pub(crate) fn unpriced(span: &Span) -> Option<Unpriced<'_>> {
    if is_ours(span) {
        return None;
    }
    let said = Said::by(span);
    let word = |fact: Fact| said.value(fact).and_then(text);
    let [asked, answered] = models(&said);
    let answered = answered.filter(|model| asked.as_ref() != Some(model));
    let call =
        || Unpriced { provider: word(Fact::Provider).map(kinds::provider), models: [asked, answered], tokens: Tokens::of(&said) };
    cost(span, &said).is_none().then(call)
}

fn first_token(span: &Span, said: &Said<'_>) -> Option<i64> {
    let after = |moment: mainspring_kernel::Timestamp| {
        Some(moment.as_micros().saturating_sub(span.start.as_micros())).filter(|micros| *micros >= 0)
    };
    let told = said.value(Fact::FirstTokenMillis).and_then(|value| micros(value, MILLI));
    told.or_else(|| said.value(Fact::FirstTokenSeconds).and_then(|value| micros(value, SECOND)))
        .or_else(|| said.value(Fact::FirstTokenAt).and_then(moment).and_then(after))
        .or_else(|| {
            let pieces = span.events.iter().filter(|event| FIRST_TOKEN_EVENTS.contains(&event.name.as_str()));
            pieces.map(|event| event.at).min().and_then(after)
        })
}

fn prompt<'a>(said: &Said<'a>) -> Word<'a> {
    let named = said.value(Fact::Prompt).and_then(text);
    let Some(name) = named else { return said.value(Fact::Prompts).and_then(first_prompt).map(Cow::Owned) };
    match said.value(Fact::PromptVersion).and_then(text) {
        Some(version) => Some(format!("{name}@{version}").into()),
        None => Some(name),
    }
}

fn first_prompt(value: &Value) -> Option<String> {
    let list = values::opened(value);
    let first = list.as_array()?.first()?;
    let name = text(first.get("name")?)?;
    let version = first.get("version").and_then(text);
    Some(version.map_or_else(|| name.clone().into_owned(), |version| format!("{name}@{version}")))
}

/// Of a span that failed and names no type of error itself.
fn exception(span: &Span) -> Word<'_> {
    let failed = matches!(span.status, SpanStatus::Error(_));
    let raised = span.events.iter().filter(|event| failed && event.name == "exception");
    raised.filter_map(|event| event.attributes.get("exception.type")).find_map(text)
}

/// The same facts of a span of this server, whose words are known without a table.
fn ours(span: &Span) -> Facts<'_> {
    let mut facts = Facts::default();
    let (mut is_call, mut is_attempt, mut told_beneath, mut versions) = (false, false, false, None);
    for (name, value) in &span.attributes {
        let (word, number) = (|| text(value), || values::count(value));
        match name.as_str() {
            names::OPERATION => facts.operation = word(),
            names::PROVIDER => facts.provider = word().map(kinds::provider),
            names::REQUEST_MODEL => facts.request_model = word(),
            names::RESPONSE_MODEL => facts.response_model = word(),
            names::INPUT_TOKENS => facts.tokens.input = number(),
            names::OUTPUT_TOKENS => facts.tokens.output = number(),
            names::CACHED_TOKENS => facts.tokens.cache_read = number(),
            CACHE_WRITE => facts.tokens.cache_write = number(),
            REASONING => facts.tokens.reasoning = number(),
            aliases::COST => facts.cost = values::nanos(value),
            names::FIRST_TOKEN_MS => facts.first_token = micros(value, MILLI),
            names::USER => facts.user = word(),
            names::CONVERSATION => facts.session = word(),
            "mainspring.metadata.tags" => facts.tags = words(value),
            names::APP => facts.app = word(),
            names::KEY => facts.key = word(),
            names::ERROR => facts.error_type = word(),
            names::VERSIONS => versions = value.as_array(),
            CALL => is_call = true,
            TARGET => is_attempt = true,
            names::USAGE_BENEATH => told_beneath = true,
            _ => {}
        }
    }
    let said = facts.operation.as_deref().and_then(SpanType::of_word);
    facts.kind = said.unwrap_or_default();
    let used =
        |kind: &str| versions.into_iter().flatten().filter_map(Value::as_str).find_map(|version| version.strip_prefix(kind));
    facts.prompt = used("prompt/").map(|version| Cow::Borrowed(named(version)));
    facts.release = used("app/").and_then(|version| named(version).rsplit_once('@')).map(|(_, version)| Cow::Borrowed(version));
    facts.tokens = facts.tokens.cut();
    if facts.kind == SpanType::Agent {
        // Whoever asks an app names the app where a model would be named.
        facts.request_model = None;
    }
    let says_usage = facts.tokens.input.is_some() || facts.tokens.output.is_some() || facts.cost.is_some();
    // The call above an attempt says what all its attempts used. An agent's usage is that of the calls beneath it.
    let is_part = is_attempt && !is_call;
    facts.counted = (says_usage && !is_part).then_some(!told_beneath && facts.kind != SpanType::Agent);
    facts
}

/// Of `name@v3#digest`.
fn named(version: &str) -> &str {
    version.split('#').next().unwrap_or_default()
}

const CACHE_WRITE: &str = "gen_ai.usage.cache_write.input_tokens";
const REASONING: &str = "gen_ai.usage.reasoning.output_tokens";
const CALL: &str = "mainspring.call";
const TARGET: &str = "mainspring.target";
