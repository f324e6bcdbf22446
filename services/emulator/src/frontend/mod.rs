//! The front end: what Cloud Run puts before a container.
//!
//! A reverse proxy on a loopback address. It checks the ID token and `run.invoker`, takes the signature out of the
//! header that it checked, and passes the call on over h2c or HTTP/1.1, its body and trailers as they come. What it refuses it
//! answers as Google's front end does: with a page, and never with a `grpc-status`.
//!
//! `gate` decides which callers are admitted, `upstream` is the way to the container, `proxy` is one call from end to end.

mod body;
mod credential;
mod fault;
mod forward;
mod gate;
mod page;
mod proxy;
mod running;
mod service;
#[cfg(test)]
mod tests;
mod upstream;

pub use self::{
    fault::{Fault, HitCount},
    running::FrontEnd,
    service::Service,
};
