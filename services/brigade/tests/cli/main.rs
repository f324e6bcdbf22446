//! The commands that show and steer a poller, as a person and a program run them: on a terminal and piped.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod auth_off;
mod broken;
mod dev;
#[path = "../commands/ended.rs"]
mod ended;
mod errors;
mod failed;
mod names;
#[path = "../../../../tests/e2e/odd.rs"]
mod odd;
mod poll;
mod pty;
mod replay;
mod shell;
mod status;
mod system;
mod watch;
