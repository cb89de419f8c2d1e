//! Where a key lies, and the key itself, which is nowhere but in memory.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use mainspring_kernel::{Fault, FaultKind, Name};
use serde::{Deserialize, Serialize};

mod lookup;
#[cfg(test)]
mod tests;

pub use lookup::{Allowed, Credentials, SecretSource};

/// How keys begin, so that one that was written where its place belongs is not kept.
const PREFIXES: &[&str] = &["sk-", "sk_", "xai-", "gsk_", "AIza", "nvapi-", "hf_", "pplx-", "r8_", "eyJ", "ghp_"];

/// Where a key lies. Written as text: `env:OPENAI_API_KEY`, `file:/run/secrets/openai`, `secret:openai`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CredentialRef {
    /// A variable of the server's environment.
    Env(String),
    /// A file of the server, read again when it changes.
    File(PathBuf),
    /// An entry of the secret store, of the project the provider belongs to.
    Secret(Name),
}

impl FromStr for CredentialRef {
    type Err = CredentialFault;

    fn from_str(given: &str) -> Result<Self, CredentialFault> {
        let not_a_reference = |hint: &str| Err(CredentialFault::NotAReference { hint: hint.to_owned() });
        let (scheme, place) = given.split_once(':').unwrap_or(("", given));
        match scheme {
            "file" if Path::new(place).is_absolute() => Ok(Self::File(place.into())),
            "file" => not_a_reference("the path of the file begins with a slash"),
            _ if is_key(place) || is_key(given) => Err(CredentialFault::IsAKey),
            "env" if is_variable(place) => Ok(Self::Env(place.to_owned())),
            "env" => not_a_reference("a variable's name has letters, digits and underscores"),
            "secret" => match place.parse() {
                Ok(name) => Ok(Self::Secret(name)),
                Err(_) => not_a_reference("a secret's name has lower-case letters, digits, `-`, `_` and `.`"),
            },
            // Written without a lower-case letter it is more likely a variable's name than a password.
            "" if is_variable(place) && !place.bytes().any(|byte| byte.is_ascii_lowercase()) => {
                not_a_reference(&format!("write `env:{place}` for the variable of that name"))
            }
            _ => not_a_reference("name a variable, a file or an entry of the secret store"),
        }
    }
}

impl CredentialRef {
    /// Of text that may be a value itself: nothing where it does not begin as a reference does.
    pub fn of_value(text: &str) -> Option<Result<Self, CredentialFault>> {
        let (scheme, _) = text.split_once(':')?;
        matches!(scheme, "env" | "file" | "secret").then(|| text.parse())
    }
}

fn is_variable(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.bytes().next().is_some_and(letter) && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
}

/// Whether text is more likely a key than the name of a place: it begins as keys do, or is long, without any mark between
/// its words, and mixes letters and digits.
pub(crate) fn is_key(text: &str) -> bool {
    let known = text.len() >= 20 && PREFIXES.iter().any(|prefix| text.starts_with(prefix));
    let aws = text.len() == 20 && (text.starts_with("AKIA") || text.starts_with("ASIA")) && !text.contains('_');
    let random = text.len() >= 24
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().any(|byte| byte.is_ascii_alphabetic());
    known || aws || random
}

impl fmt::Display for CredentialRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Secret(name) => write!(f, "secret:{name}"),
        }
    }
}
impl Serialize for CredentialRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for CredentialRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(|fault: CredentialFault| {
            let hint = fault.hint().unwrap_or_default();
            serde::de::Error::custom(format_args!("{fault}: {hint}"))
        })
    }
}
impl schemars::JsonSchema for CredentialRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CredentialRef".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+|secret:[a-z0-9][a-z0-9._-]{0,62})$",
            "examples": ["env:OPENAI_API_KEY", "file:/run/secrets/openai", "secret:openai"]
        })
    }
}

/// Why there is no key. None of these says anything of a key's text.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CredentialFault {
    #[error("a credential is written as `env:NAME`, `file:/path` or `secret:name`")]
    NotAReference { hint: String },
    #[error("this looks like a key itself, not like the place where one lies")]
    IsAKey,
    #[error("this server does not let specs use `{reference}`")]
    NotAllowed { reference: CredentialRef },
    #[error("the server's environment has no variable `{name}`")]
    NoVariable { name: String },
    #[error("`{reference}` cannot be read: {reason}")]
    Unreadable { reference: CredentialRef, reason: String },
    #[error("`{reference}` is larger than {limit} bytes")]
    TooLarge { reference: CredentialRef, limit: u64 },
    #[error("`{reference}` is empty")]
    Empty { reference: CredentialRef },
    #[error("`{reference}` holds characters that no key has, such as a line break within it")]
    NotText { reference: CredentialRef },
    #[error("`secret:{name}` cannot be looked up: this server has no secret store")]
    NoStore { name: Name },
    #[error("the secret store has no `{name}` for this project")]
    NoSecret { name: Name },
    #[error("the secret store did not give `{name}`: {reason}")]
    Store { name: Name, reason: String },
}

impl Fault for CredentialFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::NotAReference { .. } | Self::IsAKey => FaultKind::Invalid,
            Self::NotAllowed { .. } => FaultKind::Forbidden,
            Self::NoStore { .. } => FaultKind::Unsupported,
            _ => FaultKind::Unavailable,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotAReference { .. } => "credential-not-a-reference",
            Self::IsAKey => "credential-is-a-key",
            Self::NotAllowed { .. } => "credential-not-allowed",
            Self::NoVariable { .. } => "credential-no-variable",
            Self::Unreadable { .. } => "credential-unreadable",
            Self::TooLarge { .. } => "credential-too-large",
            Self::Empty { .. } => "credential-empty",
            Self::NotText { .. } => "credential-not-text",
            Self::NoStore { .. } => "credential-no-store",
            Self::NoSecret { .. } => "credential-no-secret",
            Self::Store { .. } => "credential-store-failed",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotAReference { hint } => hint.clone(),
            Self::IsAKey => {
                "keep it with `mainspring secrets set NAME`, or put it into a variable of the server's environment or a file, \
                 and name that; where this text was shown, replace the key"
                    .into()
            }
            Self::NoVariable { name } => format!("start the server with `{name}` in its environment"),
            Self::NoStore { .. } => "use `env:NAME` or `file:/path`".into(),
            Self::NoSecret { name } => format!("`mainspring secrets set {name}` stores it"),
            _ => return None,
        })
    }
}
