//! Closed lists of words, as they are written in tables and on the wire.

use mainspring_kernel::text;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{given}`: use {known}")]
pub struct WordFault {
    pub what: &'static str,
    pub given: String,
    pub known: String,
}

pub(crate) fn unknown(what: &'static str, given: &str, known: &[&str]) -> WordFault {
    WordFault { what, given: text::elide(given, 40), known: known.join(", ") }
}

/// An enum whose variants have names outside of the program.
macro_rules! words {
    ($(#[$about:meta])* $name:ident, $what:literal: $($(#[$doc:meta])* $variant:ident $word:literal,)+) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$doc])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::words::WordFault;

            fn from_str(given: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.iter().copied().find(|word| word.as_str() == given);
                found.ok_or_else(|| $crate::words::unknown($what, given, &[$($word,)+]))
            }
        }
    };
}

pub(crate) use words;
