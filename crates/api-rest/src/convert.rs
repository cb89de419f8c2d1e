//! From rooms' types to wire types, written out so that a new field is a decision.

use mainspring_knowledge::{
    Document, DocumentStatus, Evidence, Failure, IngestRun, LeftOut, Origin, Progress, Report, RunState, Stage, Warning,
};
use mainspring_llm::{HitScores, Passage, ReadSoFar, Retrieved, SearchMode, TablePin, Unread, UnreadState};
use mainspring_wire as wire;

pub(crate) fn pin(pin: TablePin) -> wire::TablePin {
    let TablePin { table, version, transaction } = pin;
    wire::TablePin { table: table.to_string(), version, transaction }
}

pub(crate) const fn mode(mode: SearchMode) -> &'static str {
    match mode {
        SearchMode::Vector => "vector",
        SearchMode::Text => "text",
        SearchMode::Hybrid => "hybrid",
    }
}

fn scores(scores: HitScores) -> wire::HitScores {
    let HitScores { score, vector_rank, vector_score, text_rank, text_score, fused_score, rerank_score } = scores;
    wire::HitScores { score, vector_rank, vector_score, text_rank, text_score, fused_score, rerank_score }
}

fn passage(passage: Passage) -> wire::Passage {
    let Passage {
        chunk,
        document,
        title,
        uri,
        media_type,
        heading_path,
        page,
        start,
        end,
        text,
        table_head,
        tokens,
        labels,
        metadata,
        scores: hit,
        document_digest,
    } = passage;
    wire::Passage {
        chunk,
        document,
        title,
        uri,
        media_type,
        heading_path,
        page,
        start,
        end,
        text,
        table_head,
        tokens,
        labels,
        metadata,
        scores: scores(hit),
        document_digest,
    }
}

pub(crate) fn answer(answer: mainspring_knowledge::Answer) -> wire::Retrieved {
    let mainspring_knowledge::Answer { retrieved: found, evidence, threshold, left_out: rest } = answer;
    // What exactly the models were is in the search's span.
    let Retrieved {
        passages,
        mode: how,
        reranked,
        pin: table,
        knowledge,
        knowledge_digest,
        embedder,
        models: _,
        timings,
        best_similarity,
        unread: left,
    } = found;
    wire::Retrieved {
        passages: passages.into_iter().map(passage).collect(),
        mode: mode(how).to_owned(),
        reranked,
        pin: pin(table),
        knowledge,
        knowledge_digest,
        embedder,
        timings,
        best_similarity,
        evidence: Some(self::evidence(evidence)),
        threshold,
        left_out: rest.into_iter().map(left_out).collect(),
        unread: left.map(unread),
    }
}

fn unread(unread: Unread) -> wire::Unread {
    let Unread { knowledge, state, sources, documents, code } = unread;
    let state = match state {
        UnreadState::NotBegun => "not_begun",
        UnreadState::UnderWay => "under_way",
        UnreadState::BrokenOff => "broken_off",
        UnreadState::SourceUnread => "source_unread",
    };
    let documents = documents.map(|ReadSoFar { read, found }| wire::ReadSoFar { read, found });
    wire::Unread { knowledge, state: state.to_owned(), sources, documents, code }
}

const fn evidence(evidence: Evidence) -> wire::Evidence {
    let Evidence { similarity, coverage } = evidence;
    wire::Evidence { similarity, coverage }
}

fn left_out((passage, why): (Passage, LeftOut)) -> wire::LeftOut {
    let reason = match why {
        LeftOut::Copy => "copy",
        LeftOut::Score => "score",
        LeftOut::Room => "room",
        LeftOut::Irrelevant => "irrelevant",
    };
    let Passage { chunk, document, title, scores: hit, .. } = passage;
    wire::LeftOut { chunk, document, title, reason: reason.to_owned(), scores: scores(hit) }
}

pub(crate) fn document(document: Document) -> wire::DocumentView {
    let status = match document.status {
        DocumentStatus::Ready => "ready",
        DocumentStatus::Failed => "failed",
        DocumentStatus::Skipped => "skipped",
        DocumentStatus::Forgotten => "forgotten",
    };
    wire::DocumentView {
        id: document.id.as_str().to_owned(),
        title: document.title,
        uri: document.uri,
        source: Some(document.source),
        media_type: document.media_type,
        status: status.to_owned(),
        reason: document.reason.as_ref().map(|reason| reason.detail.clone()),
        reason_code: document.reason.map(|reason| reason.code),
        warnings: document
            .warnings
            .into_iter()
            .map(|warning| wire::DocumentWarning { code: warning.code, detail: warning.detail })
            .collect(),
        origin: document.origin.map(origin),
        bytes: Some(document.bytes),
        pages: document.pages.map(u64::from),
        chunks: document.chunks,
        tokens: Some(document.tokens),
        labels: document.labels,
        metadata: document.metadata,
        digest: document.digest.map(|digest| digest.to_string()),
        ingested_at: Some(document.updated.to_string()),
    }
}

fn origin(origin: Origin) -> wire::DocumentOrigin {
    let Origin { commit, last_modified, fetched } = origin;
    wire::DocumentOrigin { commit, last_modified, fetched_at: fetched.map(|at| at.to_string()) }
}

pub(crate) fn run(run: IngestRun) -> wire::RunView {
    let IngestRun { id, knowledge, state, started, finished, asset_version: _, trace, progress, report, error } = run;
    let status = match state {
        RunState::Running => "running",
        RunState::Succeeded => "succeeded",
        RunState::Failed => "failed",
        RunState::Cancelled => "cancelled",
    };
    wire::RunView {
        id: id.to_string(),
        kind: "ingestion".to_owned(),
        knowledge: Some(knowledge.to_string()),
        status: status.to_owned(),
        created_at: Some(started.to_string()),
        started_at: Some(started.to_string()),
        finished_at: finished.map(|finished| finished.to_string()),
        progress: progress.as_ref().map(self::progress),
        report: report.map(self::report),
        error: error.map(|reason| wire::RunError { code: Some(reason.code), detail: Some(reason.detail) }),
        trace_id: trace,
    }
}

pub(crate) fn progress(progress: &Progress) -> wire::IngestProgress {
    let stage = match progress.stage {
        Stage::Listing => "listing",
        Stage::Awaiting => "awaiting-model",
        Stage::Working => "working",
        Stage::Settling => "settling",
        Stage::Done => "done",
    };
    wire::IngestProgress {
        stage: stage.to_owned(),
        documents_total: Some(progress.unchanged + progress.to_do),
        documents_done: progress.unchanged + progress.done,
        documents_unchanged: progress.unchanged,
        documents_failed: progress.failed,
        chunks: progress.chunks,
        tokens: progress.tokens,
        tokens_per_second: progress.tokens_per_second,
        eta_seconds: progress.eta_seconds,
        current: progress.current.clone(),
    }
}

fn report(report: Report) -> wire::IngestReport {
    let partial = report.partial;
    // What is not told is not nought.
    let told = |count: u64| (!partial).then_some(count);
    wire::IngestReport {
        added: told(report.added),
        changed: told(report.changed),
        unchanged: told(report.unchanged),
        moved: told(report.moved),
        deleted: told(report.deleted),
        failed: report.failed,
        skipped: told(report.skipped),
        chunks: told(report.chunks),
        tokens: told(report.tokens),
        embedded: told(report.embedded),
        seconds: report.seconds,
        failures: report.failures.into_iter().map(failure).collect(),
        warnings: report.warnings.into_iter().map(warning).collect(),
        warnings_left_out: report.warnings_left_out,
    }
}

fn failure(failure: Failure) -> wire::IngestFailure {
    let Failure { document, source, path, code, detail, labels: _, known: _ } = failure;
    wire::IngestFailure { document: document.map(|id| id.to_string()), source, uri: path, code, detail }
}

fn warning(warning: Warning) -> wire::IngestWarning {
    let Warning { document, source, path, code, detail, labels: _ } = warning;
    wire::IngestWarning { document: document.map(|id| id.to_string()), source, uri: path, code, detail }
}
