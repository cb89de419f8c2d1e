//! The room's specification, on real engines.

mod access;
mod forgetting;
mod forgotten;
mod gone;
mod ingesting;
mod interrupted;
mod keeping;
mod kept;
mod outages;
mod replaying;
mod statements;
mod surviving;
mod switching;
mod telling;
mod unread;
mod watching;
