//! Clients for Bucket Brigade: typed calls with Google ID tokens attached, and a record of who really answered.
//!
//! Another service needs [`PollerClient::connect`] and [`WorkerClient::connect`] only: they attach the ID token of their
//! environment, retry what is safe to retry, and keep to a deadline. [`identity`] has the token sources one by one, and
//! [`identity::attach`] attaches tokens to any other client.

#![deny(missing_docs)]

pub mod answer;
mod connect;
mod http_worker;
pub mod identity;
mod inbox;
mod observe;
mod poller;
mod pool;
mod renewal;
mod repeat;
mod retry;
mod worker;

pub use connect::{ConnectError, has_path, proxy_of};
pub use http_worker::HttpWorkerClient;
pub use inbox::InboxClient;
pub use poller::{Events, PollerClient};
pub use retry::Retry;
pub use worker::WorkerClient;
