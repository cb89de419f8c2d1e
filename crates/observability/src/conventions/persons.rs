//! Who a span is of, under every name that a sender may say it by. A column has what the first of them says; whoever is to be
//! erased may stand under any.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{
    aliases::{Fact, alias, all},
    values::text,
};

/// The names under which a sender says who asked.
pub(crate) fn user_names() -> impl Iterator<Item = &'static str> {
    names_of(Fact::User)
}

/// The names under which a sender says in which session.
pub(crate) fn session_names() -> impl Iterator<Item = &'static str> {
    names_of(Fact::Session)
}

fn names_of(fact: Fact) -> impl Iterator<Item = &'static str> {
    all().filter(move |(said, ..)| *said == fact).map(|(.., name)| name)
}

/// Everybody who is said to have asked.
pub(crate) fn users_in(attributes: &Map<String, Value>) -> impl Iterator<Item = Cow<'_, str>> {
    said_in(attributes, Fact::User)
}

/// Every session that is said.
pub(crate) fn sessions_in(attributes: &Map<String, Value>) -> impl Iterator<Item = Cow<'_, str>> {
    said_in(attributes, Fact::Session)
}

fn said_in(attributes: &Map<String, Value>, fact: Fact) -> impl Iterator<Item = Cow<'_, str>> {
    let says = move |name: &str| alias(name).is_some_and(|alias| alias.fact == fact);
    attributes.iter().filter(move |(name, _)| says(name)).filter_map(|(_, value)| text(value))
}
