//! The poller's settings: as given on the command line or in the environment, and as resolved.

use std::time::Duration;

use brigade_runtime::settings::{A_WHILE, AT_ONCE, Problem, Problems, names};
use brigade_storage::Location;
use globset::{GlobBuilder, GlobMatcher};
use url::Url;

use crate::{
    config::Budgets,
    tasks::{TasksArgs, TasksSettings},
};

/// The settings as given.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct PollerArgs {
    /// What is scanned
    #[arg(long, env = names::INBOX, value_name = "gs://BUCKET/PREFIX/")]
    pub inbox: Option<String>,
    /// Where accepted objects go [default: processed/ in the inbox's bucket]; {date} becomes the UTC day
    #[arg(long, env = names::PROCESSED, value_name = "URI")]
    pub processed: Option<String>,
    /// Where refused objects go [default: failed/ in the inbox's bucket]; {date} becomes the UTC day
    #[arg(long, env = names::FAILED, value_name = "URI")]
    pub failed: Option<String>,
    /// The worker's URL
    #[arg(long, env = names::WORKER_URL, value_name = "URL")]
    pub worker_url: Option<String>,
    /// The audience of the token sent to the worker [default: the origin of the worker's URL]
    #[arg(long, env = names::WORKER_AUDIENCE, value_name = "AUDIENCE")]
    pub worker_audience: Option<String>,
    /// How the worker is called: grpc, or http for a service that takes a POST of JSON [default: grpc]
    #[arg(long, env = names::WORKER_PROTOCOL, value_name = "PROTOCOL")]
    pub worker_protocol: Option<String>,
    /// Who calls the worker.
    #[command(flatten)]
    pub tasks: TasksArgs,
    /// Objects in flight at once [default: 32]
    #[arg(long, env = names::CONCURRENCY, value_name = "N")]
    pub concurrency: Option<String>,
    /// How long the worker may take for one object [default: 10m]
    #[arg(long, env = names::PROCESS_TIMEOUT, value_name = "TIME")]
    pub process_timeout: Option<String>,
    /// How long one poll may take [default: 10m]
    #[arg(long, env = names::POLL_DEADLINE, value_name = "TIME")]
    pub poll_deadline: Option<String>,
    /// Objects handed to the worker in one poll [default: no limit]
    #[arg(long, env = names::MAX_OBJECTS, value_name = "N")]
    pub max_objects: Option<String>,
    /// How often the worker is asked about one object before it counts as failed [default: 5]
    #[arg(long, env = names::MAX_ATTEMPTS, value_name = "N")]
    pub max_attempts: Option<String>,
    /// Failures in a row on the way to the worker that end a poll [default: 5]
    #[arg(long, env = names::BREAKER, value_name = "N")]
    pub breaker: Option<String>,
    /// Leaves objects alone that are younger than this [default: 0s]
    #[arg(long, env = names::MIN_AGE, value_name = "TIME")]
    pub min_age: Option<String>,
    /// Only objects whose name below the inbox matches; * stops at /, ** does not [default: all]
    #[arg(long = "match", env = names::MATCH, value_name = "GLOB")]
    pub matching: Option<String>,
}

/// The settings as resolved.
#[derive(Clone, Debug)]
pub struct PollerSettings {
    /// Where objects come from.
    pub inbox: Location,
    /// Where accepted objects go.
    pub processed: Location,
    /// Where refused objects go.
    pub failed: Location,
    /// The worker's URL.
    pub worker_url: Url,
    /// The audience of the token sent to the worker, unless it is the URL's origin.
    pub worker_audience: Option<String>,
    /// How the worker is called.
    pub worker_protocol: Protocol,
    /// The queue that polls put objects into, unless they call the worker themselves.
    pub tasks: Option<TasksSettings>,
    /// Limits of one poll.
    pub budgets: Budgets,
    /// Younger objects are left alone.
    pub min_age: Duration,
    /// Which names are work.
    pub matching: Option<GlobMatcher>,
}

/// How the worker is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// `brigade.v1.WorkerService` over gRPC.
    #[default]
    Grpc,
    /// A POST of JSON, whose HTTP status is the answer.
    Http,
}

impl PollerArgs {
    /// Resolves every setting, and notes every problem; nothing when there was one.
    pub fn resolve(&self, problems: &mut Problems) -> Option<PollerSettings> {
        let inbox = problems.required(names::INBOX, self.inbox.as_deref(), INBOX_FORM, str::parse);
        let (processed, failed) = match &inbox {
            Some(inbox) => self.destinations(inbox, problems),
            None => (None, None),
        };
        let worker_url = problems.required(
            names::WORKER_URL,
            self.worker_url.as_deref(),
            URL_FORM,
            worker_url,
        );
        let worker_protocol = problems.or(
            names::WORKER_PROTOCOL,
            self.worker_protocol.as_deref(),
            Protocol::Grpc,
            "grpc or http",
            protocol,
        );
        let tasks = self.tasks.resolve(problems);
        let budgets = self.budgets(problems);
        let min_age = problems.duration(
            names::MIN_AGE,
            self.min_age.as_deref(),
            Duration::ZERO,
            Duration::ZERO..=MAX_AGE,
        );
        let matching = problems.optional(names::MATCH, self.matching.as_deref(), GLOB_FORM, glob);
        Some(PollerSettings {
            inbox: inbox?,
            processed: processed?,
            failed: failed?,
            worker_url: worker_url?,
            worker_audience: self
                .worker_audience
                .clone()
                .filter(|given| !given.is_empty()),
            worker_protocol: worker_protocol?,
            tasks: tasks?,
            budgets: budgets?,
            min_age: min_age?,
            matching: matching?,
        })
    }
}

const CONCURRENCY: usize = 32;
const FIVE: u32 = 5;
const TEN_MINUTES: Duration = Duration::from_mins(10);

/// What nobody means lies outside of these; a slip of the hand is said at the start, and not met as an inbox that stands
/// still, or that goes to `failed/`.
const MAX_TIMES: u32 = 1_000_000;
/// As good as no limit.
const MAX_OBJECTS: u64 = 1_000_000_000_000;
/// A poll keeps its last 5 s for moving what was answered, and asks nothing in them.
const MIN_DEADLINE: Duration = Duration::from_secs(15);
const MAX_AGE: Duration = Duration::from_hours(366 * 24);

const INBOX_FORM: &str = "gs://BUCKET/PREFIX/";
const URL_FORM: &str = "the worker's URL, such as https://worker-abc.a.run.app";
const GLOB_FORM: &str = "a glob, such as **/*.csv";

impl PollerArgs {
    /// Destinations that could feed themselves, or each other, are refused.
    fn destinations(
        &self,
        inbox: &Location,
        problems: &mut Problems,
    ) -> (Option<Location>, Option<Location>) {
        let beside = |prefix: &str| Location::new(&inbox.bucket, prefix);
        let processed = problems.or(
            names::PROCESSED,
            self.processed.as_deref(),
            beside("processed/"),
            INBOX_FORM,
            str::parse,
        );
        let failed = problems.or(
            names::FAILED,
            self.failed.as_deref(),
            beside("failed/"),
            INBOX_FORM,
            str::parse,
        );
        for (setting, location) in [(names::PROCESSED, &processed), (names::FAILED, &failed)] {
            if let Some(location) = location
                && location.holds_on_any_day(&inbox.bucket, &inbox.prefix)
            {
                problems.push(Problem::Conflict {
                    setting,
                    why: format!(
                        "{location} holds the inbox {inbox} itself; give it a prefix of its own"
                    ),
                });
            }
        }
        if processed.is_some() && processed == failed {
            problems.push(Problem::Conflict {
                setting: names::FAILED,
                why: format!(
                    "it is the same place as {}; nobody could tell the two apart",
                    names::PROCESSED
                ),
            });
        }
        (processed, failed)
    }

    fn budgets(&self, problems: &mut Problems) -> Option<Budgets> {
        let concurrency = problems.count(
            names::CONCURRENCY,
            self.concurrency.as_deref(),
            CONCURRENCY,
            AT_ONCE,
        );
        let process_timeout = problems.duration(
            names::PROCESS_TIMEOUT,
            self.process_timeout.as_deref(),
            TEN_MINUTES,
            A_WHILE,
        );
        let poll_deadline = problems.duration(
            names::POLL_DEADLINE,
            self.poll_deadline.as_deref(),
            TEN_MINUTES,
            MIN_DEADLINE..=*A_WHILE.end(),
        );
        let max_objects = problems.count(
            names::MAX_OBJECTS,
            self.max_objects.as_deref(),
            MAX_OBJECTS,
            1..=MAX_OBJECTS,
        );
        let mut times = |setting, given: &Option<String>| {
            problems.count(setting, given.as_deref(), FIVE, 1..=MAX_TIMES)
        };
        let max_attempts = times(names::MAX_ATTEMPTS, &self.max_attempts);
        let breaker = times(names::BREAKER, &self.breaker);
        Some(Budgets {
            max_attempts: max_attempts?,
            breaker: breaker?,
            concurrency: concurrency?,
            process_timeout: process_timeout?,
            poll_deadline: poll_deadline?,
            max_objects: max_objects.map(|most| (most < MAX_OBJECTS).then_some(most))?,
        })
    }
}

fn protocol(given: &str) -> Result<Protocol, &'static str> {
    match given {
        "grpc" => Ok(Protocol::Grpc),
        "http" => Ok(Protocol::Http),
        _ => Err(""),
    }
}

fn worker_url(given: &str) -> Result<Url, String> {
    let url = Url::parse(given).map_err(|error| error.to_string())?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok(url)
    } else {
        Err("it must begin with https://, or http:// on this machine".into())
    }
}

fn glob(given: &str) -> Result<GlobMatcher, globset::Error> {
    let glob = GlobBuilder::new(given).literal_separator(true).build()?;
    Ok(glob.compile_matcher())
}

#[cfg(test)]
mod tests;
