//! Whose spans are whose, by name.
//!
//! A program says which service it is, and each service counts its versions by itself. So does each app of this server, whose spans
//! are no service's: its name stands for one, in front of it `app/` as in the names of its versions. A service of the same name
//! is another one.

use mainspring_lake::Filter;

const APP: &str = "app/";

/// Who sent a span, by what its row says; none where it says nothing.
pub(crate) fn sender(service: Option<&str>, app: Option<&str>) -> Option<String> {
    service.map(str::to_owned).or_else(|| app.map(|app| format!("{APP}{app}")))
}

/// The app that a sender is.
pub(crate) fn app_of(sender: &str) -> Option<&str> {
    sender.strip_prefix(APP)
}

/// The spans of a sender; of an empty name those of programs that say none.
pub(crate) fn sent_by(sender: &str) -> Filter {
    let unsaid = |column: &str| Filter::IsNull(column.to_owned());
    let of_service = || Filter::eq("service", sender);
    match app_of(sender) {
        _ if sender.is_empty() => unsaid("service").and(unsaid("app")),
        // A program may call itself so.
        Some(app) => Filter::Or(vec![of_service(), unsaid("service").and(Filter::eq("app", app))]),
        None => of_service(),
    }
}
