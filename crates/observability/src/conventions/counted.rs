//! Usage that several spans of a trace say counts once.
//!
//! A span's usage counts unless a span beneath it says usage too: tokens beneath tokens, a cost beneath a cost; noughts are no
//! usage. What lies beneath a tool is another piece of work: it does not make what stands above the tool count less. So is what
//! was embedded or put in order beneath anything but such work itself: whoever answers says what the model used that wrote the
//! answer. An event that was logged in a span which says usage is about the same usage: the span's counts. Spans come in any order and in any number of batches; each batch is settled
//! together with what the table has of its traces, and a span that was there before its child came stops counting then.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use mainspring_kernel::id::ProjectId;
use mainspring_llm::{SpanId, TraceId};

use super::{facts::Facts, kinds::SpanType};
use crate::belonging::Names;

pub(crate) type Id = (ProjectId, TraceId, SpanId);

/// A span, as far as counting goes, and finding whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: Id,
    pub(crate) parent: Option<SpanId>,
    pub(crate) kind: SpanType,
    /// As in `Facts`.
    pub(crate) counted: Option<bool>,
    /// As in `Facts`: counting goes without it, and who settles a batch reads it on the way.
    pub(crate) adopted: bool,
    pub(crate) uses: Uses,
    /// Whose it says itself to be; none where it says nothing of that.
    pub(crate) says: Option<Arc<Names>>,
}

/// What of usage a span says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Uses {
    pub(crate) tokens: bool,
    pub(crate) cost: bool,
}

impl Uses {
    pub(crate) fn of(facts: &Facts<'_>) -> Self {
        Self::read([facts.tokens.input, facts.tokens.output], facts.cost)
    }

    pub(crate) fn read(tokens: [Option<i64>; 2], cost: Option<i64>) -> Self {
        let some = |number: Option<i64>| number.is_some_and(|number| number > 0);
        Self { tokens: tokens.into_iter().any(some), cost: some(cost) }
    }

    pub(crate) const fn any(self) -> bool {
        self.tokens || self.cost
    }
}

/// The work that a span's usage is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Work {
    uses: Uses,
    /// Not of a model that writes.
    aside: bool,
}

impl Work {
    fn of(node: &Node) -> Self {
        Self { uses: node.uses, aside: matches!(node.kind, SpanType::Embedding | SpanType::Rerank) }
    }

    /// Whether a span above says the same usage.
    fn is_in(self, above: &Node) -> bool {
        let same = (self.uses.tokens && above.uses.tokens) || (self.uses.cost && above.uses.cost);
        let of_such = matches!(above.kind, SpanType::Embedding | SpanType::Rerank | SpanType::Retriever);
        above.counted.is_some() && same && (!self.aside || of_such)
    }

    /// What is left of it that the span above does not say.
    const fn without(self, above: &Node) -> Self {
        let (tokens, cost) = (self.uses.tokens && !above.uses.tokens, self.uses.cost && !above.uses.cost);
        Self { uses: Uses { tokens, cost }, ..self }
    }
}

/// The spans among these that would count and do not, because one beneath them says usage.
pub(crate) fn covered(nodes: &HashMap<Id, Node>) -> HashSet<Id> {
    let above = |node: &Node| {
        let (project, trace, span) = node.id;
        node.parent.filter(|parent| *parent != span).and_then(|parent| nodes.get(&(project, trace, parent)))
    };
    let (mut passed, mut covered) = (HashSet::new(), HashSet::new());
    for node in nodes.values().filter(|node| node.counted.is_some()) {
        let (mut at, mut work) = (node, Work::of(node));
        if node.kind == SpanType::Event && above(node).is_some_and(|span| span.counted.is_some()) {
            covered.extend((node.counted == Some(true)).then_some(node.id));
            continue;
        }
        while let Some(next) = above(at) {
            if work.is_in(next) {
                covered.extend((next.counted == Some(true)).then_some(next.id));
                // Whatever says the same walks for itself.
                work = work.without(next);
            }
            // What one walk has passed, another for such work need not pass again, which also ends where a trace goes in a circle.
            if next.kind == SpanType::Tool || !work.uses.any() || !passed.insert((work, next.id)) {
                break;
            }
            at = next;
        }
    }
    covered
}
