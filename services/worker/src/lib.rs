//! The worker side: the [`Processor`] trait that your code implements, the service around it, the exec worker that runs
//! any program, and the sample.
//!
//! ```
//! use brigade_worker::{Job, Outcome, ProcessError, Processor};
//!
//! /// Counts the lines of each file.
//! struct Lines;
//!
//! impl Processor for Lines {
//!     type Error = ProcessError;
//!
//!     async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
//!         let content = job.bytes(1 << 20).await?;
//!         if content.is_empty() {
//!             return Err(ProcessError::refuse("the file is empty"));
//!         }
//!         let lines = content.split(|byte| *byte == b'\n').count();
//!         Ok(Outcome::summary(format!("{lines} lines")))
//!     }
//! }
//! ```

mod content;
mod error;
pub mod exec;
mod http;
mod job;
mod output;
mod processor;
mod routes;
pub mod sample;
mod service;
pub mod settings;
#[cfg(test)]
mod testing;

pub use error::ProcessError;
pub use job::Job;
pub use output::Output;
pub use processor::{Outcome, Processor};
pub use routes::routes;
