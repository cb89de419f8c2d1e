//! What the ledger is told of a call before it is made.

use mainspring_kernel::{Name, Timestamp, id::CallId};
use mainspring_llm::TraceId;
use mainspring_providers::{Operation, Preset, ProviderKind};

use crate::{
    allowed,
    cost::{Bound, Place},
    incurs::Incurs,
};

/// A call that is about to be made.
#[derive(Debug, Clone)]
pub struct Intent {
    pub id: CallId,
    pub at: Timestamp,
    /// As the client named it.
    pub model: String,
    pub route: Option<String>,
    pub operation: Operation,
    /// The input surely has no more tokens than this: the bytes of the body are such a bound. Money is set aside for them.
    pub input_tokens_upper: u64,
    /// About as many tokens as the input has. Limits on tokens set these aside: what is used more is owed there, and a bound
    /// that is four times the truth would refuse calls that fit.
    pub input_tokens_about: u64,
    /// As how many searches it may be billed: one, but of reranking.
    pub searches_upper: u64,
    /// At which rates beside those of plain text it may be charged.
    pub incurs: Incurs,
    /// The targets the call may go to. The dearest of them is what is set aside.
    pub candidates: Vec<Candidate>,
    pub batch: bool,
    pub trace: TraceId,
}

/// A target the call may go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub provider: Name,
    pub kind: ProviderKind,
    pub preset: Option<Preset>,
    /// The name under which prices have it.
    pub price_as: String,
    /// What this call lets it write at most, all answers together; absent: as much as is usual.
    pub max_output_tokens: Option<u64>,
}

impl From<(Name, ProviderKind, String)> for Candidate {
    fn from((provider, kind, price_as): (Name, ProviderKind, String)) -> Self {
        Self { provider, kind, preset: None, price_as, max_output_tokens: None }
    }
}

impl Candidate {
    /// What prices are asked for.
    pub(crate) fn place(&self) -> Place<'_> {
        Place { provider: self.provider.as_str(), kind: self.kind, preset: self.preset, model: &self.price_as }
    }
}

impl Intent {
    /// How much the candidate may write.
    pub(crate) fn output_tokens(&self, candidate: &Candidate) -> u64 {
        match self.operation {
            Operation::Embeddings | Operation::Rerank | Operation::Moderations | Operation::CountTokens => 0,
            Operation::Chat | Operation::Responses | Operation::Compact | Operation::Messages | Operation::Completions => {
                candidate.max_output_tokens.unwrap_or(allowed::USUAL)
            }
        }
    }

    /// What it may come to at the candidate.
    pub(crate) fn bound(&self, candidate: &Candidate) -> Bound {
        Bound {
            input: self.input_tokens_upper,
            output: self.output_tokens(candidate),
            searches: self.searches_upper,
            batch: self.batch,
            incurs: self.incurs,
        }
    }

    /// What limits by model count: the route where there is one, however the client named it.
    pub(crate) fn model_counted(&self) -> &str {
        self.route.as_deref().unwrap_or(&self.model)
    }
}
