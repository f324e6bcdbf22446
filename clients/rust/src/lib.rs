//! Clients for Bucket Brigade: typed calls with Google ID tokens attached, and a record of what really answered.

pub mod answer;
mod connect;
pub mod identity;
mod poller;
mod worker;

pub use connect::ConnectError;
pub use poller::PollerClient;
pub use worker::WorkerClient;
