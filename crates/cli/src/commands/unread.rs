//! What is said of documents that were not read yet. Beside what was found in the others nothing else tells.

use mainspring_wire as wire;

pub(super) fn still_unread(unread: &wire::Unread) -> String {
    let wire::Unread { knowledge, state, sources, documents, code } = unread;
    let so_far = documents.map(|wire::ReadSoFar { read, found }| format!(", {read} of {found} documents so far"));
    let (so_far, code) = (so_far.unwrap_or_default(), code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default());
    match state.as_str() {
        "not_begun" => format!("`{knowledge}` has not been read yet: `mainspring ingest {knowledge}` reads it"),
        "broken_off" => {
            format!("`{knowledge}` was not read to its end{so_far}{code}: `mainspring ingest {knowledge}` goes on with the rest")
        }
        "source_unread" => {
            let named: Vec<String> = sources.iter().map(|source| format!("`{source}`")).collect();
            let named = if named.is_empty() { "some of its sources".to_owned() } else { named.join(", ") };
            format!(
                "`{knowledge}` is read without {named}, added or changed since{code}: `mainspring ingest {knowledge}` reads the rest"
            )
        }
        _ => format!("`{knowledge}` is still being read{so_far}: `mainspring ingest {knowledge}` shows how far it is"),
    }
}
