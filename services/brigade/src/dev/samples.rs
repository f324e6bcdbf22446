//! The directory of the local system, and the sample recordings that are compiled into the program.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
    time::{Duration, SystemTime},
};

macro_rules! samples {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../../../samples/sleepstudy/", $name)))),*]
    };
}

const FOLDERS: [&str; 4] = ["incoming", "processed", "failed", "features"];

/// 18 real recordings, and two files that are not recordings.
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

/// Makes the folders, and writes the samples into the inbox of a directory that is new. Returns how many it wrote.
pub(super) fn prepare(data: &Path, no_samples: bool) -> io::Result<usize> {
    let is_new = !data.exists();
    for folder in FOLDERS {
        fs::create_dir_all(data.join(folder))?;
    }
    if !is_new || no_samples {
        return Ok(0);
    }
    // They are complete and need not rest.
    let written = SystemTime::now() - Duration::from_hours(1);
    for (name, content) in SAMPLES {
        let mut file = File::create(data.join("incoming").join(name))?;
        file.write_all(content)?;
        file.set_modified(written)?;
    }
    Ok(SAMPLES.len())
}
