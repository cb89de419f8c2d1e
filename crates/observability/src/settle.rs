//! Spans that a sender may repeat, and usage that several spans say: both are decided against what the table has of a trace.

pub(crate) mod rewriting;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use arrow_array::{Array as _, BooleanArray, RecordBatch, StringArray};
use mainspring_kernel::{Clock, Timestamp};
use mainspring_lake::{Filter, Scalar, Scan, Table};
use mainspring_llm::{SpanId, TraceId};
use tokio::sync::{Mutex, MutexGuard};

pub(crate) use rewriting::{TRIES, is_outdated, mark, relieve, stop_counting, take_names};

use crate::{
    adopting::Orphans,
    belonging::{
        self, Belonging, Names, Saying,
        late::{BEFORE, Late},
    },
    compared::{Compared, enter},
    conventions::{
        SpanType,
        counted::{Id, Node, Uses, covered},
    },
    fault::TraceFault,
    known::{Added, Found, Known},
    sampling::Key,
    table::{ADOPTED, COUNTED_PART, LENT, Rows, uncounted},
    values::Values,
};

pub(crate) const COLUMNS: [&str; 15] = [
    "project",
    "trace",
    "span",
    "parent",
    "type",
    "counted",
    ADOPTED,
    "user",
    "session",
    "app",
    LENT,
    "input_tokens",
    "output_tokens",
    "cost",
    COUNTED_PART,
];
/// What stands above a span began no longer before it, in micros: a day. So few of the table's files are read.
const ABOVE_WITHIN: i64 = 24 * 3600 * 1_000_000;
/// Spans above each other that are asked for one by one; beyond it, their trace is read.
const STEPS: usize = 6;

/// The table of spans. Rows are rewritten by one at a time: who read them before another did would bring back what that one
/// took out of them. Of several servers each has a turn of its own, so rows are written as they were read
/// (`Table::replace_as_read`), and read again where another server was quicker: none undoes what another did to a row.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) table: Arc<dyn Table>,
    pub(crate) values: Values,
    /// Absent where others add to the table too.
    pub(crate) known: Option<Arc<Known>>,
    /// Absent where nobody looks after traces of which no entry comes.
    pub(crate) orphans: Option<Arc<Orphans>>,
    /// Absent where nobody looks after names that come after the spans that take them.
    pub(crate) late: Option<Arc<Late>>,
    turn: Arc<Mutex<()>>,
}

impl Kept {
    pub(crate) fn new(table: Arc<dyn Table>, values: Values) -> Self {
        Self { table, values, known: None, orphans: None, late: None, turn: Arc::default() }
    }

    /// Remembers what is added from now on: nobody else adds to the table.
    pub(crate) fn remembering(self, now: Timestamp) -> Self {
        Self { known: Some(Arc::new(Known::new(now))), ..self }
    }

    /// Remembers of which traces no entry has come, and a name came late: somebody looks after them.
    pub(crate) fn looking_after(self, clock: Arc<dyn Clock>) -> Self {
        Self { orphans: Some(Arc::new(Orphans::new(clock))), late: Some(Arc::default()), ..self }
    }

    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// The turn of who takes rows out.
    pub(crate) async fn deleting(&self) -> Deleting<'_> {
        Deleting { known: self.known.as_deref(), _turn: self.turn().await }
    }
}

/// Rows are taken out for as long as this lives.
#[derive(Debug)]
pub(crate) struct Deleting<'a> {
    known: Option<&'a Known>,
    _turn: MutexGuard<'a, ()>,
}

impl Drop for Deleting<'_> {
    fn drop(&mut self) {
        if let Some(known) = self.known {
            known.doubt();
        }
    }
}

/// What is to be done for a batch, in this order.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// Rows of the table that count no longer, with what of their usage does not.
    pub(crate) stop: Vec<(Id, Uses)>,
    /// Rows of the table that their traces are entered by no longer: an entry has come.
    pub(crate) relieved: Vec<Id>,
    pub(crate) add: Vec<RecordBatch>,
    /// The spans of these rows.
    pub(crate) added: Vec<Added>,
    /// Their traces, and whether an entry of each is among them.
    pub(crate) entered: HashMap<Key, bool>,
    /// Traces of which rows in the table may have to take other names than they have.
    pub(crate) late: Vec<Key>,
    /// When the first of their spans may have begun, in micros.
    pub(crate) began: Option<i64>,
    /// Traces that were entered by these rows beneath what is not there: it may come to another server at this moment, with whose
    /// they are. None where no other server adds to the table.
    pub(crate) beneath: HashSet<Key>,
}

/// Of what a batch must know whether the table has it.
#[derive(Debug, Default)]
pub(crate) struct Doubt {
    /// Traces whose sender may repeat itself, and when the first of the spans began that came of each.
    whole: HashMap<TraceId, i64>,
    /// What stands above the spans by which this server went on with the traces of others, by trace. The caller may have told
    /// of its own already; nobody but this server tells of what lies beneath.
    above: HashMap<TraceId, HashSet<String>>,
    /// When the first of those spans began.
    since: Option<i64>,
    /// The traces of those spans, each with when the first of them began: one beside them may have been adopted.
    entered: HashMap<TraceId, i64>,
}

impl Doubt {
    pub(crate) fn traces(&self) -> HashSet<String> {
        self.whole.keys().chain(self.above.keys()).map(ToString::to_string).collect()
    }

    fn ask(&mut self, trace: TraceId, parent: String, start: i64) {
        self.above.entry(trace).or_default().insert(parent);
        let first = self.entered.entry(trace).or_insert(start);
        *first = start.min(*first);
        self.since = Some(self.since.map_or(start, |since| since.min(start)));
    }
}

/// Of `compared` everything, and of other rows what lies beneath spans that others may have told of.
pub(crate) fn doubtful(rows: &[RecordBatch], compared: &[Compared]) -> Result<Doubt, TraceFault> {
    let mut doubt = Doubt::default();
    for row in compared.iter().flat_map(|compared| &compared.spans) {
        let first = doubt.whole.entry(row.node.id.1).or_insert(row.start);
        *first = row.start.min(*first);
    }
    for batch in rows {
        let rows = Rows(batch);
        let (entry, parent): (&BooleanArray, &StringArray) = (rows.column("entry")?, rows.column("parent")?);
        for row in (0..batch.num_rows()).filter(|row| entry.value(*row) && parent.is_valid(*row)) {
            let trace = rows.text("trace", row)?.and_then(|trace| trace.parse().ok());
            if let (Some(trace), Some(start)) = (trace, rows.number("start", row)?) {
                doubt.ask(trace, parent.value(row).to_owned(), start);
            }
        }
    }
    Ok(doubt)
}

/// What the table has of this. Mostly there is nothing above what this server did; where there is a span that counts, the
/// whole trace is read, since what lies beneath it may have come before.
pub(crate) async fn present(kept: &Kept, doubt: Doubt) -> Result<Vec<Node>, TraceFault> {
    let table = kept.table.as_ref();
    let Doubt { whole, mut above, since, mut entered } = doubt;
    above.retain(|trace, _| !whole.contains_key(trace));
    entered.retain(|trace, _| !whole.contains_key(trace));
    let (mut whole, mut known, entered) = match &kept.known {
        Some(known) => {
            known.begin(table).await?;
            let (found, beside) = (known.of(&whole), known.of(&entered));
            let adopted = beside.nodes.into_iter().filter(|node| node.adopted);
            (found.ask, found.nodes.into_iter().chain(adopted).collect(), beside.ask)
        }
        None => (whole.into_keys().collect::<HashSet<_>>(), Vec::new(), entered.into_keys().collect()),
    };
    if !entered.is_empty() {
        let adopted = Filter::Eq(ADOPTED.into(), Scalar::Bool(true));
        known.extend(nodes(table, Filter::any_of("trace", entered.iter().map(ToString::to_string)).and(adopted)).await?);
    }
    let mut found: HashMap<Id, Node> = known.into_iter().map(|node| (node.id, node)).collect();
    for _ in 0..STEPS {
        above.retain(|trace, _| !whole.contains(trace));
        if above.is_empty() {
            break;
        }
        let since = since.unwrap_or(i64::MIN).saturating_sub(ABOVE_WITHIN);
        let these = Filter::any_of("trace", above.keys().map(ToString::to_string))
            .and(Filter::any_of("span", above.values().flatten().map(String::as_str)))
            .and(Filter::GtEq("start".into(), since.into()));
        above = HashMap::new();
        for node in nodes(table, these).await? {
            // Above one that says a part of it, another may say the rest.
            let says_all = node.counted.is_some() && node.uses.tokens && node.uses.cost;
            let ends = node.kind == SpanType::Tool || says_all;
            let (id, parent) = (node.id, node.parent);
            if node.counted.is_some_and(Uses::any) {
                whole.insert(id.1);
            } else if found.insert(id, node).is_none()
                && let Some(parent) = parent.filter(|_| !ends)
            {
                above.entry(id.1).or_default().insert(parent.to_string());
            }
        }
    }
    whole.extend(above.into_keys());
    if !whole.is_empty() {
        let all = nodes(table, Filter::any_of("trace", whole.iter().map(ToString::to_string))).await?;
        found.extend(all.into_iter().map(|node| (node.id, node)));
    }
    Ok(found.into_values().collect())
}

/// One that cannot be read says nothing; the others are settled without it.
async fn nodes(table: &dyn Table, these: Filter) -> Result<Vec<Node>, TraceFault> {
    let (mut nodes, mut saying) = (Vec::new(), Saying::default());
    for batch in table.scan(Scan::of(these).columns(&COLUMNS)).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            match node(&rows, row, &mut saying) {
                Ok(node) => nodes.push(node),
                Err(fault) => tracing::warn!(%fault, "a span of the table is left out of counting"),
            }
        }
    }
    Ok(nodes)
}

pub(crate) fn node(rows: &Rows<'_>, row: usize, saying: &mut Saying) -> Result<Node, TraceFault> {
    let parent = rows.text("parent", row)?.map(str::parse::<SpanId>).transpose();
    let uses = rows.uses(row)?;
    Ok(Node {
        id: rows.id(row)?,
        parent: parent.map_err(|_| TraceFault::Unreadable { reason: "`parent` of a span".into() })?,
        kind: rows.text("type", row)?.and_then(SpanType::read).unwrap_or_default(),
        counted: uses.counted(rows.counted(row)?),
        adopted: rows.yes(ADOPTED, row)? == Some(true),
        uses,
        says: saying.of_row(rows, row)?,
    })
}

/// What is remembered of the traces of rows that are not compared; none where nothing is.
pub(crate) fn remembered(kept: &Kept, rows: &[RecordBatch]) -> Result<Option<Found>, TraceFault> {
    let Some(known) = &kept.known else { return Ok(None) };
    let mut traces = HashMap::new();
    for batch in rows {
        let read = Rows(batch);
        for row in 0..batch.num_rows() {
            let trace = read.text("trace", row)?.and_then(|trace| trace.parse::<TraceId>().ok());
            traces.extend(trace.map(|trace| (trace, i64::MAX)));
        }
    }
    Ok(Some(known.of(&traces)))
}

/// Leaves out spans that are in the table, and says whose usage counts, and whose the spans are. Rows that are not compared are
/// looked at where the traces are those of others; `beside` is what is remembered of their traces.
pub(crate) fn settle(
    mut rows: Vec<RecordBatch>,
    compared: Vec<Compared>,
    (present, beside): (Vec<Node>, Option<Found>),
    traces: &HashSet<String>,
) -> Result<Settled, TraceFault> {
    let mut nodes: HashMap<Id, Node> = present.into_iter().map(|node| (node.id, node)).collect();
    let before: HashSet<Id> = nodes.keys().copied().collect();
    nodes.reserve(compared.iter().map(|some| some.spans.len()).sum());
    let mut compared: Vec<Compared> = compared.into_iter().flat_map(|some| some.without_known(&mut nodes)).collect();
    let mut saying = Saying::default();
    for batch in rows.iter().filter(|_| !traces.is_empty()) {
        let rows = Rows(batch);
        for row in 0..batch.num_rows() {
            if rows.text("trace", row)?.is_some_and(|trace| traces.contains(trace)) {
                let node = node(&rows, row, &mut saying)?;
                nodes.entry(node.id).or_insert(node);
            }
        }
    }
    let covered = covered(&nodes);
    if !covered.is_empty() {
        for batch in &mut rows {
            *batch = uncounted(batch, &covered)?;
        }
        compared.iter_mut().try_for_each(|some| some.uncount(&covered))?;
    }
    let (mut added, mut entered) = added(&rows)?;
    let adopted: Vec<Id> = nodes.values().filter(|node| node.adopted).map(|node| node.id).collect();
    let stop = covered.into_iter().filter(|(id, _)| before.contains(id)).collect();
    let is_alone = beside.is_some();
    let late = belong((rows.as_mut_slice(), added.as_slice()), &mut compared, (&mut nodes, before), beside)?;
    for some in compared {
        some.tell(&mut added, &mut entered);
        rows.push(some.rows);
    }
    let relieved = adopted.into_iter().filter(|id| entered.get(&(id.0, id.1)) == Some(&true)).collect();
    let beneath = if is_alone { HashSet::new() } else { beneath_missing(&added, &nodes, &entered) };
    let began = added.iter().map(|(_, start)| start.saturating_sub(BEFORE)).min();
    Ok(Settled { stop, relieved, add: rows, added, entered, late, began, beneath })
}

/// Those of the traces that are entered in which a span lies beneath one that is not there. Of the others somebody waits for an
/// entry anyway.
fn beneath_missing(added: &[Added], nodes: &HashMap<Id, Node>, entered: &HashMap<Key, bool>) -> HashSet<Key> {
    let is_beneath = |node: &Node| {
        let (project, trace, _) = node.id;
        let missing = node.parent.is_some_and(|parent| !nodes.contains_key(&(project, trace, parent)));
        missing && entered.get(&(project, trace)) == Some(&true)
    };
    added.iter().filter(|(node, _)| is_beneath(node)).map(|(node, _)| (node.id.0, node.id.1)).collect()
}

/// Gives spans names that others of their traces say. Answers the traces of which rows in the table may have to take some.
fn belong(
    (rows, added): (&mut [RecordBatch], &[Added]),
    compared: &mut [Compared],
    (nodes, mut before): (&mut HashMap<Id, Node>, HashSet<Id>),
    beside: Option<Found>,
) -> Result<Vec<Key>, TraceFault> {
    for (node, _) in added {
        nodes.entry(node.id).or_insert_with(|| node.clone());
    }
    let ask = beside.map(|Found { nodes: remembered, ask }| {
        for node in remembered {
            before.insert(node.id);
            nodes.insert(node.id, node);
        }
        ask
    });
    let Belonging { taken, mut late } = belonging::settle(nodes, &before);
    // Of these nobody knows here what the table has of their traces.
    let is_unknown = |node: &Node| ask.as_ref().map_or(node.says.is_some(), |ask| ask.contains(&node.id.1));
    late.extend(added.iter().filter(|(node, _)| is_unknown(node)).map(|(node, _)| (node.id.0, node.id.1)));
    if taken.is_empty() {
        return Ok(late);
    }
    compared.iter_mut().try_for_each(|some| some.give(&taken))?;
    let mut ids = added.iter().map(|(node, _)| node.id);
    for batch in rows {
        let of_rows: Vec<Option<&Names>> = ids.by_ref().take(batch.num_rows()).map(|id| taken.get(&id)).collect();
        if of_rows.iter().any(Option::is_some) {
            *batch = belonging::give(batch, &of_rows)?;
        }
    }
    Ok(late)
}

/// The spans of rows, and their traces with whether an entry of each is among them.
fn added(batches: &[RecordBatch]) -> Result<(Vec<Added>, HashMap<Key, bool>), TraceFault> {
    let (mut added, mut entered, mut saying) = (Vec::new(), HashMap::new(), Saying::default());
    for batch in batches {
        let rows = Rows(batch);
        for row in 0..batch.num_rows() {
            let node = node(&rows, row, &mut saying)?;
            enter(&mut entered, &node, rows.yes("entry", row)? == Some(true));
            added.push((node, rows.number("start", row)?.unwrap_or_default()));
        }
    }
    Ok((added, entered))
}
