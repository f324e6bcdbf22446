//! What is left in an inbox or failed, why, and how it runs again.
//!
//! The commands speak to a poller alone, never to the bucket. Stdout has what was asked for; progress and questions go to stderr.

pub mod failed;
mod filter;
pub(crate) mod out;
mod pages;
pub mod replay;
pub mod status;
pub(crate) mod table;
pub mod watch;

pub(crate) use brigade_ui::{csv, parse, text};
