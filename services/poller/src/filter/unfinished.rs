//! Temporary objects of the tools that write into buckets: parts of an upload, and folders that a job renames when it is done.

/// Folders of this very name, and whose they are.
const FOLDERS: [(&str, &str); 6] = [
    ("gcloud/tmp/parallel_composite_uploads/", "a part of an upload by gcloud"),
    ("gsutil/tmp/parallel_composite_uploads/", "a part of an upload by gsutil"),
    ("gcs-go-sdk-pu-tmp/", "a part of an upload by the Go client"),
    (".gcsfuse_tmp/", "a temporary object of gcsfuse"),
    ("_temporary/", "a temporary object of Hadoop or Spark"),
    (".temp-beam/", "a temporary object of Beam"),
];

/// Folders whose names begin so.
const PREFIXES: [(&str, &str); 3] = [
    (".temp-beam-", "a temporary object of Beam"),
    (".spark-staging-", "a temporary object of Spark"),
    (".hive-staging", "a temporary object of Hive"),
];

/// Of which tool `name` is a temporary object; nothing when it is none. A folder within the first `inbox` bytes does not
/// count: an operator who names it as the inbox wants what is in it.
pub(super) fn find(name: &str, inbox: usize) -> Option<&'static str> {
    let mut end = 0;
    for part in name.split_inclusive('/') {
        let start = end;
        end += part.len();
        let is_here =
            |folder: &str| name[start..].starts_with(folder) && start + folder.len() > inbox;
        if let Some((_, whose)) = FOLDERS.iter().find(|(folder, _)| is_here(folder)) {
            return Some(whose);
        }
        if end <= inbox {
            continue;
        }
        let whose = match part.strip_suffix('/') {
            Some(folder) => folder_of(folder),
            None => file_of(part),
        };
        if whose.is_some() {
            return whose;
        }
    }
    None
}

fn folder_of(folder: &str) -> Option<&'static str> {
    if folder.starts_with("beam-temp-") && ends_in_uuid(folder) {
        return Some("a temporary object of Beam");
    }
    PREFIXES.iter().find(|(prefix, _)| folder.starts_with(prefix)).map(|(_, whose)| *whose)
}

fn file_of(file: &str) -> Option<&'static str> {
    if file.ends_with("._COPYING_") {
        return Some("a copy by hadoop fs that is not complete");
    }
    if file.starts_with(".distcp.tmp.") {
        return Some("a copy by distcp that is not complete");
    }
    file.starts_with("_GCS_SYNCABLE_TEMPFILE_")
        .then_some("a part of an upload by Hadoop's connector")
}

/// Whether the last part behind a dash is 32 hex digits, as Beam's Python SDK writes a UUID.
fn ends_in_uuid(folder: &str) -> bool {
    let last = folder.rsplit('-').next().unwrap_or_default();
    last.len() == 32 && last.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_objects_of_known_tools_are_found_at_any_depth() {
        for name in [
            "gcloud/tmp/parallel_composite_uploads/see_gcloud_storage_cp_help_for_details/1_a_0",
            "in/gcloud/tmp/parallel_composite_uploads/x",
            "4711/gsutil/tmp/parallel_composite_uploads/for_details_see/gsutil_help_cp/9e1",
            "gcs-go-sdk-pu-tmp/1/part-1",
            "in/.gcsfuse_tmp/a",
            "in/t/_temporary/0/task_1/part-0.csv",
            "in/.temp-beam/1",
            "in/.temp-beam-2026-01-01_00-00-00-1/5b2e",
            "in/beam-temp-out.csv-aeb80d5a2a9911f18d85a196c2c621d4/5846.out.csv",
            "in/.spark-staging-7/day=1/a.csv",
            "in/.hive-staging_hive_2026-01-01-1/-ext-10000/000000_0",
            "in/a.csv._COPYING_",
            "in/.distcp.tmp.attempt_local1_0001_m_000000_0",
            "in/_GCS_SYNCABLE_TEMPFILE_a.csv.1.2",
        ] {
            assert!(find(name, 0).is_some(), "{name}");
        }
    }

    #[test]
    fn names_that_only_look_like_temporary_ones_are_files() {
        for name in [
            "in/a.csv",
            "in/_temporary",
            "in/my_temporary/a.csv",
            "in/_temporary2/a.csv",
            "in/tmp/parallel_composite_uploads/a.csv",
            "in/mygcloud/tmp/parallel_composite_uploads/a.csv",
            "in/.temp-beam-notes.csv",
            "in/beam-temp-readings/a.csv",
            "in/.spark-staging-notes",
            "in/a._COPYING_.csv",
            "in/x.distcp.tmp.csv",
            "in/_SUCCESS",
            "in/a.part",
        ] {
            assert_eq!(find(name, 0), None, "{name}");
        }
    }

    #[test]
    fn an_inbox_within_a_temporary_folder_has_files() {
        let inbox = "gcloud/tmp/parallel_composite_uploads/";
        assert_eq!(find("gcloud/tmp/parallel_composite_uploads/a.csv", inbox.len()), None);
        assert_eq!(find("x/_temporary/a.csv", "x/_temporary/".len()), None);
        assert!(find("gcloud/tmp/parallel_composite_uploads/a", "gcloud/".len()).is_some());
    }
}
