//! Who answers a line, and who knows whether its maker still may ask.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use mainspring_kernel::{
    Actor, Fault,
    id::{BatchId, ProjectId},
};

use crate::model::{Endpoint, Maker};

/// What a request was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineReply {
    pub status: u16,
    /// By which the request is found again.
    pub request_id: String,
    pub body: Bytes,
    /// Whether it is worth asking again.
    pub again: Option<Again>,
}

/// Why a request was not made, or not answered, and may be later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// A limit or a budget of ours has no room: nobody was asked.
    Limit(Duration),
    /// Whoever was asked had no time for it.
    Busy(Option<Duration>),
}

/// The seam to the surface that answers requests of clients.
#[async_trait]
pub trait Answers: Send + Sync + fmt::Debug + 'static {
    /// Makes a request as if the actor had made it, for a batch and its endpoint.
    async fn answer(&self, actor: &Actor, of: (BatchId, Endpoint), body: Bytes) -> LineReply;
}

/// The seam to whoever knows keys and members.
#[async_trait]
pub trait Standing: Send + Sync + fmt::Debug + 'static {
    /// The maker as they are now; refused where they may not ask any longer.
    async fn acting(&self, project: ProjectId, maker: &Maker) -> Result<Actor, Box<dyn Fault>>;
}
