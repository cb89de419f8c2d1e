#![doc = include_str!("../README.md")]

mod model;
mod fault;
mod limits;
mod detect;
mod build;
mod decode;
mod markdown;
mod html;
mod plain;
mod code;
mod records;
mod mail;
mod pdf;
mod archive;
mod docx;
mod pptx;
mod sheets;
mod parse;
mod frame;
mod child;
mod pool;

#[cfg(test)]
mod tests;

pub use child::child_main;
pub use fault::ParseFault;
pub use limits::Limits;
pub use model::{Block, BlockKind, Link, ParsedDocument};
pub use parse::parse_in_process;
pub use pool::{ParseRequest, ParserConfig, ParserPool};
