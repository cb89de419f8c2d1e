#![doc = include_str!("../README.md")]

mod archive;
mod build;
mod cells;
mod charset;
mod child;
mod code;
mod decode;
mod detect;
mod docx;
mod fault;
mod frame;
mod html;
mod limits;
mod mail;
mod markdown;
mod marks;
mod model;
mod parse;
mod pdf;
mod plain;
mod pool;
mod pptx;
mod records;
mod relations;
mod sheets;
mod unspoken;
mod warning;
mod watch;

#[cfg(test)]
mod tests;

pub use child::child_main;
pub use detect::likely_media_type;
pub use fault::ParseFault;
pub use limits::Limits;
pub use model::{Block, BlockKind, Link, MadeBy, ParsedDocument, VERSION};
pub use parse::parse_in_process;
pub use pool::{ParseRequest, ParserConfig, ParserPool};
pub use warning::{ParseWarning, WarningKind};
