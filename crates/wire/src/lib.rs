#![doc = include_str!("../README.md")]

mod apps;
mod assets;
mod identity;
mod jobs;
mod knowledge;
mod overview;
mod page;
mod traces;

pub use apps::*;
pub use assets::*;
pub use identity::*;
pub use jobs::*;
pub use knowledge::*;
pub use overview::*;
pub use page::*;
pub use traces::*;
