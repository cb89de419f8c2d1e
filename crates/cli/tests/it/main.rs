//! The real binary, from outside.

mod access;
mod assets;
mod crash;
mod dev;
mod full;
mod killed;
mod outages;
mod running;
mod schedules;
mod sharing;
mod torn;
