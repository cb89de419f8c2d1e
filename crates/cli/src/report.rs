//! How a command fails: what, why, what to do. Exit codes: 1 the input, 2 the machine or a server, 3 done in part.

use std::process::ExitCode;

use mainspring_client::ClientFault;

use crate::output::{json, printable, say};

pub(crate) const PARTIAL: u8 = 3;

pub(crate) fn failed(error: &anyhow::Error, as_json: bool) -> ExitCode {
    let refusal = error.chain().find_map(|cause| match cause.downcast_ref::<ClientFault>() {
        Some(ClientFault::Refused(refusal)) => Some(refusal),
        _ => None,
    });
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    if as_json {
        json(&serde_json::json!({
            "error": chain.join(": "),
            "code": refusal.map(|refusal| refusal.code.as_str()),
            "hint": refusal.and_then(|refusal| refusal.hint.as_deref()),
            "request_id": refusal.map(|refusal| refusal.request_id.as_str()),
        }));
    }
    say(&format!("error: {}", printable(&chain.join(": "))));
    if let Some(refusal) = refusal {
        if let Some(hint) = &refusal.hint {
            say(&format!("hint: {}", printable(hint)));
        }
        if !refusal.code.is_empty() {
            // The OpenAI surface writes its codes with underscores.
            say(&format!("code: {} (docs/errors/{}.md)", refusal.code, refusal.code.replace('_', "-")));
        }
    }
    let ours = refusal.is_some_and(|refusal| refusal.status < 500);
    ExitCode::from(if ours { 1 } else { 2 })
}
