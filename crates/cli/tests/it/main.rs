//! The real binary, from outside.

mod access;
mod asking;
mod assets;
mod calling;
mod crash;
mod dev;
mod doctor;
mod forgetting;
mod full;
mod killed;
mod leaks;
mod lists;
mod models;
mod outages;
mod projects;
mod refusals;
mod replaying;
mod running;
mod schedules;
mod sharing;
mod spending;
mod swapping;
mod telling;
mod tiny;
mod torn;
mod watching;
