//! What weights promise, on a real HTTP server in this process.

mod buckets;
mod listing;
mod parsing;
mod proving;
mod pulling;
mod server;
