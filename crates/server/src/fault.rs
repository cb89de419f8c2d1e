use mainspring_kernel::{Fault, FaultKind, tasks::Unfinished};

use crate::lock::LockFault;

/// Why the building does not open.
#[derive(Debug, thiserror::Error)]
pub enum BootFault {
    #[error("the data directory is in use")]
    Lock(#[from] LockFault),
    #[error("the {part} cannot be opened: {reason}")]
    Part { part: &'static str, kind: FaultKind, code: &'static str, reason: String, hint: Option<String> },
    #[error("{address} is not this machine's own address, and no key exists")]
    KeyNeeded { address: std::net::SocketAddr },
    #[error("cannot listen on {address}")]
    Listen {
        address: std::net::SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Unfinished(#[from] Unfinished),
}

impl BootFault {
    /// Turns a room's fault into one that names the part, with the whole chain of causes.
    pub(crate) fn part<F: Fault>(part: &'static str) -> impl FnOnce(F) -> Self {
        move |fault| Self::Part {
            part,
            kind: fault.kind(),
            code: fault.code(),
            hint: fault.hint(),
            reason: mainspring_kernel::fault::chain(&fault),
        }
    }
}

impl Fault for BootFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Lock(fault) => fault.kind(),
            Self::Part { kind, .. } => *kind,
            Self::KeyNeeded { .. } => FaultKind::Forbidden,
            Self::Listen { .. } | Self::Unfinished(_) => FaultKind::Unavailable,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Lock(fault) => fault.code(),
            Self::Part { code, .. } => code,
            Self::KeyNeeded { .. } => "boot-key-needed",
            Self::Listen { .. } => "boot-cannot-listen",
            Self::Unfinished(_) => "boot-unfinished-tasks",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::KeyNeeded { .. } => {
                Some("`mainspring keys create NAME --role admin` makes one; then every request needs a key".into())
            }
            Self::Lock(fault) => fault.hint(),
            Self::Part { hint, .. } => hint.clone(),
            Self::Listen { .. } => Some("another process may have that port: `--listen HOST:PORT` names another".into()),
            Self::Unfinished(_) => None,
        }
    }
}
