//! The signal to end.

use tokio_util::sync::CancellationToken;

/// A token that is cancelled by SIGTERM (Cloud Run's, 10 s before it kills) or Ctrl-C. A second signal ends the
/// process at once, with the shell's code for an interrupted command.
pub fn signal() -> CancellationToken {
    let token = CancellationToken::new();
    let cancel = token.clone();
    tokio::spawn(async move {
        next().await;
        tracing::info!("asked to end: finishing what is in flight");
        cancel.cancel();
        next().await;
        std::process::exit(130);
    });
    token
}

#[cfg(unix)]
async fn next() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        // Without a handler the default action of SIGTERM stands, which ends the process.
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

#[cfg(not(unix))]
async fn next() {
    drop(tokio::signal::ctrl_c().await);
}
