//! `model_list` by name: deployments of one name are one route.

use std::collections::BTreeSet;

use mainspring_gateway::{RouteSpec, Target};
use mainspring_kernel::Name;
use mainspring_providers::FaultClass;
use serde_json::Value;

use super::{
    deployment::{self, Credentials, Deployment},
    limits,
    patterns::{self, Pattern},
    router::{Falls, Rules},
};
use crate::{
    draft::{self, Draft, TARGETS_MAX},
    read::Table,
};

pub(super) struct Group {
    pub(super) name: String,
    pub(super) deployments: Vec<Deployment>,
}

pub(super) fn read(draft: &mut Draft, list: Vec<Value>, credentials: &Credentials) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let (direct, others): (Vec<_>, Vec<_>) = list.into_iter().enumerate().partition(|(_, value)| prefix(value).is_some());
    // `openai/*` is called as `openai/gpt-4o`: its provider has that name, whoever else would like it.
    for (index, value) in direct.into_iter().chain(others) {
        let path = format!("model_list[{index}]");
        let wanted = prefix(&value);
        let Some(mut entry) = Table::of(&path, value) else {
            draft.missing(path, "this is no table");
            continue;
        };
        let Some(name) = entry.text("model_name").filter(|name| !name.trim().is_empty()) else {
            draft.missing(entry.at("model_name"), "it is missing: the deployment is left out");
            continue;
        };
        let params = entry.table("litellm_params").unwrap_or_else(|| Table::empty(entry.at("litellm_params")));
        let info = entry.table("model_info").unwrap_or_else(|| Table::empty(entry.at("model_info")));
        for (field, _) in entry.rest() {
            draft.missing(format!("{path}.{field}"), "this has no equivalent");
        }
        if let Some(deployment) = deployment::read(draft, (params, info), wanted.as_deref(), credentials) {
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.deployments.push(deployment),
                None => groups.push(Group { name, deployments: vec![deployment] }),
            }
        }
    }
    groups
}

/// What stands before the slash of a name that means every model of a provider.
fn prefix(value: &Value) -> Option<String> {
    let name = value.get("model_name")?.as_str()?;
    name.strip_suffix("/*").filter(|prefix| !prefix.is_empty()).map(str::to_owned)
}

pub(super) fn write(draft: &mut Draft, groups: Vec<Group>, rules: &Rules) {
    let mut made: Vec<(String, Name)> = Vec::new();
    for group in &groups {
        let path = format!("model_list.{}", group.name);
        let targets = if group.name.contains('*') {
            match patterns::of(draft, group) {
                Pattern::HandedOn(targets) => targets,
                Pattern::Direct => {
                    let provider = &group.deployments[0].target.provider;
                    draft.different(&path, format!("needs no route: `{provider}/MODEL` calls any model of the provider"));
                    continue;
                }
                Pattern::None => continue,
            }
        } else {
            whole(draft, group)
        };
        if targets.is_empty() {
            continue;
        }
        let targets = arranged(draft, group, targets);
        let mut spec = draft::route(targets);
        if group.name.contains('*') {
            spec.models.push(group.name.clone());
        }
        apply(draft, group, (&mut spec, groups.as_slice()), rules);
        let wanted = if group.name == "*" { "any-model" } else { &group.name };
        let about = group.deployments.iter().find_map(|deployment| deployment.about.clone());
        if let Some(name) = draft.route(wanted, spec, about, &path) {
            limits::of_group(draft, (&path, &name), &group.deployments);
            made.push((group.name.clone(), name));
        }
    }
    rules.unused(draft, |name| made.iter().any(|(known, _)| known == name));
    for (alias, meant) in &rules.aliases {
        let path = format!("router_settings.model_group_alias.{alias}");
        match made.iter().find(|(known, _)| known == meant) {
            Some((_, name)) if draft.name_too(name, alias) => {}
            _ => draft.missing(path, "it names no route that is there, or cannot be a model's name"),
        }
    }
}

/// Targets of a plain name; a pattern of the provider's has no model to ask.
fn whole(draft: &mut Draft, group: &Group) -> Vec<Target> {
    let mut targets = Vec::with_capacity(group.deployments.len());
    for deployment in &group.deployments {
        if deployment.target.model.is_none() {
            draft.missing(&deployment.path, "a plain name for a pattern names no model: the deployment is left out");
        } else {
            targets.push(deployment.target.clone());
        }
    }
    targets
}

/// Gives targets their shares and tiers, as the router takes them.
fn arranged(draft: &mut Draft, group: &Group, targets: Vec<Target>) -> Vec<Target> {
    let of = |target: &Target| {
        group.deployments.iter().find(|deployment| {
            deployment.target.provider == target.provider
                && deployment.target.model == target.model
                && deployment.target.parameters == target.parameters
        })
    };
    let shares = |pick: fn(&Deployment) -> Option<f64>| -> Option<Vec<f64>> {
        let found: Vec<Option<f64>> = targets.iter().map(|target| of(target).and_then(pick)).collect();
        found.iter().any(Option::is_some).then(|| found.into_iter().map(|share| share.unwrap_or(0.0)).collect())
    };
    let weighed = shares(|deployment| deployment.weight);
    let by_rate = shares(|deployment| deployment.rpm).or_else(|| shares(|deployment| deployment.tpm));
    if weighed.is_none() && by_rate.is_some() && targets.len() > 1 {
        let path = format!("model_list.{}", group.name);
        draft
            .different(path, "`rpm` and `tpm` of deployments become their shares of the calls, as they are for `simple-shuffle`");
    }
    let orders: BTreeSet<u64> = targets.iter().filter_map(|target| of(target)?.order).collect();
    let tiers: Vec<u32> = targets
        .iter()
        .map(|target| {
            let order = of(target).and_then(|deployment| deployment.order);
            // Those without an order come after those with one.
            let place = order.map_or(orders.len(), |order| orders.iter().position(|known| *known == order).unwrap_or(0));
            u32::try_from(place).unwrap_or(0)
        })
        .collect();
    let weights = weighed.or(by_rate).map(|shares| draft::weights(&shares));
    let mut arranged = targets;
    for (index, target) in arranged.iter_mut().enumerate() {
        target.tier = tiers[index];
        target.weight = weights.as_ref().map_or(1, |weights| weights[index]);
    }
    mend_tiers(&mut arranged);
    arranged
}

/// A tier of which nobody has a share would never be asked, and is refused.
fn mend_tiers(targets: &mut [Target]) {
    let tiers: BTreeSet<u32> = targets.iter().map(|target| target.tier).collect();
    for tier in tiers {
        let mut inside: Vec<&mut Target> = targets.iter_mut().filter(|target| target.tier == tier).collect();
        if inside.iter().all(|target| target.weight == 0) {
            inside.iter_mut().for_each(|target| target.weight = 1);
        }
    }
}

fn apply(draft: &mut Draft, group: &Group, (spec, groups): (&mut RouteSpec, &[Group]), rules: &Rules) {
    rules.general(spec, &group.name);
    let path = format!("model_list.{}", group.name);
    let falls = rules.falls_of(&group.name);
    // What is asked after the group's own is asked by the same rules.
    let further = falls.iter().flat_map(|falls| &falls.to).filter_map(|to| groups.iter().find(|group| group.name == *to));
    let all: Vec<&Deployment> = group.deployments.iter().chain(further.flat_map(|group| &group.deployments)).collect();
    let mut differ = draft::attempts_within(&mut spec.timeouts, all.iter().map(|each| each.timeout));
    let usual = spec.timeouts.for_stream();
    if let Some((longest, differs)) = draft::largest(all.iter().map(|each| each.stream_timeout), usual) {
        spec.timeouts.first = if longest == usual { spec.timeouts.first } else { Some(longest) };
        differ |= differs;
        draft.different(&path, "a `stream_timeout` bounds a stream until it begins; from then on `timeouts.idle` does");
    }
    if let Some((longest, differs)) = draft::largest(all.iter().map(|each| each.cooldown), spec.breaker.open_for) {
        spec.breaker.open_for = longest;
        differ |= differs;
    }
    if differ {
        draft.different(&path, draft::LONGEST);
    }
    let usual = spec.retry.attempts;
    let own = all.iter().map(|each| each.retries.map(draft::retries));
    if let Some((most, differs)) = draft::largest(own, usual) {
        spec.retry.attempts = most;
        if differs {
            draft.different(&path, draft::MOST);
        }
    }
    fall_back(draft, (spec, groups), &falls, &path);
}

/// Other groups' targets come after what the route has: those that any fault leads to, and then those that are for some.
fn fall_back(draft: &mut Draft, (spec, groups): (&mut RouteSpec, &[Group]), falls: &[Falls], path: &str) {
    let general = falls.iter().find(|falls| falls.on.is_empty()).map(|falls| falls.to.as_slice()).unwrap_or_default();
    let mut own: Vec<FaultClass> = Vec::new();
    for Falls { to, on } in falls {
        // Where the same groups come first after any fault, and each of them is one target, such a fault leads on as the
        // others do. Otherwise they stand there twice.
        let all = spec.targets.iter().filter(|target| target.on.is_empty()).count();
        let alike = !on.is_empty() && !general.is_empty() && all == general.len() + 1;
        let rest = match to.strip_prefix(general) {
            Some(rest) if alike => {
                let fresh: Vec<FaultClass> = on.iter().copied().filter(|class| !spec.fallback.on.contains(class)).collect();
                spec.fallback.on.extend(fresh);
                rest
            }
            _ => {
                own.extend(on);
                to.as_slice()
            }
        };
        for to in rest {
            fall(draft, (&mut *spec, groups), (to.as_str(), on.as_slice()), path);
        }
    }
    // A fault that has targets of its own leads to these, and past those of all faults.
    if spec.targets.iter().filter(|target| target.on.is_empty()).count() > 1 {
        spec.fallback.on.retain(|class| !own.contains(class));
    }
}

/// Another group's targets come after what the route has.
fn fall(draft: &mut Draft, (spec, groups): (&mut RouteSpec, &[Group]), (to, on): (&str, &[FaultClass]), path: &str) {
    let Some(other) = groups.iter().find(|group| group.name == to) else {
        draft.missing(path, "a fallback names a model that is not there: it is left out");
        return;
    };
    let after = spec.targets.iter().map(|target| target.tier).max().map_or(0, |tier| tier + 1);
    let plain = whole(draft, other);
    if !on.is_empty() && plain.len() > 1 {
        draft.different(path, "of the targets for one fault a further one is asked where the one before it had that fault too");
    }
    for mut target in arranged(draft, other, plain) {
        if spec.targets.len() >= TARGETS_MAX {
            draft.missing(path, format!("a route has at most {TARGETS_MAX} targets: some fallbacks are left out"));
            return;
        }
        target.tier = target.tier.saturating_add(after);
        target.on.extend(on);
        spec.targets.push(target);
    }
}
