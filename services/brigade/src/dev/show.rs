//! How things are shown: for people on a terminal, as JSON otherwise.

use std::io::IsTerminal as _;

/// How settlements are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// A table, with colour if wanted.
    Table {
        /// Whether to colour.
        colour: bool,
    },
    /// One JSON object a line, the contract's own messages.
    Json,
}

impl Show {
    /// A table on a terminal, JSON when asked for or piped. `NO_COLOR` is honoured (no-color.org).
    pub(super) fn on_stdout(json: bool) -> Self {
        if json || !std::io::stdout().is_terminal() {
            return Self::Json;
        }
        Self::Table {
            colour: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }
}
