//! How a promise is found broken.

use std::{error::Error as StdError, fmt, panic::Location};

use brigade_storage::error::{Error, Kind};

/// Whether a promise was kept.
pub type Outcome = Result<(), Broken>;

/// A promise that was not kept: what was seen, and where in the suite.
pub struct Broken {
    what: String,
    is_unclear: bool,
    at: &'static Location<'static>,
}

impl Broken {
    #[track_caller]
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), is_unclear: false, at: Location::caller() }
    }

    /// A call had no clear answer, so that this may be no fault of the store.
    pub(super) fn is_unclear(&self) -> bool {
        self.is_unclear
    }
}

/// A call that had to succeed and did not.
impl From<Error> for Broken {
    #[track_caller]
    fn from(error: Error) -> Self {
        Self { is_unclear: error.is_ambiguous(), ..Self::new(error.to_string()) }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.what, self.at.file(), self.at.line())
    }
}

/// As it is displayed: tests unwrap it.
impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Broken {}

/// Both must be the same.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "what is compared is mostly made in the call")]
pub(super) fn same<T: PartialEq + fmt::Debug>(what: &str, got: T, want: T) -> Outcome {
    if got == want { Ok(()) } else { Err(Broken::new(format!("{what} is {got:?}, not {want:?}"))) }
}

/// Must hold.
#[track_caller]
pub(super) fn holds(what: &str, condition: bool) -> Outcome {
    if condition { Ok(()) } else { Err(Broken::new(format!("not so: {what}"))) }
}

/// The call must fail, in one of these ways.
#[track_caller]
pub(super) fn fails<T: fmt::Debug>(call: Result<T, Error>, kinds: &[Kind]) -> Outcome {
    match call {
        Err(error) if kinds.contains(error.kind()) => Ok(()),
        Err(error) => {
            let what = format!("failed with {:?}, not {kinds:?}: {error}", error.kind());
            Err(Broken { is_unclear: error.is_ambiguous(), ..Broken::new(what) })
        }
        Ok(answer) => Err(Broken::new(format!("gave {answer:?}, not {kinds:?}"))),
    }
}

/// A source that is not the one meant: the service returns either, depending on what it checks first.
pub(super) const STALE: [Kind; 2] = [Kind::Precondition, Kind::NotFound];
