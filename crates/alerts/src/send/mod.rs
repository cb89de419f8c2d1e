//! One try of one notice.

mod http;
mod mail;
mod pagerduty;
mod reply;
mod signature;
mod slack;
mod smtp;

use std::time::Duration;

use mainspring_kernel::{Fault as _, Name, Timestamp, id::ProjectId, text};
use mainspring_providers::{CredentialFault, CredentialRef, Credentials, Socket};
use secrecy::SecretString;

pub use mail::{Address, AddressFault};
#[cfg(test)]
pub(crate) use {mail::Envelope, mail::message, signature::sign};

use crate::{notice::Notice, spec::ReceiverSpec};

/// Longer answers of receivers are cut.
const SAID_MAX: usize = 300;

/// It arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) status: Option<u16>,
    /// What is to be said of it all the same.
    pub(crate) note: Option<String>,
}

/// It did not arrive, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unsent {
    /// For people; never holds a credential.
    pub(crate) message: String,
    pub(crate) status: Option<u16>,
    /// When the receiver wants to be asked again.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) hope: Hope,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hope {
    /// The receiver itself is not well: the next notice would fare no better.
    ReceiverLater,
    /// This notice may be taken another time.
    Later,
    /// It will never be taken.
    Never,
}

impl Unsent {
    fn new(hope: Hope, message: impl AsRef<str>) -> Self {
        Self { message: text::elide(message.as_ref(), SAID_MAX), status: None, retry_after: None, hope }
    }

    fn status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }
}

fn late(within: Duration) -> Unsent {
    Unsent::new(Hope::ReceiverLater, format!("it was not done within {within:?}"))
}

/// What is sent to whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parcel<'p> {
    pub(crate) project: ProjectId,
    pub(crate) receiver: &'p Name,
    pub(crate) spec: &'p ReceiverSpec,
    pub(crate) notice: &'p Notice,
    /// The same for every try, so that receivers know a notice again.
    pub(crate) id: &'p str,
    pub(crate) now: Timestamp,
}

/// Carries notices out of the house, and keeps to its rules about where one may connect to and which keys specs may name.
#[derive(Debug, Clone)]
pub struct Courier {
    socket: Socket,
    credentials: Credentials,
}

impl Courier {
    #[must_use]
    pub const fn new(socket: Socket, credentials: Credentials) -> Self {
        Self { socket, credentials }
    }

    /// Ends within the receiver's timeout, whatever the other side does.
    pub(crate) async fn send(&self, parcel: Parcel<'_>) -> Result<Sent, Unsent> {
        let within = parcel.spec.timeout.as_duration();
        match tokio::time::timeout(within, Box::pin(self.try_send(parcel))).await {
            Ok(outcome) => outcome,
            Err(_) => Err(late(within)),
        }
    }

    async fn try_send(&self, parcel: Parcel<'_>) -> Result<Sent, Unsent> {
        let ReceiverSpec { webhook, slack, email, pagerduty, .. } = parcel.spec;
        if let Some(webhook) = webhook {
            self.webhook(webhook, parcel).await
        } else if let Some(slack) = slack {
            self.slack(slack, parcel).await
        } else if let Some(email) = email {
            self.email(email, parcel).await
        } else if let Some(pagerduty) = pagerduty {
            self.pagerduty(pagerduty, parcel).await
        } else {
            Err(Unsent::new(Hope::Never, "the spec says no way to reach it"))
        }
    }

    async fn key(&self, project: ProjectId, reference: &CredentialRef) -> Result<SecretString, Unsent> {
        self.credentials.resolve(project, reference).await.map_err(|fault: CredentialFault| {
            let hint = fault.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
            // Somebody may set it.
            Unsent::new(Hope::Later, format!("{fault}{hint}"))
        })
    }
}
