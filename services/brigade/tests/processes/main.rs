//! The programs as they are deployed, as processes of their own: what a signal does to them, and what is left of it.
//!
//! `KILL_ROUNDS` says how many processes are killed in each test of it, and `JOBS` how many jobs persistent programs get.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod blame;
mod end;
mod files;
mod google;
mod kill_poller;
mod kill_worker;
mod lease;
mod outputs;
mod persistent;
mod pod;
mod process;
mod proxy;
mod role;
mod rounds;
mod telemetry;
