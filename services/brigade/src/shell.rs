//! `brigade completions` and `brigade man`: what a shell and `man` know of the command.

use std::io::{self, Write as _};

use brigade_runtime::exit::{Exit, Failure};
use clap_complete::Shell;

const COMPLETIONS: &str = "Examples:
  brigade completions bash > ~/.local/share/bash-completion/completions/brigade
  brigade completions zsh > ~/.zfunc/_brigade
  brigade completions fish > ~/.config/fish/completions/brigade.fish";

const MAN: &str = "Examples:
  brigade man | man -l -
  brigade man failed show > brigade-failed-show.1";

/// The arguments of `brigade completions`.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(after_help = COMPLETIONS)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// The arguments of `brigade man`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = MAN)]
pub struct ManArgs {
    /// A command, such as failed show; without one, brigade itself
    command: Vec<String>,
}

/// Prints the script that completes this command in a shell.
pub fn completions(args: CompletionsArgs, mut command: clap::Command) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "brigade", &mut script);
    print(&script)
}

/// Prints a page for man(1).
pub fn man(args: &ManArgs, mut command: clap::Command) -> Result<Exit, Failure> {
    command.build();
    for name in &args.command {
        let found = command.find_subcommand(name).cloned();
        command = found.ok_or_else(|| {
            let names: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
            let hint = match &*names {
                [] => format!("{} has no commands", command.get_name()),
                names => format!("name one of {}", names.join(", ")),
            };
            Failure::usage(format!("{} has no command {name:?}", command.get_name()), hint)
        })?;
    }
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(command).render(&mut page);
    rendered.map_err(|error| Failure::usage(format!("cannot write the page: {error}"), ""))?;
    Ok(print(&page))
}

/// A closed pipe does not change the exit code.
fn print(text: &[u8]) -> Exit {
    let _ = io::stdout().write_all(text);
    Exit::Done
}
