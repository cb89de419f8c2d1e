//! Finding passages: both legs on one state of the table, fused, checked, put together, packed.

pub(crate) mod access;
mod fuse;
mod near;
mod pack;
mod relevance;
mod table_of;
#[cfg(test)]
mod tests;
mod traced;
pub(crate) mod unread;

use std::{collections::HashMap, sync::Arc, time::Instant};

use mainspring_kernel::{Actor, AssetRef, Fault as _, Labels};
use mainspring_lake::{DocHits, Filter, Table, TextQuery, VectorQuery};
use mainspring_llm::{
    Budget, Embedder, ModelUsed, Passage, RetrieveRequest, Retrieved, SearchMode, SpanContext, TextTokenizer, Tokens,
};
use serde::Serialize;

use crate::{
    fault::KnowledgeFault,
    ingest,
    model::KnowledgeKey,
    service::Inner,
    spec::RetrievalSpec,
    store::document,
    table::{Reader, columns},
    texts::Text,
};
use fuse::{Fused, Weights, fuse};
use pack::{Candidate, Packed};
pub use relevance::Evidence;
use table_of::Opened;

/// Found, and not given: why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// It says the same as a better one.
    Copy,
    /// Its score is below the spec's `min_score`.
    Score,
    /// The limit was reached, or the token budget was spent.
    Room,
    /// Nothing found was relevant enough.
    Irrelevant,
}

/// A search with everything that explains it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    pub retrieved: Retrieved,
    pub evidence: Evidence,
    /// The threshold the evidence was compared with.
    pub threshold: f64,
    /// Passages that were found and not given. All of them may be seen by the actor.
    pub left_out: Vec<(Passage, LeftOut)>,
}

const QUERY_BYTES: usize = 32 << 10;
const LIMIT_MAX: usize = 100;

/// What there is to go by, what is given, and what is not.
type Given = (Evidence, Vec<Passage>, Vec<(Passage, LeftOut)>);

/// A request with every choice made.
struct Asked {
    query: String,
    mode: SearchMode,
    limit: usize,
    rerank: bool,
    budget: Option<usize>,
    filter: Filter,
    pinned: bool,
}

struct Search<'a> {
    inner: &'a Inner,
    actor: &'a Actor,
    asked: Asked,
    opened: Opened,
    embedder: Option<Arc<dyn Embedder>>,
    trace: SpanContext,
    budget: Budget,
    timings: Vec<(String, f64)>,
}

pub(crate) async fn search(
    inner: &Inner,
    actor: &Actor,
    target: &AssetRef,
    request: RetrieveRequest,
    trace: &SpanContext,
    budget: Budget,
) -> Result<Answer, KnowledgeFault> {
    let mut span = traced::begin(trace, target, &request.query);
    let context = span.context().clone();
    let result = async {
        let opened = table_of::open(inner, actor, target, request.at.as_ref()).await?;
        let asked = asked(actor, request, &opened.spec.retrieval)?;
        let embedder = match asked.mode {
            SearchMode::Text => inner.models.embedder(&opened.row.embedder).ok(),
            SearchMode::Vector | SearchMode::Hybrid => Some(embedder_of(inner, &opened)?),
        };
        let search = Search { inner, actor, asked, opened, embedder, trace: context, budget, timings: Vec::new() };
        let mut answer = search.run().await?;
        if answer.retrieved.passages.is_empty()
            && let Some(known) = answer.retrieved.unread.take()
        {
            let key = KnowledgeKey::new(actor.project, target.name.clone());
            answer.retrieved.unread = Some(unread::looked_up(inner, actor, &key, known).await?);
        }
        Ok::<_, KnowledgeFault>(answer)
    };
    match tokio::time::timeout_at(budget.deadline(), result).await {
        Ok(Ok(answer)) => {
            traced::end(span, &answer);
            Ok(answer)
        }
        Ok(Err(fault)) => {
            span.set("error.kind", format!("{:?}", fault.kind()));
            span.fail(fault.code(), fault.to_string());
            Err(fault)
        }
        Err(_) => {
            let fault = KnowledgeFault::Late;
            span.fail(fault.code(), fault.to_string());
            Err(fault)
        }
    }
}

fn asked(actor: &Actor, request: RetrieveRequest, spec: &RetrievalSpec) -> Result<Asked, KnowledgeFault> {
    let bad = |field, reason: String| Err(KnowledgeFault::BadRequest { field, reason });
    let filter = access::filter(actor, &request)?;
    let query = request.query.trim().to_owned();
    if query.is_empty() {
        return bad("query", "ask something".to_owned());
    }
    if query.len() > QUERY_BYTES {
        return bad("query", format!("at most {QUERY_BYTES} bytes"));
    }
    let limit = request.limit.unwrap_or(spec.limit as usize);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return bad("limit", format!("1 to {LIMIT_MAX}"));
    }
    let budget = request.token_budget.or(spec.token_budget.map(|budget| budget as usize));
    if budget == Some(0) {
        return bad("token_budget", "at least 1".to_owned());
    }
    Ok(Asked {
        query,
        mode: request.mode.unwrap_or_else(|| spec.mode.into()),
        limit,
        rerank: request.rerank.unwrap_or(spec.rerank),
        budget,
        filter,
        pinned: request.at.is_some(),
    })
}

/// The embedder that made the table's vectors: those of another one mean nothing beside them.
fn embedder_of(inner: &Inner, opened: &Opened) -> Result<Arc<dyn Embedder>, KnowledgeFault> {
    let embedder = inner.models.embedder(&opened.row.embedder)?;
    if embedder.identity() == opened.row.embedder_identity {
        return Ok(embedder);
    }
    Err(KnowledgeFault::EmbedderChanged { name: opened.version.pin.name.to_string(), embedder: opened.row.embedder.clone() })
}

impl Search<'_> {
    fn spec(&self) -> &RetrievalSpec {
        &self.opened.spec.retrieval
    }

    fn timed(&mut self, stage: &str, since: Instant) {
        self.timings.push((stage.to_owned(), since.elapsed().as_secs_f64() * 1000.0));
    }

    async fn run(mut self) -> Result<Answer, KnowledgeFault> {
        let begun = Instant::now();
        let vector = self.query_vector().await?;
        self.timed("embed", begun);

        let begun = Instant::now();
        let snapshot = self.opened.snapshot.clone();
        let (near, match_) =
            tokio::try_join!(self.vector_leg(snapshot.as_ref(), vector.as_deref()), self.text_leg(snapshot.as_ref()))?;
        self.timed("legs", begun);

        let fused = self.fused(&near, &match_);
        let mut wanted = self.wanted();
        loop {
            let rest = fused.len().saturating_sub(wanted);
            let (packed, reranked) = self.best(snapshot.as_ref(), &fused[..fused.len() - rest]).await?;
            // Reading a row costs, and most searches need no more than the best ones.
            if rest == 0 || !self.is_short(&packed) {
                return Ok(self.answer(packed, reranked));
            }
            wanted = fused.len();
        }
    }

    /// Reads, orders and packs hits; answers whether they were reranked.
    async fn best(&mut self, table: &dyn Table, hits: &[Fused]) -> Result<(Given, bool), KnowledgeFault> {
        let begun = Instant::now();
        let mut candidates = self.candidates(table, hits).await?;
        self.timed("take", begun);

        let reranked = self.asked.rerank && !candidates.is_empty();
        if reranked {
            let begun = Instant::now();
            self.rerank(&mut candidates).await?;
            self.timed("rerank", begun);
        }
        let begun = Instant::now();
        let packed = self.pack(candidates).await?;
        self.timed("pack", begun);
        Ok((packed, reranked))
    }

    /// More than are given, because copies go and sections merge.
    fn wanted(&self) -> usize {
        let wanted = (self.asked.limit * 2).max(12);
        if self.asked.rerank { wanted.max(self.spec().rerank_candidates as usize) } else { wanted }
    }

    /// Whether worse hits could fill the places that are left.
    fn is_short(&self, (_, passages, left_out): &Given) -> bool {
        passages.len() < self.asked.limit && left_out.iter().all(|(_, why)| *why == LeftOut::Copy)
    }

    fn fused(&self, near: &DocHits, words: &DocHits) -> Vec<Fused> {
        let spec = self.spec();
        let weights = Weights { vector: spec.vector_weight, text: spec.text_weight, k: spec.rrf_k };
        fuse(self.asked.mode, &near.rows, &words.rows, weights)
    }

    async fn query_vector(&self) -> Result<Option<Vec<f32>>, KnowledgeFault> {
        match (&self.embedder, self.asked.mode) {
            (Some(embedder), SearchMode::Vector | SearchMode::Hybrid) => {
                traced::embed(embedder.as_ref(), &self.asked.query, &self.trace, self.budget).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    async fn vector_leg(&self, table: &dyn Table, vector: Option<&[f32]>) -> Result<DocHits, KnowledgeFault> {
        let Some(vector) = vector else { return Ok(DocHits::default()) };
        let spec = self.spec();
        let distance = spec.distance(self.asked.filter != Filter::All);
        let query = VectorQuery {
            column: columns::VECTOR.to_owned(),
            vector: vector.to_vec(),
            limit: spec.candidates as usize,
            filter: self.asked.filter.clone(),
            distance,
        };
        Ok(table.nearest(query).await?)
    }

    async fn text_leg(&self, table: &dyn Table) -> Result<DocHits, KnowledgeFault> {
        if self.asked.mode == SearchMode::Vector {
            return Ok(DocHits::default());
        }
        let query = TextQuery {
            column: columns::SEARCH_TEXT.to_owned(),
            words: self.asked.query.clone(),
            limit: self.spec().candidates as usize,
            filter: self.asked.filter.clone(),
        };
        Ok(table.matching(query).await?)
    }

    /// Rows, read and checked again.
    async fn candidates(&self, table: &dyn Table, fused: &[Fused]) -> Result<Vec<Candidate>, KnowledgeFault> {
        let rows: Vec<u64> = fused.iter().map(|hit| hit.row).collect();
        let batch = table.take(&rows, &columns::SHOWN).await?;
        let rows = Reader::new(&batch, table.name().as_str()).rows()?;
        let mut documents: Vec<String> = rows.iter().map(|row| row.document.clone()).collect();
        documents.sort_unstable();
        documents.dedup();
        let now = document::labels_of(&self.inner.catalog, &self.opened.key, &documents).await?;
        let mut candidates: Vec<Candidate> = rows
            .into_iter()
            .zip(fused)
            .filter(|(row, _)| access::may_leave(self.actor, row, now.get(&row.document), self.asked.pinned))
            .map(|(row, hit)| Candidate { row, scores: hit.scores.clone() })
            .collect();
        candidates.sort_by(|a, b| fuse::best_first(&a.scores, &b.scores).then_with(|| a.row.id.cmp(&b.row.id)));
        Ok(candidates)
    }

    /// Orders the best candidates again; those it does not look at follow behind in their old order.
    async fn rerank(&self, candidates: &mut [Candidate]) -> Result<(), KnowledgeFault> {
        let reranker = self.inner.models.reranker(self.reranker_name())?;
        let count = candidates.len().min(self.spec().rerank_candidates as usize);
        let texts = candidates[..count].iter().map(|hit| hit.row.search_text.clone()).collect();
        let scored = traced::rerank(reranker.as_ref(), &self.asked.query, texts, &self.trace, self.budget).await?;
        for scored in scored {
            if let Some(hit) = candidates.get_mut(scored.index) {
                hit.scores.rerank_score = Some(scored.score);
                hit.scores.score = scored.score;
            }
        }
        let by_reranker = |hit: &Candidate| hit.scores.rerank_score.unwrap_or(f32::NEG_INFINITY);
        candidates.sort_by(|a, b| by_reranker(b).total_cmp(&by_reranker(a)));
        Ok(())
    }

    async fn pack(&self, mut candidates: Vec<Candidate>) -> Result<Given, KnowledgeFault> {
        const LOOKED_AT: usize = 5;
        let spec = self.spec();
        // Of what may be seen only: how near a hidden chunk is would tell of it.
        let similarity = candidates.iter().filter_map(|hit| hit.scores.vector_score).max_by(f32::total_cmp);
        let best = candidates.iter().take(LOOKED_AT).map(|hit| hit.row.search_text.as_str());
        let coverage = relevance::coverage(&self.asked.query, best);
        let evidence = Evidence { similarity, coverage };
        let mut left_out = Vec::new();
        let mut leave = |hits: Vec<Candidate>, why| left_out.extend(hits.iter().map(|hit| (pack::passage_of(hit), why)));
        if !relevance::is_relevant(evidence, spec.relevance) {
            leave(candidates, LeftOut::Irrelevant);
            return Ok((evidence, Vec::new(), left_out));
        }
        if let Some(least) = spec.min_score {
            let (kept, low) = candidates.into_iter().partition(|hit| f64::from(hit.scores.score) >= least);
            leave(low, LeftOut::Score);
            candidates = kept;
        }
        let originals = near::originals(candidates.iter().map(|hit| hit.row.text.as_str()), spec.dedupe);
        let mut originals = originals.into_iter();
        let (kept, copies) = candidates.into_iter().partition(|_| originals.next().unwrap_or(true));
        leave(copies, LeftOut::Copy);
        let kept: Vec<Candidate> = kept;
        let texts = self.section_texts(&kept).await?;
        let tokenizer = self.tokenizer();
        let packed: Vec<Packed> = pack::merge(&kept, spec.parents, &texts, tokenizer.as_ref());
        let (passages, rest) = pack::fit(packed, self.asked.limit, self.asked.budget, tokenizer.as_ref());
        left_out.extend(rest.into_iter().map(|passage| (passage, LeftOut::Room)));
        Ok((evidence, passages, left_out))
    }

    fn tokenizer(&self) -> Arc<dyn TextTokenizer> {
        self.embedder.as_ref().map_or_else(|| Arc::new(Words) as Arc<dyn TextTokenizer>, |embedder| embedder.tokenizer())
    }

    /// The parsed texts of sections that may take the place of their chunks.
    async fn section_texts(&self, candidates: &[Candidate]) -> Result<pack::Parsed, KnowledgeFault> {
        use crate::spec::Parents;
        let mut members: HashMap<(&str, u64), usize> = HashMap::new();
        for hit in candidates {
            *members.entry((&hit.row.document_digest, hit.row.parent_start)).or_default() += 1;
        }
        let mut texts = pack::Parsed::new();
        for hit in candidates.iter().take(self.asked.limit * 2) {
            let wanted = match self.spec().parents {
                Parents::Off => false,
                Parents::Always => true,
                Parents::Merge => {
                    members.get(&(hit.row.document_digest.as_str(), hit.row.parent_start)).is_some_and(|count| *count > 1)
                }
            };
            if !wanted || texts.contains_key(&hit.row.document_digest) {
                continue;
            }
            let Ok(digest) = hit.row.document_digest.parse() else { continue };
            // A text that is gone (a document of the past) leaves its chunks as they are.
            if let Some(text) = self.inner.parsed_text(&digest).await? {
                texts.insert(hit.row.document_digest.clone(), text);
            }
        }
        Ok(texts)
    }

    fn models(&self, reranked: bool) -> Vec<ModelUsed> {
        let compares = self.asked.mode != SearchMode::Text;
        let embedder = self.embedder.as_ref().filter(|_| compares);
        let embedder = embedder.map(|model| ModelUsed { name: model.name().to_owned(), identity: model.identity() });
        let reranker = self.inner.models.reranker(self.reranker_name()).ok().filter(|_| reranked);
        let reranker = reranker.map(|model| ModelUsed { name: model.name().to_owned(), identity: model.identity() });
        let reranker = reranker.filter(|model| embedder.as_ref() != Some(model));
        embedder.into_iter().chain(reranker).collect()
    }

    fn reranker_name(&self) -> &str {
        self.spec().reranker.as_deref().unwrap_or(&self.opened.row.embedder)
    }

    fn answer(self, (evidence, mut passages, mut left_out): Given, reranked: bool) -> Answer {
        if self.actor.labels != Labels::All {
            for passage in passages.iter_mut().chain(left_out.iter_mut().map(|(passage, _)| passage)) {
                passage.scores = fuse::ranks_only(&passage.scores, self.asked.mode);
            }
        }
        let pin = &self.opened.version.pin;
        Answer {
            threshold: self.opened.spec.retrieval.relevance,
            retrieved: Retrieved {
                passages,
                best_similarity: evidence.similarity,
                mode: self.asked.mode,
                reranked,
                pin: self.opened.pin.clone(),
                knowledge: format!("{}@v{}", pin.name, pin.number),
                knowledge_digest: pin.digest.to_string(),
                embedder: self.embedder.as_ref().map(|embedder| embedder.name().to_owned()),
                models: self.models(reranked),
                timings: self.timings,
                unread: self.opened.unread,
            },
            evidence,
            left_out,
        }
    }
}

/// Counts words where no model's tokens are to be had.
#[derive(Debug)]
struct Words;

impl TextTokenizer for Words {
    fn tokenize(&self, text: &str) -> Tokens {
        let start = text.as_ptr() as usize;
        let ranges = text.split_whitespace().map(|word| {
            let at = word.as_ptr() as usize - start;
            at..at + word.len()
        });
        Tokens { ranges: ranges.collect() }
    }
}

impl Inner {
    /// The text offsets count in, from memory or from the blobs.
    pub(crate) async fn parsed_text(&self, digest: &mainspring_kernel::Digest) -> Result<Option<Text>, KnowledgeFault> {
        if let Some(text) = self.texts.get(digest) {
            return Ok(Some(text));
        }
        let Some(parsed) = ingest::load_text(self, digest).await? else { return Ok(None) };
        let text = Text::of(parsed.parsed());
        self.texts.put(*digest, text.clone());
        Ok(Some(text))
    }
}
