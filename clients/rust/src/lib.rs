//! Clients for Bucket Brigade: typed calls with Google ID tokens attached, and a record of what really answered.

pub mod answer;
mod connect;
mod http_worker;
pub mod identity;
mod poller;
mod renewal;
mod worker;

pub use connect::ConnectError;
pub use http_worker::HttpWorkerClient;
pub use poller::PollerClient;
pub use worker::WorkerClient;
