//! How calls are divided: a tree there, targets with shares and tiers here.

use std::collections::BTreeSet;

use mainspring_gateway::{Fallback, Target};
use mainspring_providers::FaultClass;

use super::{
    Options,
    rules::{self, Inherited, Rules},
    targets,
};
use crate::{
    draft::{self, Draft},
    read::{self, Table},
};

/// A target with its place.
struct Placed {
    target: Target,
    tier: u32,
    share: f64,
    /// What holds for it, of which a route has only one.
    rules: Box<Inherited>,
}

/// What is gathered on the way through the tree.
struct Way<'w> {
    rules: &'w mut Rules,
    others: &'w mut Others,
    options: Options<'w>,
}

/// Targets of conditions, which become routes of their own.
type Others = Vec<(String, Table, Inherited)>;

pub(super) fn write(draft: &mut Draft, top: Table, options: Options<'_>) {
    let (mut rules, mut others) = (Rules::default(), Others::new());
    let mut way = Way { rules: &mut rules, others: &mut others, options };
    let placed = walk(draft, top, &Inherited::default(), &mut way);
    route(draft, (options.name, placed), &rules);
    for (name, table, inherited) in others {
        let (mut rules, mut deeper) = (Rules::default(), Others::new());
        let mut way = Way { rules: &mut rules, others: &mut deeper, options };
        let placed = walk(draft, table, &inherited, &mut way);
        route(draft, (format!("{}-{name}", options.name).as_str(), placed), &rules);
        if !deeper.is_empty() {
            draft.missing("config", "conditions within conditions: the targets below are left out");
        }
    }
}

fn walk(draft: &mut Draft, mut node: Table, above: &Inherited, way: &mut Way<'_>) -> Vec<Placed> {
    let mut inherited = above.clone();
    rules::settings(draft, &mut node, &mut inherited);
    let Some(list) = node.list("targets") else {
        node.merge(std::mem::take(&mut inherited.fields));
        let share = node.number("weight").unwrap_or(1.0);
        let target = targets::read(draft, node, way.options.model);
        return target.map(|target| Placed { target, tier: 0, share, rules: Box::new(inherited) }).into_iter().collect();
    };
    let path = node.at("targets");
    let children = list.into_iter().enumerate().filter_map(|(index, value)| Table::of(format!("{path}[{index}]"), value));
    let children: Vec<Table> = children.collect();
    let mut strategy = node.table("strategy").unwrap_or_else(|| Table::empty(node.at("strategy")));
    rules::breaker(draft, &mut strategy, way.rules);
    let mode = strategy.text("mode").unwrap_or_else(|| "single".to_owned());
    let placed = match mode.as_str() {
        "loadbalance" | "load-balance" | "load_balance" => divided(draft, (&mut strategy, children), &inherited, way),
        "fallback" => in_turn(draft, (&mut strategy, children), &inherited, way),
        "conditional" => by_condition(draft, (&mut strategy, children), &inherited, way),
        "single" => single(draft, children, &inherited, way),
        _ => {
            draft.missing(strategy.at("mode"), "this strategy has no equivalent");
            Vec::new()
        }
    };
    let path = strategy.path.clone();
    for (field, _) in strategy.rest() {
        draft.missing(read::joined(&path, &field), "this has no equivalent");
    }
    let path = node.path.clone();
    for (field, _) in node.rest() {
        if !matches!(field.as_str(), "name" | "weight" | "id" | "slug" | "index") {
            draft.missing(read::joined(&path, &field), targets::unlike(&field).unwrap_or("this has no equivalent above targets"));
        }
    }
    placed
}

fn divided(
    draft: &mut Draft,
    (strategy, children): (&mut Table, Vec<Table>),
    inherited: &Inherited,
    way: &mut Way<'_>,
) -> Vec<Placed> {
    way.rules.divided = true;
    let sticky = rules::sticky(draft, strategy);
    way.rules.sticky = way.rules.sticky.or(sticky);
    let mut placed = Vec::new();
    for child in children {
        let share = child.peek("weight").and_then(read::number).unwrap_or(1.0);
        let inside = walk(draft, child, inherited, way);
        divide(draft, &mut placed, (share, inside), &strategy.path);
    }
    placed
}

/// Shares multiply downwards. What lies in a deeper tier comes after all that is above it, whosever it was.
fn divide(draft: &mut Draft, placed: &mut Vec<Placed>, (share, inside): (f64, Vec<Placed>), path: &str) {
    if inside.iter().any(|each| each.tier > 0) {
        let message = "what a target falls back to is asked after the other targets of its strategy, not before them";
        draft.different(path, message);
    }
    let sum: f64 = inside.iter().filter(|each| each.tier == 0).map(|each| each.share).sum();
    let several = inside.iter().filter(|each| each.tier == 0).count() > 1;
    for each in inside {
        let own = if several && sum > 0.0 { share * each.share / sum } else { share };
        placed.push(Placed { share: own, ..each });
    }
}

fn in_turn(
    draft: &mut Draft,
    (strategy, children): (&mut Table, Vec<Table>),
    inherited: &Inherited,
    way: &mut Way<'_>,
) -> Vec<Placed> {
    way.rules.falls.push(rules::fallback(draft, strategy));
    let mut placed: Vec<Placed> = Vec::new();
    for child in children {
        let base = placed.iter().map(|each| each.tier + 1).max().unwrap_or(0);
        let inside = walk(draft, child, inherited, way);
        placed.extend(inside.into_iter().map(|each| Placed { tier: each.tier + base, ..each }));
    }
    placed
}

fn by_condition(
    draft: &mut Draft,
    (strategy, children): (&mut Table, Vec<Table>),
    inherited: &Inherited,
    way: &mut Way<'_>,
) -> Vec<Placed> {
    let message = "a route does not look at what a call says: each target that is named is a route of its own, and calls that meet \
        no condition are this one";
    draft.missing(strategy.at("conditions"), message);
    strategy.take("conditions");
    let default = strategy.text("default");
    let mut placed = Vec::new();
    for mut child in children {
        let name = child.text("name");
        if name.is_some() && name == default {
            placed = walk(draft, child, inherited, way);
        } else if let Some(name) = name {
            way.others.push((name, child, inherited.clone()));
        }
    }
    placed
}

fn single(draft: &mut Draft, children: Vec<Table>, inherited: &Inherited, way: &mut Way<'_>) -> Vec<Placed> {
    let mut children = children.into_iter();
    let placed = children.next().map(|first| walk(draft, first, inherited, way));
    for further in children {
        draft.missing(further.path, "a strategy for one target has further ones: they are left out");
    }
    placed.unwrap_or_default()
}

fn route(draft: &mut Draft, (name, placed): (&str, Vec<Placed>), rules: &Rules) {
    let path = name;
    if placed.is_empty() {
        draft.missing(path, "none of its targets can be called from here: there is no route");
        return;
    }
    let mut targets = Vec::with_capacity(placed.len());
    let tiers: BTreeSet<u32> = placed.iter().map(|each| each.tier).collect();
    for (number, tier) in tiers.iter().enumerate() {
        let inside: Vec<&Placed> = placed.iter().filter(|each| each.tier == *tier).collect();
        let weights = draft::weights(&inside.iter().map(|each| each.share).collect::<Vec<_>>());
        for (each, weight) in inside.into_iter().zip(weights) {
            let weight = if rules.divided { weight } else { 1 };
            targets.push(Target { weight, tier: u32::try_from(number).unwrap_or(0), ..each.target.clone() });
        }
    }
    let hands_on = targets.iter().any(|target| target.model.is_none());
    let mut spec = draft::route(targets);
    if hands_on {
        spec.models.push("*".to_owned());
        let message = "targets without a model are handed the name that the client gives, and the route takes every name that no other \
            has: write the names into `models`, or import with `--model`";
        draft.different(path, message);
    }
    spec.sticky = rules.sticky;
    spec.retry.attempts = 0;
    let differ = |differs: fn(&Inherited, &Inherited) -> bool| placed.windows(2).any(|two| differs(&two[0].rules, &two[1].rules));
    if let Some(most) = placed.iter().filter_map(|each| each.rules.retry.as_ref()).max_by_key(|retry| retry.attempts) {
        spec.retry = most.clone();
    }
    if differ(|one, other| one.retry != other.retry) {
        draft.different(path, draft::MOST);
    }
    spec.fallback = falls(draft, rules, path);
    if draft::attempts_within(&mut spec.timeouts, placed.iter().map(|each| each.rules.time)) {
        draft.different(path, draft::LONGEST);
    }
    if let Some(breaker) = &rules.breaker {
        spec.breaker = breaker.clone();
    }
    spec.cache = placed.iter().find_map(|each| each.rules.cache.clone());
    if differ(|one, other| one.cache != other.cache) {
        draft.different(path, "a cache is of the route, not of each target: the first counts");
    }
    draft.route(name, spec, None, path);
}

/// Only a strategy that says so asks another target.
fn falls(draft: &mut Draft, rules: &Rules, path: &str) -> Fallback {
    if rules.falls.windows(2).any(|two| two[0] != two[1]) {
        draft.different(path, "one list of faults is for all tiers of a route: those of every strategy together");
    }
    let mut on: Vec<FaultClass> = Vec::new();
    for class in rules.falls.iter().flatten() {
        if !on.contains(class) {
            on.push(*class);
        }
    }
    Fallback { on }
}
