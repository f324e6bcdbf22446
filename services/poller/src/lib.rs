//! The poller: watches an inbox, hands each object to the worker, and moves it by the status that the worker returned.
//!
//! Each layer imports only what is below it:
//!
//! 1. [`trigger`]: gRPC and HTTP requests.
//! 2. [`poller`]: starts polls and single objects; [`inbox`]: shows the objects of all places, and moves failed ones back.
//! 3. `poll`, `object`: one poll under its lease; one named object.
//! 4. `pipeline`: dispatch, verdict, again if need be, settle: one object.
//! 5. `run`, `plan`, `attempts`, `instance`: what the objects of one poll share; until when; whether again; what all polls
//!    of this process share.
//! 6. `settle`, `lease`, `brake`, `suspects`, `in_flight`, `activity`, `cursors`, `streams`, `call_times`, [`report`], [`dispatch`], [`tasks`], `scan`.
//! 7. [`outcome`], [`config`], [`verdict`], [`filter`], [`name_glob`], [`mark`], `metrics`, `spans`, `losses`, `fold`, [`request`] and other plain values and tables.

mod activity;
mod attempts;
mod brake;
mod call_times;
pub mod clock;
pub mod config;
mod cursors;
mod destination;
pub mod dispatch;
pub mod error;
pub mod filter;
mod fold;
mod in_flight;
pub mod inbox;
mod instance;
mod jitter;
pub mod lease;
mod losses;
pub mod mark;
mod metrics;
pub mod name_glob;
mod object;
pub mod outcome;
mod pipeline;
mod plan;
mod poll;
pub mod poller;
pub mod report;
pub mod request;
mod retry;
mod run;
mod scan;
pub mod settings;
mod settle;
mod spans;
mod streams;
mod suspects;
pub mod tasks;
#[cfg(test)]
mod tests;
pub mod trigger;
pub mod verdict;
mod wire;
