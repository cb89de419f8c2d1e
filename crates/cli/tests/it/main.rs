//! The real binary, from outside.

mod access;
mod assets;
mod crash;
mod dev;
mod forgetting;
mod leaks;
mod outages;
mod replaying;
mod running;
