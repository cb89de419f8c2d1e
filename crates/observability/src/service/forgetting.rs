//! Forgetting documents: what traces show of them goes.

use mainspring_kernel::{Timestamp, id::ProjectId};
use mainspring_llm::Span;

use super::{DRAIN_FOR, Observability, Swept};
use crate::{
    fault::TraceFault,
    forget::{self, mentions},
};

impl Observability {
    /// Takes what was written and read out of every trace that used these documents, and out of the files of before.
    /// What happened, when, and what it cost stays. `since`: only where a trace names them in a span from then on.
    pub async fn forget_documents(
        &self,
        project: ProjectId,
        documents: &[String],
        since: Option<Timestamp>,
    ) -> Result<Swept, TraceFault> {
        self.forget_documents_between(project, documents, (since, None)).await
    }

    /// The same, of spans that began no later than `until`: by then another document may have the id.
    pub async fn forget_documents_between(
        &self,
        project: ProjectId,
        documents: &[String],
        (since, until): (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<Swept, TraceFault> {
        let is_meant = |span: &Span| until.is_none_or(|until| span.start <= until) && mentions(span, documents);
        self.counters.pass(self.sampler.forget(project, is_meant));
        let brought = self.drain(DRAIN_FOR).await.is_ok() && self.spill.bytes() == 0;
        if documents.is_empty() {
            return Ok(Swept { spans: 0, brought });
        }
        let found = forget::traces_with(self.kept.table.as_ref(), project, documents, (since, until)).await?;
        let traces: Vec<String> = found.into_iter().collect();
        let spans = self.forget_in(project, documents, &traces).await?;
        // An earlier one may have been broken off before it came to the files.
        if spans > 0 || (since.is_none() && !traces.is_empty()) {
            forget::purge(self.kept.table.as_ref()).await?;
            self.kept.values.sweep(self.kept.table.as_ref()).await?;
        }
        Ok(Swept { spans, brought })
    }

    /// Takes what was written and read out of these traces, which used documents, out of the texts of their scores and out of
    /// what lies aside. The files of before are left to whoever asked. Answers how many spans showed something.
    pub(crate) async fn forget_in(&self, project: ProjectId, documents: &[String], traces: &[String]) -> Result<u64, TraceFault> {
        let spans = forget::strip_traces(&self.kept, project, traces).await?;
        if let Some(scores) = self.scores.as_ref().filter(|_| !traces.is_empty()) {
            scores.forget_texts(project, traces, self.now()).await?;
        }
        self.remove_aside(documents.iter().chain(traces))?;
        Ok(spans)
    }
}
