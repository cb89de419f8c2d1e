//! What others made of telemetry: a monitor remembers the slices that it saw, and an alert says of whom it is and shows
//! traces. This room does not know them; whoever joins the rooms tells it.

use std::{collections::HashSet, fmt};

use async_trait::async_trait;
use mainspring_kernel::{Fault, id::ProjectId};

/// By what something is known to be of an erasure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// The id of a user, of a session or of a trace, as senders write it.
    pub values: Vec<String>,
    pub traces: HashSet<String>,
    /// Words by which topics were told apart, and which hardly anybody else has said.
    pub words: Vec<String>,
}

impl Names {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.traces.is_empty() && self.words.is_empty()
    }
}

/// Others that keep something they made of telemetry.
#[async_trait]
pub trait Derived: fmt::Debug + Send + Sync + 'static {
    /// Waits until nothing is under way in this process that was begun before, and may still write what it read.
    async fn settle(&self);
    /// Takes names out of what is remembered from one look to the next, by which they may be told again.
    async fn forget(&self, project: ProjectId, names: &Names) -> Result<(), Box<dyn Fault>>;
    /// Takes them out of what was told.
    async fn erase(&self, project: ProjectId, names: &Names) -> Result<(), Box<dyn Fault>>;
}
