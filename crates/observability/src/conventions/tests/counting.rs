//! Whose usage counts.

use std::collections::HashMap;

use mainspring_kernel::id::ProjectId;
use mainspring_llm::{SpanId, TraceId};
use proptest::prelude::*;

use super::super::{
    SpanType,
    counted::{self, Id, Node, Quantity, Uses},
};

fn id(span: u8) -> Id {
    let mut bytes = [0; 8];
    bytes[7] = span;
    (ProjectId::from_raw(7), TraceId::from_slice(&[1; 16]).unwrap(), SpanId::from_slice(&bytes).unwrap())
}

const NOTHING: Uses = Uses { tokens: false, cost: false };
const TOKENS: Uses = Uses { tokens: true, cost: false };
const COST: Uses = Uses { tokens: false, cost: true };
const BOTH: Uses = Uses { tokens: true, cost: true };

fn using(span: u8, parent: Option<u8>, kind: SpanType, uses: Uses) -> Node {
    Node {
        id: id(span),
        parent: parent.map(|parent| id(parent).2),
        kind,
        counted: uses.any().then_some(uses),
        adopted: false,
        uses,
        says: None,
    }
}

fn node(span: u8, parent: Option<u8>, kind: SpanType, says: bool) -> Node {
    using(span, parent, kind, if says { BOTH } else { NOTHING })
}

fn covered(nodes: &[Node]) -> HashMap<Id, Uses> {
    counted::covered(&nodes.iter().map(|node| (node.id, node.clone())).collect())
}

/// The spans of which nothing counts.
fn uncounted(nodes: &[Node]) -> Vec<u8> {
    let covered = covered(nodes);
    let mut found: Vec<u8> = covered.keys().map(|(_, _, span)| span.as_bytes()[7]).collect();
    found.sort_unstable();
    assert!(nodes.iter().all(|node| covered.get(&node.id).is_none_or(|said| *said == node.uses)), "of each all or nothing");
    found
}

/// What counts of each span, in their order.
fn counting(nodes: &[Node]) -> Vec<Uses> {
    let covered = covered(nodes);
    let left = |node: &Node| node.uses.without(covered.get(&node.id).copied().unwrap_or_default());
    nodes.iter().map(left).collect()
}

use SpanType::{Agent, Chain, Chat, Embedding, Event, Retriever, Span, Tool};

#[test]
fn a_span_counts_unless_one_beneath_it_says_usage() {
    // An agent, a step that says nothing, and two calls; one of them through a gateway that says it again.
    let nodes = [
        node(1, None, Agent, true),
        node(2, Some(1), Chain, false),
        node(3, Some(2), Chat, true),
        node(4, Some(2), Chat, true),
        node(5, Some(4), Span, false),
        node(6, Some(5), Chat, true),
    ];
    assert_eq!(uncounted(&nodes), [1, 4]);
    assert_eq!(uncounted(&nodes[..2]), Vec::<u8>::new(), "an agent with no call beneath it counts");
}

#[test]
fn what_lies_beneath_a_tool_is_another_piece_of_work() {
    let nodes =
        [node(1, None, Agent, true), node(2, Some(1), Tool, false), node(3, Some(2), Agent, true), node(4, Some(3), Chat, true)];
    assert_eq!(uncounted(&nodes), [3]);
    let nodes = [node(1, None, Agent, true), node(2, Some(1), Tool, true), node(3, Some(2), Chat, true)];
    assert_eq!(uncounted(&nodes), [1, 2], "a tool that says usage is a span that says usage");
}

#[test]
fn what_was_embedded_beneath_an_answer_is_another_piece_of_work() {
    let nodes = [
        node(1, None, Agent, true),
        node(2, Some(1), Retriever, false),
        node(3, Some(2), Embedding, true),
        // Whoever asks an embedder, and the gateway that says it again.
        node(4, Some(3), Span, false),
        node(5, Some(4), Embedding, true),
    ];
    assert_eq!(uncounted(&nodes), [3], "what the agent's own call used is said nowhere else");
    let mut with_call = nodes.to_vec();
    with_call.push(node(6, Some(2), Chat, true));
    assert_eq!(uncounted(&with_call), [1, 3], "a walk for what was embedded is none for what was written");
    let nodes = [node(1, None, Retriever, true), node(2, Some(1), Embedding, true)];
    assert_eq!(uncounted(&nodes), [1]);
}

#[test]
fn tokens_and_cost_count_apart() {
    let paid = using(1, None, Agent, BOTH);
    for (beneath, left) in [(TOKENS, COST), (COST, TOKENS), (BOTH, NOTHING), (NOTHING, BOTH)] {
        assert_eq!(counting(&[paid.clone(), using(2, Some(1), Chat, beneath)]), [left, beneath]);
    }
    // The tokens are said at the bottom, and the cost in the middle.
    let nodes = [paid.clone(), using(2, Some(1), Agent, COST), using(3, Some(2), Chat, TOKENS)];
    assert_eq!(counting(&nodes), [NOTHING, COST, TOKENS]);
    // A call that says both, of which those above it say one each.
    let nodes = [using(1, None, Agent, TOKENS), using(2, Some(1), Agent, COST), using(3, Some(2), Chat, BOTH)];
    assert_eq!(counting(&nodes), [NOTHING, NOTHING, BOTH]);
    // Several calls, each of which says a part.
    let nodes = [paid, using(2, Some(1), Chat, TOKENS), using(3, Some(1), Chat, COST)];
    assert_eq!(counting(&nodes), [NOTHING, TOKENS, COST]);
}

#[test]
fn a_row_says_which_part_of_it_counts() {
    let mut columns = (Some(true), None);
    for (said, want) in [(NOTHING, (Some(true), None)), (TOKENS, (Some(false), Some(Quantity::Cost)))] {
        columns = BOTH.covered(columns, said);
        assert_eq!(columns, want);
    }
    assert_eq!(BOTH.counted(columns), Some(COST));
    assert_eq!(BOTH.covered(columns, TOKENS), columns, "it is known already");
    assert_eq!(BOTH.covered(columns, COST), (Some(false), None));
    assert_eq!(TOKENS.covered((Some(true), None), COST), (Some(true), None), "of what it does not say");
    assert_eq!(BOTH.covered((None, None), BOTH), (None, None), "a part of a call");
    for quantity in [Quantity::Tokens, Quantity::Cost] {
        assert_eq!(Quantity::read(quantity.as_str()), Some(quantity));
    }
}

#[test]
fn an_event_counts_where_its_span_says_nothing() {
    let logged = |says| [node(1, None, Chat, says), node(2, Some(1), Event, true), node(3, None, Event, true)];
    assert_eq!(uncounted(&logged(true)), [2]);
    assert_eq!(uncounted(&logged(false)), Vec::<u8>::new());
}

#[test]
fn of_an_event_counts_what_its_span_does_not_say() {
    let mut nodes = vec![using(1, None, Agent, BOTH), using(2, Some(1), Chat, TOKENS), using(3, Some(2), Event, BOTH)];
    assert_eq!(counting(&nodes), [NOTHING, TOKENS, COST]);
    nodes.push(using(4, Some(2), Chat, COST));
    assert_eq!(counting(&nodes), [NOTHING, TOKENS, NOTHING, COST], "nor one beneath the span");
}

#[test]
fn circles_and_other_projects_end_and_mean_nothing() {
    assert_eq!(uncounted(&[node(1, Some(1), Chat, true)]), Vec::<u8>::new());
    let nodes = [node(1, Some(2), Chain, false), node(2, Some(1), Chain, false), node(3, Some(1), Chat, true)];
    assert_eq!(uncounted(&nodes), Vec::<u8>::new());
    let mut other = node(2, Some(1), Chat, true);
    other.id.0 = ProjectId::from_raw(8);
    assert_eq!(uncounted(&[node(1, None, Agent, true), other]), Vec::<u8>::new());
}

#[test]
fn a_deep_trace_is_walked_once() {
    let (project, trace, _) = id(1);
    let span = |n: u64| SpanId::from_slice(&(n + 1).to_be_bytes()).unwrap();
    // Half of it is one above the other, and the other half hangs at the bottom.
    let nodes: Vec<Node> = (0..60_000_u64)
        .map(|n| Node {
            id: (project, trace, span(n)),
            parent: (n > 0).then(|| span(n.min(30_000) - 1)),
            ..using(1, None, Chain, if n >= 30_000 { TOKENS } else { NOTHING })
        })
        .collect();
    assert!(covered(&nodes).is_empty());
}

proptest! {
    /// Batches in any order, each settled with what came before, count what the whole trace counts.
    #[test]
    fn the_order_of_batches_does_not_matter(
        shape in proptest::collection::vec((any::<prop::sample::Index>(), 0_u8..6, 0_u8..4), 1..12),
        order in any::<u64>(),
        size in 1_usize..4,
    ) {
        let kinds = [Chat, Agent, Tool, Event, Embedding, Retriever];
        let nodes: Vec<Node> = shape.iter().enumerate().map(|(at, (parent, kind, says))| {
            let parent = (at > 0).then(|| u8::try_from(parent.index(at)).unwrap() + 1);
            let uses = Uses { tokens: says & 1 != 0, cost: says & 2 != 0 };
            using(u8::try_from(at).unwrap() + 1, parent, kinds[usize::from(*kind)], uses)
        }).collect();
        let whole = covered(&nodes);
        let mut shuffled = nodes.clone();
        shuffled.sort_by_key(|node| u64::from(node.id.2.as_bytes()[7]).wrapping_mul(order | 1).rotate_left(17));
        let mut settled: Vec<Node> = Vec::new();
        for batch in shuffled.chunks(size) {
            settled.extend(batch.iter().cloned());
            let covered = covered(&settled);
            for node in &mut settled {
                node.cover(covered.get(&node.id).copied().unwrap_or_default());
            }
        }
        let mut want = nodes;
        want.iter_mut().for_each(|node| node.cover(whole.get(&node.id).copied().unwrap_or_default()));
        let counted = |node: Node| (node.id, node.counted);
        let settled: HashMap<Id, Option<Uses>> = settled.into_iter().map(counted).collect();
        prop_assert_eq!(settled, want.into_iter().map(counted).collect::<HashMap<_, _>>());
    }
}
