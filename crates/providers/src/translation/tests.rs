//! Nothing is lost in silence, and the page says what is.

use super::{Client, Fate, Server, answers, endings, page, requests, samples::ROWS};

/// What each client can say, at each server that is not sent it as it came.
fn all() -> Vec<(Client, Server, &'static str, Fate)> {
    let of = |client: Client| {
        let rows = requests::table(client).into_iter();
        rows.flat_map(move |(what, fates)| {
            client.servers().iter().zip(fates).map(move |(server, fate)| (client, *server, what, fate))
        })
    };
    Client::ALL.into_iter().flat_map(of).collect()
}

#[test]
fn every_sample_is_a_request_that_its_dialect_has() {
    for row in ROWS {
        let said: Vec<Client> = Client::ALL.into_iter().filter(|client| row.said(*client).is_some()).collect();
        assert!(!said.is_empty(), "{}", row.what);
        for client in said {
            assert!(requests::read(client, row.said(client).unwrap()).is_some(), "{}: {client:?}", row.what);
        }
    }
}

#[test]
fn a_request_that_says_nothing_more_loses_nothing() {
    for client in Client::ALL {
        let call = requests::read(client, "{}").unwrap();
        for server in client.servers() {
            assert_eq!(requests::fate(*server, &call, &["hello"]), Fate::Kept, "{client:?} {server:?}");
        }
    }
}

#[test]
fn nothing_is_left_behind_without_a_word() {
    let gone: Vec<_> = all().into_iter().filter(|(_, _, _, fate)| *fate == Fate::Gone).collect();
    assert!(gone.is_empty(), "{gone:#?}");
}

#[track_caller]
fn check(client: Client, what: &str, wanted: &[(Server, Fate)]) {
    let all = all();
    for (server, fate) in wanted {
        let found = all.iter().find(|(whose, at, said, _)| *whose == client && at == server && *said == what);
        assert_eq!(found.map(|(_, _, _, found)| found), Some(fate), "{client:?} {server:?} {what}");
    }
}

#[test]
fn what_everybody_has_is_said_to_everybody() {
    for what in [
        "Instructions",
        "An image, sent along",
        "Functions",
        "Several calls and their results",
        "JSON of a schema",
        "How long the answer may be",
        "`temperature`",
        "`top_p`",
    ] {
        let fates: Vec<_> = all().into_iter().filter(|(_, _, said, _)| *said == what).collect();
        assert_eq!(fates.len(), 11, "{what}");
        for (client, server, _, fate) in fates {
            assert_eq!(fate, Fate::Kept, "{client:?} {server:?} {what}");
        }
    }
}

#[test]
fn tools_that_take_text_are_said_to_everybody() {
    use Server::{Anthropic, Bedrock, Compatible, Gemini};
    let kept = [Compatible, Anthropic, Gemini, Bedrock].map(|server| (server, Fate::Kept));
    check(Client::Responses, "Tools that take text (`custom`)", &kept);
    check(Client::Responses, "Calls of tools that take text, and their results", &kept);
    check(Client::Responses, "A search for tools that the client makes (`tool_search`), and what it found", &kept);
    let lost = [(Compatible, Fate::Lost(vec!["tools[0]".to_owned()]))];
    check(Client::Responses, "The shell of the client (`local_shell`)", &lost);
}

#[test]
fn functions_in_the_older_form_are_tools_elsewhere() {
    use Server::{Anthropic, Bedrock, Gemini};
    // The client is told of one call only, which these two cannot be kept to.
    let changed = || Fate::Changed(vec!["parallel_tool_calls".to_owned()]);
    let wanted = [(Anthropic, Fate::Kept), (Gemini, changed()), (Bedrock, changed())];
    check(Client::Chat, "Functions in the older form (`functions`)", &wanted);
}

#[test]
fn what_would_be_another_answer_is_refused_and_not_left_out() {
    use Server::{Anthropic, Bedrock, Compatible, Gemini};
    let refused = |servers: &[Server]| servers.iter().map(|server| (*server, Fate::Refused)).collect::<Vec<_>>();
    check(Client::Chat, "Several answers (`n`)", &refused(&[Anthropic, Bedrock]));
    check(Client::Chat, "Log probabilities", &refused(&[Anthropic, Bedrock]));
    check(Client::Chat, "Spoken answers", &refused(&[Anthropic, Gemini, Bedrock]));
    check(Client::Chat, "`web_search_options`", &refused(&[Anthropic, Gemini, Bedrock]));
    check(Client::Chat, "Sound", &refused(&[Anthropic]));
    check(Client::Chat, "A file that a provider keeps", &refused(&[Anthropic, Gemini, Bedrock]));
    for client in Client::ALL {
        check(client, "Tools that a provider runs", &refused(&[Gemini, Bedrock]));
    }
    check(Client::Responses, "The shell of the client (`local_shell`)", &refused(&[Anthropic, Gemini, Bedrock]));
    check(Client::Responses, "`previous_response_id`", &refused(&[Compatible, Anthropic, Gemini, Bedrock]));
    check(Client::Responses, "`background`", &refused(&[Compatible, Anthropic, Gemini, Bedrock]));
}

#[test]
fn what_changes_no_answer_is_left_out_and_named() {
    use Server::{Anthropic, Bedrock, Gemini};
    let lost = |field: &str, servers: &[Server]| {
        servers.iter().map(|server| (*server, Fate::Lost(vec![field.to_owned()]))).collect::<Vec<_>>()
    };
    check(Client::Chat, "`seed`", &lost("seed", &[Anthropic, Bedrock]));
    check(Client::Chat, "`logit_bias`", &lost("logit_bias", &[Anthropic, Gemini, Bedrock]));
    check(Client::Chat, "`prompt_cache_key`", &lost("prompt_cache_key", &[Anthropic, Gemini, Bedrock]));
    check(Client::Chat, "For whom the call is made", &lost("user", &[Gemini, Bedrock]));
    for client in Client::ALL {
        check(client, "Fields that nobody here knows", &lost("novel", &[Gemini, Bedrock]));
    }
}

#[test]
fn what_nobody_knows_of_a_message_is_named_by_its_place() {
    for client in Client::ALL {
        let messages = if client == Client::Responses { "input" } else { "messages" };
        let mut want = [format!("{messages}[0].content[0].novel"), format!("{messages}[0].novel")];
        want.sort();
        for server in client.servers() {
            let what = "Fields that nobody here knows, of a message and within it";
            let found = all().into_iter().find(|(whose, at, said, _)| *whose == client && at == server && *said == what);
            let Some((.., Fate::Lost(mut named))) = found else { panic!("{client:?} {server:?}: {found:?}") };
            named.sort();
            assert_eq!(named, want, "{client:?} {server:?}");
        }
    }
}

#[test]
fn every_recorded_answer_is_read_and_holds_what_is_looked_for() {
    for row in answers::ROWS {
        assert!(answers::decoded(row.server, row.body).is_some(), "{:?}: {}", row.server, row.what);
        for mark in row.marks.iter().filter(|mark| !mark.starts_with("_tokens")) {
            assert!(row.body.contains(mark), "{:?}: {}", row.server, row.what);
        }
    }
}

#[test]
fn what_a_model_says_and_what_it_cost_reaches_every_client() {
    let kept = ["Text", "Several calls of functions", "A refusal", "Thinking", "Tokens from the cache", "Tokens of thinking"];
    for row in answers::ROWS.iter().filter(|row| kept.contains(&row.what)) {
        for (client, fate) in Client::ALL.into_iter().zip(answers::fates(row)) {
            assert_ne!(fate, Some(false), "{:?} to {client:?}: {}", row.server, row.what);
        }
    }
}

#[test]
fn every_detail_of_what_was_used_reaches_clients_of_openais_dialects() {
    for row in answers::ROWS.iter().filter(|row| row.what.starts_with("Tokens")) {
        let fates = answers::fates(row);
        assert!(!fates[..2].contains(&Some(false)), "{:?}: {}: {fates:?}", row.server, row.what);
    }
}

#[test]
fn what_a_provider_wants_back_reaches_the_clients_that_give_it_back() {
    let signed = ["The signature of thinking", "The signature of a call", "Sealed thinking"];
    for row in answers::ROWS.iter().filter(|row| signed.contains(&row.what)) {
        let fates = answers::fates(row);
        assert_ne!(fates[0], Some(false), "{:?} to chat completions: {}", row.server, row.what);
    }
}

#[test]
fn every_ending_has_a_word_in_every_dialect() {
    for (server, reason, words) in endings::table() {
        assert_eq!(words.len(), 3, "{server:?} {reason}");
        assert!(words.iter().all(|word| word != "null" && !word.is_empty()), "{server:?} {reason}: {words:?}");
    }
    let word = |server: Server, reason: &str| {
        let found = endings::table().into_iter().find(|(whose, word, _)| *whose == server && *word == reason);
        found.map(|(_, _, words)| words).unwrap_or_default()
    };
    assert_eq!(word(Server::Anthropic, "max_tokens"), ["length", "incomplete: max_output_tokens", "max_tokens"]);
    assert_eq!(word(Server::Gemini, "SAFETY")[..2], ["content_filter", "incomplete: content_filter"]);
    assert_eq!(word(Server::Bedrock, "stop_sequence")[2], "stop_sequence");
    assert_eq!(word(Server::OpenAi, "stop"), ["stop", "completed", "end_turn"]);
}

#[test]
fn the_committed_page_is_what_translating_shows() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/translation.md");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed.ends_with(&page()), "docs/reference/translation.md is not current: run `mainspring reference docs`");
}
