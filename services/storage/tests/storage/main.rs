//! The port's two implementations from outside: what they promise, and what they make of a service that misbehaves.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod gcs_contract;
mod gcs_emulator;
mod gcs_wire;
