//! The alternate screen of a terminal. However the command ends, the terminal is as it was before.

use std::io::{self, Stdout, Write as _};

use brigade_runtime::shutdown::on_forced_exit;

const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// The alternate screen, until it is dropped.
#[derive(Debug)]
pub(super) struct Screen {
    out: Stdout,
}

// === impl Screen ===

impl Screen {
    pub(super) fn enter() -> io::Result<Self> {
        on_forced_exit(leave);
        let mut screen = Self { out: io::stdout() };
        screen.write(ENTER)?;
        Ok(screen)
    }

    /// Paints the lines that fit on a screen of so many columns and rows.
    pub(super) fn paint(
        &mut self,
        lines: impl FnOnce(usize, usize) -> Vec<String>,
    ) -> io::Result<()> {
        let size = rustix::termios::tcgetwinsize(&self.out).ok();
        let (columns, rows) = size.map_or((0, 0), |size| (size.ws_col, size.ws_row));
        let or = |given: u16, default| if given == 0 { default } else { usize::from(given) };
        let lines = lines(or(columns, 80), or(rows, 24));
        // From the top, each line over what was there; then what is left below is removed.
        let lines: Vec<_> = lines.iter().map(|line| format!("{line}\x1b[K")).collect();
        self.write(&format!("\x1b[H{}\x1b[J", lines.join("\r\n")))
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is closed needs nothing.
        let _ = self.write(LEAVE);
    }
}

fn leave() {
    let mut out = io::stdout();
    let _ = out.write_all(LEAVE.as_bytes()).and_then(|()| out.flush());
}
