//! How a command fails: what, why, what to do. Exit codes: 1 the input, 2 the machine or a server, 3 done in part.

use std::{error::Error, io, process::ExitCode};

use mainspring_client::ClientFault;
use mainspring_config::ConfigFault;
use mainspring_importers::ImportFault;
use mainspring_kernel::{
    Fault, FaultKind,
    actor::RoleFault,
    digest::DigestFault,
    id::IdFault,
    name::{KindFault, NameFault, RefFault},
};
use mainspring_server::{BootFault, LockFault};
use mainspring_telemetry::LogFault;
use mainspring_weights::WeightsFault;
use serde_json::{Value, json};

use crate::{
    commands::{following::Unfollowed, onward::Uncollected},
    output::{self, printable, say},
};

pub(crate) const PARTIAL: u8 = 3;

/// What a failure says beside its message.
#[derive(Default)]
struct Told {
    code: Option<String>,
    hint: Option<String>,
    request_id: Option<String>,
    /// The input is at fault, not the machine.
    by_input: bool,
}

/// The failure as data.
pub(crate) fn value(error: &anyhow::Error) -> Value {
    let Told { code, hint, request_id, .. } = told(error);
    json!({"error": whole(error), "code": code, "hint": hint, "request_id": request_id})
}

pub(crate) fn failed(error: &anyhow::Error, as_json: bool) -> ExitCode {
    if as_json {
        output::json(&value(error));
    }
    let told = told(error);
    say(&format!("error: {}", printable(&whole(error))));
    if let Some(hint) = &told.hint {
        say(&format!("hint: {}", printable(hint)));
    }
    if let Some(code) = &told.code {
        // The OpenAI surface writes its codes with underscores.
        say(&format!("code: {code} (docs/errors/{}.md)", code.replace('_', "-")));
    }
    ExitCode::from(if told.by_input { 1 } else { 2 })
}

/// The message with its causes; one that only passes its source on is not said twice.
fn whole(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = error.chain().map(ToString::to_string).collect();
    parts.dedup();
    parts.join(": ")
}

/// The outermost cause that says more than a message.
fn told(error: &anyhow::Error) -> Told {
    error.chain().find_map(of_cause).unwrap_or_else(|| {
        // A command that finds fault with its arguments says so in words of its own; nothing lies below.
        let only_words = error.chain().count() == 1 && (error.is::<String>() || error.is::<&'static str>());
        Told { by_input: only_words, ..Told::default() }
    })
}

fn of_cause(cause: &(dyn Error + 'static)) -> Option<Told> {
    if let Some(lost) = cause.downcast_ref::<Unfollowed>() {
        let code = Some("ingest-not-followed".to_owned());
        return Some(Told { code, hint: Some(lost.hint()), ..Told::default() });
    }
    if cause.is::<Uncollected>() {
        let code = Some("collector-unreachable".to_owned());
        return Some(Told { code, hint: Some(Uncollected::hint()), ..Told::default() });
    }
    if let Some(fault) = cause.downcast_ref() {
        return Some(of_client(fault));
    }
    let own = as_fault::<BootFault>(cause)
        .or_else(|| as_fault::<LockFault>(cause))
        .or_else(|| as_fault::<ConfigFault>(cause))
        .or_else(|| as_fault::<WeightsFault>(cause))
        .or_else(|| as_fault::<ImportFault>(cause));
    if let Some(fault) = own {
        let by_input = is_input(fault.kind());
        return Some(Told { code: Some(fault.code().to_owned()), hint: fault.hint(), by_input, ..Told::default() });
    }
    if cause.is::<LogFault>() {
        let hint = Some("`log.filter` and `log.format` are settings; `mainspring config show --origin` shows them".to_owned());
        return Some(Told { code: Some("config-invalid".to_owned()), hint, by_input: true, ..Told::default() });
    }
    let names = cause.is::<KindFault>() || cause.is::<NameFault>() || cause.is::<RefFault>();
    let words = cause.is::<IdFault>() || cause.is::<RoleFault>() || cause.is::<DigestFault>();
    let file = cause.downcast_ref().is_some_and(is_wrong_file) || cause.is::<yaml_serde::Error>();
    (names || words || file).then(|| Told { by_input: true, ..Told::default() })
}

fn as_fault<'a, F: Fault>(cause: &'a (dyn Error + 'static)) -> Option<&'a dyn Fault> {
    cause.downcast_ref::<F>().map(|fault| fault as &dyn Fault)
}

fn of_client(fault: &ClientFault) -> Told {
    match fault {
        ClientFault::Refused(refusal) => Told {
            code: Some(refusal.code.clone()).filter(|code| !code.is_empty()),
            hint: refusal.hint.clone(),
            request_id: Some(refusal.request_id.clone()).filter(|id| !id.is_empty()),
            // Too long and too much at once are not the input's doing.
            by_input: matches!(refusal.status, 400..=499 | 501) && !matches!(refusal.status, 408 | 429),
        },
        ClientFault::Unreachable { .. } => Told {
            code: Some("server-unreachable".to_owned()),
            hint: Some("start it with `mainspring serve`, or name another with --url".to_owned()),
            ..Told::default()
        },
        ClientFault::Broken { .. } | ClientFault::Unsendable { .. } | ClientFault::Unreadable { .. } => Told::default(),
    }
}

const fn is_input(kind: FaultKind) -> bool {
    match kind {
        FaultKind::Invalid
        | FaultKind::Unauthenticated
        | FaultKind::Forbidden
        | FaultKind::NotFound
        | FaultKind::Conflict
        | FaultKind::TooLarge
        | FaultKind::Unsupported => true,
        FaultKind::Saturated | FaultKind::Timeout | FaultKind::Unavailable | FaultKind::Internal => false,
    }
}

/// A file that was named and is not there, or is not what it should be.
fn is_wrong_file(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | IsADirectory | InvalidData | InvalidInput)
}
