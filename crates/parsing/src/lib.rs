mod model;

pub use model::{Block, BlockKind, Link, ParsedDocument};
