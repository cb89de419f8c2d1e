//! SQL of identity lives here and nowhere else.

mod acting;
mod audit;
mod keys;
mod people;

use mainspring_kernel::{Labels, ModelScope};

pub(crate) use acting::{KeyNow, key_now};
pub(crate) use audit::{entries_after, entries_before, insert_entry, last_entry, read_entry};
pub(crate) use keys::{
    KeyRow, count_usable_keys, find_key, insert_key, key, key_by_lookup, key_name, keys, revoke_key, rotate_key, used_key,
};
pub(crate) use people::{
    all_projects, find_member, find_principal, find_project, get_project, has_other_admin, insert_principal, insert_project,
    member, members, name_of, principal_by_name, project_by_name, project_ids, projects_of, put_member, remove_member,
};

/// Every statement of this crate, for the test that compiles them on both engines.
pub const STATEMENTS: &[&[&str]] = &[people::STATEMENTS, keys::STATEMENTS, acting::STATEMENTS, audit::STATEMENTS];

fn labels_text(labels: &Labels) -> serde_json::Value {
    // An enum of a unit and a set of strings always has a JSON form.
    serde_json::to_value(labels).unwrap_or_default()
}

/// A list, or nothing for every model.
fn models_text(models: &ModelScope) -> Option<serde_json::Value> {
    match models {
        ModelScope::All => None,
        ModelScope::Some(names) => Some(serde_json::Value::from_iter(names.iter().map(String::as_str))),
    }
}
