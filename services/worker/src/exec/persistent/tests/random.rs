//! Many objects at once, whose processes die, hang, answer twice and the like at random, and whose callers go away.

use std::fmt::Write as _;

use futures::future::join_all;

use super::*;

const PROCESSES: usize = 3;

/// What an object does, and whether it is accepted then. None writes a line without an id after its answer: such a line may be
/// read after the next object was, and nothing in it tells which of the two it is about.
const SCRIPTS: [(&str, bool); 11] = [
    ("accept $name", true),
    ("accept $name", true),
    ("echo working; echo working >&2; accept $name", true),
    ("accept $name; exit 1", true),
    ("accept $name; accept twice", true),
    ("accept $name; kill -KILL $$", true),
    ("kill -KILL $$", false),
    ("exit 0", false),
    ("line nonsense", false),
    ("answer '\"refuse\":{}'", false),
    ("answer '\"accept\":{},\"later\":{}'", false),
];

/// Each object is answered once, by what it did itself: it has its own name as its summary.
async fn burst(
    worker: &Arc<TestWorker<PersistentProcessor>>,
    burst: usize,
    random: &mut fastrand::Rng,
) {
    let calls = (0..2 * PROCESSES).map(|n| {
        let (name, worker) = (format!("in/{burst}-{n}"), Arc::clone(worker));
        let (script, accepted) = SCRIPTS[random.usize(..SCRIPTS.len())];
        let patience = (random.u8(..8) == 0).then(|| Duration::from_millis(random.u64(..30)));
        async move {
            let content = format!("name={name}\n{script}");
            let call = worker.process(&name, content);
            let result = match patience {
                None => call.await,
                Some(patience) => match tokio::time::timeout(patience, call).await {
                    Ok(result) => result,
                    Err(_) => return None,
                },
            };
            let told = match &result {
                Ok(response) => response.summary.clone(),
                Err(error) => error.to_string(),
            };
            let is_right = result.map_or(!accepted, |_| accepted && told == name);
            (!is_right).then(|| format!("{name}: {script}: {told}"))
        }
    });
    let wrong = join_all(calls).await.into_iter().flatten().fold(String::new(), |mut all, one| {
        writeln!(all, "{one}").unwrap();
        all
    });
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_processes_and_callers_each_object_is_answered_by_what_it_did() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (exec, persistent) = exec(PROGRAM, PROCESSES);
    let worker =
        Arc::new(worker_of((exec, PersistentSettings { recycle_after: Some(3), ..persistent })));
    for n in 0..30 {
        burst(&worker, n, &mut random).await;
    }
    // No process is missing, and no job is left.
    let directory = tempfile::tempdir().unwrap();
    let script = format!(
        "touch {0}/$$; while [ $(ls {0} | wc -l) -lt {PROCESSES} ]; do sleep 0.01; done; accept fine",
        directory.path().display()
    );
    let last = (0..PROCESSES).map(|n| {
        let (worker, script) = (&worker, script.clone());
        async move { worker.process(&format!("in/last-{n}"), script).await }
    });
    for result in join_all(last).await {
        assert_eq!(result.unwrap().summary, "fine");
    }
    worker.processor().close(Duration::from_mins(1)).await;
    assert!(worker.processor().pool.is_empty());
}
