//! End to end, over real sockets: the poller, a worker and the emulator, wired as they are deployed. A file a
//! behaviour.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod any_name;
mod bad_credential;
mod blame;
#[allow(dead_code, reason = "the triggers' tests use the rest")]
#[path = "../triggers/caller.rs"]
mod caller;
mod clients;
mod crowd;
mod deployed;
mod destination;
mod documents;
mod download;
mod edges;
mod ends;
mod exec;
mod front_end;
mod happy;
#[allow(dead_code, reason = "the triggers' tests use the rest")]
mod harness;
mod http_trigger;
mod imports;
mod inbox;
mod key_file;
mod names;
mod odd;
mod retry_rules;
mod reupload;
mod routes;
mod tokens;
mod worker_down;
mod worker_storage;
