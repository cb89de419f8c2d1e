#![doc = include_str!("../README.md")]

mod alerts;
mod apps;
mod assets;
mod batches;
mod conventions;
mod forgetting;
mod gateway;
mod identity;
mod jobs;
mod knowledge;
mod overview;
mod page;
mod points;
mod readings;
mod routes;
mod secrets;
mod traces;

pub use alerts::*;
pub use apps::*;
pub use assets::*;
pub use batches::*;
pub use conventions::*;
pub use forgetting::*;
pub use gateway::*;
pub use identity::*;
pub use jobs::*;
pub use knowledge::*;
pub use overview::*;
pub use page::*;
pub use points::*;
pub use readings::*;
pub use routes::*;
pub use secrets::*;
pub use traces::*;
