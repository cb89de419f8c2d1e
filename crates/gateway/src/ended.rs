//! How a response that was made in the background ended, and what it used: what its call is settled with.

use mainspring_llm::{Provenance, TokenUsage};
use mainspring_providers::{Adapter as _, Operation, openai::OpenAi};
use serde::{Deserialize, Serialize};

use crate::{
    estimate, reckon,
    record::{CallRecord, CallStatus},
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) status: CallStatus,
    /// Absent where nothing was used, as far as anybody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<TokenUsage>,
}

impl Ended {
    /// `worst` is the call as it was let in, `said` the word that the response ended with, and `body` the whole of it.
    pub(crate) fn of(worst: &CallRecord, said: &str, body: &[u8]) -> Self {
        let status = match said {
            "failed" => CallStatus::Failed,
            "cancelled" => CallStatus::Cancelled,
            _ => CallStatus::Ok,
        };
        let mut told = OpenAi { azure: false }.usage(Operation::Responses, body);
        if let Some(usage) = &mut told {
            usage.divide(written(body));
        }
        Self { status, usage: told.or_else(|| guess(worst, status, body)) }
    }
}

fn written(body: &[u8]) -> u64 {
    reckon::tokens(estimate::whole_text(Operation::Responses, body))
}

/// What a response used that does not say so: what its request says, and what is seen of its text. One that failed before it
/// wrote anything used nothing, as far as anybody knows.
fn guess(worst: &CallRecord, status: CallStatus, body: &[u8]) -> Option<TokenUsage> {
    let written = written(body);
    if status == CallStatus::Failed && written == 0 {
        return None;
    }
    let usage = TokenUsage {
        input: worst.usage.input,
        // As of any call: what is seen of one that ended in order counts whatever was allowed.
        output: if status == CallStatus::Ok { written } else { written.min(worst.usage.output) },
        ..TokenUsage::default()
    };
    Some(usage.all_from(Provenance::Estimated)).filter(|usage| !usage.is_nothing())
}
