//! The worker side of Bucket Brigade: what looks at one object and says what became of it.
//!
//! Write a [`Processor`], and serve its [`routes`]; or let [`exec::ExecProcessor`] run any program. [`sample`] is a
//! whole processor to read.

pub mod error;
pub mod exec;
mod http;
pub mod job;
pub mod processor;
mod request;
mod routes;
mod runner;
pub mod sample;
mod service;
pub mod settings;
pub mod status;
#[cfg(test)]
mod testing;
mod text;

pub use error::{ErrorKind, ProcessError};
pub use job::Job;
pub use processor::{Outcome, Processor};
pub use routes::routes;
pub use settings::{WorkerArgs, WorkerSettings};
