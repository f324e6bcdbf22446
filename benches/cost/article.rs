//! The usual design, written by hand: its own poller, one file after the other, through its own Flask worker.
//!
//! `ARTICLE_PYTHON` names an interpreter that has what `tests/peers/requirements.txt` lists, such as the one that
//! `bash .ci/peers DIR` leaves at `DIR/venv/bin/python`. Without it this part is left out.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::Read as _,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Stdio,
    thread::sleep,
    time::Duration,
};

use brigade_client::identity::origin;
use brigade_emulator::frontend::{FrontEnd, Service};
use tokio::{net::TcpListener, runtime::Runtime};

use crate::{
    cpu::each,
    figure::{Figure, Scale, median},
    process::Process,
    subject::{Kind, Subject, free_address},
    system::{ACCOUNT, BUCKET, Protocol, System, Worker},
};

const IN_FLIGHT: usize = 32;
const FILES: usize = 400;

/// Its worker, and what stands in for longer work.
const WORKER: &str = "import os, sys, time
sys.path.insert(0, os.environ['ARTICLE'])
import worker
features_of = worker.features_of
def slow(recording):
    time.sleep(float(os.environ['WORK']))
    return features_of(recording)
worker.features_of = slow
worker.app.run(host='127.0.0.1', port=int(os.environ['PORT']))";

/// Its poller, once; prints the seconds that it took without its start.
const POLLER: &str = "import os, sys, time
sys.path.insert(0, os.environ['ARTICLE'])
import poller
bucket = poller.storage.Client().bucket(os.environ['BUCKET'])
began = time.monotonic()
counts = poller.poll(bucket, os.environ['WORKER_URL'])
took = time.monotonic() - began
assert counts['processed'] == int(os.environ['FILES']), counts
print(took)";

/// Whose worker the goal is about.
enum Goal {
    Grpc,
    Flask,
}

/// The article's design, with a front end before its worker.
struct Article {
    python: OsString,
    scripts: PathBuf,
    _worker: Process,
    front_end: FrontEnd,
}

pub(crate) fn figures(scale: &Scale, system: &System, runtime: &Runtime) -> Vec<Figure> {
    let Some(python) = env::var_os("ARTICLE_PYTHON") else {
        println!("the article's design is left out: ARTICLE_PYTHON names no interpreter");
        return Vec::new();
    };
    let files = scale.objects.min(FILES);
    let figure = |work: u64, goal: Goal, least: f64| {
        let work = Duration::from_millis(work);
        let article = Article::start(&python, system, runtime, work);
        let theirs = Worker::at(article.front_end.url());
        // Each worker has a front end, as on Cloud Run. Ours checks tokens itself too.
        let worker = system.worker(work);
        let audience = origin(&worker.url(Protocol::Grpc));
        let service = Service::new("ours", worker.address()).audience(&audience);
        let front_end = front_end(system, runtime, service);
        let ours = Worker::at(front_end.url());
        let start = |env: &[(&str, &str)], worker, protocol| {
            let kind = Kind::built().with(env);
            Subject::start(&kind, system, runtime, worker, protocol, IN_FLIGHT)
        };
        let ours = start(&[("WORKER_AUDIENCE", &audience)], &ours, Protocol::Grpc);
        let mut subjects = [ours, start(&[], &theirs, Protocol::Http)];
        article.poll(system, files);
        let mut rates = [const { Vec::new() }; 3];
        for _ in 0..scale.rounds {
            rates[0].push(1.0 / each(article.poll(system, files), files));
            for (subject, rates) in subjects.iter_mut().zip(&mut rates[1..]) {
                // As many as the article's poller moves in its time, so that the clock has something to measure.
                let drain = subject.drain(system, runtime, files);
                rates.push(1.0 / each(drain.took.as_secs_f64(), files));
            }
        }
        let [article, grpc, flask] = rates.map(median);
        let millis = work.as_millis();
        println!(
            "{millis} ms of work: the article {article:.1} files/s, ours {grpc:.0}, ours with its worker {flask:.0}"
        );
        let (with, ours) = match goal {
            Goal::Grpc => ("a gRPC worker", grpc),
            Goal::Flask => ("its own Flask worker", flask),
        };
        let what = format!("files/s to the article's at {millis} ms of work, with {with}");
        Figure::at_least(what, ours / article, least)
    };
    vec![figure(0, Goal::Flask, 10.0), figure(20, Goal::Grpc, 30.0)]
}

fn front_end(system: &System, runtime: &Runtime, service: Service) -> FrontEnd {
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        system.emulator.front_end(listener, &service.invoker(ACCOUNT)).unwrap()
    })
}

// === impl Article ===

impl Article {
    fn start(python: &OsStr, system: &System, runtime: &Runtime, work: Duration) -> Self {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/article");
        let address = free_address();
        let mut command = system.command(python);
        command
            .args(["-c", WORKER])
            .env("ARTICLE", &scripts)
            .env("PORT", address.port().to_string());
        let worker = Process::spawn(command.env("WORK", work.as_secs_f64().to_string()));
        while TcpStream::connect(address).is_err() {
            sleep(Duration::from_millis(50));
        }
        let front_end = front_end(system, runtime, Service::new("worker", address).http1());
        Self { python: python.to_owned(), scripts, _worker: worker, front_end }
    }

    /// The seconds of one poll of so many files.
    fn poll(&self, system: &System, files: usize) -> f64 {
        system.lay(files);
        let mut command = system.command(&self.python);
        command
            .args(["-c", POLLER])
            .env("ARTICLE", &self.scripts)
            .env("BUCKET", BUCKET)
            .env("WORKER_URL", self.front_end.url().as_str().trim_end_matches('/'))
            .env("FILES", files.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut said = String::new();
        let mut child = command.spawn().unwrap();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success());
        said.trim().parse().unwrap()
    }
}
