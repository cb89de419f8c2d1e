#![doc = include_str!("../README.md")]

mod page;
mod overview;
mod apps;
mod knowledge;
mod traces;
mod assets;
mod identity;

pub use page::*;
pub use overview::*;
pub use apps::*;
pub use knowledge::*;
pub use traces::*;
pub use assets::*;
pub use identity::*;
