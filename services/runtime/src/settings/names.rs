//! One constant for each environment variable, as `docs` and `--help` have them.

/// `gs://bucket/prefix/` that is scanned.
pub const INBOX: &str = "BRIGADE_INBOX";
/// Where accepted objects go.
pub const PROCESSED: &str = "BRIGADE_PROCESSED";
/// Where refused objects go.
pub const FAILED: &str = "BRIGADE_FAILED";
/// The worker's URL.
pub const WORKER_URL: &str = "WORKER_URL";
/// The audience of the token sent to the worker.
pub const WORKER_AUDIENCE: &str = "WORKER_AUDIENCE";
/// How the worker is called: `grpc` or `http`.
pub const WORKER_PROTOCOL: &str = "BRIGADE_WORKER_PROTOCOL";
/// Who calls the worker: the poll itself (`direct`), or Cloud Tasks (`tasks`).
pub const DISPATCH: &str = "BRIGADE_DISPATCH";
/// The queue that objects are put into, as `projects/P/locations/L/queues/Q`.
pub const TASKS_QUEUE: &str = "BRIGADE_TASKS_QUEUE";
/// The service account whose ID token Cloud Tasks sends along.
pub const TASKS_ACCOUNT: &str = "BRIGADE_TASKS_ACCOUNT";
/// Where Cloud Tasks is; for an emulator.
pub const TASKS_ENDPOINT: &str = "BRIGADE_TASKS_ENDPOINT";
/// The audiences that this service's callers must ask their tokens for, separated by commas.
pub const AUDIENCE: &str = "BRIGADE_AUDIENCE";
/// The emails of the accounts that may call this service, separated by commas.
pub const ALLOWED_CALLERS: &str = "BRIGADE_ALLOWED_CALLERS";
/// How this service checks its callers: `verify`, `platform` or `off`.
pub const AUTH: &str = "BRIGADE_AUTH";
/// This service's own URL, at which `platform` mode proves that a front end stands before it.
pub const PUBLIC_URL: &str = "BRIGADE_PUBLIC_URL";
/// The service's name, which Cloud Run sets.
pub const K_SERVICE: &str = "K_SERVICE";
/// Where the issuer's signing keys are.
pub const JWKS_URL: &str = "BRIGADE_JWKS_URL";
/// The issuers whose tokens are accepted, separated by commas.
pub const ISSUERS: &str = "BRIGADE_ISSUERS";
/// The address to listen on.
pub const BIND: &str = "BRIGADE_BIND";
/// The port to listen on, as Cloud Run sets it.
pub const PORT: &str = "PORT";
/// Objects in flight at once.
pub const CONCURRENCY: &str = "BRIGADE_CONCURRENCY";
/// How long the worker may take for one object.
pub const PROCESS_TIMEOUT: &str = "BRIGADE_PROCESS_TIMEOUT";
/// The largest object that a worker takes, in bytes.
pub const MAX_SIZE: &str = "BRIGADE_MAX_SIZE";
/// How long one poll may take.
pub const POLL_DEADLINE: &str = "BRIGADE_POLL_DEADLINE";
/// Objects handed to the worker in one poll.
pub const MAX_OBJECTS: &str = "BRIGADE_MAX_OBJECTS";
/// How often the worker is asked about one object before it counts as failed.
pub const MAX_ATTEMPTS: &str = "BRIGADE_MAX_ATTEMPTS";
/// Failures on the way to the worker, in a row, that end a poll.
pub const BREAKER: &str = "BRIGADE_BREAKER";
/// Younger objects are left alone.
pub const MIN_AGE: &str = "BRIGADE_MIN_AGE";
/// Which names below the inbox are work.
pub const MATCH: &str = "BRIGADE_MATCH";
/// The exec worker's program.
pub const EXEC: &str = "BRIGADE_EXEC";
/// Where a worker's outputs go.
pub const OUTPUT: &str = "BRIGADE_OUTPUT";

/// Laptops: the service account whose ID token is asked for.
pub const IMPERSONATE: &str = "BRIGADE_IMPERSONATE";
/// The service-account file that ID tokens are signed with.
pub const GOOGLE_APPLICATION_CREDENTIALS: &str = "GOOGLE_APPLICATION_CREDENTIALS";
/// What is logged, as `tracing-subscriber`'s filters say it.
pub const RUST_LOG: &str = "RUST_LOG";

/// Every variable of our own that this build knows; another one is a typo.
pub const KNOWN: &[&str] = &[
    INBOX,
    PROCESSED,
    FAILED,
    WORKER_PROTOCOL,
    DISPATCH,
    TASKS_QUEUE,
    TASKS_ACCOUNT,
    TASKS_ENDPOINT,
    AUDIENCE,
    ALLOWED_CALLERS,
    AUTH,
    PUBLIC_URL,
    JWKS_URL,
    ISSUERS,
    BIND,
    CONCURRENCY,
    PROCESS_TIMEOUT,
    MAX_SIZE,
    POLL_DEADLINE,
    MAX_OBJECTS,
    MAX_ATTEMPTS,
    BREAKER,
    MIN_AGE,
    MATCH,
    EXEC,
    OUTPUT,
    IMPERSONATE,
];
