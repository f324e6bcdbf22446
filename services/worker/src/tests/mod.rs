//! What this crate's tests share, and the messages of a worker.

pub(crate) mod fixtures;
mod messages;
