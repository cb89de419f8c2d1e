//! `mainspring replay`: an answer again, and what is different.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::Context;
use mainspring_wire as wire;
use similar::{ChangeTag, TextDiff};

use super::{Session, segment};
use crate::{
    args::Replay,
    output::{self, dash, line, printable, say},
};

/// Where fewer than one word in this many is shared, marks around words are noise.
const ALIKE_MIN: usize = 3;

pub(crate) async fn run(session: &Session, replay: &Replay) -> anyhow::Result<ExitCode> {
    let with: BTreeMap<String, String> = replay
        .with
        .iter()
        .map(|swap| swap.split_once('=').map(|(kind, reference)| (kind.to_owned(), reference.to_owned())))
        .collect::<Option<_>>()
        .context("write a swap as KIND=REF, such as prompt=answer@candidate")?;
    let request = wire::ReplayRequest { with, span: replay.span.clone() };
    let result: wire::Replay =
        session.client.post(&format!("/api/v1/traces/{}/replay", segment(&replay.trace)), &request).await?;
    if session.json {
        output::json(&result);
        return Ok(ExitCode::SUCCESS);
    }
    for version in result.versions.iter().filter(|version| version.original != version.replayed) {
        say(&format!("  {}: {} → {}", version.what, dash(version.original.as_deref()), dash(version.replayed.as_deref())));
    }
    for note in &result.notes {
        say(&format!("  {}", printable(note)));
    }
    if result.same {
        line("same answer");
        line(&printable(&result.replayed));
    } else {
        line("different answer");
        for changed in difference(&result.original, &result.replayed) {
            line(&printable(&changed));
        }
    }
    show_passages("passages gone", '-', &result.sources.gone);
    show_passages("passages new", '+', &result.sources.new);
    Ok(ExitCode::SUCCESS)
}

fn show_passages(what: &str, sign: char, passages: &[wire::ReplayPassage]) {
    if passages.is_empty() {
        return;
    }
    line(what);
    for passage in passages {
        line(&printable(&format!("{sign} {}", place(passage))));
    }
}

fn place(passage: &wire::ReplayPassage) -> String {
    if passage.uri.is_empty() {
        return passage.chunk.clone();
    }
    // The first heading of a page is often its title again.
    let headings = passage.heading_path.iter().skip_while(|heading| **heading == passage.title).map(String::as_str);
    let place = std::iter::once(passage.title.as_str()).chain(headings).collect::<Vec<_>>().join(" > ");
    let page = passage.page.map(|page| format!(", page {page}")).unwrap_or_default();
    format!("{place}{page}  {}  {}", passage.uri, passage.chunk)
}

/// Lines of both answers: kept ones indented, changed ones under `-` and `+`, and in those `[-…-]` and `{+…+}` around
/// the words that differ.
pub(crate) fn difference(original: &str, replayed: &str) -> Vec<String> {
    let lines = TextDiff::from_lines(original, replayed);
    let mut shown = Vec::new();
    let (mut old, mut new) = (String::new(), String::new());
    for change in lines.iter_all_changes() {
        match change.tag() {
            ChangeTag::Delete => old.push_str(change.value()),
            ChangeTag::Insert => new.push_str(change.value()),
            ChangeTag::Equal => {
                changed(&mut shown, &std::mem::take(&mut old), &std::mem::take(&mut new));
                shown.push(format!("  {}", change.value().trim_end_matches(['\r', '\n'])));
            }
        }
    }
    changed(&mut shown, &old, &new);
    shown
}

fn changed(shown: &mut Vec<String>, old: &str, new: &str) {
    let words = TextDiff::from_words(old, new);
    let shared = words.iter_all_changes().filter(|change| change.tag() == ChangeTag::Equal && !change.value().trim().is_empty());
    let longer = old.split_whitespace().count().max(new.split_whitespace().count());
    let marked = shared.count() * ALIKE_MIN >= longer && !old.is_empty() && !new.is_empty();
    let side = |tag: ChangeTag, (open, close): (&str, &str)| -> String {
        let mut text = String::new();
        for change in words.iter_all_changes().filter(|change| change.tag() == tag || change.tag() == ChangeTag::Equal) {
            let word = change.value();
            if change.tag() == ChangeTag::Equal || !marked || word.trim().is_empty() {
                text.push_str(word);
            } else {
                text.push_str(&format!("{open}{word}{close}"));
            }
        }
        text
    };
    let removed = side(ChangeTag::Delete, ("[-", "-]"));
    let added = side(ChangeTag::Insert, ("{+", "+}"));
    shown.extend(removed.lines().map(|line| format!("- {line}")));
    shown.extend(added.lines().map(|line| format!("+ {line}")));
}
