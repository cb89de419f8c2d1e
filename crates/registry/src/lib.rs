#![doc = include_str!("../README.md")]

mod aliases;
mod apply;
mod changes;
mod diff;
mod fault;
mod manifest;
mod model;
mod naming;
mod plan;
mod read;
mod runs;
mod schema;
mod spec;
pub mod store;
mod world;

#[cfg(test)]
mod tests;

pub use apply::Registry;
pub use changes::Changed;
pub use diff::{Diff, DiffLine, LineChange};
pub use fault::{Problem, ProblemKind, RegistryFault};
pub use manifest::{API_VERSION, Draft, Manifest, documents, is_too_deep};
pub use model::{Alias, AliasMove, Asset, Expect, Lock, LockedReference, Mark, Pin, ResolvedReference, Version, VersionSummary};
pub use naming::ModelNames;
pub use plan::{Action, Change, Plan, PlannedMove};
pub use runs::{Direction, Link, NewRun, Outcome, Run, RunFilter, RunStatus};
pub use spec::{KindDescriptor, ModelRole, NamedModel, Offer, ParsedSpec, Reference, SpecFault, SpecProblem};
