//! A trace as a tree of lines, one for each span.

use std::collections::{HashMap, HashSet};

use mainspring_wire as wire;

use crate::output::{dash, printable};

/// Deeper than this a tree is shown no further: a trace that names itself as its parent is somebody's mistake.
pub(crate) const DEPTH_MAX: usize = 64;
/// What comes within so short a time came at once: it says nothing of how fast a model writes.
const WRITING_MIN_MS: f64 = 20.0;

type Below<'t> = HashMap<&'t str, Vec<&'t wire::TreeSpan>>;

/// What the whole trace has and used.
pub(crate) fn summary(totals: &wire::TraceTotals) -> String {
    let wire::TraceTotals { spans, errors, input_tokens, output_tokens, cost, start, duration_ms, .. } = totals;
    let mut facts = vec![format!("{spans} spans from {start}"), format!("took {}", time(*duration_ms))];
    facts.extend((*errors > 0).then(|| format!("{errors} failed")));
    facts.extend(tokens(*input_tokens, *output_tokens));
    facts.extend(cost.as_ref().map(|cost| format!("{cost} dollars")));
    facts.join(", ")
}

/// Spans as far as they can be reached from those whose parents are not here.
pub(crate) fn lines(spans: &[wire::TreeSpan]) -> Vec<String> {
    let known: HashSet<&str> = spans.iter().map(|span| span.span.as_str()).collect();
    let mut below: Below<'_> = HashMap::new();
    let mut roots = Vec::new();
    for span in spans {
        match span.parent.as_deref().filter(|parent| known.contains(parent)) {
            Some(parent) => below.entry(parent).or_default().push(span),
            None => roots.push(span),
        }
    }
    let mut lines = Vec::with_capacity(spans.len());
    for root in roots {
        lines.push(said(root));
        draw(&mut below, root, ("", 1), &mut lines);
    }
    lines
}

fn draw(below: &mut Below<'_>, span: &wire::TreeSpan, (margin, depth): (&str, usize), lines: &mut Vec<String>) {
    if depth > DEPTH_MAX {
        return;
    }
    // Each span is drawn once, also where senders gave several one id: drawn below each of them, a trace would double with
    // every step down.
    let children = below.remove(span.span.as_str()).unwrap_or_default();
    for (at, child) in children.iter().enumerate() {
        let (branch, stem) = if at + 1 == children.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        lines.push(format!("{margin}{branch}{}", said(child)));
        draw(below, child, (&format!("{margin}{stem}"), depth + 1), lines);
    }
}

fn said(span: &wire::TreeSpan) -> String {
    let wire::TreeSpan { name, model, status, error, duration_ms, first_token_ms, cost, .. } = span;
    let mut facts = vec![name.clone(), time(*duration_ms)];
    facts.extend(match (error, status.as_str()) {
        (Some(error), _) => Some(format!("✗ {error}")),
        (None, "error") => Some("✗".to_owned()),
        (None, "ok") => Some("ok".to_owned()),
        (None, _) => None,
    });
    // An attempt is named after the provider and the model that were asked.
    facts.extend(model.clone().filter(|model| !name.contains(model.as_str())));
    facts.extend(tokens(span.input_tokens, span.output_tokens));
    facts.extend(cost.as_ref().map(|cost| format!("{cost} dollars")));
    facts.extend(first_token_ms.map(|first| format!("first token after {}", time(first))));
    facts.extend(speed(span).map(|speed| format!("{speed:.1} tokens/s")));
    printable(&facts.join("  ")).replace(['\n', '\t'], " ")
}

fn tokens(input: Option<u64>, output: Option<u64>) -> Option<String> {
    (input.is_some() || output.is_some()).then(|| format!("{} → {} tokens", dash(input), dash(output)))
}

/// Tokens a second after the first.
fn speed(span: &wire::TreeSpan) -> Option<f64> {
    let writing = span.duration_ms - span.first_token_ms?;
    let written = span.output_tokens.filter(|written| *written > 0)?;
    (writing > WRITING_MIN_MS).then(|| written as f64 / writing * 1000.0)
}

fn time(millis: f64) -> String {
    match millis {
        ..10.0 => format!("{millis:.1} ms"),
        ..1000.0 => format!("{millis:.0} ms"),
        _ => format!("{:.1} s", millis / 1000.0),
    }
}
