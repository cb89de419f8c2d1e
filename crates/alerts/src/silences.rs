//! What nobody is to be told of, for a while.

use std::time::Duration;

use mainspring_kernel::{Actor, Page, PageRequest, Role, Timestamp, id::SilenceId, text};
use serde_json::json;

use crate::{
    fault::AlertFault,
    matcher::Matcher,
    model::Silence,
    service::{Alerts, needs},
    store,
};

const MATCHERS: usize = 20;
const COMMENT_MAX: usize = 1_000;
/// What is to be silent for longer is better taken out of its monitor.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A silence to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSilence {
    pub matchers: Vec<Matcher>,
    /// Absent: now.
    pub starts: Option<Timestamp>,
    pub ends: Timestamp,
    pub comment: String,
}

impl Alerts {
    pub async fn silence(&self, actor: &Actor, new: NewSilence) -> Result<Silence, AlertFault> {
        needs(actor, Role::Editor)?;
        let now = self.now();
        let NewSilence { matchers, starts, ends, comment } = new;
        let starts = starts.unwrap_or(now);
        let wrong = |reason: &str| Err(AlertFault::BadSilence { reason: reason.to_owned() });
        // Without a matcher it would hide everything there is.
        if matchers.is_empty() || matchers.len() > MATCHERS {
            return wrong("it takes from 1 to 20 matchers");
        }
        if ends <= now || ends <= starts {
            return wrong("it would be over before it began");
        }
        if ends.since(starts) > LONGEST {
            return wrong("it would last longer than a year");
        }
        let comment = text::elide(&comment.replace('\0', " "), COMMENT_MAX);
        let id = SilenceId::new(now);
        let silence =
            &Silence { id, project: actor.project, matchers, starts, ends, comment, created: now, created_by: actor.principal };
        self.inner
            .catalog
            .transact(|mut tx| async move {
                store::insert_silence(&mut tx, silence).await?;
                let detail = json!({ "matchers": silence.matchers, "starts": silence.starts, "ends": silence.ends });
                self.record(&mut tx, actor, ("silence.create", id.to_string()), detail).await?;
                Ok::<_, AlertFault>((tx, silence.clone()))
            })
            .await
    }

    /// Newest first; those that have ended only when asked for.
    pub async fn silences(&self, actor: &Actor, ended_too: bool, page: &PageRequest) -> Result<Page<Silence>, AlertFault> {
        needs(actor, Role::Reader)?;
        let before = page.after::<SilenceId>()?;
        let not_ended = (!ended_too).then(|| self.now());
        let found = store::silences(&self.inner.catalog, actor.project, not_ended, before, page.limit() + 1).await?;
        Ok(Page::from_overfetch(found, page, |silence| silence.id))
    }

    /// Ends it now. What it has hidden and still goes on is told of within seconds.
    pub async fn unsilence(&self, actor: &Actor, id: SilenceId) -> Result<Silence, AlertFault> {
        needs(actor, Role::Editor)?;
        let now = self.now();
        let missing = || AlertFault::SilenceNotFound { id: id.to_string() };
        let missing = &missing;
        self.inner
            .catalog
            .transact(|mut tx| async move {
                let silence = store::get_silence(&mut tx, actor.project, id).await?.ok_or_else(missing)?;
                if !store::end_silence(&mut tx, id, now).await? {
                    return Err(AlertFault::SilenceEnded { id });
                }
                store::unhide(&mut tx, actor.project, id, now).await?;
                self.record(&mut tx, actor, ("silence.end", id.to_string()), json!({})).await?;
                Ok((tx, Silence { ends: now, ..silence }))
            })
            .await
    }
}
