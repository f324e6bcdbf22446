//! A process of a persistent program: it gets one job after the other until it ends, or is ended.

use std::{
    future::pending,
    io,
    pin::pin,
    time::{Duration, SystemTime},
};

use brigade_telemetry::Context;
use rustix::{
    io::ioctl_fionread,
    process::{Pid, Signal},
};
use tokio::{
    io::AsyncWriteExt as _,
    net::unix::pipe,
    time::{Instant, sleep_until},
};

use super::{
    super::{
        group::{End, Group},
        run::{TERM_GRACE, lost},
    },
    limit::MemoryLimit,
    oom::OomCount,
    output::Output,
    task::{Loss, Task},
    temp::Temp,
    wire::{Lines, Message, Next},
};
use crate::{metrics, text::because};

/// How long the end of a process that closed its descriptor 4 is waited for: it tells more.
pub(super) const END_DELAY: Duration = Duration::from_secs(1);

/// A running process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) group: Group,
    /// None once it is closed.
    pub(super) jobs: Option<pipe::Sender>,
    pub(super) lines: Lines,
    pub(super) output: Output,
    /// The job that it answered last.
    pub(super) answered: String,
    /// When the files of its command were changed last before it was started.
    pub(super) files: Vec<Option<SystemTime>>,
    /// Its `TMPDIR`. It goes last.
    pub(super) temp: Temp,
}

/// What became of a job, and with that of the process.
#[derive(Debug)]
pub(super) enum Done {
    /// It is answered, and the process waits for the next one.
    Answered(Box<Message>),
    /// The process failed for a reason that has nothing to do with the job.
    Unaffected(String),
    /// The process failed at this job.
    Lost(Loss),
    /// No caller waits for it any more.
    Cancelled,
}

// === impl Process ===

impl Process {
    pub(super) fn pid(&self) -> Pid {
        self.group.id()
    }

    /// Waits until something happens between two jobs, which should not, and says what.
    pub(super) async fn fault(&mut self) -> String {
        loop {
            let Self { group, lines, output, .. } = self;
            let next = tokio::select! {
                next = lines.next() => next,
                end = group.leader() => return ended(end),
                () = output.pump() => continue,
            };
            return self.between(next).await;
        }
    }

    /// The same, if it happened already.
    async fn fault_now(&mut self) -> Option<String> {
        match self.group.try_leader() {
            Ok(None) => {}
            Ok(Some(end)) => return Some(ended(Ok(end))),
            Err(error) => return Some(ended(Err(error))),
        }
        let next = self.lines.now()?;
        Some(self.between(next).await)
    }

    /// What a program that is given nothing to do should not do. The end of one that closed descriptor 4 tells more.
    async fn between(&mut self, next: Next) -> String {
        match next {
            Next::Message(message) => match message.id {
                Some(_) => {
                    "it wrote a line between two jobs: a second answer, or one of another job"
                }
                None => "it wrote a line without an id between two jobs",
            }
            .to_owned(),
            Next::Invalid(what) => format!("it wrote to descriptor 4, between two jobs, {what}"),
            Next::Closed => {
                let closed = || "it closed descriptor 4".to_owned();
                self.ends_within(END_DELAY).await.map_or_else(closed, ended)
            }
        }
    }

    /// Has a job processed. What it writes from here on is about this object, until the job is answered.
    pub(super) async fn run(&mut self, task: &mut Task, limit: MemoryLimit) -> Done {
        if let Some(fault) = self.fault_now().await {
            return Done::Unaffected(fault);
        }
        let line = match task.line() {
            Ok(line) => line,
            Err(error) => {
                return Done::Lost(Loss::Fault(format!("the job has no JSON form: {error}")));
            }
        };
        let before = self.output.stderr();
        {
            let _current = task.trace().map(Context::attach);
            self.output.begin(&task.key);
        }
        task.follow(self.output.stderr());
        let done = match self.converse(task, &line, limit).await {
            Done::Unaffected(why) => Done::Unaffected(because(why, &before.lines())),
            done => done,
        };
        self.output.settle();
        if matches!(done, Done::Answered(_)) {
            self.answered.clone_from(&task.job.id);
            self.output.begin("");
        }
        done
    }

    async fn converse(&mut self, task: &mut Task, line: &[u8], limit: MemoryLimit) -> Done {
        let killed = OomCount::read();
        let mut exceeded = pin!(limit.exceeded(self.pid()));
        let mut unwritten = line;
        loop {
            let Self { group, jobs, lines, output, answered, .. } = self;
            let written = line.len() - unwritten.len();
            let next = tokio::select! {
                biased;
                () = task.cancelled() => return Done::Cancelled,
                // Before the lines, of which there may be always more.
                size = &mut exceeded => {
                    group.signal(Signal::KILL);
                    return Done::Lost(Loss::Error(limit.refusal(size)));
                }
                next = lines.next() => next,
                end = group.leader() => {
                    let is_unaware = is_unread(jobs.as_ref(), written);
                    return match self.last_answer(task) {
                        Some(message) => Done::Answered(message),
                        None if is_unaware => Done::Unaffected(ended(end)),
                        None => Done::Lost(loss(end, killed)),
                    };
                }
                wrote = write(jobs.as_mut(), unwritten) => {
                    match wrote {
                        Ok(wrote) => unwritten = &unwritten[wrote..],
                        Err(error) if written == 0 => {
                            return Done::Unaffected(format!("it does not read its jobs: {error}"));
                        }
                        // Its end, or its answer, says more.
                        Err(_) => unwritten = &[],
                    }
                    continue;
                }
                () = output.pump() => continue,
            };
            let is_unaware = is_unread(jobs.as_ref(), written);
            match next {
                Next::Message(message) if message.id.as_ref() == Some(&task.job.id) => {
                    match (message.answer.count(), &message.progress) {
                        (1, _) => return Done::Answered(message),
                        (0, Some(progress)) => task.progress(progress),
                        (count, _) => return Done::Lost(not_one(count)),
                    }
                }
                Next::Message(message) if message.id.as_ref() == Some(answered) => {
                    return Done::Unaffected("it answered a job twice".to_owned());
                }
                // It wrote that before it could know the job.
                next if is_unaware => return Done::Unaffected(self.between(next).await),
                Next::Message(message) => return Done::Lost(not_this(message.id.as_deref())),
                Next::Invalid(what) => {
                    return Done::Lost(Loss::Fault(format!("it wrote to descriptor 4 {what}")));
                }
                Next::Closed => {
                    let end = self.ends_within(END_DELAY).await;
                    let closed =
                        || Loss::Fault("it closed descriptor 4 and did not end".to_owned());
                    return Done::Lost(end.map_or_else(closed, |end| loss(end, killed)));
                }
            }
        }
    }

    /// The answer that it wrote before it ended.
    fn last_answer(&mut self, task: &Task) -> Option<Box<Message>> {
        for next in self.lines.rest() {
            let Next::Message(message) = next else { break };
            let is_answer = message.answer.count() == 1;
            if is_answer && message.id.as_ref() == Some(&task.job.id) {
                return Some(message);
            }
        }
        None
    }

    /// Waits so long for the leader to end.
    pub(super) async fn ends_within(&mut self, time: Duration) -> Option<io::Result<End>> {
        let until = Instant::now() + time;
        loop {
            let Self { group, output, .. } = self;
            tokio::select! {
                biased;
                end = group.leader() => return Some(end),
                () = sleep_until(until) => return None,
                () = output.pump() => {}
            }
        }
    }

    /// Ends it: it sees that no job comes, gets SIGTERM after `grace`, and SIGKILL 2 s later. When this returns, no process of
    /// its group runs any more.
    pub(super) async fn end(mut self, grace: Duration) {
        self.jobs = None;
        if grace.is_zero() || self.ends_within(grace).await.is_none() {
            self.group.signal(Signal::TERM);
            if self.ends_within(TERM_GRACE).await.is_none() {
                self.group.signal(Signal::KILL);
            }
        }
        metrics::has_memory(self.group.id(), None);
        self.group.end().await;
        self.output.settle();
        self.temp.remove().await;
    }
}

pub(super) fn ended(end: io::Result<End>) -> String {
    match end {
        Ok(end) => format!("it {end}"),
        Err(error) => format!("its end is unknown: {error}"),
    }
}

fn loss(end: io::Result<End>, killed: OomCount) -> Loss {
    match end {
        Ok(end) => Loss::Ended(end, killed.explain()),
        Err(error) => Loss::Error(lost(&error)),
    }
}

fn not_one(count: usize) -> Loss {
    let keys = "accept, refuse, later and misconfigured";
    Loss::Fault(format!("it answered with {count} of {keys}; exactly one is an answer"))
}

fn not_this(id: Option<&str>) -> Loss {
    Loss::Fault(match id {
        Some(id) => {
            format!("it answered the job {:?}, which it did not have", crate::text::cut(id, 64))
        }
        None => "it wrote a line without an id".to_owned(),
    })
}

/// Whether the program has read nothing of what was written: that is still in the pipe.
fn is_unread(jobs: Option<&pipe::Sender>, written: usize) -> bool {
    let unread = jobs.and_then(|jobs| ioctl_fionread(jobs).ok());
    unread.is_some_and(|unread| unread == written as u64)
}

async fn write(jobs: Option<&mut pipe::Sender>, line: &[u8]) -> io::Result<usize> {
    match jobs {
        Some(jobs) if !line.is_empty() => jobs.write(line).await,
        _ => pending().await,
    }
}
