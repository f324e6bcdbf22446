//! What of `docs/PROMISES.md` rests on the promises of a subject.

/// The headings there.
#[must_use]
pub fn rests_on(subject: &str) -> &'static [&'static str] {
    const NO_UPLOAD_IS_LOST: &str = "No upload is lost";
    const ONE_PLACE: &str = "Each upload ends in exactly one place";
    const FREE_NAME: &str = "Nothing is replaced at a destination";
    const RECOGNISED: &str = "A move whose answer was lost is recognised";
    match subject {
        "listing" => &[
            "Everything is settled in the end",
            "Objects that appear and disappear between two pages",
            "Memory does not grow with the bucket",
        ],
        "creating" => &[
            NO_UPLOAD_IS_LOST,
            "One poll at a time for one part of an inbox, while clocks are off by no more than 30 s",
            "No object's output is replaced by another's, unless a setting says so",
        ],
        "updating" => &[
            "The verdict that is written on a settled file agrees with its place",
            "Two pollers that reach different verdicts",
            "Metadata that leaves no space for the verdict",
        ],
        "renaming" => &[NO_UPLOAD_IS_LOST, FREE_NAME, ONE_PLACE, RECOGNISED],
        "copying" => &[
            FREE_NAME,
            ONE_PLACE,
            RECOGNISED,
            "A crash between two steps is completed",
            "A copy of several calls, and a crash between them",
        ],
        "deleting" => &[NO_UPLOAD_IS_LOST, ONE_PLACE],
        "reading" => &["A worker sees one upload, whole, or nothing"],
        "holding" => &["A temporary or event-based hold, or a retention policy"],
        "storing" => &["How a file is stored goes with it"],
        "versioning" => &[
            "A version that a bucket keeps is never removed for good",
            "A bucket that keeps versions",
        ],
        "naming" => &[
            "Names of 1 to 1,024 bytes, with characters of one to four bytes",
            "A name that no file can have",
        ],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! subjects {
        ($($subject:ident { $($promise:ident)* })*) => { [$(stringify!($subject)),*] };
    }

    #[test]
    fn every_heading_that_rests_on_the_contract_is_one_of_the_promises() {
        let promises = include_str!("../../../../docs/PROMISES.md");
        for subject in crate::promises!(subjects) {
            assert!(!rests_on(subject).is_empty(), "{subject}");
            for heading in rests_on(subject) {
                let line = format!("\n### {heading}\n");
                assert!(promises.contains(&line), "{heading}");
            }
        }
    }
}
