//! Why an answer ended.

use mainspring_llm::exchange::Finish;

/// What a provider says. A reason that is not known here is an end like any other.
pub(super) fn read(reason: &str) -> Finish {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::ContentFilter,
        // The conversation was made shorter, as the client asked, and the answer has not begun.
        "pause_turn" | "compaction" => Finish::Pause,
        _ => Finish::Stop,
    }
}

/// What of an answer decides the reason a client is told.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    pub(super) tools: bool,
    pub(super) refusal: bool,
    pub(super) stop_sequence: bool,
}

/// What clients are told. They run tools only when told `tool_use`, and some servers end every answer with `stop`.
pub(super) const fn write(finish: Finish, seen: Seen) -> &'static str {
    match finish {
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter => "refusal",
        Finish::Pause => "pause_turn",
        Finish::Stop if seen.tools => "tool_use",
        Finish::Stop if seen.refusal => "refusal",
        Finish::Stop if seen.stop_sequence => "stop_sequence",
        Finish::Stop => "end_turn",
    }
}
