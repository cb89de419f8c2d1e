//! Whose a span is that does not say so itself.
//!
//! Instrumentations say who asked, and in which session, on the span by which a trace begins, and what was used on the calls
//! beneath it. So that whoever asks spans by user finds who pays, a span that names none takes the name that the nearest span
//! above it says; where none above says one, the name that its trace says, if all of the trace that names one names the same.
//! An app is taken from above only: whoever called an app is no part of it.
//!
//! The attributes stay as they came; a column says which names a row took. A batch is settled with what is known of its traces
//! (`settle.rs`). Rows that are in the table when a name comes are written again a moment later (`late.rs`).

pub(crate) mod late;

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use arrow_array::{Array as _, ArrayRef, Int64Array, RecordBatch, StringArray};
use mainspring_lake::{Filter, Scalar};

use crate::{
    conventions::{
        Facts,
        counted::{Id, Node},
    },
    fault::TraceFault,
    sampling::Key,
    table::{LENT, Rows},
};

/// The columns whose names are taken, in the order of the bits that say so.
pub(crate) const TAKEN: [&str; 3] = ["user", "session", "app"];
/// The first of them are of a whole trace.
const OF_TRACE: usize = 2;

/// A user, a session and an app.
pub(crate) type Names = [Option<Arc<str>>; TAKEN.len()];

/// Gives spans that say the same, one after the other, one memory for it.
#[derive(Debug, Default)]
pub(crate) struct Saying(Option<Arc<Names>>);

impl Saying {
    /// None where nothing is said.
    pub(crate) fn of(&mut self, said: [Option<&str>; TAKEN.len()]) -> Option<Arc<Names>> {
        if said.iter().all(Option::is_none) {
            return None;
        }
        let is_same = |names: &Arc<Names>| names.iter().zip(said).all(|(name, said)| name.as_deref() == said);
        if !self.0.as_ref().is_some_and(is_same) {
            self.0 = Some(Arc::new(said.map(|name| name.map(Arc::from))));
        }
        self.0.clone()
    }

    /// What a span says itself.
    pub(crate) fn of_facts(&mut self, facts: &Facts<'_>) -> Option<Arc<Names>> {
        self.of([facts.user.as_deref(), facts.session.as_deref(), facts.app.as_deref()])
    }

    /// The same, read from its row.
    pub(crate) fn of_row(&mut self, rows: &Rows<'_>, row: usize) -> Result<Option<Arc<Names>>, TraceFault> {
        let lent = lent(rows, row)?;
        let mut said = [None; TAKEN.len()];
        for (at, said) in said.iter_mut().enumerate().filter(|(at, _)| !has(lent, *at)) {
            *said = rows.text(TAKEN[at], row)?;
        }
        Ok(self.of(said))
    }
}

fn lent(rows: &Rows<'_>, row: usize) -> Result<i64, TraceFault> {
    Ok(rows.number(LENT, row)?.unwrap_or_default())
}

const fn has(lent: i64, at: usize) -> bool {
    lent & (1 << at) != 0
}

/// The names that a row took.
fn taken_by(rows: &Rows<'_>, row: usize) -> Result<Names, TraceFault> {
    let lent = lent(rows, row)?;
    let mut names = Names::default();
    for (at, name) in names.iter_mut().enumerate().filter(|(at, _)| has(lent, *at)) {
        *name = rows.text(TAKEN[at], row)?.map(Arc::from);
    }
    Ok(names)
}

/// Rows that say this themselves, or are without it: of the rows of a trace these are mostly few.
pub(crate) fn said_itself(column: &str) -> Filter {
    let at = TAKEN.iter().position(|taken| *taken == column).unwrap_or_default();
    let others = (1..1 << TAKEN.len()).filter(|lent| !has(*lent, at)).map(Scalar::Int).collect();
    Filter::Or(vec![Filter::IsNull(LENT.into()), Filter::In(LENT.into(), others)])
}

/// What comes of a batch.
#[derive(Debug, Default)]
pub(crate) struct Belonging {
    /// What spans take that do not say it; one that takes nothing is not there.
    pub(crate) taken: HashMap<Id, Names>,
    /// Traces of which rows in the table may have to take other names than they have.
    pub(crate) late: Vec<Key>,
}

/// Of spans that are there and those that come, with all that is known of their traces. `before`: which are there.
pub(crate) fn settle(nodes: &HashMap<Id, Node>, before: &HashSet<Id>) -> Belonging {
    if nodes.values().all(|node| node.says.is_none()) {
        return Belonging::default();
    }
    let taken = takings(nodes, |_| true);
    // Those that are there have what came of them alone.
    let took = if before.is_empty() { HashMap::new() } else { takings(nodes, |id| before.contains(id)) };
    let changed = before.iter().filter(|id| taken.get(*id) != took.get(*id));
    let late: HashSet<Key> = changed.map(|(project, trace, _)| (*project, *trace)).collect();
    Belonging { taken, late: late.into_iter().collect() }
}

/// What spans take of each other, as if there were no others.
fn takings(nodes: &HashMap<Id, Node>, is_among: impl Fn(&Id) -> bool) -> HashMap<Id, Names> {
    let among: Vec<&Node> = nodes.values().filter(|node| is_among(&node.id)).collect();
    let mut traces: HashMap<Key, [Said; TAKEN.len()]> = HashMap::new();
    for node in &among {
        let of_trace = traces.entry((node.id.0, node.id.1)).or_default();
        of_trace.iter_mut().zip(names_of(node)).for_each(|(said, name)| said.take(name));
    }
    traces.retain(|_, of_trace| of_trace.iter().any(Said::is_taken));
    let known = |id: &Id| nodes.get(id).filter(|_| is_among(id));
    let (mut taken, mut handed_down) = (HashMap::new(), HashMap::new());
    for node in among {
        let Some(of_trace) = traces.get(&(node.id.0, node.id.1)) else { continue };
        let (own, above) = (names_of(node), from_above(known, &mut handed_down, node));
        let take = |at: usize| {
            let of_trace = || of_trace[at].only().filter(|_| at < OF_TRACE);
            if own[at].is_some() { None } else { above[at].clone().or_else(of_trace) }
        };
        let names: Names = std::array::from_fn(take);
        if names.iter().any(Option::is_some) {
            taken.insert(node.id, names);
        }
    }
    taken
}

/// What the spans of a trace say of one column.
#[derive(Debug, Default)]
struct Said {
    name: Option<Arc<str>>,
    /// They do not all name the same.
    several: bool,
    /// One does not say it.
    lacked: bool,
}

impl Said {
    fn take(&mut self, name: Option<&Arc<str>>) {
        match (name, &self.name) {
            (None, _) => self.lacked = true,
            (Some(name), Some(known)) => self.several |= known != name,
            (Some(name), None) => self.name = Some(Arc::clone(name)),
        }
    }

    const fn is_taken(&self) -> bool {
        self.lacked && self.name.is_some()
    }

    fn only(&self) -> Option<Arc<str>> {
        self.name.clone().filter(|_| !self.several)
    }
}

fn names_of(node: &Node) -> [Option<&Arc<str>>; TAKEN.len()] {
    let says = node.says.as_deref();
    std::array::from_fn(|at| says.and_then(|names| names[at].as_ref()))
}

/// What a span hands down to those beneath it: what it says, or else what came to it from above. Each span is passed once.
fn from_above<'a>(known: impl Fn(&Id) -> Option<&'a Node>, handed_down: &mut HashMap<Id, Names>, node: &'a Node) -> Names {
    let (mut path, mut at, mut names) = (Vec::new(), Some(node), Names::default());
    while let Some(node) = at {
        if let Some(handed) = handed_down.get(&node.id) {
            names.clone_from(handed);
            break;
        }
        // Where a trace goes in a circle, nothing comes from there.
        handed_down.insert(node.id, Names::default());
        path.push(node);
        let (project, trace, _) = node.id;
        at = node.parent.and_then(|parent| known(&(project, trace, parent)));
    }
    while let Some(node) = path.pop() {
        for (name, said) in names.iter_mut().zip(names_of(node)) {
            if let Some(said) = said {
                *name = Some(Arc::clone(said));
            }
        }
        handed_down.insert(node.id, names.clone());
    }
    names
}

/// The rows of a batch that comes, with what they take.
pub(crate) fn give(batch: &RecordBatch, taken: &[Option<&Names>]) -> Result<RecordBatch, TraceFault> {
    let rows = Rows(batch);
    let schema = batch.schema();
    let unreadable = |error: arrow_schema::ArrowError| TraceFault::Unreadable { reason: error.to_string() };
    let mut columns = batch.columns().to_vec();
    let mut lent = vec![0_i64; batch.num_rows()];
    for (at, column) in TAKEN.into_iter().enumerate() {
        let said: &StringArray = rows.column(column)?;
        let mut made: Vec<Option<&str>> = Vec::with_capacity(batch.num_rows());
        for (row, lent) in lent.iter_mut().enumerate() {
            let own = said.is_valid(row).then(|| said.value(row));
            let takes = taken.get(row).copied().flatten().and_then(|names| names[at].as_deref());
            *lent |= i64::from(own.is_none() && takes.is_some()) << at;
            made.push(own.or(takes));
        }
        let made: ArrayRef = Arc::new(StringArray::from(made));
        columns[schema.index_of(column).map_err(unreadable)?] = made;
    }
    let lent: Int64Array = lent.into_iter().map(|lent| (lent != 0).then_some(lent)).collect();
    columns[schema.index_of(LENT).map_err(unreadable)?] = Arc::new(lent);
    RecordBatch::try_new(schema, columns).map_err(unreadable)
}

/// A row that is written again takes these names, and no others.
pub(crate) fn take(names: &Names, facts: &mut Facts<'_>) {
    let before = facts.lent.unwrap_or_default();
    let mut lent = 0;
    for (at, fact) in [&mut facts.user, &mut facts.session, &mut facts.app].into_iter().enumerate() {
        if has(before, at) {
            *fact = None;
        }
        if fact.is_none()
            && let Some(name) = &names[at]
        {
            *fact = Some(Cow::Owned(name.to_string()));
            lent |= 1 << at;
        }
    }
    facts.lent = (lent != 0).then_some(lent);
}

#[cfg(test)]
mod tests {
    use mainspring_kernel::id::ProjectId;
    use mainspring_llm::{SpanId, TraceId};
    use proptest::prelude::*;

    use super::*;
    use crate::conventions::{SpanType, counted::Uses};

    fn id(span: u8) -> Id {
        let (trace, span) = (TraceId::from_slice(&[1; 16]).unwrap(), SpanId::from_slice(&[span; 8]).unwrap());
        (ProjectId::from_raw(7), trace, span)
    }

    /// A span with its parent, and the user and the app that it names.
    fn node(span: u8, parent: Option<u8>, user: Option<&str>, app: Option<&str>) -> Node {
        let says = Saying::default().of([user, None, app]);
        let parent = parent.map(|parent| id(parent).2);
        Node { id: id(span), parent, kind: SpanType::default(), counted: None, adopted: false, uses: Uses::default(), says }
    }

    fn settled(nodes: &[Node], before: &[u8]) -> Belonging {
        let nodes = nodes.iter().map(|node| (node.id, node.clone())).collect();
        settle(&nodes, &before.iter().map(|span| id(*span)).collect())
    }

    /// By span: the user and the app that it takes.
    fn taken(nodes: &[Node]) -> Vec<(u8, Option<String>, Option<String>)> {
        let word = |name: &Option<Arc<str>>| name.as_deref().map(str::to_owned);
        let taken = settled(nodes, &[]).taken;
        let mut taken: Vec<_> = taken.iter().map(|(id, names)| (id.2.as_bytes()[0], word(&names[0]), word(&names[2]))).collect();
        taken.sort();
        taken
    }

    fn takes(span: u8, user: Option<&str>, app: Option<&str>) -> (u8, Option<String>, Option<String>) {
        (span, user.map(str::to_owned), app.map(str::to_owned))
    }

    #[test]
    fn a_span_takes_what_the_nearest_above_it_names_or_all_of_its_trace() {
        let root = node(1, None, Some("ann"), None);
        assert_eq!(
            taken(&[root.clone(), node(2, Some(1), None, None), node(3, Some(2), None, None)]),
            [takes(2, Some("ann"), None), takes(3, Some("ann"), None),]
        );
        assert_eq!(
            taken(&[root.clone(), node(3, Some(9), None, None)]),
            [takes(3, Some("ann"), None)],
            "what is between is missing"
        );
        // A batch of several users: what none of them asked for is nobody's.
        let several = [
            node(1, None, None, None),
            node(2, Some(1), Some("ann"), None),
            node(3, Some(1), Some("bob"), None),
            node(4, Some(3), None, None),
        ];
        assert_eq!(taken(&several), [takes(4, Some("bob"), None)]);
        assert_eq!(taken(&several[..2]), [takes(1, Some("ann"), None)], "one user is that of the trace");
        assert!(taken(&[root, node(2, Some(1), Some("bob"), None)]).is_empty());
    }

    #[test]
    fn an_app_is_taken_from_above_only() {
        let nodes = [node(1, None, None, None), node(2, Some(1), None, Some("manual")), node(3, Some(2), None, None)];
        assert_eq!(taken(&nodes), [takes(3, None, Some("manual"))]);
    }

    #[test]
    fn rows_that_are_there_are_looked_at_where_they_may_take_another_name() {
        let (root, below) = (node(1, None, Some("ann"), None), node(2, Some(1), None, None));
        let is_late = |nodes: &[Node], before: &[u8]| !settled(nodes, before).late.is_empty();
        assert!(is_late(&[root.clone(), below.clone()], &[2]), "the name comes after it");
        assert!(!is_late(&[root.clone(), below.clone()], &[1]), "it takes it as it comes");
        assert!(!is_late(&[root.clone(), below.clone(), node(3, Some(1), Some("ann"), None)], &[1, 2]), "it has that one");
        let (bob, apart) = (node(3, Some(1), Some("bob"), None), node(4, Some(9), None, None));
        assert!(!is_late(&[root.clone(), below.clone(), bob.clone()], &[1, 2]), "it has that of the one above it");
        assert!(is_late(&[root.clone(), apart.clone(), bob.clone()], &[1, 4]), "there is another by now");
        // What comes to a trace of several users, or to one that called an app, changes nothing that is there.
        let (eve, last) = (node(5, Some(9), Some("eve"), None), node(6, None, None, None));
        assert!(!is_late(&[root, apart.clone(), bob, eve, last], &[1, 3, 4]));
        let app = node(7, Some(2), None, Some("manual"));
        assert!(!is_late(&[below.clone(), app, node(8, Some(7), None, None)], &[2, 7]));
        assert!(!is_late(&[below.clone()], &[2]));
        // One that comes between hands down what was there.
        let nodes = [node(1, None, None, Some("manual")), node(9, Some(1), None, None), apart];
        assert!(is_late(&nodes, &[1, 4]));
    }

    #[test]
    fn circles_end() {
        let nodes = [node(1, Some(2), None, None), node(2, Some(1), None, None), node(3, Some(3), Some("ann"), None)];
        assert_eq!(taken(&nodes), [takes(1, Some("ann"), None), takes(2, Some("ann"), None)]);
    }

    proptest! {
        /// Batches in any order, and rows written again where they are said to be late, come to what the whole trace comes to.
        #[test]
        fn the_order_of_batches_does_not_matter(
            shape in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..4, any::<bool>()), 1..12),
            order in any::<u64>(),
            size in 1_usize..4,
        ) {
            let users = [None, Some("ann"), Some("bob"), None];
            let nodes: Vec<Node> = (1_u8..).zip(&shape).map(|(span, (parent, user, app))| {
                let parent = (span > 1).then(|| u8::try_from(parent.index(usize::from(span) - 1)).unwrap() + 1);
                node(span, parent, users[usize::from(*user)], app.then_some("manual"))
            }).collect();
            let mut shuffled = nodes.clone();
            shuffled.sort_by_key(|node| u64::from(node.id.2.as_bytes()[0]).wrapping_mul(order | 1).rotate_left(17));
            let (mut there, mut rows): (Vec<Node>, HashMap<Id, Names>) = (Vec::new(), HashMap::new());
            for batch in shuffled.chunks(size) {
                let before: Vec<u8> = there.iter().map(|node| node.id.2.as_bytes()[0]).collect();
                there.extend(batch.iter().cloned());
                let Belonging { mut taken, late } = settled(&there, &before);
                if late.is_empty() {
                    taken.retain(|id, _| batch.iter().any(|node| node.id == *id));
                    rows.extend(taken);
                } else {
                    rows = taken;
                }
            }
            prop_assert_eq!(rows, settled(&nodes, &[]).taken);
        }
    }
}
