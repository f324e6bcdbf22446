//! What each Bucket Brigade service needs around it: a server with limits, a guard, settings, exit codes, health,
//! reflection, shutdown and logs.

pub mod app;
pub mod deadline;
pub mod door;
pub mod exit;
pub mod gate;
pub mod guard;
pub mod health;
pub mod reflection;
pub mod serve;
pub mod settings;
pub mod shutdown;
pub mod telemetry;
