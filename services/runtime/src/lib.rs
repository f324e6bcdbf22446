//! What each Bucket Brigade service needs around it: a server with limits, a guard, settings, exit codes, health,
//! reflection, shutdown, logs, traces and metrics.

pub mod deadline;
pub mod exit;
pub mod export;
pub mod guard;
mod health;
pub mod local_site;
mod protocol;
pub mod proxy;
mod readiness;
mod reflection;
pub mod serve;
pub mod service;
pub mod settings;
pub mod shutdown;
pub mod telemetry;
mod wait_limit;
