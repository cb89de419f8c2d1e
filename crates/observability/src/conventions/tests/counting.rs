//! Whose usage counts.

use std::collections::HashSet;

use mainspring_kernel::id::ProjectId;
use mainspring_llm::{SpanId, TraceId};
use proptest::prelude::*;

use super::super::{
    SpanType,
    counted::{self, Id, Node, Uses},
};

fn id(span: u8) -> Id {
    let mut bytes = [0; 8];
    bytes[7] = span;
    (ProjectId::from_raw(7), TraceId::from_slice(&[1; 16]).unwrap(), SpanId::from_slice(&bytes).unwrap())
}

fn node(span: u8, parent: Option<u8>, kind: SpanType, says: bool) -> Node {
    Node {
        id: id(span),
        parent: parent.map(|parent| id(parent).2),
        kind,
        counted: says.then_some(true),
        adopted: false,
        uses: Uses { tokens: says, cost: says },
        says: None,
    }
}

fn covered(nodes: &[Node]) -> HashSet<Id> {
    counted::covered(&nodes.iter().map(|node| (node.id, node.clone())).collect())
}

fn uncounted(nodes: &[Node]) -> Vec<u8> {
    let mut found: Vec<u8> = covered(nodes).iter().map(|(_, _, span)| span.as_bytes()[7]).collect();
    found.sort_unstable();
    found
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
fn a_cost_counts_where_nothing_beneath_says_one() {
    let only = |tokens: bool, cost: bool| Uses { tokens, cost };
    let of = |uses: Uses, of: Node| Node { uses, ..of };
    let above = of(only(false, true), node(1, None, Agent, true));
    let between = of(only(true, true), node(3, None, Agent, true));
    let call = of(only(true, false), node(2, Some(1), Chat, true));
    assert_eq!(uncounted(&[above.clone(), call.clone()]), Vec::<u8>::new(), "neither says what the other says");
    let top = Node { id: id(1), ..between };
    let middle = Node { parent: Some(top.id.2), id: id(3), ..above };
    let call = Node { parent: Some(middle.id.2), ..call };
    assert_eq!(
        uncounted(&[top.clone(), middle.clone(), call.clone()]),
        [1],
        "by the cost in the middle and the tokens beneath it"
    );
    // A call that says both, of which those above it say one each.
    let (tokens, both) = (only(true, false), only(true, true));
    assert_eq!(uncounted(&[of(tokens, top), middle, of(both, call)]), [1, 3]);
}

#[test]
fn an_event_counts_where_its_span_says_nothing() {
    let logged = |says| [node(1, None, Chat, says), node(2, Some(1), Event, true), node(3, None, Event, true)];
    assert_eq!(uncounted(&logged(true)), [2]);
    assert_eq!(uncounted(&logged(false)), Vec::<u8>::new());
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
            kind: Chain,
            counted: (n >= 30_000).then_some(true),
            adopted: false,
            uses: Uses { tokens: n >= 30_000, cost: false },
            says: None,
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
            Node { uses, ..node(u8::try_from(at).unwrap() + 1, parent, kinds[usize::from(*kind)], uses.any()) }
        }).collect();
        let whole = covered(&nodes);
        let mut shuffled = nodes.clone();
        shuffled.sort_by_key(|node| u64::from(node.id.2.as_bytes()[7]).wrapping_mul(order | 1).rotate_left(17));
        let mut settled: Vec<Node> = Vec::new();
        for batch in shuffled.chunks(size) {
            settled.extend(batch.iter().cloned());
            let covered = covered(&settled);
            for node in settled.iter_mut().filter(|node| covered.contains(&node.id)) {
                node.counted = Some(false);
            }
        }
        let counted = |nodes: &[Node]| -> HashSet<Id> { nodes.iter().filter(|node| node.counted == Some(true)).map(|node| node.id).collect() };
        let want: HashSet<Id> = counted(&nodes).difference(&whole).copied().collect();
        prop_assert_eq!(counted(&settled), want);
    }
}
