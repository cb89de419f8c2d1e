//! The real binary, from outside.

mod access;
mod assets;
mod crash;
mod dev;
mod outages;
mod running;
