//! Exports what is pending, for a bounded time. The SDK's own functions block, some without any bound, so they run on threads of their
//! own, which no exit of the process waits for.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use opentelemetry_sdk::{
    error::OTelSdkResult, metrics::SdkMeterProvider, trace::SdkTracerProvider,
};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use super::watched::Collector;

/// How long a caller waits.
const BOUND: Duration = Duration::from_secs(1);
/// After an export that failed or took longer, no caller waits for so long, nor until one has succeeded: the answer of a poll waits.
const PAUSE: Duration = Duration::from_secs(30);

/// Both signals, where they are exported.
#[derive(Debug)]
pub(super) struct Flush([Option<Arc<Signal>>; 2]);

/// One signal. A collector may take one and refuse the other.
#[derive(Debug)]
struct Signal {
    provider: Provider,
    collector: Arc<Collector>,
    busy: AtomicBool,
    /// Since the last failure; nothing while callers wait.
    failed: Mutex<Option<Instant>>,
}

#[derive(Clone, Debug)]
enum Provider {
    Traces(SdkTracerProvider),
    Metrics(SdkMeterProvider),
}

// === impl Flush ===

impl Flush {
    pub(super) fn new(
        traces: Option<(SdkTracerProvider, Arc<Collector>)>,
        metrics: Option<(SdkMeterProvider, Arc<Collector>)>,
    ) -> Self {
        let traces = traces.map(|(provider, to)| Signal::new(Provider::Traces(provider), to));
        let metrics = metrics.map(|(provider, to)| Signal::new(Provider::Metrics(provider), to));
        Self([traces, metrics])
    }

    /// One at a time; others go on at once.
    pub(super) async fn flush(&self) {
        let [traces, metrics] = self.0.each_ref().map(|signal| flush(signal.clone()));
        tokio::join!(traces, metrics);
    }

    /// The last export. It is tried although the collector failed before.
    pub(super) async fn shutdown(&self) {
        let [traces, metrics] = self.0.each_ref().map(|signal| shutdown(signal.clone()));
        let _ = timeout(BOUND, async { tokio::join!(traces, metrics) }).await;
    }
}

async fn flush(signal: Option<Arc<Signal>>) {
    let Some(signal) = signal.filter(|signal| !signal.busy.swap(true, Ordering::AcqRel)) else {
        return;
    };
    let (began, busy) = (Instant::now(), Busy(Arc::clone(&signal)));
    let ended = on_thread(move || {
        // It ends with this closure, also when that panics or no thread starts.
        let Busy(signal) = &busy;
        let _ = signal.provider.force_flush();
        signal.ended(began);
    });
    if signal.failed().is_none() && timeout(BOUND, ended).await.is_err() {
        *signal.failed() = Some(Instant::now());
    }
}

async fn shutdown(signal: Option<Arc<Signal>>) {
    let Some(signal) = signal else { return };
    signal.collector.shuts_down();
    on_thread(move || drop(signal.provider.shutdown())).await;
}

// === impl Signal ===

impl Signal {
    fn new(provider: Provider, collector: Arc<Collector>) -> Arc<Self> {
        Arc::new(Self {
            provider,
            collector,
            busy: AtomicBool::default(),
            failed: Mutex::default(),
        })
    }

    fn failed(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An export ended, however long it took.
    fn ended(&self, began: Instant) {
        let mut failed = self.failed();
        if self.collector.fails() {
            *failed = Some(began);
        } else if failed.is_some_and(|at| began >= at + PAUSE) {
            *failed = None;
        }
    }
}

/// A signal that is being exported.
struct Busy(Arc<Signal>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Release);
    }
}

// === impl Provider ===

impl Provider {
    fn force_flush(&self) -> OTelSdkResult {
        match self {
            Self::Traces(provider) => provider.force_flush(),
            Self::Metrics(provider) => provider.force_flush(),
        }
    }

    fn shutdown(&self) -> OTelSdkResult {
        match self {
            Self::Traces(provider) => provider.shutdown_with_timeout(BOUND),
            Self::Metrics(provider) => provider.shutdown_with_timeout(BOUND),
        }
    }
}

/// Starts at once; the future is its end.
fn on_thread(work: impl FnOnce() + Send + 'static) -> impl Future<Output = ()> {
    let (done, ended) = oneshot::channel::<()>();
    let thread = thread::Builder::new().name("telemetry-flush".into());
    // Without a thread the sender is dropped, so nothing waits.
    let started = thread.spawn(move || {
        work();
        drop(done);
    });
    drop(started);
    async { drop(ended.await) }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use opentelemetry::Context;
    use opentelemetry_sdk::{
        error::OTelSdkError,
        trace::{Span, SpanData, SpanProcessor},
    };

    use super::*;

    /// Each export begins, and ends with a result that the test sends.
    #[derive(Debug)]
    struct Exports {
        began: Sender<()>,
        results: Mutex<Receiver<OTelSdkResult>>,
        collector: Arc<Collector>,
    }

    impl SpanProcessor for Exports {
        fn on_start(&self, _: &mut Span, _: &Context) {}

        fn on_end(&self, _: SpanData) {}

        fn force_flush(&self) -> OTelSdkResult {
            self.began.send(()).unwrap();
            let result = self.results.lock().unwrap().recv().expect("the test wants a panic");
            self.collector.note(result)
        }

        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    struct Test {
        flush: Arc<Flush>,
        began: Receiver<()>,
        results: Sender<OTelSdkResult>,
    }

    impl Test {
        fn new() -> Self {
            let ((began, begins), (results, ends)) = (channel(), channel());
            let collector = Arc::new(Collector::new("traces"));
            let exports =
                Exports { began, results: Mutex::new(ends), collector: Arc::clone(&collector) };
            let provider = SdkTracerProvider::builder().with_span_processor(exports).build();
            let flush = Arc::new(Flush::new(Some((provider, collector)), None));
            Self { flush, began: begins, results }
        }

        /// How long a caller waits for an export that does not end.
        async fn waits(&self) -> Duration {
            let began = Instant::now();
            self.flush.flush().await;
            self.began.recv().unwrap();
            began.elapsed()
        }

        /// Ends the export that runs.
        fn end(&self, result: OTelSdkResult) {
            self.results.send(result).unwrap();
            while self.flush.0[0].as_ref().unwrap().busy.load(Ordering::Acquire) {
                thread::yield_now();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_an_export_that_is_slow_no_caller_waits_until_one_has_succeeded() {
        let test = Test::new();
        assert_eq!(test.waits().await, BOUND, "the first");
        let began = Instant::now();
        test.flush.flush().await;
        assert_eq!(began.elapsed(), Duration::ZERO, "one runs already");
        test.end(Err(OTelSdkError::InternalFailure("it is away".into())));
        for minute in 1..=5 {
            tokio::time::advance(Duration::from_mins(1)).await;
            assert_eq!(test.waits().await, Duration::ZERO, "it failed, minute {minute}");
            test.end(Err(OTelSdkError::InternalFailure("it is away".into())));
        }
        assert_eq!(test.waits().await, Duration::ZERO);
        test.end(Ok(()));
        assert_eq!(test.waits().await, Duration::ZERO, "it failed a moment ago");
        test.end(Ok(()));
        tokio::time::advance(PAUSE).await;
        assert_eq!(test.waits().await, Duration::ZERO);
        test.end(Ok(()));
        assert_eq!(test.waits().await, BOUND, "it has succeeded");
        test.end(Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_export_that_panics_is_not_the_last_one() {
        let Test { flush, began, results } = Test::new();
        drop(results);
        for _ in 0..2 {
            flush.flush().await;
            began.recv().unwrap();
            while flush.0[0].as_ref().unwrap().busy.load(Ordering::Acquire) {
                thread::yield_now();
            }
        }
    }
}
