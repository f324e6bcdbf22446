//! Many jobs through few processes that are replaced all the time.

use std::{collections::BTreeSet, env, time::Instant};

use futures::{StreamExt as _, stream};
use serde_json::json;

use super::Worker;

/// How many jobs there are. `JOBS` says another number.
const JOBS: usize = 1_000;
const PROCESSES: usize = 4;
const RECYCLE_AFTER: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn no_job_is_lost_or_given_twice_while_processes_are_replaced() {
    let jobs = env::var("JOBS").map_or(JOBS, |jobs| jobs.parse().unwrap());
    let (processes, recycle) = (PROCESSES.to_string(), RECYCLE_AFTER.to_string());
    let settings = [("BRIGADE_PROCESSES", &*processes), ("BRIGADE_RECYCLE_AFTER", &*recycle)];
    let Some(worker) = Worker::start("", &settings).await else { return };
    let began = Instant::now();
    let answers: Vec<_> = stream::iter(0..jobs)
        .map(|n| {
            let worker = &worker;
            async move {
                let name = format!("in/{n:05}");
                let answer = worker.call(&name, "good", &json!({})).await.unwrap();
                assert_eq!(answer.status, 200, "{name}: {answer:?}");
                (name, answer.summary().to_owned())
            }
        })
        .buffer_unordered(2 * PROCESSES)
        .collect()
        .await;
    println!("{jobs} jobs in {:?}", began.elapsed());
    let answers: BTreeSet<_> = answers.into_iter().collect();
    let noted = worker.noted("answered").await;
    let noted: Vec<_> = noted.iter().map(|line| line.split_once(' ').unwrap()).collect();
    assert_eq!(noted.len(), jobs, "each job was given once");
    let noted: BTreeSet<_> =
        noted.into_iter().map(|(by, name)| (name.to_owned(), by.to_owned())).collect();
    assert_eq!(answers, noted, "and answered by the process that it was given to");
    let processes: BTreeSet<_> = answers.iter().map(|(_, process)| process).collect();
    // One that has had its share gets more while another one is replaced.
    assert!(processes.len() >= jobs / RECYCLE_AFTER / 2, "{} processes", processes.len());
}
