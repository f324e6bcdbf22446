//! End to end, over real sockets: the poller, a worker and the stand-in for Google, wired as they are deployed. A file a
//! behaviour.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_credential;
mod deployed;
mod destination;
mod documents;
mod edges;
mod ends;
mod exec;
mod front_end;
mod happy;
mod harness;
mod http_trigger;
mod key_file;
mod reupload;
mod tokens;
mod worker_down;
