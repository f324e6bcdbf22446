//! Programs that end while their worker is told to.

use std::time::Duration;

use super::*;
use crate::{exec::meaning::SIGNAL_DELAY, tests::fixtures::job_with_shutdown};

/// What a program comes to when the worker is told to end this long after the program ended, if at all.
async fn ended(body: &str, shutdown: Option<Duration>) -> Result<Outcome, (ErrorKind, String)> {
    let (sim, object) = uploaded("in/a", "x");
    let token = CancellationToken::new();
    let job = job_with_shutdown(&sim, request(&object), None, token.clone());
    let program = script(body);
    let asked = program.process(&job);
    tokio::pin!(asked);
    let answer = match shutdown {
        Some(Duration::ZERO) => {
            token.cancel();
            asked.await
        }
        Some(later) => {
            // Whatever the machine does meanwhile, the program has ended by itself when its answer waits.
            let told = async {
                tokio::time::sleep(later).await;
                token.cancel();
            };
            tokio::join!(asked, told).0
        }
        None => asked.await,
    };
    answer.map_err(|error| (error.kind(), error.message().to_owned()))
}

#[tokio::test]
async fn a_program_that_ends_with_its_worker_is_asked_about_again_at_no_attempt() {
    for (body, what) in [
        ("kill -TERM $$", "was killed by SIGTERM"),
        // Not sent as a signal: who runs the tests may have it ignored, as nohup does.
        ("exit 129", "ended with exit status 129"),
        ("kill -KILL $$", "was killed by SIGKILL"),
        ("exit 143", "ended with exit status 143"),
        ("exit 1", "ended with exit status 1"),
        ("exit 75", "ended with exit status 75"),
        ("exit 127", "ended with exit status 127"),
    ] {
        let body = format!("echo half way >&2; {body}");
        let (kind, reason) = ended(&body, Some(Duration::ZERO)).await.unwrap_err();
        assert_eq!(kind, ErrorKind::Busy, "{body}");
        let words = format!("this worker is shutting down, and the program {what}");
        assert!(reason.starts_with(&words), "{reason}");
        assert!(reason.ends_with(": half way"), "{reason}");
    }
    let done = ended("echo done", Some(Duration::ZERO)).await.unwrap();
    assert_eq!(done.summary, "done");
}

#[tokio::test]
async fn a_program_may_be_gone_before_its_worker_notices_the_signal() {
    for body in ["kill -TERM $$", "exit 130", "exit 143"] {
        let (kind, _) = ended(body, Some(SIGNAL_DELAY / 4)).await.unwrap_err();
        assert_eq!(kind, ErrorKind::Busy, "{body}");
    }
}

#[tokio::test]
async fn a_program_that_somebody_ended_while_its_worker_goes_on_is_refused() {
    for body in ["kill -TERM $$", "exit 143", "kill -SEGV $$", "exit 1"] {
        let (kind, _) = ended(body, None).await.unwrap_err();
        assert_eq!(kind, ErrorKind::Internal, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_an_end_that_somebody_asked_for_waits_for_the_workers_own_signal() {
    let asked = [1, 2, 15].map(End::Killed);
    let asked = asked.into_iter().chain([129, 130, 143].map(End::Exited));
    let others = [9, 11].map(End::Killed);
    let others = others.into_iter().chain([0, 1, 75, 137].map(End::Exited));
    for (end, waits) in asked.map(|end| (end, true)).chain(others.map(|end| (end, false))) {
        let shown = end.to_string();
        let began = tokio::time::Instant::now();
        assert!(!is_shutting_down(end, &CancellationToken::new()).await, "{shown}");
        assert_eq!(began.elapsed() >= SIGNAL_DELAY, waits, "{shown}");
    }
}

#[tokio::test]
async fn an_answer_in_words_counts_while_the_worker_ends_only_when_its_program_ended_well() {
    let refusing = r#"printf '{"refuse":{"reason":"no day"}}' > "$ANSWER_FILE"; exit"#;
    for (code, kind) in [(0, ErrorKind::Refused), (1, ErrorKind::Busy)] {
        let ended = ended(&format!("{refusing} {code}"), Some(Duration::ZERO)).await;
        assert_eq!(ended.unwrap_err().0, kind, "{code}");
    }
}
