//! The instruments, by name.

use opentelemetry::metrics::{Counter, Histogram};

use crate::meter;

/// The bounds of most times: from one storage call to the longest call of a worker, in seconds.
const SECONDS: [f64; 18] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
    1_800.0, 3_600.0,
];
/// The bounds of times that begin with an upload: up to days.
const AGES: [f64; 14] = [
    1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0, 86_400.0,
    604_800.0,
];

/// A counter of things of this unit, such as `{object}`.
pub fn counter(name: &'static str, unit: &'static str, description: &'static str) -> Counter<u64> {
    meter().u64_counter(name).with_unit(unit).with_description(description).build()
}

/// A gauge that shows what is observed when metrics are read; nothing while there is nothing.
pub fn gauge(
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    observe: impl Fn() -> Option<u64> + Send + Sync + 'static,
) {
    let meter = meter();
    let gauge = meter.u64_observable_gauge(name).with_unit(unit).with_description(description);
    let gauge = gauge.with_callback(move |observer| {
        if let Some(value) = observe() {
            observer.observe(value, &[]);
        }
    });
    // The provider has its callback.
    let _registered = gauge.build();
}

/// A histogram of times in seconds.
pub fn times(name: &'static str, description: &'static str) -> Histogram<f64> {
    histogram(name, description, &SECONDS)
}

/// A histogram of seconds since an upload.
pub fn ages(name: &'static str, description: &'static str) -> Histogram<f64> {
    histogram(name, description, &AGES)
}

/// A histogram of seconds with these bounds.
pub fn histogram(name: &'static str, description: &'static str, bounds: &[f64]) -> Histogram<f64> {
    let meter = meter();
    let histogram = meter.f64_histogram(name).with_unit("s").with_description(description);
    histogram.with_boundaries(bounds.to_vec()).build()
}
