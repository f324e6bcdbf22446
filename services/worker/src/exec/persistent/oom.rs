//! Whether SIGKILL came because memory was short. The kernel does not tell it to the parent of a process, but it counts the
//! processes that it killed for that in each control group.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use rustix::process::Pid;

/// How much likelier than this process its programs are to be killed when memory is short, in thousandths of all memory.
const PREFERENCE: i32 = 500;
/// The kernel's limit.
const MAX_ADJUSTMENT: i32 = 1_000;

/// The file with the count of this process's control group, which it never leaves.
static COUNTER: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let read = |path: &str| fs::read_to_string(path).ok();
    let (own, mounts) = read("/proc/self/cgroup").zip(read("/proc/self/mountinfo"))?;
    counter(&own, &mounts)
});

/// How many processes of this control group the kernel has killed because memory was short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OomCount(Option<u64>);

// === impl OomCount ===

impl OomCount {
    /// The count now. It is unknown on a system without control groups of memory.
    pub(super) fn read() -> Self {
        Self(COUNTER.as_ref().and_then(|file| count(&fs::read_to_string(file).ok()?)))
    }

    /// Why a process was killed by SIGKILL since this count was read: in words that follow "killed by SIGKILL". Empty when it
    /// was not for memory.
    pub(super) fn explain(self) -> &'static str {
        self.explain_by(Self::read())
    }

    fn explain_by(self, now: Self) -> &'static str {
        match (self.0, now.0) {
            (Some(before), Some(now)) if before == now => "",
            (Some(_), Some(_)) => " (out of memory)",
            _ => " (perhaps out of memory)",
        }
    }
}

/// The file with this process's count, by `/proc/self/cgroup` and `/proc/self/mountinfo`. The controller of memory is in a
/// hierarchy of its own in version 1, and in the one hierarchy of version 2.
fn counter(own: &str, mounts: &str) -> Option<PathBuf> {
    let path_in = |of: &dyn Fn(&str) -> bool| {
        own.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            of(controllers).then_some(path)
        })
    };
    let has_memory = |list: &str| list.split(',').any(|one| one == "memory");
    if let Some(path) = path_in(&has_memory) {
        let of_memory = |kind: &str, options: &str| kind == "cgroup" && has_memory(options);
        return Some(directory(path, mounts, of_memory)?.join("memory.oom_control"));
    }
    let path = path_in(&str::is_empty)?;
    Some(directory(path, mounts, |kind, _| kind == "cgroup2")?.join("memory.events"))
}

/// Where a control group is in the file system. A container may see a part of the hierarchy alone: then a mount's root is
/// the beginning of the path.
fn directory(path: &str, mounts: &str, wanted: impl Fn(&str, &str) -> bool) -> Option<PathBuf> {
    mounts.lines().find_map(|mount| {
        let (place, kind) = mount.split_once(" - ")?;
        let (root, at) = place.split(' ').nth(3).zip(place.split(' ').nth(4))?;
        let (kind, options) = kind.split_once(' ')?;
        let inside = Path::new(path).strip_prefix(root).unwrap_or(Path::new(""));
        wanted(kind, options.rsplit(' ').next()?).then(|| Path::new(at).join(inside))
    })
}

/// `oom_kill` in a file of counts.
fn count(counts: &str) -> Option<u64> {
    counts.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

/// Asks the kernel to kill this process, or what it starts from now on, rather than this worker when memory is short. Where
/// that is not possible, the kernel chooses.
pub(super) fn prefer_as_victim(process: Pid) {
    let own = fs::read_to_string("/proc/self/oom_score_adj").ok();
    let own: i32 = own.and_then(|own| own.trim().parse().ok()).unwrap_or(0);
    let raised = own.saturating_add(PREFERENCE).min(MAX_ADJUSTMENT);
    let file = format!("/proc/{}/oom_score_adj", process.as_raw_nonzero());
    if let Err(error) = fs::write(file, raised.to_string()) {
        tracing::debug!(%error, "cannot tell the kernel which process to kill when memory is short");
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const V1: &str = "30 22 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
        31 30 0:28 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n\
        32 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    const V2: &str = "24 22 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
    const V1_OF_A_CONTAINER: &str =
        "31 30 0:28 /docker/7f /sys/fs/cgroup/memory ro shared:9 - cgroup cgroup rw,memory\n";

    #[test]
    fn the_count_is_found_in_every_layout_of_control_groups() {
        let found = |own, mounts| counter(own, mounts).map(|file| file.display().to_string());
        let found = |own, mounts| found(own, mounts).unwrap_or_default();
        let v1 = "4:memory:/service/a\n2:cpu,cpuacct:/\n0::/\n";
        assert_eq!(found(v1, V1), "/sys/fs/cgroup/memory/service/a/memory.oom_control");
        assert_eq!(found("0::/user.slice/a\n", V2), "/sys/fs/cgroup/user.slice/a/memory.events");
        assert_eq!(found("0::/\n", V2), "/sys/fs/cgroup/memory.events");
        let inside = "4:memory:/docker/7f\n";
        assert_eq!(found(inside, V1_OF_A_CONTAINER), "/sys/fs/cgroup/memory/memory.oom_control");
        assert_eq!(found("", V2), "");
        assert_eq!(found("0::/\n", ""), "");
    }

    #[test]
    fn only_a_count_that_rose_says_out_of_memory_for_certain() {
        let known = |count| OomCount(Some(count));
        assert_eq!(known(2).explain_by(known(3)), " (out of memory)");
        assert_eq!(known(2).explain_by(known(2)), "");
        assert_eq!(known(2).explain_by(OomCount(None)), " (perhaps out of memory)");
        assert_eq!(OomCount(None).explain_by(OomCount(None)), " (perhaps out of memory)");
    }

    #[test]
    fn both_versions_of_the_counts_are_read() {
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n"), Some(7));
        assert_eq!(count("low 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n"), Some(2));
        assert_eq!(count("low 0\nhigh 0\n"), None);
    }

    #[test]
    fn a_program_is_rather_killed_than_the_worker() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        prefer_as_victim(Pid::from_child(&child));
        let read = |process: &str| {
            let file = fs::read_to_string(format!("/proc/{process}/oom_score_adj"));
            file.unwrap().trim().parse::<i32>().unwrap()
        };
        let (own, of_child) = (read("self"), read(&child.id().to_string()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(of_child, (own + PREFERENCE).min(MAX_ADJUSTMENT));
    }
}
