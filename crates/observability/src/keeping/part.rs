//! A server's part in erasures: its own disk. Each says when it holds nothing of one any longer; whoever carries the erasure
//! out waits until all of them have said so.

use std::{sync::Arc, time::Duration};

use mainspring_catalog::Engine;
use mainspring_kernel::{Fault as _, Stop, fault::chain};
use tokio::time::Instant;

use super::{
    Erasure, ErasureId, Keeping, KeepingFault,
    cleanse::{looked_for, news},
    model::Holder,
    server::{DEAD_AFTER, GIVEN_UP_AFTER, REMEMBERED_FOR},
    store::{self, Answer, Marks},
    whose::{Found, Whose},
};
use crate::fault::TraceFault;

/// How often to look for erasures that another server was asked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The catalog is told this often that the server is here, and forgets what nobody needs any longer.
const SEEN_EVERY: Duration = Duration::from_secs(10);
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// What came before an erasure is waited for so long at a time, and so is what is made of it.
const BROUGHT_WITHIN: Duration = Duration::from_secs(60);
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
/// And so are other servers that are alive.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);
const ANSWER_LOOKED_FOR_EVERY: Duration = Duration::from_millis(200);
/// Servers that a sentence names.
const NAMED: usize = 3;

impl Keeping {
    /// Takes this server's part in erasures until it stops.
    pub async fn keep_part(self, stop: Stop) {
        let mut pruned = Instant::now();
        while stop.sleep(LOOK_EVERY).await {
            let taken = tokio::select! {
                () = stop.requested() => return,
                taken = Box::pin(self.take_part()) => taken,
            };
            if let Err(fault) = taken {
                tracing::debug!(code = fault.code(), cause = %chain(&fault), "this server's part in an erasure waits");
            }
            if pruned.elapsed() >= PRUNE_EVERY {
                pruned = Instant::now();
                let before = self.now().minus(REMEMBERED_FOR);
                if let Err(fault) = store::prune(&self.parts.catalog, before).await {
                    tracing::debug!(code = fault.code(), "old erasures are forgotten later");
                }
            }
        }
    }

    /// Says that this server is here, before the first span comes to its disk.
    pub async fn begin_serving(&self) -> Result<(), KeepingFault> {
        self.parts.server.begin(&self.parts.catalog, self.now()).await
    }

    /// Says that this server is here until it stops. Where it has the catalog for itself, nobody asks.
    pub async fn keep_seen(self, stop: Stop) {
        if self.parts.catalog.engine() == Engine::Sqlite {
            return;
        }
        while stop.sleep(SEEN_EVERY).await {
            if let Err(fault) = self.parts.server.say_seen(&self.parts.catalog, self.now()).await {
                tracing::debug!(code = fault.code(), "the catalog could not be told that this server is here");
            }
        }
    }

    /// Says that nothing is left on this server's disk, if so: nobody has to wait for it until it is back. For when nothing
    /// comes any more.
    pub async fn leave(&self) {
        if !self.parts.spans.has_nothing_on_disk() {
            return;
        }
        if let Err(fault) = self.parts.server.leave(&self.parts.catalog).await {
            tracing::debug!(code = fault.code(), "erasures will wait for this server until it is back");
        }
    }

    /// Lets this server's disk hold nothing of what is being erased, and says so.
    pub(super) async fn take_part(&self) -> Result<(), KeepingFault> {
        let (catalog, spans, server) = (&self.parts.catalog, &self.parts.spans, &self.parts.server);
        let _alone = server.acting.lock().await;
        let owed = store::owed_by(catalog, server.id()).await?;
        if owed.is_empty() {
            return Ok(());
        }
        let (mut whose, mut known) = (Vec::with_capacity(owed.len()), Vec::with_capacity(owed.len()));
        for erasure in owed {
            let (of, marks) = looked_for(catalog, &erasure).await?;
            whose.push(of);
            known.push((erasure, marks));
        }
        let whose: Arc<[Whose]> = whose.into();
        let found = match spans.let_go(&whose, BROUGHT_WITHIN).await {
            Err(TraceFault::NotStored) => return Err(waits("spans that came before it wait for the disk")),
            other => other?,
        };
        self.settle().await?;
        match spans.bring_all(BROUGHT_WITHIN).await {
            Err(TraceFault::NotStored) => return Err(waits("spans that came before it wait for the lake")),
            other => other?,
        }
        let words: Vec<String> = whose.iter().filter_map(Whose::words).flatten().collect();
        spans.remove_aside(words.iter())?;
        for ((erasure, marks), found) in known.iter().zip(&found) {
            self.answer(erasure, marks, found).await?;
        }
        Ok(())
    }

    /// Where others have found more meanwhile, this server is asked again.
    async fn answer(&self, erasure: &Erasure, marks: &Marks, found: &Found) -> Result<(), KeepingFault> {
        let (server, now) = (&self.parts.server, self.now());
        let answer = Answer { erasure: erasure.id, server: server.id(), name: server.name(), generation: marks.generation };
        let mark = news(erasure.project, found, marks);
        let mark = mark.as_ref();
        self.parts
            .catalog
            .transact(|mut tx| async move {
                let taken = store::acknowledge(&mut tx, answer, mark, now).await?;
                Ok::<_, KeepingFault>((tx, taken))
            })
            .await?;
        Ok(())
    }

    /// Waits until nothing is made here any longer of what was read before.
    async fn settle(&self) -> Result<(), KeepingFault> {
        let settled = async {
            self.parts.drift.settle().await;
            self.parts.derived.settle().await;
        };
        let settled = tokio::time::timeout(SETTLED_WITHIN, settled).await;
        settled.map_err(|_| waits("something is made yet of what was there before it"))
    }

    /// Waits until every server that is alive is as far as this, this one among them. Answers those that are not; one that
    /// has not been heard of for a week is not asked any more.
    pub(super) async fn everyone(&self, id: ErasureId, generation: i64) -> Result<Vec<Holder>, KeepingFault> {
        self.take_part().await?;
        let until = Instant::now() + ANSWERED_WITHIN;
        loop {
            let (awaited, _) = self.weighed(store::missing(&self.parts.catalog, id, generation).await?);
            if Instant::now() >= until || !awaited.iter().any(|server| server.alive) {
                return Ok(awaited);
            }
            tokio::time::sleep(ANSWER_LOOKED_FOR_EVERY).await;
            // More may have been found, of which this server has to hear too.
            self.take_part().await?;
        }
    }

    /// Servers that are waited for, with how they are as far as one can tell, and those that are not waited for any longer.
    pub(super) fn weighed(&self, servers: Vec<Holder>) -> (Vec<Holder>, Vec<Holder>) {
        let (now, own) = (self.now(), self.parts.server.id());
        let within = |server: &Holder, most: Duration| server.server == own || now.since(server.seen) < most;
        let weigh = |server: Holder| Holder { alive: within(&server, DEAD_AFTER), ..server };
        servers.into_iter().map(weigh).partition(|server| within(server, GIVEN_UP_AFTER))
    }

    /// Erasures with the servers that they wait for, or were done without.
    pub(super) async fn with_servers(&self, mut erasures: Vec<Erasure>) -> Result<Vec<Erasure>, KeepingFault> {
        let catalog = &self.parts.catalog;
        for erasure in erasures.iter_mut().filter(|erasure| erasure.state.is_open()) {
            erasure.waits_for = self.weighed(store::waited_for(catalog, erasure.id).await?).0;
        }
        let ids = || erasures.iter().map(|erasure| erasure.id);
        let Some(range) = ids().min().zip(ids().max()) else { return Ok(erasures) };
        let without = store::without(catalog, range).await?;
        for erasure in &mut erasures {
            let of = without.iter().filter(|(id, _)| *id == erasure.id).map(|(_, server)| server.clone());
            erasure.without = of.collect();
        }
        Ok(erasures)
    }
}

fn waits(reason: &str) -> KeepingFault {
    KeepingFault::Waits { reason: reason.to_owned() }
}

/// That servers have not answered.
pub(super) fn waits_for(servers: &[Holder]) -> KeepingFault {
    let say = |server: &Holder| {
        let Holder { name, seen, .. } = server;
        if server.alive { format!("server {name}") } else { format!("server {name}, which was heard of last at {seen}") }
    };
    let mut named: Vec<String> = servers.iter().take(NAMED).map(say).collect();
    if servers.len() > NAMED {
        named.push(format!("{} more", servers.len() - NAMED));
    }
    waits(&format!("there is no answer yet from {}", named.join("; ")))
}
