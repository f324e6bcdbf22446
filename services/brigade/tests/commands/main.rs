//! The subcommands as a user runs them: real processes, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod certificates;
mod command;
mod contract;
mod dev;
mod doctor;
mod emulator;
mod ended;
mod guide;
mod messages;
mod platform;
mod settings;
mod sigterm;
mod token;
mod worker;
mod writers;
