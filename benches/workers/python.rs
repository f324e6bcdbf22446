//! The Python environment of the workers.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// An environment that has all that the workers need.
pub(crate) struct Python {
    scripts: PathBuf,
    bin: PathBuf,
}

impl Python {
    /// Installs it once for this set of requirements.
    pub(crate) fn install() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let scripts = root.join("benches/workers");
        let place = root.join("target/bench-workers");
        let bin = place.join("bin");
        let (wanted, installed) = (scripts.join("requirements.txt"), place.join("installed.txt"));
        if fs::read(&wanted).ok() != fs::read(&installed).ok() {
            let interpreter = env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
            succeed(Command::new(interpreter).args(["-m", "venv", "--clear"]).arg(&place));
            let mut pip = Command::new(bin.join("pip"));
            pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
                .arg(&wanted);
            succeed(pip.arg(root.join("clients/python")).arg(root.join("clients/python-worker")));
            fs::copy(&wanted, &installed).unwrap();
        }
        Self { scripts, bin }
    }

    /// The command of the script for `--exec`.
    pub(crate) fn script(&self) -> String {
        format!(
            "'{}' '{}'",
            self.bin.join("python").display(),
            self.scripts.join("script.py").display()
        )
    }

    /// Starts a server in a process group that ends with it.
    pub(crate) fn serve(&self, program: &str, arguments: &[String], storage: &str) -> Child {
        Command::new(self.bin.join(program))
            .args(arguments)
            .current_dir(&self.scripts)
            .envs([
                ("STORAGE", storage),
                ("OMP_NUM_THREADS", "1"),
                ("PYTHONDONTWRITEBYTECODE", "1"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }
}

fn succeed(command: &mut Command) {
    let status = command.stdin(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}
