//! A command on a terminal of its own.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::unix::{ffi::OsStrExt as _, fs::OpenOptionsExt as _},
    process::{Child, Command},
    sync::{Arc, Condvar, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use rustix::{
    fs::OFlags,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use crate::system::Ended;

/// A test that waits for longer hangs.
const PATIENCE: Duration = Duration::from_mins(3);

/// A command that runs, with a terminal as its stdin, stdout and stderr.
pub(crate) struct Pty {
    child: Child,
    terminal: File,
    output: Arc<(Mutex<String>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

impl Pty {
    pub(crate) fn start(mut command: Command, columns: u16, rows: u16) -> Self {
        let controller =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let tty = File::options()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NOCTTY.bits().cast_signed())
            .open(std::ffi::OsStr::from_bytes(name.to_bytes()))
            .unwrap();
        tcsetwinsize(&tty, size(columns, rows)).unwrap();
        command.stdin(tty.try_clone().unwrap()).stdout(tty.try_clone().unwrap()).stderr(tty);
        let child = command.spawn().unwrap();
        let output = Arc::new((Mutex::new(String::new()), Condvar::new()));
        let (written, mut source) = (output.clone(), File::from(controller));
        let terminal = source.try_clone().unwrap();
        let reader = std::thread::spawn(move || {
            let (mut buffer, mut bytes) = ([0; 4096], Vec::new());
            // Linux answers EIO when the last program has closed the terminal.
            while let Ok(read @ 1..) = source.read(&mut buffer) {
                bytes.extend_from_slice(&buffer[..read]);
                *written.0.lock().unwrap() = String::from_utf8_lossy(&bytes).into_owned();
                written.1.notify_all();
            }
        });
        Self { child, terminal, output, reader: Some(reader) }
    }

    /// Waits until the command has written this.
    pub(crate) fn read_until(&self, text: &str) {
        self.wait(text, |output| output.contains(text));
    }

    /// Waits until what the command has written is like this.
    pub(crate) fn wait(&self, what: &str, is_like: impl Fn(&str) -> bool) {
        let output = self.output.0.lock().unwrap();
        let is_other = |output: &mut String| !is_like(output);
        let waited = self.output.1.wait_timeout_while(output, PATIENCE, is_other).unwrap();
        assert!(!waited.1.timed_out(), "no {what:?} in {:?}", *waited.0);
    }

    /// Makes the terminal larger or smaller, as a person does with its window.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        tcsetwinsize(&self.terminal, size(columns, rows)).unwrap();
    }

    /// Types this.
    pub(crate) fn send(&mut self, text: &str) {
        self.terminal.write_all(text.as_bytes()).unwrap();
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    }

    /// Waits for its end; all that it wrote is in `out`.
    pub(crate) fn end(mut self) -> Ended {
        let code = self.child.wait().unwrap().code();
        self.reader.take().unwrap().join().unwrap();
        let out = self.output.0.lock().unwrap().replace("\r\n", "\n");
        Ended { code, out, err: String::new() }
    }
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
