//! The poller: what triggers start, and what ends with the process.

use std::sync::Arc;

use brigade_proto::v1::{
    PollRequest, PollResponse, PollStarted, ReplayObjectsRequest, ReplayObjectsResponse,
};
use brigade_storage::Store;
use brigade_telemetry::carried;
use futures::Stream;
use tokio::sync::{Semaphore, broadcast, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

use crate::{
    activity::Activity,
    brake::Brake,
    clock::{Clock, SystemClock},
    config::Config,
    dispatch::{Dispatcher, Worker},
    error::PollError,
    in_flight::InFlight,
    inbox::replay,
    instance::Instance,
    lease::Process,
    metrics, object,
    outcome::ObjectResult,
    plan::Plan,
    poll,
    report::{Events, MAX_BEHIND, Reporter},
    request::{ObjectRef, Trigger},
    settle::Settler,
    streams::Streams,
    tasks::Queue,
    wire,
};

/// Polls one inbox, and processes single objects of it that callers name. Clones share everything.
#[derive(Clone, Debug)]
pub struct Poller {
    pub(crate) instance: Arc<Instance>,
}

// === impl Poller ===

impl Poller {
    /// A poller of the inbox in `config`, by the machine's clock, whose polls take the inbox's lease.
    pub fn new(config: Config, store: &dyn Store, worker: Arc<dyn Worker>) -> Self {
        metrics::observe();
        let config = Arc::new(config);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let slots = config.budgets.concurrency.min(Semaphore::MAX_PERMITS);
        let instance = Instance {
            settler: Settler::new(config.clone(), store, clock.clone()),
            dispatcher: Arc::new(Dispatcher::new(worker, &config.budgets)),
            brake: Arc::new(Brake::new(store.bucket(&config.inbox.bucket), &config.inbox)),
            config,
            queue: None,
            started: clock.now(),
            clock,
            lease: true,
            process: Process::default(),
            activity: Activity::default(),
            store: None,
            counts: Arc::default(),
            streams: Streams::default(),
            said_all_left_out: Arc::default(),
            slots: Arc::new(Semaphore::new(slots)),
            in_flight: InFlight::default(),
            call_times: Arc::default(),
            cursors: Arc::default(),
            shutdown: CancellationToken::new(),
            running: TaskTracker::new(),
        };
        Self { instance: Arc::new(instance) }
    }

    /// Polls put objects into `queue` instead of asking the worker. Named objects go to the worker all the same.
    #[must_use]
    pub fn queue(self, queue: Option<Arc<dyn Queue>>) -> Self {
        self.with(|instance| instance.queue = queue)
    }

    /// Tells the time of day by `clock`.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        self.with(|instance| {
            instance.settler.clock = clock.clone();
            instance.started = clock.now();
            instance.clock = clock;
        })
    }

    /// Sends the events of every poll, and of every named object, to `observer` too.
    #[must_use]
    pub fn observer(self, observer: Option<broadcast::Sender<PollResponse>>) -> Self {
        self.with(|instance| instance.activity.observer = observer)
    }

    /// Looks at outputs in other buckets than those of the inbox and its destinations.
    #[must_use]
    pub fn store(self, store: Arc<dyn Store>) -> Self {
        self.with(|instance| instance.store = Some(store))
    }

    /// Ends polls early once `shutdown` is cancelled: nothing new is dispatched.
    #[must_use]
    pub fn shutdown(self, shutdown: CancellationToken) -> Self {
        self.with(|instance| instance.shutdown = shutdown)
    }

    /// Whether polls of one inbox exclude each other; they do by default.
    #[must_use]
    pub fn lease(self, lease: bool) -> Self {
        self.with(|instance| instance.lease = lease)
    }

    /// The process that the lease names, where others on this machine can tell whether it has ended.
    #[must_use]
    pub fn process(self, process: Process) -> Self {
        self.with(|instance| instance.process = process)
    }

    fn with(mut self, change: impl FnOnce(&mut Instance)) -> Self {
        change(Arc::make_mut(&mut self.instance));
        self
    }

    /// Starts a poll. Dropping the events cancels it: nothing new is dispatched, objects in flight are settled.
    ///
    /// # Errors
    /// When the request is not valid.
    pub fn start(&self, request: &PollRequest, trigger: &Trigger) -> Result<Events, PollError> {
        let (poll, events) = self.prepare(request, trigger)?;
        self.instance.running.spawn(carried(poll));
        Ok(events)
    }

    /// A poll that does not run yet, and its events. To drop it half way is to crash: everything is left as it is, for
    /// the next poll.
    ///
    /// # Errors
    /// When the request is not valid.
    pub fn prepare(
        &self,
        request: &PollRequest,
        trigger: &Trigger,
    ) -> Result<(impl Future<Output = ()> + Send + 'static, Events), PollError> {
        let instance = self.instance.clone();
        let plan = Plan::new(&instance.config, request, trigger)?;
        plan.check_time()?;
        let (sender, events) = mpsc::channel(MAX_BEHIND);
        // A dry run does nothing that anyone watches, and is not the last poll.
        let activity = if plan.dry_run { Activity::default() } else { instance.activity.clone() };
        let reporter = Reporter::new(sender, activity, trigger.summary_only);
        let poll_id = format!("{:016x}", fastrand::u64(..));
        let span = tracing::info_span!("poll", id = poll_id);
        let started = PollStarted {
            poll_id,
            inbox: instance.config.inbox.to_string(),
            trigger: trigger.kind.to_owned(),
            trigger_name: trigger.name.clone(),
            trigger_id: trigger.id.clone(),
            start_time: Some(wire::timestamp(instance.clock.now())),
            concurrency: instance.dispatcher.limit().try_into().unwrap_or(i64::MAX),
        };
        let poll = poll::run(instance, plan, reporter, started, trigger.kind);
        Ok((poll.instrument(span), events))
    }

    /// Takes one object through dispatch, verdict and settlement.
    ///
    /// The worker is called once: the caller has a queue that sends the object again. Attempts and the time of the next
    /// one are kept on the object, as in a poll. A caller that names an object which this instance has in flight waits
    /// for it, and gets the same result. To drop the future leaves an object with a slot at work, and nothing else.
    ///
    /// # Errors
    /// When an operator has to fix something first, or storage or worker do not answer. Nothing was moved.
    pub async fn process_object(
        &self,
        object: ObjectRef,
        trigger: Trigger,
    ) -> Result<ObjectResult, PollError> {
        object::process_object(&self.instance, object, trigger).await
    }

    /// Moves failed objects back into the inbox, as `InboxService.ReplayObjects` does.
    ///
    /// # Errors
    /// When the request is not valid.
    pub fn replay(
        &self,
        request: ReplayObjectsRequest,
    ) -> Result<
        impl Stream<Item = Result<ReplayObjectsResponse, PollError>> + Send + 'static,
        PollError,
    > {
        replay::replay(self.instance.clone(), request)
    }

    /// Waits until every poll has ended. Call it after the shutdown was asked for.
    pub async fn drained(&self) {
        self.instance.running.close();
        self.instance.running.wait().await;
    }
}
