//! `mainspring capture`.

use std::{
    io::{self, Read as _},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use mainspring_wire as wire;

use super::{Session, segment};
use crate::{
    args::{Capture, SetCapture},
    output::{self, dash, line, printable, say, table},
};

/// A little more than a text may have that is tried, so that one that is too long is refused by the server, which knows.
const INPUT_MAX: u64 = 128 * 1024;

pub(crate) async fn run(session: &Session, command: Capture) -> anyhow::Result<ExitCode> {
    let overview: wire::Overview = session.client.get("/api/v1/overview").await?;
    let path = format!("/api/v1/projects/{}/capture", segment(&overview.project));
    match command {
        Capture::Show => show(session, &session.client.get(&path).await?),
        Capture::Set(set) => {
            let now: wire::CaptureView = session.client.get(&path).await?;
            show(session, &session.client.put(&path, &changed(now, *set)?).await?);
        }
        Capture::Preview { text } => {
            let request = wire::PreviewCapture { text: text.map_or_else(input, Ok)?, policy: None };
            let tried: wire::CapturePreview = session.client.post(&format!("{path}/preview"), &request).await?;
            preview(session, &tried);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The policy as it is now with what was said.
fn changed(now: wire::CaptureView, set: SetCapture) -> anyhow::Result<wire::SetCapture> {
    let SetCapture { capture, patterns, without, share, keep_errors, keep_slower_than, hold, expected } = set;
    let mut kept = now.patterns;
    kept.retain(|own| !without.contains(&own.name));
    for pattern in patterns {
        let Some((name, pattern)) = pattern.split_once('=') else { bail!("`{pattern}` is not NAME=REGEX") };
        kept.retain(|own| own.name != name);
        kept.push(wire::CapturePattern { name: name.to_owned(), pattern: pattern.to_owned() });
    }
    Ok(wire::SetCapture {
        capture: capture.or(now.capture).filter(|capture| capture != "server"),
        patterns: kept,
        share: Some(share.unwrap_or(now.share)),
        keep_errors: Some(keep_errors.unwrap_or(now.keep_errors)),
        keep_slower_than_ms: keep_slower_than.or(now.keep_slower_than_ms).filter(|bound| *bound > 0),
        hold_seconds: Some(hold.unwrap_or(now.hold_seconds)),
        // What was not said is as it was read.
        expected: Some(expected.unwrap_or(now.revision)),
    })
}

fn input() -> anyhow::Result<String> {
    let mut text = String::new();
    io::stdin().take(INPUT_MAX).read_to_string(&mut text).context("standard input cannot be read")?;
    Ok(text)
}

fn show(session: &Session, view: &wire::CaptureView) {
    if session.json {
        output::json(view);
        return;
    }
    let kept = view.capture.as_ref().map_or_else(|| "as the server".to_owned(), Clone::clone);
    line(&format!("{} keeps: {} ({kept}; the server keeps {} at most)", view.project, view.effective, view.server));
    let slow = view.keep_slower_than_ms.map_or_else(String::new, |bound| format!(", those slower than {bound} ms"));
    let errors = if view.keep_errors { ", those with errors" } else { "" };
    line(&format!("traces: a share of {}{errors}{slow}; spans are held {} s", view.share, view.hold_seconds));
    line(&format!("revision {}, set {} by {}", view.revision, dash(view.changed_at.as_ref()), dash(view.changed_by.as_ref())));
    if !view.patterns.is_empty() {
        table(&["name", "pattern"], view.patterns.iter().map(|own| vec![own.name.clone(), own.pattern.clone()]).collect());
    }
    let wire::CaptureCounts { kept, left_out_by_share, left_out_by_outcome, left_out_early, held, redacted } = view.here;
    line(&format!(
        "spans here since the start: {kept} kept, {held} held, left out {left_out_by_share} by share, {left_out_by_outcome} \
         by outcome, {left_out_early} early; {redacted} places redacted"
    ));
}

fn preview(session: &Session, tried: &wire::CapturePreview) {
    if session.json {
        output::json(tried);
        return;
    }
    match &tried.text {
        Some(text) => line(&printable(text)),
        None => say(&format!("nothing of it is kept: {}", tried.capture)),
    }
    for found in &tried.found {
        say(&format!("[{}] {} times", found.name, found.count));
    }
}
