//! Taking somebody's name out of what monitors remember: a monitor may watch every user by itself.

use mainspring_kernel::{Timestamp, id::ProjectId, text};
use serde_json::Value;

use crate::{
    fault::MonitorFault,
    service::Monitors,
    store::{self, Written},
};

/// Evaluations that are read at once.
const AT_ONCE: usize = 100;
/// Somebody may begin to look between reading what is remembered and writing it.
const ATTEMPTS: u32 = 20;

impl Monitors {
    /// Waits until no look is under way in this process that was begun before.
    pub async fn settle(&self) {
        drop(self.looking.write().await);
    }

    /// Forgets slices of a project that go by these names, with their alerts, and takes the names out of what was found. A
    /// look that is under way and knows of one writes nothing down. `words` go out of the names of topics. What was told of them
    /// is not this room's.
    pub async fn forget(&self, project: ProjectId, names: &[String], words: &[String]) -> Result<(), MonitorFault> {
        let gone = &Gone { names, words };
        let catalog = &self.parts.catalog;
        let mut monitors = Vec::new();
        for attempt in 0_u32.. {
            monitors = store::states(catalog, project).await?;
            let mut late = None;
            for written in &monitors {
                let mut left = written.clone();
                if without(&mut left, gone) && !store::restate(catalog, project, &left, self.now()).await? {
                    late = Some(written.name.to_string());
                }
            }
            match late {
                Some(name) if attempt >= ATTEMPTS => return Err(MonitorFault::Busy { name }),
                Some(_) => {}
                None => break,
            }
        }
        for Written { name, .. } in &monitors {
            let mut before: Option<Timestamp> = None;
            loop {
                let found = store::found(catalog, (project, name), before, AT_ONCE).await?;
                let Some((oldest, _)) = found.last() else { break };
                before = Some(*oldest);
                for (looked, mut evaluation) in found {
                    if forget_in(&mut evaluation, gone) {
                        store::rewrite(catalog, (project, name), (looked, &evaluation)).await?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Gone<'g> {
    names: &'g [String],
    words: &'g [String],
}

/// Answers whether there was something.
fn without(written: &mut Written, gone: &Gone<'_>) -> bool {
    let trouble = written.trouble.as_deref().and_then(|trouble| text::without(trouble, gone.names));
    let mut changed = trouble.is_some();
    written.trouble = trouble.or(written.trouble.take());
    for value in [Some(&mut written.history), written.evaluation.as_mut(), Some(&mut written.raised)].into_iter().flatten() {
        changed |= forget_in(value, gone);
    }
    changed
}

/// Takes out slices and alerts of slices that go by these names. Categories and releases that do so keep their figures under
/// no name, and topics go by the words that are left. Other words are this room's own.
fn forget_in(value: &mut Value, gone: &Gone<'_>) -> bool {
    let names = gone.names;
    match value {
        Value::Array(items) => {
            let all = items.len();
            items.retain(|item| !item.get("slice").is_some_and(|slice| is_one(slice, names)));
            let fewer = items.len() < all;
            items.iter_mut().fold(fewer, |changed, item| forget_in(item, gone) | changed)
        }
        Value::Object(fields) => fields.iter_mut().fold(false, |changed, (field, value)| {
            let here = match field.as_str() {
                "category" => unname(value, names),
                "releases" => value.as_array_mut().into_iter().flatten().fold(false, |all, one| unname(one, names) | all),
                "topic" => value.as_array_mut().is_some_and(|words| {
                    let all = words.len();
                    words.retain(|word| !is_one(word, gone.words));
                    words.len() < all
                }),
                _ => forget_in(value, gone),
            };
            here | changed
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn is_one(value: &Value, names: &[String]) -> bool {
    value.as_str().is_some_and(|text| names.iter().any(|name| name == text))
}

fn unname(value: &mut Value, names: &[String]) -> bool {
    let named = is_one(value, names);
    if named {
        *value = text::ERASED.into();
    }
    named
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn slices_go_and_categories_lose_their_name() {
        let mut value = json!({
            "state": "firing",
            "slices": [
                {"slice": "ada", "state": "firing"},
                {"slice": "bob", "state": "ok", "figures": {
                    "drift": {"categories": {"movers": [{"category": "ada", "before": 0.1}, {"category": "ok", "before": 0.2}]}},
                    "releases": ["2", "ada"],
                    "moved": [
                        {"what": {"category": "ada"}, "before": 0.1},
                        {"what": {"topic": ["parcel", "zukamirel", "ada"]}, "before": 0.2},
                    ],
                }},
                {"state": "ok"},
            ],
            "history": {"slices": [{"slice": "ada"}]},
        });
        let (names, words) = (["ada".to_owned(), "ok".to_owned()], ["zukamirel".to_owned()]);
        let gone = Gone { names: &names, words: &words };
        assert!(forget_in(&mut value, &gone));
        let left = json!({
            "state": "firing",
            "slices": [
                {"slice": "bob", "state": "ok", "figures": {
                    "drift": {"categories": {"movers": [
                        {"category": "[erased]", "before": 0.1}, {"category": "[erased]", "before": 0.2},
                    ]}},
                    "releases": ["2", "[erased]"],
                    "moved": [
                        {"what": {"category": "[erased]"}, "before": 0.1}, {"what": {"topic": ["parcel", "ada"]}, "before": 0.2},
                    ],
                }},
                {"state": "ok"},
            ],
            "history": {"slices": []},
        });
        assert_eq!(value, left, "a user who is called `ok` is not a state");
        assert!(!forget_in(&mut value, &gone), "once is enough");
    }
}
