//! Typed ids: a visible prefix on the wire (`run_…`), a sortable UUIDv7 inside, impossible to mix.

use std::{fmt, marker::PhantomData, str::FromStr};

use crate::clock::Timestamp;

/// What an id names; the prefix is what people see.
pub trait IdKind: 'static {
    const PREFIX: &'static str;
}

pub struct Id<K> {
    raw: u128,
    kind: PhantomData<fn() -> K>,
}

impl<K: IdKind> Id<K> {
    /// A new id that sorts after every id made at an earlier instant.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        let micros = u64::try_from(now.as_micros()).unwrap_or(0);
        let nanos = u32::try_from(micros % 1_000_000).unwrap_or(0) * 1000;
        let stamp = uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, nanos);
        Self::from_raw(uuid::Uuid::new_v7(stamp).as_u128())
    }

    #[must_use]
    pub const fn from_raw(raw: u128) -> Self {
        Self { raw, kind: PhantomData }
    }

    #[must_use]
    pub const fn as_raw(&self) -> u128 {
        self.raw
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not an id of the form `{expected}_<32 hex digits>`")]
pub struct IdFault {
    pub expected: &'static str,
    pub given: String,
}

impl<K: IdKind> FromStr for Id<K> {
    type Err = IdFault;

    fn from_str(text: &str) -> Result<Self, IdFault> {
        let fault = || IdFault { expected: K::PREFIX, given: crate::text::elide(text, 64) };
        let digits = text.strip_prefix(K::PREFIX).and_then(|rest| rest.strip_prefix('_')).ok_or_else(fault)?;
        let shaped = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !shaped {
            return Err(fault());
        }
        u128::from_str_radix(digits, 16).map(Self::from_raw).map_err(|_| fault())
    }
}

impl<K: IdKind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{:032x}", K::PREFIX, self.raw)
    }
}

impl<K: IdKind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// Written by hand: derives would ask the same of `K`, which is only a label.
impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.raw.cmp(&other.raw)
    }
}
impl<K> std::hash::Hash for Id<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.raw.hash(state);
    }
}

impl<K: IdKind> serde::Serialize for Id<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de, K: IdKind> serde::Deserialize<'de> for Id<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! id_kinds {
    ($($kind:ident $alias:ident $prefix:literal;)*) => {$(
        #[derive(Debug)]
        pub enum $kind {}
        impl IdKind for $kind { const PREFIX: &'static str = $prefix; }
        pub type $alias = Id<$kind>;
    )*};
}

// Append only: prefixes are on the wire and in people's notes.
id_kinds! {
    ProjectKind ProjectId "prj";
    PrincipalKind PrincipalId "usr";
    ApiKeyKind ApiKeyId "key";
    AssetKindId AssetId "ast";
    RunKind RunId "run";
    JobKind JobId "job";
    RequestKind RequestId "req";
    CallKind CallId "call";
    LimitKind LimitId "lim";
    BatchKind BatchId "batch";
    StoredFileKind StoredFileId "file";
    IncidentKind IncidentId "inc";
    DeliveryKind DeliveryId "dlv";
    SilenceKind SilenceId "sil";
    ScoreIdKind ScoreId "scr";
}
