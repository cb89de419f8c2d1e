#![doc = include_str!("../README.md")]

mod apps;
mod assets;
mod batches;
mod forgetting;
mod gateway;
mod identity;
mod jobs;
mod knowledge;
mod overview;
mod page;
mod routes;
mod secrets;
mod traces;

pub use apps::*;
pub use assets::*;
pub use batches::*;
pub use forgetting::*;
pub use gateway::*;
pub use identity::*;
pub use jobs::*;
pub use knowledge::*;
pub use overview::*;
pub use page::*;
pub use routes::*;
pub use secrets::*;
pub use traces::*;
