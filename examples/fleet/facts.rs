//! The figures that the model takes from elsewhere. "Sources" of docs/SCALE.md says of each limit where it is from.

pub(crate) const MILLI: u64 = 1_000;
pub(crate) const SECOND: u64 = 1_000 * MILLI;
pub(crate) const MINUTE: u64 = 60 * SECOND;

// Published by Google.

/// Writes and reads a second that a bucket takes at first, and the time in which both may double.
pub(crate) const WRITES: f64 = 1_000.0;
pub(crate) const READS: f64 = 5_000.0;
pub(crate) const DOUBLES_IN: u64 = 20 * MINUTE;
/// One write of one name.
pub(crate) const NAME_EVERY: u64 = SECOND;
/// Objects in a page.
pub(crate) const PAGE: usize = 1_000;
/// Deliveries a second and in flight of a Cloud Tasks queue.
pub(crate) const QUEUE_RATE: f64 = 500.0;
pub(crate) const QUEUE_IN_FLIGHT: usize = 5_000;
/// The concurrency that Cloud Run's autoscaler aims at, of an instance's maximum, on average over a minute.
pub(crate) const CONCURRENCY_TARGET: f64 = 0.6;
pub(crate) const SCALING_WINDOW: u64 = MINUTE;
/// How long an instance without a request is kept at most.
pub(crate) const IDLE: u64 = 15 * MINUTE;

// Assumed: on no page that was read.

/// How often the autoscaler evaluates.
pub(crate) const SCALING_EVERY: u64 = 5 * SECOND;
/// How long a request waits for an instance before it is answered with 429.
pub(crate) const PENDING: u64 = 10 * SECOND;
/// Pushes in flight that Pub/Sub begins with, and has at most. One more with each success, half as many with a failure.
pub(crate) const WINDOW_START: f64 = 8.0;
pub(crate) const WINDOW_MAX: f64 = 3_000.0;
