//! Models that are found by who asks for them: routes and models of providers belong to a project.

use std::{fmt, sync::Arc};

use mainspring_kernel::Actor;

use crate::{chat::ChatModel, trace::SpanContext};

/// On whose behalf a model is asked, and where in which trace.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    pub actor: &'a Actor,
    /// The app whose chain asks.
    pub app: Option<&'a str>,
    /// The end user, as the client names them.
    pub user: Option<&'a str>,
    /// Nobody waits for the answer: it is a line of a batch.
    pub batch: bool,
    pub trace: &'a SpanContext,
}

/// The seam between rooms and models beside those of this process.
pub trait ModelSource: Send + Sync + fmt::Debug + 'static {
    /// The model of this name for whoever asks; `None` where the name is not one of the source's, so that it is looked up
    /// among the models of this process.
    fn chat(&self, asking: &Asking<'_>, name: &str) -> Option<Arc<dyn ChatModel>>;
}
