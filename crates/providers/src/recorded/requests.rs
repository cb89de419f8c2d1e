//! Requests: read, said again in their own dialect, and translated for every provider of another.

use mainspring_llm::exchange::Call;
use mainspring_testservers::recordings::{Api, Recording};

use super::{
    ALL, adapter_of, check_each, endpoint, json, same, sent,
    table::{Table, differences, unnumbered},
};
use crate::{anthropic, fault::FaultClass, openai, translation::Client};

fn client(api: Api) -> Option<Client> {
    match api {
        Api::Chat => Some(Client::Chat),
        Api::Responses => Some(Client::Responses),
        Api::Messages => Some(Client::Messages),
        _ => None,
    }
}

pub(super) fn asked() -> impl Iterator<Item = &'static Recording> {
    ALL.iter().filter(|one| client(one.api).is_some())
}

fn read(recording: &Recording) -> Result<Call, String> {
    let body = recording.request.as_bytes();
    match recording.api {
        Api::Responses => openai::responses::read(body).map_err(|fault| fault.to_string()),
        Api::Messages => anthropic::read(body).map_err(|fault| fault.to_string()),
        _ => openai::chat::read(body).map_err(|fault| fault.to_string()),
    }
}

#[test]
fn every_request_is_read() {
    check_each(asked(), |one| {
        let (call, body) = (read(one)?, json(one.request.as_bytes()));
        same("model", &call.model.as_str(), &body["model"].as_str().unwrap_or_default())?;
        same("stream", &call.stream, &(body["stream"] == true))?;
        same("tools", &call.tools.len(), &body["tools"].as_array().map_or(0, Vec::len))
    });
}

/// What is sent on of a request in the provider's own dialect, were it read and written, which happens where a route says
/// more of it.
fn again(one: &Recording, table: &mut Table) {
    let endpoint = endpoint(one);
    let name = format!("{:?}, said again", one.api);
    let call = read(one).unwrap_or_else(|fault| panic!("{} {}: {fault}", one.package, one.file));
    match adapter_of(&endpoint).encode(&endpoint, &call) {
        Ok(encoded) => {
            for difference in differences(&json(one.request.as_bytes()), &json(&encoded.outgoing.body)) {
                table.note(format!("{name}: {difference}"));
            }
        }
        Err(fault) => table.note(format!("{name}: refused: {}", unnumbered(&fault.message))),
    }
}

/// What each provider is told of a request in another dialect. What is neither told nor named as lost is an error.
fn translated(one: &Recording, table: &mut Table) -> Vec<String> {
    let client = client(one.api).unwrap();
    let call = read(one).unwrap_or_else(|fault| panic!("{} {}: {fault}", one.package, one.file));
    let mut gone = Vec::new();
    for server in client.servers() {
        let endpoint = server.endpoint().unwrap();
        let name = format!("{:?} to {server:?}", one.api);
        match adapter_of(&endpoint).encode(&endpoint, &call) {
            Ok(encoded) => {
                let missing = sent::missing(&call, &json(&encoded.outgoing.body), &encoded.lost);
                gone.extend(missing.into_iter().map(|what| format!("{name}: {what} ({})", one.file)));
                let mut fields: Vec<String> = encoded.lost.iter().map(|lost| unnumbered(&lost.field)).collect();
                fields.sort();
                fields.dedup();
                match fields.as_slice() {
                    [] => table.note(format!("{name}: said whole")),
                    fields => fields.iter().for_each(|field| table.note(format!("{name}: without {field}"))),
                }
            }
            Err(fault) if fault.class == FaultClass::Unsupported => {
                let (_, what) = fault.message.split_once(": ").unwrap_or_default();
                table.note(format!("{name}: refused: {}", unnumbered(what)));
            }
            Err(fault) => gone.push(format!("{} {}, {name}: {fault}", one.package, one.file)),
        }
    }
    gone
}

#[test]
fn a_request_loses_what_the_table_says_and_nothing_without_a_word() {
    let (mut table, mut gone) = (Table::default(), Vec::new());
    for one in asked() {
        if one.api != Api::Responses {
            again(one, &mut table);
        }
        gone.extend(translated(one, &mut table));
    }
    gone.sort();
    gone.dedup();
    let shown = gone[..gone.len().min(40)].join("\n");
    assert!(gone.is_empty(), "{} were left behind without a word:\n{shown}\n\n{}", gone.len(), table.text());
    table.check("requests.txt", include_str!("requests.txt"));
}

/// What a model said comes back in the next request of its client. Items of the responses endpoint are read as such.
#[test]
fn what_was_answered_can_be_sent_back() {
    check_each(super::answered().filter(|one| one.api == Api::Responses), |one| {
        let answer = super::folded::whole(one);
        let theirs = super::said::of(one.api, &answer);
        let body = serde_json::json!({"model": "m", "input": answer["output"]});
        let call = openai::responses::read(body.to_string().as_bytes()).map_err(|fault| fault.to_string())?;
        let said: String = call.turns.iter().map(mainspring_llm::exchange::Turn::joined_text).collect();
        same("text", &said.replace('\n', ""), &theirs.text.replace('\n', ""))?;
        let calls = call.turns.iter().flat_map(|turn| &turn.parts);
        let calls = calls.filter(|part| matches!(part, mainspring_llm::exchange::Part::ToolCall { .. })).count();
        same("calls", &calls, &theirs.calls.len())
    });
}
