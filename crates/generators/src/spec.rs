use std::{path::PathBuf, sync::Arc};

use mainspring_llm::ModelFault;

/// Finds the GGUF file when it is first needed, so that a server starts without it and a later
/// `models pull` is enough.
pub type Locate = Arc<dyn Fn() -> Result<PathBuf, ModelFault> + Send + Sync>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatSpec {
    pub name: String,
    /// The digest of the weights.
    pub identity: String,
    /// The context window to use; the file's own is the most.
    pub context: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatOptions {
    pub threads: usize,
    /// Conversations at once. Each has a whole context window of memory.
    pub slots: usize,
    /// Requests that may wait. What does not fit is refused.
    pub queue: usize,
}

impl Default for ChatOptions {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { threads: cores, slots: 2, queue: 32 }
    }
}
