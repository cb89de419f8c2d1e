//! What can go wrong, seen from outside: one closed list of kinds, mapped to HTTP once, in `web-kit`.

/// Why something was refused or failed. New kinds are rare: each one is a promise to every client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The input is wrong and stays wrong.
    Invalid,
    /// Nobody is known to be asking.
    Unauthenticated,
    /// Somebody known asks for what they may not have.
    Forbidden,
    NotFound,
    /// The state moved, or the name is taken.
    Conflict,
    /// Larger than a limit.
    TooLarge,
    /// Too much at once; come back after `Fault::retry_after`.
    Saturated,
    /// It took longer than its deadline.
    Timeout,
    /// Something this process needs is away (a database, an object store, a model server).
    Unavailable,
    /// Known, and not there in this version or build.
    Unsupported,
    /// Our mistake. Details go to the log only.
    Internal,
}

/// A typed error of one room, as the world sees it.
///
/// `Display` is a lower-case fragment without a full stop and never repeats its source.
pub trait Fault: std::error::Error + Send + Sync + 'static {
    fn kind(&self) -> FaultKind;
    /// A stable code with a page in `docs/errors/`.
    fn code(&self) -> &'static str;
    /// What the reader can do about it.
    fn hint(&self) -> Option<String> {
        None
    }
    fn retry_after(&self) -> Option<std::time::Duration> {
        None
    }
}

impl FaultKind {
    /// Whether the details are for our log and not for the client.
    #[must_use]
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Internal)
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Saturated | Self::Timeout | Self::Unavailable)
    }
}

/// The whole chain of an error as one line, for a log or a terminal.
pub fn chain(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut source = fault.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
