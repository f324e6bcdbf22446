//! Runs a command to its end, and reads what it says.

use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus, time::Duration};

use tokio::{process::Command, time::timeout};

use super::{group::Group, tail};
use crate::error::ProcessError;

/// `EX_TEMPFAIL` of sysexits.
const TEMPFAIL: i32 = 75;
/// When a program asks for another try, it cannot say when.
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// What left the program's group may hold its pipes open; that is not waited for.
const PIPES: Duration = Duration::from_secs(1);

/// Runs it, and answers its first line on stdout. Dropping the future ends the whole process group.
pub(super) async fn run(mut command: Command) -> Result<String, ProcessError> {
    let mut child = command.spawn().map_err(|error| {
        ProcessError::retry_after(
            TRY_AGAIN,
            format!("the worker cannot start the program: {error}"),
        )
    })?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let said = tokio::spawn(async {
        match stdout {
            Some(pipe) => tail::first_line(pipe).await,
            None => Vec::new(),
        }
    });
    let complained = tokio::spawn(async {
        match stderr {
            Some(pipe) => tail::last(pipe).await,
            None => Vec::new(),
        }
    });
    let status = Group::new(child).wait().await.map_err(|error| {
        ProcessError::retry_after(TRY_AGAIN, format!("the worker lost the program: {error}"))
    })?;
    let said = timeout(PIPES, said)
        .await
        .ok()
        .and_then(Result::ok)
        .unwrap_or_default();
    let complained = timeout(PIPES, complained)
        .await
        .ok()
        .and_then(Result::ok)
        .unwrap_or_default();
    outcome(
        status,
        &tail::printable(&String::from_utf8_lossy(&said)),
        &tail::reason(&complained),
    )
}

fn outcome(status: ExitStatus, said: &str, reason: &str) -> Result<String, ProcessError> {
    let because = |what: String| {
        if reason.is_empty() {
            what
        } else {
            format!("{what}: {reason}")
        }
    };
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(said.to_owned()),
        (Some(TEMPFAIL), _) => Err(ProcessError::retry_after(
            TRY_AGAIN,
            because("the program asks for another try".into()),
        )),
        (Some(_), _) if !reason.is_empty() => Err(ProcessError::internal(reason)),
        (Some(code), _) => Err(ProcessError::internal(format!(
            "the program ended with exit code {code} and said nothing"
        ))),
        (None, signal) => {
            let signal = signal.map_or_else(
                || "an unknown signal".to_owned(),
                |number| format!("signal {number}"),
            );
            Err(ProcessError::internal(because(format!(
                "the program was ended by {signal}"
            ))))
        }
    }
}
