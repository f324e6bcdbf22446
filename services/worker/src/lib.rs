//! The worker side of Bucket Brigade: it processes one object and returns the outcome.
//!
//! Write a [`Processor`], try it with [`testing`], and [serve](fn@serve) it; or let [`exec::ExecProcessor`] run any program.
//! [`sample`] is a whole processor to read, and `docs/WORKER.md` leads from an empty crate to a processed file.

#![deny(missing_docs)]

mod args;
pub mod error;
pub mod exec;
mod in_flight;
pub mod job;
mod metrics;
mod output;
pub mod processor;
mod request;
mod routes;
mod runner;
pub mod sample;
pub mod serve;
pub mod settings;
pub mod status;
pub mod testing;
#[cfg(test)]
mod tests;
mod text;

pub use error::{ErrorKind, ProcessError};
pub use job::Job;
pub use output::{InvalidOutputName, OutputName, Taken};
pub use processor::{Outcome, Processor};
pub use routes::routes;
pub use serve::{serve, serve_with_args};
pub use settings::{WorkerArgs, WorkerSettings};

/// The guide, whose blocks are compiled, and run where they end.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/WORKER.md")]
struct Guide;
