//! The commands of `deploy/gcloud.sh --dry-run`, as recorded beside this file; `.ci/deploy-files` holds the records to the
//! script, and every flag in them to gcloud's own help.

/// With no option but the needed ones.
pub(crate) const PLAIN: &str = include_str!("gcloud.txt");
/// With `--auth verify`.
pub(crate) const VERIFY: &str = include_str!("gcloud-verify.txt");
/// With `--events --tasks --show-outputs`, a reader and an operator.
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

const PATHS: [&str; 4] = [
    "run services add-iam-policy-binding",
    "storage buckets add-iam-policy-binding",
    "iam roles create",
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

#[test]
fn escaped_words_are_taken_apart() {
    assert_eq!(shell_words(r"a\ b c\,\;\\"), ["a b", r"c,;\"]);
}
