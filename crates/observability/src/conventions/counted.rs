//! Usage that several spans of a trace say counts once.
//!
//! A span's usage counts unless a span beneath it says usage too. What lies beneath a tool is another piece of work: it does
//! not make what stands above the tool count less. An event that was logged in a span which says usage is about the same
//! usage: the span's counts. Spans come in any order and in any number of batches; each batch is settled
//! together with what the table has of its traces, and a span that was there before its child came stops counting then.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use mainspring_kernel::id::ProjectId;
use mainspring_llm::{SpanId, TraceId};

use super::kinds::SpanType;
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
    /// Whose it says itself to be; none where it says nothing of that.
    pub(crate) says: Option<Arc<Names>>,
}

/// The spans among these that would count and do not, because one beneath them says usage.
pub(crate) fn covered(nodes: &HashMap<Id, Node>) -> HashSet<Id> {
    let above = |node: &Node| {
        let (project, trace, span) = node.id;
        node.parent.filter(|parent| *parent != span).and_then(|parent| nodes.get(&(project, trace, parent)))
    };
    let (mut passed, mut covered) = (HashSet::new(), HashSet::new());
    for node in nodes.values().filter(|node| node.counted.is_some()) {
        let mut at = node;
        if node.kind == SpanType::Event && above(node).is_some_and(|span| span.counted.is_some()) {
            covered.extend((node.counted == Some(true)).then_some(node.id));
            continue;
        }
        while let Some(next) = above(at) {
            if next.counted == Some(true) {
                covered.insert(next.id);
            }
            // Whatever says usage walks for itself. What one walk has passed, another need not pass again, which also ends
            // where a trace goes in a circle.
            if next.kind == SpanType::Tool || next.counted.is_some() || !passed.insert(next.id) {
                break;
            }
            at = next;
        }
    }
    covered
}
