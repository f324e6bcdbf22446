//! The sample recordings, carried inside the binary, laid into an inbox that is new.

use std::{fs, io, path::Path};

macro_rules! samples {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../../../samples/sleepstudy/", $name)))),*]
    };
}

/// 18 real recordings, and two files that are none.
const SAMPLES: &[(&str, &[u8])] = samples![
    "subject-308.csv",
    "subject-309.csv",
    "subject-310.csv",
    "subject-330.csv",
    "subject-331.csv",
    "subject-332.csv",
    "subject-333.csv",
    "subject-334.csv",
    "subject-335.csv",
    "subject-337.csv",
    "subject-349.csv",
    "subject-350.csv",
    "subject-351.csv",
    "subject-352.csv",
    "subject-369.csv",
    "subject-370.csv",
    "subject-371.csv",
    "subject-372.csv",
    "subject-398.csv",
    "subject-399.csv",
];

/// Writes the samples into `inbox`, and says how many.
pub(super) fn lay(inbox: &Path) -> io::Result<usize> {
    for (name, content) in SAMPLES {
        fs::write(inbox.join(name), content)?;
    }
    Ok(SAMPLES.len())
}
