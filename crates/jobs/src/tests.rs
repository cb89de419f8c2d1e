//! The queue's specification, on both engines.

mod every;
mod processes;
mod queue;
mod schedules;
mod worker;

use std::{sync::Arc, time::Duration};

use mainspring_catalog::{Catalog, params};
use mainspring_kernel::{
    Actor, FrozenClock, Labels, ModelScope, Name, Role, Timestamp,
    id::{PrincipalId, ProjectId},
};
use serde_json::json;

use crate::{Jobs, Lease, NewJob};

const MINUTE: Duration = Duration::from_secs(60);

fn start() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000)
}

fn kind(text: &str) -> Name {
    text.parse().unwrap()
}

struct Room {
    jobs: Jobs,
    clock: FrozenClock,
    editor: Actor,
    reader: Actor,
    stranger: Actor,
}

impl Room {
    async fn over(catalog: Catalog) -> Self {
        const PROJECT: &str = "INSERT INTO project (id, name, description, created) VALUES ($1, $2, '', 0)";
        let clock = FrozenClock::at(start());
        let (project, other) = (ProjectId::new(start()), ProjectId::new(start()));
        catalog.write(PROJECT, params![project, "ours"]).await.unwrap();
        catalog.write(PROJECT, params![other, "theirs"]).await.unwrap();
        let actor = |project, role| Actor {
            principal: PrincipalId::new(start()),
            project,
            role,
            labels: Labels::All,
            key: None,
            models: ModelScope::All,
        };
        Self {
            jobs: Jobs::open(catalog, Arc::new(clock.clone())),
            clock,
            editor: actor(project, Role::Editor),
            reader: actor(project, Role::Reader),
            stranger: actor(other, Role::Admin),
        }
    }

    fn job(&self, name: &str) -> NewJob {
        self.clock.advance(Duration::from_millis(2));
        NewJob::new(kind("ingest"), json!({ "name": name })).in_project(self.editor.project)
    }

    async fn lease(&self, owner: &str) -> Option<Lease> {
        self.jobs.lease(owner, &[kind("ingest")], MINUTE).await.unwrap()
    }
}
