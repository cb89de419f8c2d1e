//! Names with a `*`, of models that nobody has listed.

use mainspring_gateway::Target;

use super::groups::Group;
use crate::draft::Draft;

/// What a group whose name is a pattern becomes.
pub(super) enum Pattern {
    /// A route whose targets are handed the client's name.
    HandedOn(Vec<Target>),
    /// Clients call `provider/model` without a route: `openai/*`.
    Direct,
    /// It cannot be said here.
    None,
}

/// Compares what clients write with what providers are asked. A route hands on the whole name or one that it names itself.
pub(super) fn of(draft: &mut Draft, group: &Group) -> Pattern {
    let (name, mut handed) = (group.name.as_str(), Vec::new());
    for deployment in &group.deployments {
        let provider = deployment.target.provider.as_str();
        if !deployment.model.contains('*') {
            // Every name is answered by one model.
            handed.push(deployment.target.clone());
            continue;
        }
        let prefixed = name.split_once('/').filter(|(first, rest)| *first == provider && *rest == deployment.model);
        if prefixed.is_some() && group.deployments.len() == 1 {
            return Pattern::Direct;
        }
        if name == deployment.model || (deployment.model == "*" && !name.contains('/')) {
            handed.push(deployment.target.clone());
        } else {
            let message = format!(
                "a name is handed on whole or not at all: call `{provider}/MODEL`, or make a route for each model. \
                 The deployment is left out"
            );
            draft.missing(&deployment.path, message);
        }
    }
    if handed.is_empty() { Pattern::None } else { Pattern::HandedOn(handed) }
}
