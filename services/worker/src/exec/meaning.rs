//! What the end of a program, and its answer, mean for its object.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    answer::{Answer, RETRY_AFTER},
    group::End,
    run::Run,
    signals,
};
use crate::{
    error::{DEFAULT_RETRY_AFTER, ProcessError},
    processor::Outcome,
    text,
};

/// `EX_TEMPFAIL` of sysexits(3): try again.
const TEMPFAIL: i32 = 75;

/// `EX_CONFIG` of sysexits(3).
const CONFIG: i32 = 78;
/// What shells and `env` return for a command that they cannot execute (POSIX, Shell Command Language, 2.8.2).
const NOT_EXECUTABLE: i32 = 126;
/// And for one that they do not find.
const NOT_FOUND: i32 = 127;

/// How long after its program the worker may receive the same signal.
pub(super) const SIGNAL_DELAY: Duration = Duration::from_secs(1);

/// Whether the worker shuts down as well. A supervisor signals worker and programs in any order, so a program may have ended
/// before the worker receives its signal.
pub(super) async fn is_shutting_down(end: End, shutdown: &CancellationToken) -> bool {
    let by_request = match end {
        End::Killed(signal) => signals::asks_for_exit(signal),
        // Shells and virtual machines report a signal that ended them, or their child, in this form.
        End::Exited(code) => signals::asks_for_exit(code - 128),
    };
    if by_request {
        // Without a shutdown the signal was for this program alone.
        let _ = timeout(SIGNAL_DELAY, shutdown.cancelled()).await;
    }
    shutdown.is_cancelled()
}

/// A program that ended while the worker shuts down says nothing about its object.
pub(super) fn ended_with_worker(end: End, why: &str) -> ProcessError {
    let what = format!("this worker is shutting down, and the program {end}");
    ProcessError::busy_for(DEFAULT_RETRY_AFTER, text::because(what, why))
}

/// Whether what a program answered in words counts. `ending`: the worker shuts down, and its supervisor may have ended the
/// program too.
pub(super) fn counts(answer: &Answer, end: End, ending: bool) -> bool {
    match end {
        End::Exited(0) => true,
        End::Exited(_) => !answer.is_accept() && !ending,
        End::Killed(_) => false,
    }
}

/// What the end of a program means for the object, and its answer if that counts.
pub(super) fn interpret(
    run: Run,
    answer: Option<Answer>,
    ending: bool,
    program: &str,
) -> Result<Outcome, ProcessError> {
    let Run { end, summary, complaint } = run;
    if let Some(answer) = answer {
        let meaning = answer.with_words(summary, complaint).into_result();
        return meaning.map_err(|error| match end {
            End::Exited(0) => error,
            end => error.with_exit(end.label()),
        });
    }
    let because = |what: String| text::because(what, &complaint);
    let failed = |why| Err(ProcessError::internal(why));
    let cannot_run = |meaning, fix| {
        let what = because(format!("the program {program} {end} ({meaning})"));
        Err(ProcessError::misconfigured(format!("{what}; fix: {fix}")))
    };
    let meaning = match end {
        End::Exited(0) => Ok(Outcome::summary(summary)),
        end if ending => Err(ended_with_worker(end, &complaint)),
        End::Exited(TEMPFAIL) => {
            let what = format!("the program asked for a retry (exit status {TEMPFAIL})");
            Err(ProcessError::retry_after(RETRY_AFTER, because(what)))
        }
        End::Exited(NOT_EXECUTABLE) => cannot_run(
            "a command was found, but cannot be executed",
            "make it executable (chmod +x), or put its interpreter before it",
        ),
        End::Exited(NOT_FOUND) => cannot_run(
            "a command or an interpreter was not found",
            "install it beside the worker, or correct its name in BRIGADE_EXEC (--exec) or in the script",
        ),
        End::Exited(CONFIG) => cannot_run(
            "EX_CONFIG: the program says that its configuration is wrong",
            "correct the program's configuration",
        ),
        End::Exited(_) if !complaint.is_empty() => failed(complaint),
        End::Exited(_) => failed(format!("the program {end} and wrote nothing to stderr")),
        End::Killed(_) => failed(because(format!("the program {end}"))),
    };
    meaning.map_err(|error| error.with_exit(end.label()))
}
