//! The question before something is done that `--yes` allows without one.

use std::io::{self, IsTerminal as _, Write as _};

use brigade_runtime::exit::Failure;

/// Refuses to ask where no person can answer.
pub(crate) fn check_terminal(what: &'static str, fix: &'static str) -> Result<(), Failure> {
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        return Ok(());
    }
    Err(Failure::usage(what, fix))
}

/// Whether a person agrees. The end of the input is a no.
pub(crate) async fn agrees(question: String) -> Result<bool, Failure> {
    let answer = tokio::task::spawn_blocking(move || {
        let mut answer = String::new();
        let mut stderr = io::stderr();
        write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush())?;
        io::stdin().read_line(&mut answer)?;
        Ok::<_, io::Error>(answer)
    });
    let answer = answer.await.map_err(io::Error::other).and_then(|answer| answer);
    let answer = answer.map_err(|error| {
        Failure::unavailable(format!("cannot read the answer: {error}"), "pass --yes")
    })?;
    Ok(matches!(&*answer.trim().to_lowercase(), "y" | "yes"))
}
