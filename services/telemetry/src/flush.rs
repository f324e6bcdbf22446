//! Exports what is pending, where the program that installed the providers says how.

use std::{pin::Pin, sync::OnceLock};

type Flush = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

static FLUSH: OnceLock<Flush> = OnceLock::new();

/// Marks a response, by an extension of it: the server exports what is pending before it sends the end. Cloud Run gives an instance
/// no processor time between requests.
#[derive(Clone, Copy, Debug)]
pub struct FlushAtEnd;

/// What [`flush`] does from now on; it ends within a bound of its own. The first one stays.
pub fn on_flush(
    flush: impl Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync + 'static,
) {
    let _ = FLUSH.set(Box::new(flush));
}

/// Exports what is pending, for a bounded time.
pub async fn flush() {
    if let Some(flush) = FLUSH.get() {
        flush().await;
    }
}
