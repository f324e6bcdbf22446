//! A terminal with a line at its bottom that changes.

use std::{
    fmt::Write as _,
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use brigade_runtime::shutdown;

use super::Progress;

/// The screen is painted at most so often.
const EVERY: Duration = Duration::from_millis(100);
/// A line that has not changed is painted again after this time: a log line may have replaced it.
const AGAIN: Duration = Duration::from_secs(1);
/// Bytes that wait for a terminal that takes none. What writes more waits.
const MAX_BEHIND: usize = 1 << 20;
/// To the beginning of the line, and nothing is below.
const CLEAR: &str = "\r\x1b[J";

/// Writes lines to stdout; on a terminal it keeps one line below them. Clones share it. Lines appear within a tenth of a second.
#[derive(Clone, Debug)]
pub(crate) struct Screen(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The state has changed.
    changed: Condvar,
    painter: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct State {
    /// Whole lines that are to be written, and the beginning of one.
    lines: String,
    progress: Progress,
    has_ended: bool,
}

/// The columns of the terminal that stdout is; without one lines have any length.
pub(crate) fn columns() -> usize {
    match rustix::termios::tcgetwinsize(io::stdout()).map(|size| usize::from(size.ws_col)) {
        Ok(0) => 80,
        Ok(columns) => columns,
        Err(_) => usize::MAX,
    }
}

// === impl Screen ===

impl Screen {
    /// Stdout; `is_live` when it is a terminal that a person watches.
    pub(crate) fn new(is_live: bool) -> Self {
        if !is_live || std::env::var_os("TERM").is_none_or(|term| term == "dumb") {
            return Self(None);
        }
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            painter: Mutex::default(),
        });
        // A second signal ends the process between two paintings.
        shutdown::on_forced_exit(|| {
            let _ = rustix::io::write(io::stdout(), CLEAR.as_bytes());
        });
        let painted = shared.clone();
        *lock(&shared.painter) = Some(thread::spawn(move || painted.paint()));
        Self(Some(shared))
    }

    /// Whether it has a line that changes.
    pub(crate) fn is_live(&self) -> bool {
        self.0.is_some()
    }

    /// Changes what the line shows.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Progress)) {
        if let Some(shared) = &self.0 {
            change(&mut lock(&shared.state).progress);
        }
    }

    /// Writes what is left, and removes the line. What is written later has none below it.
    pub(crate) fn end(&self) {
        let Some(shared) = &self.0 else { return };
        lock(&shared.state).has_ended = true;
        shared.changed.notify_all();
        if let Some(painter) = lock(&shared.painter).take() {
            // It does not panic; if it did, the line would stay.
            let _ = painter.join();
        }
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(shared) = &self.0 else { return io::stdout().write(bytes) };
        let mut state = lock(&shared.state);
        if state.has_ended {
            return io::stdout().write(bytes);
        }
        while state.lines.len() > MAX_BEHIND {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.lines.push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_live() { Ok(()) } else { io::stdout().flush() }
    }
}

// === impl Shared ===

impl Shared {
    /// Paints until the end. A terminal that takes nothing holds this thread alone.
    fn paint(&self) {
        let (mut shown, mut at) = (String::new(), Instant::now());
        loop {
            let (lines, line, has_ended) = self.next();
            let is_due = line != shown || at.elapsed() >= AGAIN;
            if !lines.is_empty() || is_due || has_ended {
                let mut painted = format!("{CLEAR}{lines}");
                if !has_ended && !line.is_empty() {
                    // Without line wrap: the terminal itself cuts what is too long. From the beginning of the line it is cleared even
                    // when a narrower terminal has made two of it.
                    let _ = write!(painted, "\x1b[?7l{line}\r\x1b[?7h");
                }
                let mut stdout = io::stdout().lock();
                // A closed terminal changes nothing.
                let _ = stdout.write_all(painted.as_bytes());
                let _ = stdout.flush();
                (shown, at) = (line, Instant::now());
            }
            if has_ended {
                return;
            }
        }
    }

    /// After a pause: the whole lines to write, the line below them, and whether it is the end.
    fn next(&self) -> (String, String, bool) {
        let state = lock(&self.state);
        let end = |state: &mut State| !state.has_ended;
        let waited = self.changed.wait_timeout_while(state, EVERY, end);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let whole = if state.has_ended { state.lines.len() } else { whole(&state.lines) };
        let rest = state.lines.split_off(whole);
        let lines = std::mem::replace(&mut state.lines, rest);
        let line = state.progress.line(Instant::now(), columns());
        let has_ended = state.has_ended;
        drop(state);
        self.changed.notify_all();
        (lines, line, has_ended)
    }
}

/// The length of what ends with a whole line.
fn whole(text: &str) -> usize {
    text.rfind('\n').map_or(0, |last| last + 1)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
