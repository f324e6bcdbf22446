//! What can go wrong with a storage call, by what a caller has to know.

use std::{error::Error as StdError, fmt, time::Duration};

use crate::object::ObjectRef;

/// The result of a storage call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A storage call that failed.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    operation: Operation,
    bucket: String,
    name: String,
    detail: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A page of a listing.
    List,
    /// Metadata of one object.
    Get,
    /// An upload.
    Create,
    /// A change of metadata.
    Update,
    /// A rename within a bucket.
    Move,
    /// One step of a copy into another bucket.
    Rewrite,
    /// A deletion.
    Delete,
    /// A download.
    Read,
}

/// Why it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No such object, or not that generation of it.
    NotFound,
    /// No such bucket.
    NoBucket,
    /// A generation condition did not hold: HTTP 412, gRPC `FAILED_PRECONDITION` or `ALREADY_EXISTS`.
    Precondition,
    /// A hold or a retention policy forbids it.
    Held,
    /// The content of the object cannot be read without the key that a customer supplied with it.
    Encrypted,
    /// The caller's identity may not do this.
    PermissionDenied,
    /// There is no usable identity.
    Unauthenticated,
    /// The request itself is wrong; repeating it cannot help.
    Invalid,
    /// Refused for now and certainly not applied; `retry_after` is the service's request.
    Busy {
        /// How long the service asked to wait.
        retry_after: Option<Duration>,
    },
    /// No answer, or one that leaves open whether the call was applied: resets, timeouts, 5xx.
    Unknown,
}

impl Error {
    /// An error of `operation` on one object; an empty name means the bucket itself.
    pub fn new(
        kind: Kind,
        operation: Operation,
        bucket: impl Into<String>,
        name: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            operation,
            bucket: bucket.into(),
            name: name.into(),
            detail: detail.into(),
            source: None,
        }
    }

    /// Keeps what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds the destination, for what needs a fix there.
    #[must_use]
    pub fn on_the_way_to(mut self, bucket: &str, name: &str) -> Self {
        // It is escaped with the rest of it.
        let to = format!("gs://{bucket}/{name}");
        self.detail = if self.detail.is_empty() {
            format!("to {to}")
        } else {
            format!("to {to}: {}", self.detail)
        };
        self
    }

    /// Why it failed.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The operation that failed.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The object, or that generation of it, is not there.
    pub fn is_not_found(&self) -> bool {
        self.kind == Kind::NotFound
    }

    /// A generation condition did not hold.
    pub fn is_precondition(&self) -> bool {
        self.kind == Kind::Precondition
    }

    /// A hold or a retention policy forbids it.
    pub fn is_held(&self) -> bool {
        self.kind == Kind::Held
    }

    /// The call may have been applied although it failed: look before doing it again.
    pub fn is_ambiguous(&self) -> bool {
        self.kind == Kind::Unknown
    }

    /// Passes with time, without a fix.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, Kind::Busy { .. } | Kind::Unknown)
    }

    /// A setting, a role or a bucket needs a fix before it can work, for any object.
    pub fn needs_fix(&self) -> bool {
        matches!(self.kind, Kind::NoBucket | Kind::PermissionDenied | Kind::Unauthenticated)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = ObjectRef { bucket: &self.bucket, name: &self.name };
        write!(f, "cannot {} {at}: {}", self.operation, self.kind)?;
        if !self.detail.is_empty() {
            write!(f, " ({})", crate::object::escape(&self.detail))?;
        }
        if let Some(fix) = self.kind.fix() {
            write!(f, "; fix: {fix}")?;
        }
        if self.kind == Kind::PermissionDenied {
            let (bucket, role) = (&self.bucket, self.operation.role());
            write!(
                f,
                ": gcloud storage buckets add-iam-policy-binding gs://{bucket} --member=serviceAccount:EMAIL --role={role}"
            )?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }
}

impl Operation {
    /// The least role of Google's own that allows it.
    fn role(self) -> &'static str {
        match self {
            Self::List | Self::Get | Self::Read => "roles/storage.objectViewer",
            _ => "roles/storage.objectUser",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "list",
            Self::Get => "get",
            Self::Create => "create",
            Self::Update => "update",
            Self::Move => "move",
            Self::Rewrite => "copy",
            Self::Delete => "delete",
            Self::Read => "read",
        })
    }
}

impl Kind {
    /// The fix, when one is known.
    fn fix(&self) -> Option<&'static str> {
        match self {
            Self::NoBucket => Some("create it or correct the setting"),
            Self::Encrypted => Some(
                "rewrite it without the key (gcloud storage objects update URL --clear-encryption-key --decryption-keys=KEY), or under a Cloud KMS key",
            ),
            Self::PermissionDenied => Some("grant the service account the role"),
            Self::Unauthenticated => Some("run as a service account, or log in"),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "there is no such object, or not that generation of it",
            Self::NoBucket => "there is no such bucket",
            Self::Precondition => "the object changed in the meantime",
            Self::Held => "a hold or a retention policy protects the object",
            Self::Encrypted => "it is encrypted with a customer-supplied key",
            Self::PermissionDenied => "permission denied",
            Self::Unauthenticated => "no usable credentials",
            Self::Invalid => "the request is not valid",
            Self::Busy { .. } => "the service is busy",
            Self::Unknown => "no clear answer",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages of a call that failed for each reason, and what a caller learns from it.
    #[test]
    fn errors_name_the_object_and_the_reason() {
        let kinds = [
            Kind::NotFound,
            Kind::NoBucket,
            Kind::Precondition,
            Kind::Held,
            Kind::Encrypted,
            Kind::PermissionDenied,
            Kind::Unauthenticated,
            Kind::Invalid,
            Kind::Busy { retry_after: None },
            Kind::Unknown,
        ];
        let operations = [
            Operation::List,
            Operation::Get,
            Operation::Create,
            Operation::Update,
            Operation::Move,
            Operation::Rewrite,
            Operation::Delete,
            Operation::Read,
        ];
        let operations = operations.into_iter().cycle();
        let lines = kinds.into_iter().zip(operations).map(|(kind, operation)| {
            let error = Error::new(kind, operation, "b", "in/a", "");
            let fix = if error.needs_fix() { "needs a fix" } else { "-" };
            let transient = if error.is_transient() { "transient" } else { "-" };
            format!("{error} [{transient}, {fix}]\n")
        });
        let named = Error::new(Kind::Unknown, Operation::Read, "b", "x\n\u{202e}", "cut\n");
        let moved = Error::new(Kind::NoBucket, Operation::Rewrite, "b", "a", "");
        let rest = [
            named,
            moved.on_the_way_to("other", "to/a"),
            Error::new(Kind::Held, Operation::Move, "b", "a", "why").on_the_way_to("b", "to"),
        ];
        let rest = rest.map(|error| format!("{error}\n")).concat();
        insta::assert_snapshot!(lines.collect::<String>() + &rest);
    }
}
