//! Usage that several spans of a trace say counts once.
//!
//! A span's tokens count unless a span beneath it says tokens too, and its cost unless one beneath it says a cost: of a span that
//! says both, one may count and the other not. Noughts are no usage. What lies beneath a tool is another piece of work: it does
//! not make what stands above the tool count less. So is what was embedded or put in order beneath anything but such work itself:
//! whoever answers says what the model used that wrote the answer. An event that was logged in a span that says usage is about
//! the same: of what it says counts what neither the span says nor one beneath that. Spans come in any order and in any number of
//! batches; each batch is settled together with what the table has of its traces, and a span that was there before its child came
//! stops counting then.

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
    /// What counts of that which it uses; `None` as in `Facts`.
    pub(crate) counted: Option<Uses>,
    /// As in `Facts`: counting goes without it, and who settles a batch reads it on the way.
    pub(crate) adopted: bool,
    pub(crate) uses: Uses,
    /// Whose it says itself to be; none where it says nothing of that.
    pub(crate) says: Option<Arc<Names>>,
}

impl Node {
    /// This of its usage is said by others, and counts there.
    pub(crate) fn cover(&mut self, said: Uses) {
        if let Some(counts) = &mut self.counted {
            *counts = counts.without(said);
        }
    }
}

/// What counts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantity {
    Tokens,
    Cost,
}

impl Quantity {
    /// What a column of numbers is about.
    pub(crate) fn of(column: &str) -> Self {
        if column == "cost" { Self::Cost } else { Self::Tokens }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Cost => "cost",
        }
    }

    pub(crate) fn read(word: &str) -> Option<Self> {
        [Self::Tokens, Self::Cost].into_iter().find(|quantity| quantity.as_str() == word)
    }
}

/// As a row says it: whether all of its usage counts, and which part of it does where the rest does not. Whoever knows nothing of
/// parts, such as a question that was written before there were any, counts too little and never twice.
pub(crate) type Counted = (Option<bool>, Option<Quantity>);

/// What of usage a span says, or what of that counts.
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

    /// What of it counts; none where it is not for this span to say.
    pub(crate) fn counted(self, (all, part): Counted) -> Option<Self> {
        all.map(|all| match part {
            _ if all => self,
            Some(Quantity::Tokens) => Self { cost: false, ..self },
            Some(Quantity::Cost) => Self { tokens: false, ..self },
            None => Self::default(),
        })
    }

    /// How a row that says this and counts so counts when some of it is said by others and counts there.
    pub(crate) fn covered(self, counted: Counted, said: Self) -> Counted {
        let counts = self.counted(counted).unwrap_or_default();
        if counts.and(said).any() { (Some(false), counts.without(said).only()) } else { counted }
    }

    /// Which of the two it is alone.
    const fn only(self) -> Option<Quantity> {
        match (self.tokens, self.cost) {
            (true, false) => Some(Quantity::Tokens),
            (false, true) => Some(Quantity::Cost),
            _ => None,
        }
    }

    const fn and(self, other: Self) -> Self {
        Self { tokens: self.tokens && other.tokens, cost: self.cost && other.cost }
    }

    const fn or(self, other: Self) -> Self {
        Self { tokens: self.tokens || other.tokens, cost: self.cost || other.cost }
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self { tokens: self.tokens && !other.tokens, cost: self.cost && !other.cost }
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

    /// Whether what a span above says is about the same.
    fn is_of(self, above: &Node) -> bool {
        let of_such = matches!(above.kind, SpanType::Embedding | SpanType::Rerank | SpanType::Retriever);
        above.counted.is_some() && (!self.aside || of_such)
    }

    const fn without(self, said: Uses) -> Self {
        Self { uses: self.uses.without(said), ..self }
    }
}

/// The spans among these of which something would count and does not, because one beneath them says it, and what that is.
pub(crate) fn covered(nodes: &HashMap<Id, Node>) -> HashMap<Id, Uses> {
    let above = |node: &Node| {
        let (project, trace, span) = node.id;
        node.parent.filter(|parent| *parent != span).and_then(|parent| nodes.get(&(project, trace, parent)))
    };
    let (mut passed, mut covered) = (HashSet::new(), HashMap::new());
    // What is said beneath spans that say usage.
    let mut beneath: HashMap<Id, Uses> = HashMap::new();
    let mut cover = |node: &Node, said: Uses| {
        let counts = node.counted.unwrap_or_default().and(said);
        if counts.any() {
            let of: &mut Uses = covered.entry(node.id).or_default();
            *of = of.or(counts);
        }
    };
    let is_event = |node: &&Node| node.kind == SpanType::Event;
    let spans_first = nodes.values().filter(|node| !is_event(node)).chain(nodes.values().filter(is_event));
    for node in spans_first.filter(|node| node.counted.is_some()) {
        let (mut at, mut work) = (node, Work::of(node));
        if is_event(&node)
            && let Some(span) = above(node).filter(|span| span.counted.is_some())
        {
            // It stands for its span, so what is said beneath that is said beneath it.
            cover(node, span.uses.or(beneath.get(&span.id).copied().unwrap_or_default()));
            work = work.without(span.uses);
        }
        while let Some(next) = above(at) {
            if work.is_of(next) {
                if !is_event(&node) {
                    let of = beneath.entry(next.id).or_default();
                    *of = of.or(work.uses);
                }
                let said = work.uses.and(next.uses);
                cover(next, said);
                // Whatever says the same walks for itself.
                work = work.without(said);
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
