//! The poller's settings: as given on the command line or in the environment, and as resolved.

mod worker;

use std::time::Duration;

use brigade_runtime::settings::{
    CONCURRENCY_RANGE, Given, Parse, Problems, TIME_RANGE, audience, boolean, choice, count, form,
    names, optional, setting, time, url,
};
use brigade_storage::{InvalidLocation, Location};
use url::Url;

pub use self::worker::{Protocol, WorkerAuth};
use crate::{
    config::{Budgets, Config, Order},
    losses::MOST,
    name_glob::NameGlob,
    tasks::{TasksArgs, TasksSettings},
};

/// No one means a number outside of these ranges. A typing error is reported at the start; it must not show as an inbox
/// that stands still, or that goes to `failed/`.
const TIMES_RANGE: std::ops::RangeInclusive<u32> = 1..=1_000_000;
/// The same, where 0 switches the brake off.
const REFUSALS_RANGE: std::ops::RangeInclusive<u32> = 0..=1_000_000;
/// As good as no limit.
const MAX_OBJECTS: u64 = 1_000_000_000_000;
/// A poll keeps its last 5 s for moving objects, and calls no worker in them.
const MIN_DEADLINE: Duration = Duration::from_secs(15);
const MAX_AGE: Duration = Duration::from_hours(366 * 24);
/// A listing costs a call for each page.
const RELIST_RANGE: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_hours(1);
const MATCH: &str = "BRIGADE_MATCH";
const EXCLUDE: &str = "BRIGADE_EXCLUDE";

/// The settings as given.
#[derive(Clone, Debug, clap::Args)]
pub struct PollerArgs {
    /// The prefix that is scanned
    #[arg(long, env = "BRIGADE_INBOX", value_name = "gs://BUCKET/PREFIX/", default_value = "", hide_default_value = true,
        value_parser = setting(form("gs://BUCKET/PREFIX/", inbox)))]
    inbox: Given<Location>,
    /// Where accepted objects go, with their path below the inbox; {date} becomes the UTC day, YYYY/MM/DD [default:
    /// processed/ in the inbox's bucket]
    #[arg(long, env = names::PROCESSED, value_name = "URI", default_value = "", hide_default_value = true, value_parser = optional(location()))]
    processed: Given<Option<Location>>,
    /// Where refused objects go, in the same way [default: failed/ in the inbox's bucket]
    #[arg(long, env = names::FAILED, value_name = "URI", default_value = "", hide_default_value = true, value_parser = optional(location()))]
    failed: Given<Option<Location>>,
    /// The worker's URL
    #[arg(long, env = worker::URL, value_name = "URL", default_value = "", hide_default_value = true,
        value_parser = setting(form("the worker's URL, such as https://worker-abc.a.run.app", url)))]
    worker_url: Given<Url>,
    /// The audience of the token sent to the worker [default: the origin of the worker's URL]
    #[arg(long, env = worker::AUDIENCE, value_name = "AUDIENCE", default_value = "", hide_default_value = true,
        value_parser = optional(form("the audience of a token, such as https://worker-abc.a.run.app", audience)))]
    worker_audience: Given<Option<String>>,
    /// Whether calls to the worker have a token: google for one that Google signed, or none for a worker on this machine
    #[arg(long, env = worker::AUTH, value_name = "AUTH", default_value = "google", value_parser = setting(choice::<WorkerAuth>))]
    worker_auth: Given<WorkerAuth>,
    /// Who calls the worker.
    #[command(flatten)]
    tasks: TasksArgs,
    /// What does not depend on places.
    #[command(flatten)]
    pub poll: PollArgs,
}

/// The settings that name no place, as given: `brigade dev` has them too.
#[derive(Clone, Debug, clap::Args)]
pub struct PollArgs {
    /// How the worker is called: grpc, or http for a service that takes a POST of JSON and answers 200 or 500
    #[arg(long, env = worker::PROTOCOL, value_name = "PROTOCOL", default_value = "grpc",
        value_parser = setting(choice::<Protocol>))]
    worker_protocol: Given<Protocol>,
    /// Objects in flight at once, 1 to 10,000 [default: 32]
    #[arg(long, env = names::CONCURRENCY, value_name = "N", default_value = "", hide_default_value = true,
        value_parser = optional(count(CONCURRENCY_RANGE)))]
    concurrency: Given<Option<usize>>,
    /// How long the worker may take for one object, 1 s to 7 days, and never longer than the poll deadline less 5 s
    #[arg(long, visible_alias = "timeout", env = "BRIGADE_PROCESS_TIMEOUT", value_name = "TIME", default_value = "10m",
        value_parser = setting(time(TIME_RANGE)))]
    process_timeout: Given<Duration>,
    /// How long one poll may take, 15 s to 7 days
    #[arg(long, env = "BRIGADE_POLL_DEADLINE", value_name = "TIME", default_value = "10m",
        value_parser = setting(time(MIN_DEADLINE..=*TIME_RANGE.end())))]
    poll_deadline: Given<Duration>,
    /// Objects handed to the worker in one poll, 1 or more [default: no limit]
    #[arg(long, env = "BRIGADE_MAX_OBJECTS", value_name = "N", default_value = "", hide_default_value = true,
        value_parser = optional(count(1..=MAX_OBJECTS)))]
    max_objects: Given<Option<u64>>,
    /// Attempts at one object, 1 to 1,000,000, after which it counts as failed
    #[arg(long, env = "BRIGADE_MAX_ATTEMPTS", value_name = "N", default_value = "5",
        value_parser = setting(count(TIMES_RANGE)))]
    max_attempts: Given<u32>,
    /// Lost calls that count against one object, 1 to 8, after which it counts as failed; 0: never
    #[arg(long, env = "BRIGADE_MAX_LOSSES", value_name = "N", default_value = "5",
        value_parser = setting(count(0..=MOST)))]
    max_losses: Given<u32>,
    /// Refusals of different objects in a row with none accepted, 1 to 1,000,000, that put the brake on; 0: never
    #[arg(long, env = "BRIGADE_MAX_REFUSALS", value_name = "N", default_value = "25",
        value_parser = setting(count(REFUSALS_RANGE)))]
    max_refusals: Given<u32>,
    /// Failures between poller and worker, 1 to 1,000,000, in 10 s or more without an answer, after which it is probed
    #[arg(long, env = "BRIGADE_BREAKER", value_name = "N", default_value = "5",
        value_parser = setting(count(TIMES_RANGE)))]
    breaker: Given<u32>,
    /// Whether brigade-processed-at and brigade-outputs are written on every accepted object, at one more storage call each
    #[arg(long, env = "BRIGADE_MARK_PROCESSED", value_name = "BOOL", default_value = "false", num_args = 0..=1,
        require_equals = true, default_missing_value = "true", value_parser = setting(boolean))]
    mark_processed: Given<bool>,
    /// Objects younger than this wait, for polls and events alike; at most 366 days
    #[arg(long, env = "BRIGADE_MIN_AGE", value_name = "TIME", default_value = "0s",
        value_parser = setting(time(Duration::ZERO..=MAX_AGE)))]
    min_age: Given<Duration>,
    /// The same for polls alone, where events announce objects: longer than an event takes, such as 60s
    #[arg(long, env = "BRIGADE_POLL_MIN_AGE", value_name = "TIME", default_value = "0s",
        value_parser = setting(time(Duration::ZERO..=MAX_AGE)))]
    poll_min_age: Given<Duration>,
    /// Only objects whose name below the inbox matches; * stops at /, ** does not [default: all]
    #[arg(long = "match", env = MATCH, value_name = "GLOB", default_value = "", hide_default_value = true,
        value_parser = optional(form("a glob, such as **/*.csv", glob)))]
    matching: Given<Option<NameGlob>>,
    /// No objects whose name below the inbox matches, even of those that --match takes [default: none]
    #[arg(long, env = EXCLUDE, value_name = "GLOB", default_value = "", hide_default_value = true,
        value_parser = optional(form("a glob, such as **/*.tmp", glob)))]
    exclude: Given<Option<NameGlob>>,
    /// Whether empty objects stay where they are, without a call to the worker
    #[arg(long, env = "BRIGADE_SKIP_EMPTY", value_name = "BOOL", default_value = "false", num_args = 0..=1,
        require_equals = true, default_missing_value = "true", value_parser = setting(boolean))]
    skip_empty: Given<bool>,
    /// The pause before a poll whose request says relist lists the inbox again, 1 s to 1 h
    #[arg(long, env = "BRIGADE_RELIST", value_name = "TIME", default_value = "2s",
        value_parser = setting(time(RELIST_RANGE)))]
    relist: Given<Duration>,
    /// Which objects of a poll come first: name, as they are listed, or oldest, by their upload
    #[arg(long, env = "BRIGADE_ORDER", value_name = "ORDER", default_value = "name", value_parser = setting(choice::<Order>))]
    order: Given<Order>,
}

/// The settings as resolved.
#[derive(Clone, Debug)]
pub struct PollerSettings {
    /// What the poller does.
    pub config: Config,
    /// The worker's URL.
    pub worker_url: Url,
    /// The audience of the token sent to the worker, unless it is the URL's origin.
    pub worker_audience: Option<String>,
    /// How the worker is called.
    pub worker_protocol: Protocol,
    /// Whether a token is sent to it.
    pub worker_auth: WorkerAuth,
    /// The queue that polls put objects into, unless they call the worker themselves.
    pub tasks: Option<TasksSettings>,
}

// === impl PollerSettings ===

impl PollerSettings {
    /// The audience of the token that is sent to the worker.
    pub fn audience(&self) -> String {
        self.worker_audience
            .clone()
            .unwrap_or_else(|| brigade_client::identity::origin(&self.worker_url))
    }
}

// === impl PollerArgs ===

impl PollerArgs {
    /// Resolves every setting, and notes every problem; nothing when there was one.
    pub fn resolve(&self, problems: &mut Problems) -> Option<PollerSettings> {
        let poll = &self.poll;
        let inbox = self.inbox.get(problems);
        let (processed, failed) = match &inbox {
            Some(inbox) => self.destinations(inbox, problems),
            None => (None, None),
        };
        let worker_url = self.worker_url.get(problems);
        let worker_protocol = poll.worker_protocol.get(problems);
        let worker_auth = self.worker_auth.get(problems);
        let tasks = self.tasks.resolve(problems);
        let budgets = poll.budgets(problems);
        let mark_processed = poll.mark_processed.get(problems);
        let min_age = poll.min_age.get(problems);
        let poll_min_age = poll.poll_min_age.get(problems);
        let mut glob = |given: &Given<Option<NameGlob>>, setting| {
            let glob = given.get(problems)?;
            if let (Some(glob), Some(inbox)) = (&glob, &inbox)
                && let Err(why) = glob.check_below(inbox)
            {
                problems.conflict(setting, why);
            }
            Some(glob)
        };
        let matching = glob(&poll.matching, MATCH);
        let exclude = glob(&poll.exclude, EXCLUDE);
        let skip_empty = poll.skip_empty.get(problems);
        let relist = poll.relist.get(problems);
        let order = poll.order.get(problems);
        let worker_audience = self.worker_audience.get(problems);
        if let (Some(url), Some(protocol), Some(auth)) = (&worker_url, worker_protocol, worker_auth)
        {
            let audience = worker_audience.as_ref().and_then(Option::as_deref);
            worker::check(url, protocol, auth, audience, problems);
        }
        Some(PollerSettings {
            config: Config {
                inbox: inbox?,
                processed: processed?,
                failed: failed?,
                budgets: budgets?,
                mark_processed: mark_processed?,
                min_age: min_age?,
                poll_min_age: poll_min_age?,
                matching: matching?,
                exclude: exclude?,
                skip_empty: skip_empty?,
                relist: relist?,
                order: order?,
            },
            worker_url: worker_url?,
            worker_audience: worker_audience?,
            worker_protocol: worker_protocol?,
            worker_auth: worker_auth?,
            tasks: tasks?,
        })
    }

    /// Destinations that could feed themselves, or each other, are refused.
    fn destinations(
        &self,
        inbox: &Location,
        problems: &mut Problems,
    ) -> (Option<Location>, Option<Location>) {
        let mut place = |given: &Given<Option<Location>>, setting, prefix| {
            let place = given.get(problems)?;
            let place = place.unwrap_or_else(|| Location::new(&inbox.bucket, prefix));
            if place.holds_on_any_day(&inbox.bucket, &inbox.prefix) {
                let why = format!("{place} holds the inbox {inbox} itself; give it another prefix");
                problems.conflict(setting, why);
            }
            Some(place)
        };
        let processed = place(&self.processed, names::PROCESSED, "processed/");
        let failed = place(&self.failed, names::FAILED, "failed/");
        if processed.is_some() && processed == failed {
            let other = names::PROCESSED;
            let why = format!("it is the same place as {other}; give each a prefix of its own");
            problems.conflict(names::FAILED, why);
        }
        (processed, failed)
    }
}

// === impl PollArgs ===

impl PollArgs {
    /// Whether the objects in flight at once are not the default.
    pub fn has_concurrency(&self) -> bool {
        !self.concurrency.is_blank()
    }

    /// Whether the worker is called over gRPC, as far as that is known.
    pub fn is_grpc(&self) -> bool {
        self.worker_protocol.get(&mut Problems::default()) == Some(Protocol::Grpc)
    }

    fn budgets(&self, problems: &mut Problems) -> Option<Budgets> {
        let concurrency = self.concurrency.get(problems);
        let process_timeout = self.process_timeout.get(problems);
        let poll_deadline = self.poll_deadline.get(problems);
        let max_objects = self.max_objects.get(problems);
        let max_attempts = self.max_attempts.get(problems);
        let breaker = self.breaker.get(problems);
        let max_losses = self.max_losses.get(problems);
        let max_refusals = self.max_refusals.get(problems);
        Some(Budgets {
            max_attempts: max_attempts?,
            breaker: breaker?,
            max_losses: max_losses?,
            max_refusals: max_refusals?,
            concurrency: concurrency?.unwrap_or(Budgets::default().concurrency),
            process_timeout: process_timeout?,
            poll_deadline: poll_deadline?,
            max_objects: max_objects?,
        })
    }
}

fn location() -> impl Parse<Location> {
    form("gs://BUCKET/PREFIX/", str::parse)
}

fn glob(given: &str) -> Result<NameGlob, String> {
    given.parse()
}

/// The inbox's own location. A glob in it would be a part of every name.
fn inbox(given: &str) -> Result<Location, String> {
    let location: Location = given.parse().map_err(|error: InvalidLocation| error.to_string())?;
    let Some(first) = location.prefix.find(['*', '?', '[', '{']) else {
        return Ok(location);
    };
    let folder = location.prefix[..first].rfind('/').map_or(0, |slash| slash + 1);
    let (folder, mut glob) = location.prefix.split_at(folder);
    // A missing slash at the end was added.
    let deep = format!("{glob}**");
    glob = if given.ends_with('/') { &deep } else { glob.trim_end_matches('/') };
    Err(format!(
        "it is a prefix, not a glob; fix: set BRIGADE_INBOX to gs://{}/{folder} and {MATCH} to {glob}",
        location.bucket
    ))
}

#[cfg(test)]
mod tests;
