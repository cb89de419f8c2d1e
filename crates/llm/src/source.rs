//! Models that are found by who asks for them: routes and models of providers belong to a project.

use std::{fmt, sync::Arc};

use mainspring_kernel::{Actor, id::BatchId};

use crate::{chat::ChatModel, told::Told, trace::SpanContext};

/// On whose behalf a model is asked, and where in which trace.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    pub actor: &'a Actor,
    /// The app whose chain asks.
    pub app: Option<&'a str>,
    /// Which versions of the app, of its chain and of its prompt ask.
    pub version: Option<&'a str>,
    /// The end user, as the client names them.
    pub user: Option<&'a str>,
    /// It is priced as calls in a batch are.
    pub batch: bool,
    /// The batch of which a line asks: nobody waits for the answer.
    pub line_of: Option<BatchId>,
    pub trace: &'a SpanContext,
    /// Where what becomes of the calls is told.
    pub told: &'a Told,
}

/// The seam between rooms and models beside those of this process.
pub trait ModelSource: Send + Sync + fmt::Debug + 'static {
    /// The model of this name for whoever asks, one of this process among them: what it is asked is counted. `None` where the
    /// name is not one of the source's, so that it is looked up among the models of this process.
    fn chat(&self, asking: &Asking<'_>, name: &str) -> Option<Arc<dyn ChatModel>>;
}
