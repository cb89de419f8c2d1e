//! Names people choose, the kinds of asset, and references from one asset to another.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{digest::Digest, text};

/// A name a person chose: lower-case letters, digits, `-`, `_` and `.`, starting with a letter or digit.
/// Names never become file paths.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(String);

pub const NAME_MAX: usize = 63;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a name: use 1 to 63 lower-case letters, digits, `-`, `_` or `.`, starting with a letter or digit")]
pub struct NameFault {
    pub given: String,
}

impl Name {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameFault;

    fn from_str(given: &str) -> Result<Self, NameFault> {
        let first = given.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let rest = given.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'));
        if first && rest && given.len() <= NAME_MAX {
            Ok(Self(given.to_owned()))
        } else {
            Err(NameFault { given: text::elide(given, 80) })
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}
impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The kinds of thing that live under versions. The words are the product's; see `docs/concepts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AssetKind {
    Prompt,
    Policy,
    Chain,
    Knowledge,
    Dataset,
    Model,
    Suite,
    Pipeline,
    Recipe,
    App,
    /// A place that answers model calls: its address, its dialect and where its credential lies.
    Provider,
    /// A model name clients use, and the targets that may answer it.
    Route,
    /// What tokens cost.
    Prices,
    /// What is watched, and when it is not well.
    Monitor,
    /// Who is told of incidents, and how.
    Receiver,
    /// What is looked at together.
    Dashboard,
}

impl AssetKind {
    pub const ALL: [Self; 16] = [
        Self::Prompt,
        Self::Policy,
        Self::Chain,
        Self::Knowledge,
        Self::Dataset,
        Self::Model,
        Self::Suite,
        Self::Pipeline,
        Self::Recipe,
        Self::App,
        Self::Provider,
        Self::Route,
        Self::Prices,
        Self::Monitor,
        Self::Receiver,
        Self::Dashboard,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Policy => "policy",
            Self::Chain => "chain",
            Self::Knowledge => "knowledge",
            Self::Dataset => "dataset",
            Self::Model => "model",
            Self::Suite => "suite",
            Self::Pipeline => "pipeline",
            Self::Recipe => "recipe",
            Self::App => "app",
            Self::Provider => "provider",
            Self::Route => "route",
            Self::Prices => "prices",
            Self::Monitor => "monitor",
            Self::Receiver => "receiver",
            Self::Dashboard => "dashboard",
        }
    }
}

impl fmt::Display for AssetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind `{given}`{}", text::did_you_mean(given, AssetKind::ALL.iter().map(|k| k.as_str())))]
pub struct KindFault {
    pub given: String,
}

impl FromStr for AssetKind {
    type Err = KindFault;

    fn from_str(given: &str) -> Result<Self, KindFault> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == given).ok_or_else(|| KindFault { given: text::elide(given, 80) })
    }
}

/// Which version of an asset is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selector {
    /// The newest version.
    Latest,
    /// A movable name: `@production`.
    Alias(Name),
    /// A number: `@v3`.
    Number(u32),
    /// The exact content: `@sha256:…`.
    Digest(Digest),
}

impl Selector {
    pub fn parse(text: &str) -> Result<Self, RefFault> {
        let fault = || RefFault { given: crate::text::elide(text, 120) };
        if text == "latest" {
            return Ok(Self::Latest);
        }
        if text.starts_with("sha256:") {
            return text.parse().map(Self::Digest).map_err(|_| fault());
        }
        if let Some(number) = text.strip_prefix('v').and_then(|n| n.parse::<u32>().ok()) {
            return if number == 0 { Err(fault()) } else { Ok(Self::Number(number)) };
        }
        text.parse().map(Self::Alias).map_err(|_| fault())
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Alias(name) => write!(f, "{name}"),
            Self::Number(number) => write!(f, "v{number}"),
            Self::Digest(digest) => write!(f, "{digest}"),
        }
    }
}

/// `name`, `name@production`, `name@v3` or `name@sha256:…`; the kind comes from where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetRef {
    pub name: Name,
    pub selector: Selector,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a reference: write `name`, `name@alias`, `name@v3` or `name@sha256:…`")]
pub struct RefFault {
    pub given: String,
}

impl FromStr for AssetRef {
    type Err = RefFault;

    fn from_str(given: &str) -> Result<Self, RefFault> {
        let fault = || RefFault { given: text::elide(given, 120) };
        let (name, selector) = match given.split_once('@') {
            Some((name, selector)) => (name, Selector::parse(selector)?),
            None => (given, Selector::Latest),
        };
        Ok(Self { name: name.parse().map_err(|_| fault())?, selector })
    }
}

impl fmt::Display for AssetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.selector {
            Selector::Latest => write!(f, "{}", self.name),
            selector => write!(f, "{}@{selector}", self.name),
        }
    }
}
impl Serialize for AssetRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for AssetRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
