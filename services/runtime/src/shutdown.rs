//! The signal to end.

use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// What is done before a second signal ends the process.
static AT_ONCE: Mutex<Vec<fn()>> = Mutex::new(Vec::new());

/// A token that is cancelled by SIGTERM (Cloud Run's, 10 s before it kills) or Ctrl-C. A second signal ends the
/// process at once, with the shell's code for an interrupted command.
///
/// Must be called within a tokio runtime.
pub fn signal() -> CancellationToken {
    let token = CancellationToken::new();
    let cancel = token.clone();
    let mut signals = Signals::listen();
    tokio::spawn(async move {
        signals.next().await;
        tracing::info!("asked to end: finishing what is in flight; ask again to end at once");
        cancel.cancel();
        signals.next().await;
        end_at_once();
    });
    token
}

/// Has `act` done before a second signal ends the process: for what would outlive it, such as programs that it runs.
/// It must not wait for anything.
pub fn at_once(act: fn()) {
    AT_ONCE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(act);
}

fn end_at_once() -> ! {
    let acts = AT_ONCE.lock().unwrap_or_else(PoisonError::into_inner);
    for act in acts.iter() {
        act();
    }
    std::process::exit(130);
}

/// The listeners, set up once: between two set-ups a signal could be lost.
#[cfg(unix)]
struct Signals {
    /// Nothing where no handler could be set, and the signal's default action, the process's end, stands.
    terminate: Option<tokio::signal::unix::Signal>,
    interrupt: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self {
            terminate: signal(SignalKind::terminate()).ok(),
            interrupt: signal(SignalKind::interrupt()).ok(),
        }
    }

    async fn next(&mut self) {
        tokio::select! {
            () = received(&mut self.terminate) => {}
            () = received(&mut self.interrupt) => {}
        }
    }
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
    async fn sigterm_asks_to_end_and_does_not_end() {
        let token = signal();
        assert!(!token.is_cancelled());
        let pid = std::process::id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap();
        assert!(sent.success());
        token.cancelled().await;
    }
}
