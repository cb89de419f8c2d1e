//! What weights promise, on a real HTTP server in this process.

mod parsing;
mod pulling;
mod server;
