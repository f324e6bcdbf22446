//! `InboxService`: what is in the inbox and its destinations, and failed objects moved back.

pub mod access;
pub(crate) mod describe;
pub(crate) mod list;
pub(crate) mod look;
pub(crate) mod place;
pub(crate) mod replay;
pub(crate) mod selection;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod watch;
