//! What a command shows on a terminal while it works: lines, and below them one line that says how far it is.

mod progress;
mod screen;
mod wrap;

pub(crate) use self::{
    progress::Progress,
    screen::{Screen, columns},
    wrap::wrap,
};
