//! What the spans look like: a question to an agent that searches, calls a tool and answers, in the names of OpenTelemetry's
//! conventions for generative AI.

use super::piece::{Attributes, Piece, What};

pub(crate) const SPANS_PER_TRACE: u64 = 8;
/// Bytes of a span's attributes, about.
const WEIGHT: usize = 1_000;
const SERVICES: [&str; 4] = ["handbook", "support-desk", "claims", "shop-assistant"];
const MODELS: [(&str, &str); 6] = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-haiku-4-5"),
    ("gcp.gemini", "gemini-2.5-flash"),
    ("mistral_ai", "mistral-small"),
];
const WORDS: &str = "the order of customer was delivered late and parcel is damaged please check invoice when can we send another pump \
    with valve warranty covers repair for two years after purchase manual says pressure must be below three bar in winter";
/// Stands in about one text of twenty.
const SELDOM: &str = "refund";
const MILLI: f64 = 1e6;

/// Bits of a number, well stirred; no two numbers give the same.
pub(crate) const fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[derive(Debug)]
struct Dice(u64);

impl Dice {
    const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0)
    }

    const fn below(&mut self, end: usize) -> usize {
        (self.roll() % end as u64) as usize
    }

    fn share(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Nanoseconds around so many milliseconds, with a long tail as latencies have it.
    fn around(&mut self, millis: f64) -> u64 {
        let normal: f64 = (0..12).map(|_| self.share()).sum::<f64>() - 6.0;
        (millis * MILLI * (0.6 * normal).exp()) as u64
    }

    fn words(&mut self, length: usize) -> String {
        let (words, mut text) = (WORDS.split(' ').collect::<Vec<_>>(), String::with_capacity(length + 16));
        if self.below(20) == 0 {
            text.push_str(SELDOM);
        }
        while text.len() < length {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(words[self.below(words.len())]);
        }
        text.truncate(length);
        text
    }
}

/// One span, but for its place in the trace.
struct Part {
    name: String,
    kind: u64,
    attributes: Attributes,
    nanos: u64,
    failed: bool,
}

/// What a trace is about, which its spans share.
struct About {
    provider: &'static str,
    model: &'static str,
}

fn begun(operation: &str) -> Attributes {
    let mut attributes = Attributes::new(9);
    if !operation.is_empty() {
        attributes.text("gen_ai.operation.name", operation);
    }
    attributes.text("session.id", "s-%%%%%%%%");
    attributes.text("user.id", "user-@@@@@");
    attributes
}

/// How much text is missing to the wanted weight, with room for so many names and wrappings.
fn missing(attributes: &Attributes, wrapped: usize) -> usize {
    WEIGHT.saturating_sub(attributes.piece.bytes.len() + wrapped).max(40)
}

fn message(role: &str, text: &str) -> String {
    format!(r#"[{{"role":"{role}","parts":[{{"type":"text","content":"{text}"}}]}}]"#)
}

fn chat(dice: &mut Dice, about: &About) -> Part {
    let mut attributes = begun("chat");
    let failed = dice.below(33) == 0;
    let (nanos, input, output) = (dice.around(900.0), 200 + dice.below(8_000) as u64, 130 + dice.below(900) as u64);
    attributes.text("gen_ai.provider.name", about.provider);
    attributes.text("gen_ai.request.model", about.model);
    attributes.text("gen_ai.response.model", about.model);
    attributes.text("gen_ai.response.id", &format!("chatcmpl-{:016x}", dice.roll()));
    attributes.float("gen_ai.request.temperature", 0.2);
    attributes.int("gen_ai.request.max_tokens", 1024);
    if failed {
        attributes.text("error.type", "rate_limit_exceeded");
    } else {
        attributes.int("gen_ai.usage.input_tokens", input);
        attributes.int("gen_ai.usage.output_tokens", output);
        attributes.int("gen_ai.usage.cache_read.input_tokens", input / 2);
        attributes.list("gen_ai.response.finish_reasons", "stop");
        attributes.float("gen_ai.response.time_to_first_chunk", nanos as f64 / 3e9);
    }
    let text = missing(&attributes, 190);
    let asked = format!("case qx##### {}", dice.words(text * 2 / 3 - 13));
    attributes.text("gen_ai.input.messages", &message("user", &asked));
    attributes.text("gen_ai.output.messages", &message("assistant", &dice.words(text / 3)));
    Part { name: format!("chat {}", about.model), kind: 3, attributes, nanos, failed }
}

fn embeddings(dice: &mut Dice) -> Part {
    let mut attributes = begun("embeddings");
    attributes.text("gen_ai.provider.name", "openai");
    attributes.text("gen_ai.request.model", "text-embedding-3-small");
    attributes.int("gen_ai.usage.input_tokens", 130 + dice.below(60) as u64);
    attributes.int("gen_ai.embeddings.dimension.count", 1536);
    let text = missing(&attributes, 20);
    attributes.text("input.value", &dice.words(text));
    Part { name: "embeddings text-embedding-3-small".into(), kind: 3, attributes, nanos: dice.around(25.0), failed: false }
}

fn retrieval(dice: &mut Dice) -> Part {
    let mut attributes = begun("retrieval");
    attributes.text("gen_ai.data_source.id", "handbook-2026");
    attributes.text("gen_ai.retrieval.query.text", &dice.words(60));
    let text = missing(&attributes, 150) / 2;
    let document = |dice: &mut Dice| {
        format!(r#"{{"id":"doc-{}","score":0.8{},"content":"{}"}}"#, dice.below(9_000), dice.below(99), dice.words(text))
    };
    let documents = format!("[{},{}]", document(dice), document(dice));
    attributes.text("gen_ai.retrieval.documents", &documents);
    Part { name: "retrieval handbook".into(), kind: 3, attributes, nanos: dice.around(30.0), failed: false }
}

fn tool(dice: &mut Dice) -> Part {
    const TOOLS: [&str; 5] = ["order_status", "stock_level", "weather", "calendar", "refund_policy"];
    let (mut attributes, name) = (begun("execute_tool"), TOOLS[dice.below(TOOLS.len())]);
    attributes.text("gen_ai.tool.name", name);
    attributes.text("gen_ai.tool.type", "function");
    attributes.text("gen_ai.tool.call.id", &format!("call_{:016x}", dice.roll()));
    attributes.text("gen_ai.tool.call.arguments", r#"{"case":"qx#####"}"#);
    let text = missing(&attributes, 55);
    attributes.text("gen_ai.tool.call.result", &format!(r#"{{"ok":true,"text":"{}"}}"#, dice.words(text)));
    let failed = dice.below(50) == 0;
    if failed {
        attributes.text("error.type", "timeout");
    }
    Part { name: format!("execute_tool {name}"), kind: 1, attributes, nanos: dice.around(120.0), failed }
}

fn http(dice: &mut Dice) -> Part {
    let mut attributes = begun("");
    attributes.text("http.request.method", "POST");
    attributes.text("url.full", "https://shop.example/api/v2/orders/search?limit=20");
    attributes.text("server.address", "shop.example");
    attributes.int("http.response.status_code", 200);
    let text = missing(&attributes, 30);
    attributes.text("http.response.body", &dice.words(text));
    Part { name: "POST".into(), kind: 3, attributes, nanos: dice.around(80.0), failed: false }
}

fn guardrail(dice: &mut Dice) -> Part {
    let mut attributes = begun("");
    attributes.text("openinference.span.kind", "GUARDRAIL");
    attributes.text("guardrail.name", "no-personal-data");
    attributes.int("guardrail.found", 0);
    let text = missing(&attributes, 20);
    attributes.text("input.value", &dice.words(text));
    Part { name: "guardrail no-personal-data".into(), kind: 1, attributes, nanos: dice.around(8.0), failed: false }
}

/// The whole of it, which ends when its last part has ended.
fn agent(dice: &mut Dice, service: &str, nanos: u64, failed: bool) -> Part {
    let mut attributes = begun("invoke_agent");
    attributes.text("gen_ai.agent.name", service);
    attributes.text("gen_ai.agent.id", &format!("asst_{service}"));
    attributes.text("deployment.region", "eu-1");
    let text = missing(&attributes, 190);
    let asked = format!("case qx##### {}", dice.words(text / 2 - 13));
    attributes.text("gen_ai.input.messages", &message("user", &asked));
    attributes.text("gen_ai.output.messages", &message("assistant", &dice.words(text / 2)));
    Part { name: format!("invoke_agent {service}"), kind: 2, attributes, nanos, failed }
}

fn span(part: &Part, number: u64, begins: u64) -> Piece {
    let mut span = Piece::default();
    span.id(1, 16, What::Trace);
    span.id(2, 8, What::Span(number));
    if number > 0 {
        // The call over HTTP belongs to the tool.
        span.id(4, 8, What::Span(if number == 5 { 4 } else { 0 }));
    }
    span.text(5, &part.name);
    span.number(6, part.kind);
    span.time(7, begins);
    span.time(8, begins + part.nanos);
    span.append(&part.attributes.piece);
    let mut status = Piece::default();
    if part.failed {
        status.text(2, "the other side gave up");
    }
    status.number(3, if part.failed { 2 } else { 1 });
    span.put(15, &status);
    span
}

/// The spans of one trace, and the bytes of their attributes.
fn trace(dice: &mut Dice, service: &str) -> (Vec<Piece>, usize) {
    let (provider, model) = MODELS[dice.below(MODELS.len())];
    let about = About { provider, model };
    let mut parts =
        vec![embeddings(dice), retrieval(dice), chat(dice, &about), tool(dice), http(dice), guardrail(dice), chat(dice, &about)];
    // What a tool asks for is within its time.
    parts[4].nanos = parts[3].nanos * 9 / 10;
    let (mut spans, mut at) = (Vec::new(), 1_000_000);
    for (number, part) in (1..).zip(&parts) {
        spans.push(span(part, number, if number == 5 { at - parts[3].nanos } else { at }));
        at += if number == 5 { 0 } else { part.nanos };
    }
    let whole = agent(dice, service, at + 1_000_000, parts.iter().any(|part| part.failed));
    spans.push(span(&whole, 0, 0));
    let weight = parts.iter().chain([&whole]).map(|part| part.attributes.piece.bytes.len()).sum();
    (spans, weight)
}

/// The body of an export request of so many traces of one service, and the bytes of its spans' attributes.
pub(crate) fn request(number: usize, traces: u64) -> (Piece, usize) {
    let service = SERVICES[number % SERVICES.len()];
    let mut dice = Dice(mix(number as u64));
    let (mut scope, mut of_scope, mut weight) = (Piece::default(), Piece::default(), 0);
    scope.text(1, "opentelemetry.instrumentation.openai");
    scope.text(2, "2.4.0");
    of_scope.put(1, &scope);
    for number in 0..traces {
        let (spans, bytes) = trace(&mut dice, service);
        weight += bytes;
        for mut span in spans {
            span.holes.iter_mut().for_each(|hole| hole.trace = number);
            of_scope.put(2, &span);
        }
    }
    let mut resource = Attributes::new(1);
    resource.text("service.name", service);
    resource.text("service.version", &format!("1.{}.0", number % 3));
    resource.text("deployment.environment.name", "production");
    resource.text("telemetry.sdk.language", "python");
    let (mut of_resource, mut whole) = (Piece::default(), Piece::default());
    of_resource.put(1, &resource.piece);
    of_resource.put(2, &of_scope);
    whole.put(1, &of_resource);
    (whole, weight)
}
