//! The signal to shut down.

use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// What runs before a second signal ends the process.
static ON_FORCED_EXIT: Mutex<Vec<fn()>> = Mutex::new(Vec::new());

/// A token that is cancelled by SIGTERM (Cloud Run's, 10 s before it kills), Ctrl-C, or SIGHUP, a terminal that is closed,
/// unless that is ignored as under nohup(1). A second signal ends the
/// process immediately, with the shell's code for an interrupted command.
///
/// Must be called within a tokio runtime.
pub fn signal() -> CancellationToken {
    let token = CancellationToken::new();
    let cancel = token.clone();
    let mut signals = Signals::listen();
    tokio::spawn(async move {
        signals.next().await;
        tracing::info!("shutting down: draining calls in flight (signal again to exit now)");
        cancel.cancel();
        signals.next().await;
        force_exit();
    });
    token
}

/// Runs `action` before a second signal ends the process: for what would outlive it, such as the programs that it runs. The action
/// must not block.
pub fn on_forced_exit(action: fn()) {
    ON_FORCED_EXIT.lock().unwrap_or_else(PoisonError::into_inner).push(action);
}

fn force_exit() -> ! {
    let actions = ON_FORCED_EXIT.lock().unwrap_or_else(PoisonError::into_inner);
    for action in actions.iter() {
        action();
    }
    std::process::exit(130);
}

/// The listeners, set up once: between two set-ups a signal could be lost.
#[cfg(unix)]
struct Signals {
    /// `None` where no handler could be installed; the signal's default action then ends the process.
    terminate: Option<tokio::signal::unix::Signal>,
    interrupt: Option<tokio::signal::unix::Signal>,
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self {
            terminate: signal(SignalKind::terminate()).ok(),
            interrupt: signal(SignalKind::interrupt()).ok(),
            hangup: if ignores_hangup() { None } else { signal(SignalKind::hangup()).ok() },
        }
    }

    async fn next(&mut self) {
        tokio::select! {
            () = received(&mut self.terminate) => {}
            () = received(&mut self.interrupt) => {}
            () = received(&mut self.hangup) => {}
        }
    }
}

/// Whether SIGHUP was ignored when the process was started, where `/proc` tells (`proc_pid_status(5)`).
#[cfg(unix)]
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Signal 1 is the lowest bit.
    ignored.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(unix)]
async fn received(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sigterm_cancels_the_token_and_does_not_end_the_process() {
        let token = signal();
        assert!(!token.is_cancelled());
        let pid = std::process::id().to_string();
        let sent = std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(sent.success());
        token.cancelled().await;
    }
}
