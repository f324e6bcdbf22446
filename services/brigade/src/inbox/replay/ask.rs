//! The question before objects are moved.

use std::io::{self, IsTerminal as _, Write as _};

use brigade_runtime::exit::Failure;
use brigade_storage::object::escape;

use super::stream::Tally;
use crate::inbox::text::objects;

/// Refuses to ask where no person can answer.
pub(super) fn check_terminal() -> Result<(), Failure> {
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        return Ok(());
    }
    Err(Failure::usage(
        "replay asks before it moves objects, and there is no terminal to ask on",
        "pass --yes to move them without asking, or --dry-run to see what would be moved",
    ))
}

/// Whether a person agrees. The end of the input is a no.
pub(super) async fn confirmed(planned: &Tally, what: &str) -> Result<bool, Failure> {
    let stay = match planned.skipped() {
        0 => String::new(),
        skipped => format!("; {} cannot be replayed{}", objects(skipped), planned.reasons()),
    };
    let (moved, what) = (objects(planned.moved), escape(what));
    let question =
        format!("{moved} of {what} would move back into the inbox{stay}.\nReplay? [y/N] ");
    let answer = tokio::task::spawn_blocking(move || {
        let mut answer = String::new();
        let mut stderr = io::stderr();
        write!(stderr, "{question}").and_then(|()| stderr.flush())?;
        io::stdin().read_line(&mut answer)?;
        Ok::<_, io::Error>(answer)
    });
    let answer = answer.await.map_err(io::Error::other).and_then(|answer| answer);
    let answer = answer.map_err(|error| {
        Failure::unavailable(format!("cannot read the answer: {error}"), "pass --yes")
    })?;
    Ok(matches!(&*answer.trim().to_lowercase(), "y" | "yes"))
}
