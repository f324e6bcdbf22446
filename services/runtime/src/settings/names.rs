//! The variables that messages and other code name. Each of the others stands once, at its argument.

/// How this service checks its callers.
pub const AUTH: &str = "BRIGADE_AUTH";
/// This service's own URL.
pub const PUBLIC_URL: &str = "BRIGADE_PUBLIC_URL";
/// The service's name, which Cloud Run sets.
pub const K_SERVICE: &str = "K_SERVICE";
/// The audiences that this service's callers must ask their tokens for.
pub const AUDIENCE: &str = "BRIGADE_AUDIENCE";
/// The emails of the accounts that may call this service.
pub const ALLOWED_CALLERS: &str = "BRIGADE_ALLOWED_CALLERS";
/// The accounts that may see what the poller has.
pub const READERS: &str = "BRIGADE_READERS";
/// The accounts that may also move failed objects back.
pub const OPERATORS: &str = "BRIGADE_OPERATORS";
/// Where the issuer's signing keys are.
pub const JWKS_URL: &str = "BRIGADE_JWKS_URL";
/// The address to listen on.
pub const BIND: &str = "BRIGADE_BIND";
/// The port to listen on.
pub const PORT: &str = "PORT";
/// Where accepted objects go.
pub const PROCESSED: &str = "BRIGADE_PROCESSED";
/// Where refused objects go.
pub const FAILED: &str = "BRIGADE_FAILED";
/// Who calls the worker.
pub const DISPATCH: &str = "BRIGADE_DISPATCH";
/// The queue that objects are put into.
pub const TASKS_QUEUE: &str = "BRIGADE_TASKS_QUEUE";
/// The service account whose ID token Cloud Tasks sends along.
pub const TASKS_ACCOUNT: &str = "BRIGADE_TASKS_ACCOUNT";
/// Objects in flight at once.
pub const CONCURRENCY: &str = "BRIGADE_CONCURRENCY";
/// The exec worker's program.
pub const EXEC: &str = "BRIGADE_EXEC";
/// Whether that program is started once for many objects.
pub const PERSISTENT: &str = "BRIGADE_PERSISTENT";
/// Where a worker's outputs go.
pub const OUTPUT: &str = "BRIGADE_OUTPUT";
/// How outputs are named.
pub const OUTPUT_NAME: &str = "BRIGADE_OUTPUT_NAME";
/// What to do when an output's name is taken.
pub const OUTPUT_TAKEN: &str = "BRIGADE_OUTPUT_TAKEN";
/// The largest object that is taken.
pub const MAX_SIZE: &str = "BRIGADE_MAX_SIZE";
/// Laptops: the service account whose ID token is asked for. The clients read it; it is no argument.
pub const IMPERSONATE: &str = "BRIGADE_IMPERSONATE";
/// The poller that commands of an operator call.
pub const POLLER: &str = "BRIGADE_POLLER";
/// What is logged, as `tracing-subscriber`'s filters write it.
pub const RUST_LOG: &str = "RUST_LOG";
