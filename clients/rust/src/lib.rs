//! Clients for Bucket Brigade: typed calls with Google ID tokens attached, and a record of what really answered.
//!
//! [`PollerClient::connect`] and [`WorkerClient::connect`] are all that another service needs: they attach the ID token of
//! the environment that they run in, ask again what is safe to ask again, and keep to a deadline. [`identity`] has the
//! sources of tokens one by one, and [`identity::attach`] attaches them to any other client.

#![deny(missing_docs)]

pub mod answer;
mod connect;
mod http_worker;
pub mod identity;
mod poller;
mod pool;
mod renewal;
mod retry;
mod worker;

pub use connect::ConnectError;
pub use http_worker::HttpWorkerClient;
pub use poller::{Events, PollerClient};
pub use retry::Retry;
pub use worker::WorkerClient;
