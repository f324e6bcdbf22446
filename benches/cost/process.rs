//! A process, and what the kernel counts of it.

use std::{
    fs,
    process::{Child, ChildStdin, ChildStdout, Command},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

/// It ends with this.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn pipes(&mut self) -> (ChildStdin, ChildStdout) {
        (self.0.stdin.take().unwrap(), self.0.stdout.take().unwrap())
    }

    /// Ticks of CPU that all its threads have used so far.
    pub(crate) fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        // The name before may have blanks in it.
        let mut fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11);
        let mut field = || fields.next().unwrap().parse::<u64>().unwrap();
        field() + field()
    }

    /// The same as a time.
    pub(crate) fn cpu(&self) -> Duration {
        // Linux's USER_HZ, of which proc(5) speaks, is 100 everywhere but on a few old machines.
        Duration::from_millis(self.ticks() * 10)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}
