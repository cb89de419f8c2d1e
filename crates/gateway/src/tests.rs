//! The gateway's specification. Calls are made to real sockets.

mod aiming;
mod answers;
mod breaker;
mod caching;
mod choose;
mod choosing;
mod deciding;
mod hedging;
mod limits;
mod live;
mod local;
mod patience;
mod recorded;
mod reloading;
mod reserving;
mod retry;
mod room;
mod routing;
mod scanning;
mod specs;
mod streams;
mod surviving;
mod translated;
mod troubles;
mod trust;
mod vanishing;
