//! One call: what it is about, how long it may take, and what its failure means.

use std::time::Duration;

use google_cloud_gax::{Result as Answer, error::Error as ClientError};
use tokio::time::timeout;

use super::status;
use crate::error::{Error, Kind, Operation, Result};

/// How long the service may take to answer; sent as the deadline of gRPC calls. Cloud Storage works on one call
/// of a rewrite for up to about half a minute.
pub(super) const ATTEMPT_LIMIT: Duration = Duration::from_mins(1);

/// Our own timer runs out after the deadline that the service knows, which covers neither a token that is slow to
/// come nor a connection that is never made.
const LOCAL_MARGIN: Duration = Duration::from_secs(5);

/// What a call is about: enough to name it in an error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) operation: Operation,
    pub(super) bucket: &'a str,
    /// Empty for the bucket itself.
    pub(super) name: &'a str,
}

impl Call<'_> {
    /// Waits for one answer, for as long as any metadata call may take.
    pub(super) async fn ask<T>(&self, answer: impl Future<Output = Answer<T>>) -> Result<T> {
        self.ask_within(ATTEMPT_LIMIT + LOCAL_MARGIN, answer).await
    }

    /// Waits for one answer. When none comes in time it stays open whether the call was applied.
    pub(super) async fn ask_within<T>(
        &self,
        limit: Duration,
        answer: impl Future<Output = Answer<T>>,
    ) -> Result<T> {
        match timeout(limit, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.failed_by(error)),
            Err(_) => {
                Err(self.failed(Kind::Unknown, format!("no answer within {} s", limit.as_secs())))
            }
        }
    }

    /// An error of this call.
    pub(super) fn failed(&self, kind: Kind, detail: impl Into<String>) -> Error {
        Error::new(kind, self.operation, self.bucket, self.name, detail)
    }

    /// The port's error for the client's.
    pub(super) fn failed_by(&self, error: ClientError) -> Error {
        let kind = status::kind(self.operation, &error);
        self.failed(kind, status::detail(&error)).with_source(error)
    }

    /// Refuses what would address something else than this object: in a URL an empty name is the listing, and `.` and
    /// `..` are resolved away. All other rules about names are the service's.
    pub(super) fn check_address(&self) -> Result<()> {
        if !is_addressable_bucket(self.bucket) {
            return Err(self.failed(
                Kind::Invalid,
                "a bucket's name has letters, digits, `-`, `_` and `.` only",
            ));
        }
        let about_an_object = self.operation != Operation::List;
        if about_an_object && matches!(self.name, "" | "." | "..") {
            return Err(self.failed(Kind::Invalid, "an object's name cannot be empty, `.` or `..`"));
        }
        Ok(())
    }
}

fn is_addressable_bucket(name: &str) -> bool {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !matches!(name, "" | "." | "..") && name.chars().all(is_legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Call<'static> = Call { operation: Operation::Move, bucket: "b", name: "n" };

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_ends_with_an_open_outcome() {
        let error = CALL.ask(std::future::pending::<Result<(), ClientError>>()).await.unwrap_err();
        assert!(error.is_ambiguous(), "{error}");
        assert_eq!(
            error.to_string(),
            "cannot move gs://b/n: no clear answer (no answer within 65 s)"
        );
    }

    #[test]
    fn names_that_a_url_would_resolve_away_are_refused_unsent() {
        for name in ["", ".", ".."] {
            let error = Call { name, ..CALL }.check_address().unwrap_err();
            assert_eq!(error.kind(), &Kind::Invalid, "{name:?}");
        }
        for bucket in ["", "..", "a/b", "a b", "ä"] {
            let error = Call { bucket, ..CALL }.check_address().unwrap_err();
            assert_eq!(error.kind(), &Kind::Invalid, "{bucket:?}");
        }
        for name in ["a/../b", "...", "//", "./"] {
            assert!(Call { name, ..CALL }.check_address().is_ok(), "{name:?}");
        }
    }

    #[test]
    fn a_listing_is_about_no_object() {
        let call = Call { operation: Operation::List, name: "", ..CALL };
        assert!(call.check_address().is_ok());
    }
}
