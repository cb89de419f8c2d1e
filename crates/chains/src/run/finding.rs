//! From a question to the passages an answer is made from.

use mainspring_kernel::Actor;
use mainspring_llm::{Budget, Passage, RetrieveRequest, Retrieved, Searched, SpanContext, Unread, trace::OpenSpan};

use super::{Chains, Run};
use crate::{fault::ChainFault, following, resolve::Plan};

impl Chains {
    /// Finds what answers, and makes everything ready for the first piece of text. Where the question alone finds nothing
    /// and leans on what was asked before, it is searched again under that.
    pub(super) async fn find(
        &self,
        actor: &Actor,
        run: &mut Run,
        asked: &str,
        (root, budget): (&mut OpenSpan, Budget),
    ) -> Result<(), ChainFault> {
        self.find_by(actor, run, (asked, asked), (&mut *root, budget)).await?;
        if !run.abstains() {
            return Ok(());
        }
        for query in following::looking_back(&run.question.messages) {
            root.set("mainspring.retrieval.looked_back", true);
            self.find_by(actor, run, (asked, query.as_str()), (&mut *root, budget)).await?;
            if !run.abstains() {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn find_by(
        &self,
        actor: &Actor,
        run: &mut Run,
        (asked, query): (&str, &str),
        (root, budget): (&mut OpenSpan, Budget),
    ) -> Result<(), ChainFault> {
        let (mut found, unread) = self.retrieve(actor, &run.plan, query, root.context(), budget).await?;
        if query != asked && !speak_of(asked, &found) {
            found.iter_mut().for_each(|retrieved| retrieved.passages.clear());
        }
        run.take_up(found);
        run.unread = unread;
        run.note(root);
        if run.abstains() { Ok(()) } else { run.prepare((asked, query), root.context(), budget).await }
    }

    /// What every step finds, and which of their knowledges were not read to the end.
    async fn retrieve(
        &self,
        actor: &Actor,
        plan: &Plan,
        query: &str,
        trace: &SpanContext,
        budget: Budget,
    ) -> Result<(Vec<Retrieved>, Vec<Unread>), ChainFault> {
        let (mut found, mut unread) = (Vec::with_capacity(plan.retrieves.len()), Vec::<Unread>::new());
        for (step, at) in &plan.retrieves {
            let request = RetrieveRequest {
                query: query.to_owned(),
                mode: step.mode,
                limit: step.limit,
                rerank: step.rerank,
                metadata: step.metadata.clone(),
                documents: Vec::new(),
                token_budget: step.token_budget,
                at: at.clone(),
            };
            let searched =
                self.retriever.retrieve(actor, &step.knowledge, request, trace, budget).await.map_err(ChainFault::Retrieve)?;
            let left = match searched {
                Searched::Read(mut retrieved) => {
                    let left = retrieved.unread.take();
                    found.push(*retrieved);
                    left
                }
                Searched::Unread(left) => Some(left),
            };
            // Several steps may read the same.
            let is_new = |left: &Unread| unread.iter().all(|known| known.knowledge != left.knowledge);
            if let Some(left) = left.filter(is_new) {
                unread.push(left);
            }
        }
        Ok((found, unread))
    }
}

fn speak_of(asked: &str, found: &[Retrieved]) -> bool {
    fn texts(passage: &Passage) -> impl Iterator<Item = &str> {
        let headings = passage.heading_path.iter().map(String::as_str);
        headings.chain([passage.title.as_str(), passage.text.as_str()]).chain(passage.table_head.as_deref())
    }
    following::speaks_of(asked, found.iter().flat_map(|retrieved| &retrieved.passages).flat_map(texts))
}

impl Run {
    /// What the last search found takes the place of what was found before.
    fn take_up(&mut self, found: Vec<Retrieved>) {
        let label = |retrieved: &Retrieved| {
            let knowledge = retrieved.knowledge.clone();
            retrieved.passages.clone().into_iter().map(move |passage| (knowledge.clone(), passage))
        };
        self.passages = found.iter().flat_map(label).collect();
        self.ranks = found.iter().flat_map(|retrieved| 0..retrieved.passages.len()).collect();
        self.timings.extend(found.iter().flat_map(|retrieved| retrieved.timings.clone()));
        self.found = found;
    }

    /// Leaves out the passage that its own search ranked lowest. Scores of several searches do not compare, ranks do; of
    /// two with the same rank the one of the later step goes.
    pub(super) fn drop_worst(&mut self) {
        let worst = self.ranks.iter().enumerate().max_by_key(|(_, rank)| **rank).map(|(at, _)| at);
        if let Some(at) = worst {
            self.ranks.remove(at);
            self.passages.remove(at);
            self.dropped += 1;
        }
    }
}
