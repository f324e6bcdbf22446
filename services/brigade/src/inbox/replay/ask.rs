//! The question before objects are moved.

use brigade_runtime::exit::Failure;
use brigade_storage::object::escape;

use super::stream::Tally;
use crate::{ask, inbox::text::objects};

/// Refuses to ask where no person can answer.
pub(super) fn check_terminal() -> Result<(), Failure> {
    ask::check_terminal(
        "replay asks before it moves objects, and there is no terminal to ask on",
        "pass --yes to move them without asking, or --dry-run to see what would be moved",
    )
}

/// Whether a person agrees.
pub(super) async fn confirmed(planned: &Tally, what: &str) -> Result<bool, Failure> {
    let stay = match planned.skipped() {
        0 => String::new(),
        skipped => format!("; {} cannot be replayed{}", objects(skipped), planned.reasons()),
    };
    let (moved, what) = (objects(planned.moved), escape(what));
    ask::agrees(format!("{moved} of {what} would move back into the inbox{stay}.\nReplay?")).await
}
