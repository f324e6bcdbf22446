//! The poller: watches an inbox, hands each object to the worker, and moves it by the worker's own answer.
//!
//! The data's way, read top to bottom: [`trigger`] → [`poll`] → [`scan`] → [`filter`] → [`dispatch`] → [`verdict`] →
//! [`settle`] → [`report`].

mod breaker;
pub mod clock;
pub mod destination;
pub mod dispatch;
pub mod error;
pub mod filter;
mod flight;
mod lease;
pub mod mark;
pub mod one;
pub mod poll;
pub mod report;
mod retry;
pub mod scan;
pub mod settings;
pub mod settle;
pub mod tasks;
#[cfg(test)]
mod testing;
mod tries;
pub mod trigger;
pub mod verdict;
mod way;
mod wire;
