//! The real binary, from outside.

mod access;
mod crash;
mod running;
