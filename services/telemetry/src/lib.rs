//! Spans, trace context and instruments, by the OpenTelemetry API alone: the program that exports them installs the providers.
//! Without them spans and instruments are no-ops, and only the trace context of a request is carried on.
//!
//! The context is [`opentelemetry::Context`]: [`Within`] makes one current whenever its future runs. A task that is spawned
//! does not have it: [`carried`] takes it along.

mod code;
mod flush;
mod instruments;
mod propagation;
mod span;
mod text;
mod within;

use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::{
    global,
    metrics::Meter,
    trace::{SpanContext, TraceContextExt as _},
};

pub use self::{
    code::code_name,
    flush::{FlushAtEnd, flush, on_flush},
    instruments::{ages, counter, gauge, histogram, times},
    propagation::{extract, inject, remote, traceparent},
    span::{Parent, Span, Unsampled},
    text::text,
    within::{Within, active, carried, within},
};
pub use opentelemetry::{
    Context, KeyValue,
    metrics::{Counter, Histogram},
    trace::SpanKind,
};

/// The instrumentation scope of all spans and instruments.
pub(crate) const SCOPE: &str = "bucket-brigade";

static ENABLED: AtomicBool = AtomicBool::new(false);
static MEASURING: AtomicBool = AtomicBool::new(false);

/// Whether spans are recorded.
pub fn enabled() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

/// Spans are recorded from now on: a global tracer provider was installed.
pub fn enable() {
    ENABLED.store(true, Ordering::Relaxed);
}

/// Whether metrics are read: otherwise the attributes of a measurement need not be made.
pub fn measuring() -> bool {
    MEASURING.load(Ordering::Relaxed)
}

/// Metrics are read from now on: a global meter provider was installed.
pub fn measure() {
    MEASURING.store(true, Ordering::Relaxed);
}

/// The meter of all instruments. Those that are made before a global meter provider is installed are no-ops.
pub(crate) fn meter() -> Meter {
    global::meter(SCOPE)
}

/// The trace and span that the current code runs in, when there are any.
pub fn current() -> Option<SpanContext> {
    Context::map_current(|context| {
        let span = context.span();
        Some(span.span_context()).filter(|span| span.is_valid()).cloned()
    })
}
