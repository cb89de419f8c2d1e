//! Things to say, one at a time, as the dialects of clients say them.

use super::Client;

pub(super) struct Row {
    pub(super) what: &'static str,
    /// What shows on the other side that it was said.
    pub(super) marks: &'static [&'static str],
    /// Fields in place of those of a plain request.
    chat: Option<&'static str>,
    responses: Option<&'static str>,
    messages: Option<&'static str>,
}

impl Row {
    pub(super) const fn said(&self, client: Client) -> Option<&'static str> {
        match client {
            Client::Chat => self.chat,
            Client::Responses => self.responses,
            Client::Messages => self.messages,
        }
    }
}

const IN_NO_DIALECT: Row = Row { what: "", marks: &[], chat: None, responses: None, messages: None };

pub(super) const ROWS: &[Row] = &[
    Row {
        what: "Instructions",
        marks: &["mark-1"],
        chat: Some(r#"{"messages": [{"role": "developer", "content": "mark-1"}, {"role": "user", "content": "hello"}]}"#),
        responses: Some(r#"{"instructions": "mark-1"}"#),
        messages: Some(r#"{"system": "mark-1"}"#),
    },
    Row {
        what: "Instructions between turns",
        marks: &["mark-1"],
        chat: Some(
            r#"{"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}, {"role": "system", "content": "mark-1"}, {"role": "user", "content": "go on"}]}"#,
        ),
        responses: Some(
            r#"{"input": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}, {"role": "system", "content": "mark-1"}, {"role": "user", "content": "go on"}]}"#,
        ),
        ..IN_NO_DIALECT
    },
    Row {
        what: "Who of several speaks",
        marks: &["mark-name"],
        chat: Some(r#"{"messages": [{"role": "user", "name": "mark-name", "content": "hello"}]}"#),
        ..IN_NO_DIALECT
    },
    Row {
        what: "A mark up to which is cached",
        marks: &["ephemeral | cachePoint"],
        chat: Some(
            r#"{"messages": [{"role": "user", "content": [{"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}]}]}"#,
        ),
        messages: Some(
            r#"{"messages": [{"role": "user", "content": [{"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}]}]}"#,
        ),
        ..IN_NO_DIALECT
    },
    Row {
        what: "An image, sent along",
        marks: &["bWFyay1pbWFnZQ=="],
        chat: Some(
            r#"{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,bWFyay1pbWFnZQ=="}}]}]}"#,
        ),
        responses: Some(
            r#"{"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,bWFyay1pbWFnZQ=="}]}]}"#,
        ),
        messages: Some(
            r#"{"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "bWFyay1pbWFnZQ=="}}]}]}"#,
        ),
    },
    Row {
        what: "An image, by its address",
        marks: &["https://mark.example/a.png"],
        chat: Some(
            r#"{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://mark.example/a.png"}}]}]}"#,
        ),
        responses: Some(
            r#"{"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://mark.example/a.png"}]}]}"#,
        ),
        messages: Some(
            r#"{"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://mark.example/a.png"}}]}]}"#,
        ),
    },
    Row {
        what: "How closely an image is looked at",
        marks: &[r#""detail":"low" | mediaResolution"#],
        chat: Some(
            r#"{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,bWFyay1pbWFnZQ==", "detail": "low"}}]}]}"#,
        ),
        responses: Some(
            r#"{"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,bWFyay1pbWFnZQ==", "detail": "low"}]}]}"#,
        ),
        ..IN_NO_DIALECT
    },
    Row {
        what: "Sound",
        marks: &["bWFyay1zb3VuZA=="],
        chat: Some(
            r#"{"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "bWFyay1zb3VuZA==", "format": "wav"}}]}]}"#,
        ),
        responses: Some(
            r#"{"input": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "bWFyay1zb3VuZA==", "format": "wav"}}]}]}"#,
        ),
        ..IN_NO_DIALECT
    },
    Row {
        what: "A PDF, sent along",
        marks: &["bWFyay1maWxl"],
        chat: Some(
            r#"{"messages": [{"role": "user", "content": [{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,bWFyay1maWxl"}}]}]}"#,
        ),
        responses: Some(
            r#"{"input": [{"role": "user", "content": [{"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,bWFyay1maWxl"}]}]}"#,
        ),
        messages: Some(
            r#"{"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "bWFyay1maWxl"}}]}]}"#,
        ),
    },
    Row {
        what: "A PDF, by its address",
        marks: &["https://mark.example/a.pdf"],
        responses: Some(
            r#"{"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://mark.example/a.pdf"}]}]}"#,
        ),
        messages: Some(
            r#"{"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "url", "url": "https://mark.example/a.pdf"}}]}]}"#,
        ),
        ..IN_NO_DIALECT
    },
    Row {
        what: "A file that a provider keeps",
        marks: &["file-mark"],
        chat: Some(r#"{"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-mark"}}]}]}"#),
        responses: Some(r#"{"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-mark"}]}]}"#),
        messages: Some(
            r#"{"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "file-mark"}}]}]}"#,
        ),
    },
    Row {
        what: "A document to be cited",
        marks: &[r#""citations""#],
        messages: Some(
            r#"{"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "mark"}, "citations": {"enabled": true}}]}]}"#,
        ),
        ..IN_NO_DIALECT
    },
    Row {
        what: "Functions",
        marks: &["mark_tool", "mark-2", "mark_field"],
        chat: Some(
            r#"{"tools": [{"type": "function", "function": {"name": "mark_tool", "description": "mark-2", "parameters": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}}]}"#,
        ),
        responses: Some(
            r#"{"tools": [{"type": "function", "name": "mark_tool", "description": "mark-2", "parameters": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}]}"#,
        ),
        messages: Some(
            r#"{"tools": [{"name": "mark_tool", "description": "mark-2", "input_schema": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}]}"#,
        ),
    },
    Row {
        what: "Functions whose arguments must fit",
        marks: &[r#""strict":true"#],
        chat: Some(
            r#"{"tools": [{"type": "function", "function": {"name": "mark_tool", "description": "mark-2", "strict": true, "parameters": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}}]}"#,
        ),
        responses: Some(
            r#"{"tools": [{"type": "function", "name": "mark_tool", "description": "mark-2", "strict": true, "parameters": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}]}"#,
        ),
        messages: Some(
            r#"{"tools": [{"name": "mark_tool", "description": "mark-2", "strict": true, "input_schema": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}]}"#,
        ),
    },
    Row {
        what: "A function that must be called",
        marks: &[r#""tool_choice":{"type":"function" | "tool_choice":{"type":"tool" | allowedFunctionNames | "tool":{"name""#],
        chat: Some(
            r#"{"tools": [{"type": "function", "function": {"name": "mark_tool", "description": "mark-2", "parameters": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}}], "tool_choice": {"type": "function", "function": {"name": "mark_tool"}}}"#,
        ),
        responses: Some(
            r#"{"tools": [{"type": "function", "name": "mark_tool", "description": "mark-2", "parameters": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}], "tool_choice": {"type": "function", "name": "mark_tool"}}"#,
        ),
        messages: Some(
            r#"{"tools": [{"name": "mark_tool", "description": "mark-2", "input_schema": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}], "tool_choice": {"type": "tool", "name": "mark_tool"}}"#,
        ),
    },
    Row {
        what: "Some function must be called",
        marks: &[r#""tool_choice":"required" | "type":"any" | "mode":"ANY" | "any":{}"#],
        chat: Some(
            r#"{"tools": [{"type": "function", "function": {"name": "mark_tool", "description": "mark-2", "parameters": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}}], "tool_choice": "required"}"#,
        ),
        responses: Some(
            r#"{"tools": [{"type": "function", "name": "mark_tool", "description": "mark-2", "parameters": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}], "tool_choice": "required"}"#,
        ),
        messages: Some(
            r#"{"tools": [{"name": "mark_tool", "description": "mark-2", "input_schema": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}], "tool_choice": {"type": "any"}}"#,
        ),
    },
    Row {
        what: "One call at a time",
        marks: &[r#""parallel_tool_calls":false | "disable_parallel_tool_use":true"#],
        chat: Some(
            r#"{"tools": [{"type": "function", "function": {"name": "mark_tool", "description": "mark-2", "parameters": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}}], "parallel_tool_calls": false}"#,
        ),
        responses: Some(
            r#"{"tools": [{"type": "function", "name": "mark_tool", "description": "mark-2", "parameters": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}], "parallel_tool_calls": false}"#,
        ),
        messages: Some(
            r#"{"tools": [{"name": "mark_tool", "description": "mark-2", "input_schema": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}], "tool_choice": {"type": "auto", "disable_parallel_tool_use": true}}"#,
        ),
    },
    Row {
        what: "Several calls and their results",
        marks: &["mark-a", "mark-b"],
        chat: Some(
            r#"{"tools": [{"type": "function", "function": {"name": "mark_tool", "description": "mark-2", "parameters": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}}], "messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": null, "tool_calls": [{"id": "call_a", "type": "function", "function": {"name": "mark_tool", "arguments": "{\"mark_field\": \"a\"}"}}, {"id": "call_b", "type": "function", "function": {"name": "mark_tool", "arguments": "{\"mark_field\": \"b\"}"}}]}, {"role": "tool", "tool_call_id": "call_a", "content": "mark-a"}, {"role": "tool", "tool_call_id": "call_b", "content": "mark-b"}]}"#,
        ),
        responses: Some(
            r#"{"tools": [{"type": "function", "name": "mark_tool", "description": "mark-2", "parameters": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}], "input": [{"role": "user", "content": "hello"}, {"type": "function_call", "call_id": "call_a", "name": "mark_tool", "arguments": "{\"mark_field\": \"a\"}"}, {"type": "function_call", "call_id": "call_b", "name": "mark_tool", "arguments": "{\"mark_field\": \"b\"}"}, {"type": "function_call_output", "call_id": "call_a", "output": "mark-a"}, {"type": "function_call_output", "call_id": "call_b", "output": "mark-b"}]}"#,
        ),
        messages: Some(
            r#"{"tools": [{"name": "mark_tool", "description": "mark-2", "input_schema": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}], "messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_a", "name": "mark_tool", "input": {"mark_field": "a"}}, {"type": "tool_use", "id": "toolu_b", "name": "mark_tool", "input": {"mark_field": "b"}}]}, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_a", "content": "mark-a"}, {"type": "tool_result", "tool_use_id": "toolu_b", "content": "mark-b"}]}]}"#,
        ),
    },
    Row {
        what: "A result that is an error",
        marks: &[r#""is_error":true | "status":"error" | "error":"#],
        messages: Some(
            r#"{"tools": [{"name": "mark_tool", "description": "mark-2", "input_schema": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}], "messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_a", "name": "mark_tool", "input": {"mark_field": "a"}}]}, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_a", "is_error": true, "content": "mark-a"}]}]}"#,
        ),
        ..IN_NO_DIALECT
    },
    Row {
        what: "An image in a result",
        marks: &["bWFyay1pbWFnZQ=="],
        responses: Some(
            r#"{"tools": [{"type": "function", "name": "mark_tool", "description": "mark-2", "parameters": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}], "input": [{"role": "user", "content": "hello"}, {"type": "function_call", "call_id": "call_a", "name": "mark_tool", "arguments": "{\"mark_field\": \"a\"}"}, {"type": "function_call_output", "call_id": "call_a", "output": [{"type": "input_image", "image_url": "data:image/png;base64,bWFyay1pbWFnZQ=="}]}]}"#,
        ),
        messages: Some(
            r#"{"tools": [{"name": "mark_tool", "description": "mark-2", "input_schema": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}], "messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_a", "name": "mark_tool", "input": {"mark_field": "a"}}]}, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_a", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "bWFyay1pbWFnZQ=="}}]}]}]}"#,
        ),
        ..IN_NO_DIALECT
    },
    Row {
        what: "Tools that take text (`custom`)",
        marks: &["mark_custom", "mark-2", "input"],
        responses: Some(r#"{"tools": [{"type": "custom", "name": "mark_custom", "description": "mark-2"}]}"#),
        ..IN_NO_DIALECT
    },
    Row {
        what: "Calls of tools that take text, and their results",
        marks: &["mark-text", "mark-a"],
        responses: Some(
            r#"{"tools": [{"type": "custom", "name": "mark_custom", "description": "mark-2"}], "input": [{"role": "user", "content": "hello"}, {"type": "custom_tool_call", "call_id": "call_a", "name": "mark_custom", "input": "mark-text"}, {"type": "custom_tool_call_output", "call_id": "call_a", "output": "mark-a"}]}"#,
        ),
        ..IN_NO_DIALECT
    },
    Row {
        what: "A search for tools that the client makes (`tool_search`), and what it found",
        marks: &["mark_find", "mark__found", "mark-a"],
        responses: Some(
            r#"{"tools": [{"type": "tool_search", "execution": "client", "description": "mark_find"}], "input": [{"role": "user", "content": "hello"}, {"type": "tool_search_call", "call_id": "call_a", "execution": "client", "arguments": {"query": "mark-a"}}, {"type": "tool_search_output", "call_id": "call_a", "execution": "client", "tools": [{"type": "namespace", "name": "mark", "tools": [{"type": "function", "name": "found"}]}]}]}"#,
        ),
        ..IN_NO_DIALECT
    },
    Row {
        what: "The shell of the client (`local_shell`)",
        marks: &["local_shell"],
        responses: Some(r#"{"tools": [{"type": "local_shell"}]}"#),
        ..IN_NO_DIALECT
    },
    Row {
        what: "Tools that a provider runs",
        marks: &["mark_shell | web_search"],
        chat: Some(r#"{"tools": [{"type": "custom", "custom": {"name": "mark_shell"}}]}"#),
        responses: Some(r#"{"tools": [{"type": "web_search"}]}"#),
        messages: Some(r#"{"tools": [{"type": "web_search_20250305", "name": "web_search"}]}"#),
    },
    Row {
        what: "Any JSON object",
        marks: &["json_object | application/json | one JSON object"],
        chat: Some(r#"{"response_format": {"type": "json_object"}}"#),
        responses: Some(r#"{"text": {"format": {"type": "json_object"}}}"#),
        ..IN_NO_DIALECT
    },
    Row {
        what: "JSON of a schema",
        marks: &["mark_field"],
        chat: Some(
            r#"{"response_format": {"type": "json_schema", "json_schema": {"name": "a", "strict": true, "schema": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}}}"#,
        ),
        responses: Some(
            r#"{"text": {"format": {"type": "json_schema", "name": "a", "strict": true, "schema": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}}}"#,
        ),
        messages: Some(
            r#"{"output_config": {"format": {"type": "json_schema", "schema": {"type": "object", "properties": {"mark_field": {"type": "string"}}, "required": ["mark_field"], "additionalProperties": false}}}}"#,
        ),
    },
    Row {
        what: "How long the answer may be",
        marks: &[":77"],
        chat: Some(r#"{"max_completion_tokens": 77}"#),
        responses: Some(r#"{"max_output_tokens": 77}"#),
        messages: Some(r#"{"max_tokens": 77}"#),
    },
    Row {
        what: "`temperature`",
        marks: &["0.625"],
        chat: Some(r#"{"temperature": 0.625}"#),
        responses: Some(r#"{"temperature": 0.625}"#),
        messages: Some(r#"{"temperature": 0.625}"#),
    },
    Row {
        what: "`top_p`",
        marks: &["0.875"],
        chat: Some(r#"{"top_p": 0.875}"#),
        responses: Some(r#"{"top_p": 0.875}"#),
        messages: Some(r#"{"top_p": 0.875}"#),
    },
    Row { what: "`top_k`", marks: &[":41"], chat: Some(r#"{"top_k": 41}"#), messages: Some(r#"{"top_k": 41}"#), ..IN_NO_DIALECT },
    Row {
        what: "Stop sequences",
        marks: &["mark-stop"],
        chat: Some(r#"{"stop": ["mark-stop"]}"#),
        messages: Some(r#"{"stop_sequences": ["mark-stop"]}"#),
        ..IN_NO_DIALECT
    },
    Row { what: "`seed`", marks: &[":424242"], chat: Some(r#"{"seed": 424242}"#), ..IN_NO_DIALECT },
    Row {
        what: "Penalties",
        marks: &["0.375", "0.125"],
        chat: Some(r#"{"frequency_penalty": 0.375, "presence_penalty": 0.125}"#),
        ..IN_NO_DIALECT
    },
    Row { what: "Several answers (`n`)", marks: &[r#""n":3 | "candidateCount":3"#], chat: Some(r#"{"n": 3}"#), ..IN_NO_DIALECT },
    Row {
        what: "Log probabilities",
        marks: &[r#""logprobs":true | "responseLogprobs":true"#],
        chat: Some(r#"{"logprobs": true, "top_logprobs": 5}"#),
        responses: Some(r#"{"include": ["message.output_text.logprobs"], "top_logprobs": 5}"#),
        ..IN_NO_DIALECT
    },
    Row { what: "`logit_bias`", marks: &["50256"], chat: Some(r#"{"logit_bias": {"50256": -100}}"#), ..IN_NO_DIALECT },
    Row {
        what: "How much to think, in a word",
        marks: &["high | HIGH | budget_tokens | thinkingBudget"],
        chat: Some(r#"{"reasoning_effort": "high", "max_completion_tokens": 40000}"#),
        responses: Some(r#"{"reasoning": {"effort": "high"}, "max_output_tokens": 40000}"#),
        messages: Some(r#"{"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}, "max_tokens": 40000}"#),
    },
    Row {
        what: "How much to think, in tokens",
        marks: &[r#"2048 | "reasoning_effort""#],
        messages: Some(r#"{"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 4096}"#),
        ..IN_NO_DIALECT
    },
    Row {
        what: "A summary of the thinking",
        marks: &[r#"summary | includeThoughts | "thinking":{"type""#],
        responses: Some(r#"{"reasoning": {"effort": "high", "summary": "auto"}, "max_output_tokens": 40000}"#),
        ..IN_NO_DIALECT
    },
    Row {
        what: "Thinking that comes back",
        marks: &["bWFyay1zaWduYXR1cmU= | mark-sealed | mark-thought"],
        chat: Some(
            r#"{"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "reasoning_content": "mark-thought", "content": "hi"}, {"role": "user", "content": "go on"}]}"#,
        ),
        responses: Some(
            r#"{"input": [{"role": "user", "content": "hello"}, {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "mark-sealed"}, {"role": "assistant", "content": "hi"}, {"role": "user", "content": "go on"}]}"#,
        ),
        messages: Some(
            r#"{"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "bWFyay1zaWduYXR1cmU="}, {"type": "text", "text": "hi"}]}, {"role": "user", "content": "go on"}]}"#,
        ),
    },
    Row {
        what: "Sealed thinking that comes back",
        marks: &["bWFyay1zZWFsZWQ="],
        messages: Some(
            r#"{"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "bWFyay1zZWFsZWQ="}, {"type": "text", "text": "hi"}]}, {"role": "user", "content": "go on"}]}"#,
        ),
        ..IN_NO_DIALECT
    },
    Row {
        what: "For whom the call is made",
        marks: &["mark-user"],
        chat: Some(r#"{"user": "mark-user"}"#),
        responses: Some(r#"{"user": "mark-user"}"#),
        messages: Some(r#"{"metadata": {"user_id": "mark-user"}}"#),
    },
    Row {
        what: "Notes kept with a call",
        marks: &["mark-team"],
        chat: Some(r#"{"metadata": {"team": "mark-team"}}"#),
        responses: Some(r#"{"metadata": {"team": "mark-team"}}"#),
        messages: Some(r#"{"metadata": {"team": "mark-team"}}"#),
    },
    Row {
        what: "The tier of the service",
        marks: &[r#""flex" | "standard_only" | "default""#],
        chat: Some(r#"{"service_tier": "flex"}"#),
        responses: Some(r#"{"service_tier": "flex"}"#),
        messages: Some(r#"{"service_tier": "standard_only"}"#),
    },
    Row {
        what: "`prompt_cache_key`",
        marks: &["mark-key"],
        chat: Some(r#"{"prompt_cache_key": "mark-key"}"#),
        responses: Some(r#"{"prompt_cache_key": "mark-key"}"#),
        ..IN_NO_DIALECT
    },
    Row {
        what: "`store`",
        marks: &[r#""store":true"#],
        chat: Some(r#"{"store": true}"#),
        responses: Some(r#"{"store": true}"#),
        ..IN_NO_DIALECT
    },
    Row {
        what: "`previous_response_id`",
        marks: &["resp_mark"],
        responses: Some(r#"{"previous_response_id": "resp_mark"}"#),
        ..IN_NO_DIALECT
    },
    Row { what: "`background`", marks: &["background"], responses: Some(r#"{"background": true}"#), ..IN_NO_DIALECT },
    Row {
        what: "`verbosity`",
        marks: &["verbosity"],
        chat: Some(r#"{"verbosity": "low"}"#),
        responses: Some(r#"{"text": {"verbosity": "low"}}"#),
        ..IN_NO_DIALECT
    },
    Row {
        what: "`prediction`",
        marks: &["mark-prediction"],
        chat: Some(r#"{"prediction": {"type": "content", "content": "mark-prediction"}}"#),
        ..IN_NO_DIALECT
    },
    Row {
        what: "Spoken answers",
        marks: &["mark-voice"],
        chat: Some(r#"{"modalities": ["text", "audio"], "audio": {"voice": "mark-voice", "format": "wav"}}"#),
        ..IN_NO_DIALECT
    },
    Row {
        what: "Functions in the older form (`functions`)",
        marks: &["mark_function", "mark-1", "mark-2"],
        chat: Some(
            r#"{"functions": [{"name": "mark_function", "description": "mark-1", "parameters": {"type": "object", "properties": {"mark_field": {"type": "string"}}}}], "function_call": "auto", "messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": null, "function_call": {"name": "mark_function", "arguments": "{\"mark_field\": \"a\"}"}}, {"role": "function", "name": "mark_function", "content": "mark-2"}]}"#,
        ),
        ..IN_NO_DIALECT
    },
    Row {
        what: "`web_search_options`",
        marks: &["web_search_options"],
        chat: Some(r#"{"web_search_options": {}}"#),
        ..IN_NO_DIALECT
    },
    Row {
        what: "`context_management`",
        marks: &["clear_thinking"],
        messages: Some(r#"{"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}}"#),
        ..IN_NO_DIALECT
    },
    Row {
        what: "Fields that nobody here knows",
        marks: &["mark-novel"],
        chat: Some(r#"{"novel": "mark-novel"}"#),
        responses: Some(r#"{"novel": "mark-novel"}"#),
        messages: Some(r#"{"novel": "mark-novel"}"#),
    },
    Row {
        what: "Fields that nobody here knows, of a message and within it",
        marks: &["mark-novel"],
        chat: Some(
            r#"{"messages": [{"role": "user", "novel": "mark-novel", "content": [{"type": "text", "text": "hello", "novel": "mark-novel"}]}]}"#,
        ),
        responses: Some(
            r#"{"input": [{"role": "user", "novel": "mark-novel", "content": [{"type": "input_text", "text": "hello", "novel": "mark-novel"}]}]}"#,
        ),
        messages: Some(
            r#"{"messages": [{"role": "user", "novel": "mark-novel", "content": [{"type": "text", "text": "hello", "novel": "mark-novel"}]}]}"#,
        ),
    },
];
