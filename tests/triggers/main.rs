//! Every trigger, over real sockets: what each of Google's services sends, in the words of its documentation, to a poller
//! that is wired as it is deployed. A file a behaviour.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_input;
mod caller;
mod duplicates;
mod forms;
#[allow(dead_code, unused_imports, reason = "the other test binary uses the rest")]
#[path = "../e2e/harness/mod.rs"]
mod harness;
mod http_worker;
mod poll;
mod process;
mod queue;
mod retries;
mod tasks;
