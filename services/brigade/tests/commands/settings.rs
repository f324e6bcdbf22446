//! `docs/SETTINGS.md` has every setting, as the command line declares it.

use std::{collections::BTreeSet, fs, path::Path};

use brigade::cli::Cli;
use clap::{Arg, Command, CommandFactory as _};

const BEGIN: &str =
    "<!-- The table is generated: UPDATE=1 cargo test -p brigade --test commands settings -->\n";
const END: &str = "<!-- end of the table -->\n";

/// What one program says of a setting: its columns, but for who uses it.
#[derive(PartialEq)]
struct Row {
    variable: String,
    flag: String,
    default: String,
    meaning: String,
}

impl Row {
    fn new(arg: &Arg) -> Option<Self> {
        let variable = arg.get_env()?.to_str().unwrap().to_owned();
        let help = arg.get_help().unwrap().to_string();
        // A default that is no plain value stands at the end of the help.
        let (meaning, prose) = help
            .strip_suffix(']')
            .and_then(|help| help.split_once(" [default: "))
            .unwrap_or((&help, "–"));
        let default = match arg.get_default_values() {
            [value] if !value.is_empty() => format!("`{}`", value.to_str().unwrap()),
            _ => prose.to_owned(),
        };
        Some(Self {
            variable,
            flag: arg.get_long().unwrap().to_owned(),
            default,
            meaning: meaning.replace('*', "\\*").replace('|', "\\|"),
        })
    }
}

fn rows(command: &Command, name: &str) -> Vec<Row> {
    let subcommand = command.find_subcommand(name).unwrap();
    subcommand.get_arguments().filter_map(Row::new).collect()
}

fn table() -> String {
    let command = Cli::command();
    let (poller, worker) = (rows(&command, "poller"), rows(&command, "worker"));
    let mut table =
        String::from("| variable | flag | default | used by | meaning |\n|---|---|---|---|---|\n");
    let only_worker = worker.iter().filter(|row| !poller.contains(row));
    let user = |row| if worker.contains(row) { "both" } else { "poller" };
    let named = poller.iter().map(|row| (row, user(row)));
    let named = named.chain(only_worker.map(|row| (row, "worker")));
    for (row, user) in named {
        let Row { variable, flag, default, meaning } = row;
        let line = format!("| `{variable}` | `--{flag}` | {default} | {user} | {meaning} |\n");
        table.push_str(&line);
    }
    table
}

#[test]
fn settings_of_the_document_are_those_of_the_command() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/SETTINGS.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let fresh = format!("{before}{BEGIN}\n{}\n{END}{after}", table());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &fresh).unwrap();
    }
    assert!(
        fresh == fs::read_to_string(&path).unwrap(),
        "docs/SETTINGS.md is stale; UPDATE=1 cargo test -p brigade --test commands settings"
    );
}

/// Problems derive the flag from the variable.
#[test]
fn every_flag_is_named_like_its_variable() {
    let command = Cli::command();
    for subcommand in command.get_subcommands() {
        for row in rows(&command, subcommand.get_name()) {
            let name = row.variable.strip_prefix("BRIGADE_");
            let name = name.unwrap_or(&row.variable).to_lowercase();
            assert_eq!(row.flag, name.replace('_', "-"));
        }
    }
}

/// A variable that the document names beside its table is one that some program reads.
#[test]
fn variables_of_the_prose_are_known() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/SETTINGS.md");
    let text = fs::read_to_string(path).unwrap();
    let known = brigade_runtime::settings::variables(&Cli::command());
    let words = text.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
    let named: BTreeSet<_> = words
        .filter(|word| word.starts_with("BRIGADE_") && word.len() > "BRIGADE_".len())
        .collect();
    for name in named {
        assert!(known.contains(name), "{name}");
    }
}
