//! The commands of `deploy/gcloud.sh --dry-run`, as recorded beside this file; `.ci/deploy-files` holds the records to the
//! script, and every flag in them to gcloud's own help.

use std::os::unix::fs::PermissionsExt as _;

/// With no option but the needed ones.
pub(crate) const PLAIN: &str = include_str!("gcloud.txt");
/// With `--auth verify`.
pub(crate) const VERIFY: &str = include_str!("gcloud-verify.txt");
/// With `--events --tasks --show-outputs`, a reader, an operator, uploaders, a secret, a suffix and more memory.
pub(crate) const WHOLE: &str = include_str!("gcloud-events-tasks.txt");

/// One command, as a shell would take it apart.
pub(crate) struct Command {
    words: Vec<String>,
    path: String,
}

impl Command {
    /// The words before the first argument: `run services update`.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The first word after those.
    pub(crate) fn argument(&self) -> &str {
        &self.words[self.path.split(' ').count()]
    }

    pub(crate) fn has(&self, flag: &str) -> bool {
        self.words.iter().any(|word| word == flag)
    }

    /// A flag's value; empty when it has none or is not there.
    pub(crate) fn flag(&self, name: &str) -> String {
        let value = |word: &String| Some(word.strip_prefix(name)?.strip_prefix('=')?.to_owned());
        self.words.iter().find_map(value).unwrap_or_default()
    }
}

const PATHS: [&str; 5] = [
    "run services add-iam-policy-binding",
    "storage buckets add-iam-policy-binding",
    "iam roles create",
    "run jobs deploy",
    "run deploy",
];

/// The commands that would be run.
pub(crate) fn commands(recording: &str) -> Vec<Command> {
    let commands: Vec<_> = recording
        .lines()
        .filter_map(|line| line.strip_prefix("+ gcloud "))
        .map(|line| {
            let words = shell_words(line);
            let joined = words.join(" ");
            let known = PATHS.iter().find(|path| joined.starts_with(**path));
            let path = known.map_or_else(|| words[0].clone(), ToString::to_string);
            Command { words, path }
        })
        .collect();
    assert!(commands.len() > 20, "the record has lost its commands");
    commands
}

/// Takes apart what `printf %q` has written: a backslash keeps the next character from being the shell's.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let last = words.last_mut().unwrap();
        match letter {
            '\\' => last.extend(letters.next()),
            ' ' => words.push(String::new()),
            other => last.push(other),
        }
    }
    words
}

/// The exit code of the script with a `gcloud` that fails like this the first times that it binds a role, and how often the
/// script slept.
fn deploy_with_failing_bindings(error: &str, failures: usize) -> (Option<i32>, usize) {
    let folder = tempfile::tempdir().unwrap();
    let program = |name: &str, script: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let at = folder.path().display();
    program("sleep", format!("#!/bin/sh\necho \"$@\" >>{at}/slept\n"));
    program(
        "gcloud",
        format!(
            "#!/bin/sh\ncase $* in *add-iam-policy-binding*)\n  echo >>{at}/bound\n  \
             [ $(wc -l <{at}/bound) -gt {failures} ] || {{ echo 'ERROR: {error}' >&2; exit 1; }};;\nesac\n"
        ),
    );
    let path = format!("{at}:{}", std::env::var("PATH").unwrap());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/gcloud.sh");
    let arguments = "--project p --region europe-west1 --bucket my-files --image i --number 1";
    let output = std::process::Command::new("bash")
        .arg(script)
        .args(arguments.split(' '))
        .env("PATH", path)
        .output()
        .unwrap();
    let slept = std::fs::read_to_string(folder.path().join("slept")).unwrap_or_default();
    assert!(slept.lines().all(|line| line == "10"), "{slept}");
    (output.status.code(), slept.lines().count())
}

#[test]
fn a_new_account_that_is_not_known_everywhere_yet_is_waited_for() {
    let unknown = "Service account brigade-poller@p.iam.gserviceaccount.com does not exist.";
    assert_eq!(deploy_with_failing_bindings(unknown, 3), (Some(0), 3));
    // In the end it is an error after all.
    assert_eq!(deploy_with_failing_bindings(unknown, 100), (Some(1), 12));
}

#[test]
fn another_error_is_not_waited_for() {
    assert_eq!(deploy_with_failing_bindings("PERMISSION_DENIED", 1), (Some(1), 0));
}

#[test]
fn escaped_words_are_taken_apart() {
    assert_eq!(shell_words(r"a\ b c\,\;\\"), ["a b", r"c,;\"]);
}
