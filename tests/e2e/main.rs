//! End to end, over real sockets: the poller, a worker and the stand-in for Google, wired as they are deployed. A file a
//! behaviour.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod any_name;
mod bad_credential;
mod deployed;
mod documents;
mod edges;
mod exec;
mod front_end;
mod happy;
mod harness;
mod http_trigger;
mod key_file;
mod names;
mod retry_rules;
mod reupload;
mod tokens;
mod worker_down;
