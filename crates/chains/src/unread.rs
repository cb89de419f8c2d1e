//! What an app says that finds nothing in documents which were not all read. Pure.

use mainspring_llm::{Unread, UnreadState};

/// A sentence for each knowledge: how far it is, and how to see that or to go on.
pub(crate) fn words(unread: &[Unread]) -> String {
    unread.iter().map(sentence).collect::<Vec<_>>().join("\n\n")
}

fn sentence(unread: &Unread) -> String {
    let Unread { knowledge, state, sources, documents, code } = unread;
    let far = documents.map(|so_far| format!("{} of {} so far", so_far.read, so_far.found));
    let told: Vec<String> = far.into_iter().chain(code.as_ref().map(|code| format!("`{code}`"))).collect();
    let told = if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) };
    match state {
        UnreadState::NotBegun => format!(
            "The documents of `{knowledge}` have not been read yet, so there is nothing to answer from. \
             `mainspring ingest {knowledge}` reads them."
        ),
        UnreadState::UnderWay => format!(
            "The documents of `{knowledge}` are still being read{told}, and nothing that was read yet answers this. Ask again \
             later; `mainspring ingest {knowledge}` and the page of the knowledge show how far it is."
        ),
        UnreadState::BrokenOff => format!(
            "The documents of `{knowledge}` have not all been read: their first ingestion broke off{told}, and nothing that was \
             read before answers this. `mainspring ingest {knowledge}` goes on with the rest."
        ),
        UnreadState::SourceUnread => {
            let named: Vec<String> = sources.iter().map(|source| format!("`{source}`")).collect();
            let (which, since) = match named.as_slice() {
                [one] => (format!("The source {one}"), "has not been read since it was"),
                [] => ("Sources".to_owned(), "have not been read since they were"),
                many => (format!("The sources {}", many.join(", ")), "have not been read since they were"),
            };
            format!(
                "{which} of `{knowledge}` {since} added or changed{told}, and nothing that was read answers this. \
                 `mainspring ingest {knowledge}` reads what is missing."
            )
        }
    }
}
