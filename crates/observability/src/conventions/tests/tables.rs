//! The tables themselves.

use std::collections::HashSet;

use mainspring_llm::trace::names;

use super::super::{
    aliases::{self, Convention, Fact, alias, all},
    contents::{PREFIXES, is_content_of_event},
    is_content, is_person, may_be_content_of_event, page,
};

#[test]
fn no_name_stands_in_the_tables_twice() {
    let mut known = HashSet::new();
    for (_, _, name) in all() {
        assert!(known.insert(name), "`{name}` stands there twice");
    }
    let prefixes: HashSet<&str> = PREFIXES.iter().map(|(.., prefix)| *prefix).collect();
    assert_eq!(prefixes.len(), PREFIXES.len());
}

#[test]
fn the_upper_of_two_names_counts_and_whole_names_count_before_beginnings() {
    let rank = |name: &str| alias(name).unwrap().rank;
    assert!(rank("gen_ai.usage.input_tokens") < rank("gen_ai.usage.prompt_tokens"));
    assert!(rank("gen_ai.usage.prompt_tokens") < rank("llm.token_count.prompt"));
    assert!(rank("gen_ai.prompt") < rank("gen_ai.prompt.0.content"));
    let named = alias("gen_ai.prompt.name").unwrap();
    assert_eq!((named.fact, named.spoken, named.whole), (Fact::Prompt, Convention::GenAi, true));
    let begun = alias("llm.input_messages.12.message.role").unwrap();
    assert_eq!((begun.fact, begun.whole), (Fact::Input, false));
    assert_eq!(alias("gen_ai.usage.input_token"), None);
    assert!(all().count() < usize::from(u16::MAX) - PREFIXES.len());
}

/// Where no name is known by how it begins only, nobody looks for lists that were written as many attributes.
#[test]
fn no_whole_name_is_an_item_of_a_list_that_was_written_out() {
    let goes_on = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit());
    for (.., name) in all() {
        assert!(!PREFIXES.iter().any(|(.., prefix)| name.strip_prefix(prefix).is_some_and(goes_on)), "{name}");
    }
}

#[test]
fn content_and_persons_are_known_under_all_their_names() {
    for name in names::CONTENT {
        assert!(is_content(name), "{name}");
    }
    let content = [
        "gen_ai.prompt.0.content",
        "gen_ai.completion.0.tool_calls.0.arguments",
        "llm.input_messages.0.message.content",
        "input.value",
        "ai.prompt.messages",
        "langfuse.observation.input",
        "mlflow.spanInputs",
        "traceloop.entity.output",
        "retrieval.documents.0.document.content",
        "prompt",
        "completion",
        "retrieval.query",
        "gen_ai.input.messages.0.content",
        "gen_ai.output.messages.1.parts.0.content",
        "gen_ai.system_instructions.0.content",
    ];
    assert!(content.iter().all(|name| is_content(name)));
    let kept =
        ["gen_ai.usage.input_tokens", "gen_ai.prompt.name", "langfuse.observation.usage_details", "http.route", "prompt.id"];
    assert!(!kept.iter().any(|name| is_content(name)));
    assert!(
        ["user.id", "enduser.id", "session.id", "gen_ai.conversation.id", "mlflow.trace.user"].iter().all(|name| is_person(name))
    );
    assert!(!is_person("gen_ai.request.model"));
    assert!(is_content_of_event("gen_ai.user.message", "content") && is_content_of_event("a log", "body"));
    assert!(!is_content_of_event("exception", "exception.type") && !is_content_of_event("upload", "content"));
}

#[test]
fn every_name_of_a_column_is_on_the_page_and_the_committed_page_is_the_present_one() {
    let text = page();
    for (fact, _, name) in all().filter(|(fact, ..)| *fact != Fact::Known) {
        assert!(text.contains(&format!("| `{name}` |")), "{name}, which says {fact:?}");
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/conventions.md");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed.ends_with(&text), "docs/reference/conventions.md is not current: run `mainspring reference docs`");
}

#[test]
fn the_page_says_where_an_estimate_of_cost_stands() {
    assert!(page().contains(&format!("`{}`", crate::pricing::COST)));
}

#[test]
fn what_this_server_writes_is_in_the_table() {
    for name in [names::OPERATION, names::CACHED_TOKENS, names::APP, names::KEY, names::FIRST_TOKEN_MS, aliases::COST] {
        assert!(alias(name).is_some_and(|alias| alias.fact != Fact::Known), "{name}");
    }
}

#[test]
fn fields_of_a_logged_message_are_words_unless_they_are_known_not_to_be() {
    for words in [
        "content",
        "parts",
        "input",
        "messages",
        "reasoning",
        "tool_calls",
        "something_new",
        "gen_ai.input.messages",
        "tool.result",
    ] {
        assert!(is_content_of_event("gen_ai.user.message", words), "{words}");
    }
    for plain in [
        "role",
        "index",
        "finish_reason",
        "event.name",
        "error.type",
        "otel.dropped_attributes_count",
        "gen_ai.provider.name",
        "gen_ai.usage.input_tokens",
    ] {
        assert!(!may_be_content_of_event("gen_ai.choice", plain), "{plain}");
    }
    for unknown in ["something.new", "gen_ai.something.new"] {
        assert!(
            may_be_content_of_event("gen_ai.choice", unknown) && !may_be_content_of_event("cache miss", unknown),
            "{unknown}"
        );
    }
    assert!(!may_be_content_of_event("cache miss", "input_size"));
}
