//! Files of one name in two folders, and programs that always leave the same name.

use std::{fs, path::Path};

use super::{OUTPUT, Running, map};

#[tokio::test(flavor = "multi_thread")]
async fn two_files_of_one_name_in_two_folders_have_two_outputs_each_that_names_its_file() {
    // The name of the file alone, and one name for all.
    let program = r#"sh -c 'cp "$1" "$OUTPUT_DIR/${OBJECT_NAME##*/}.lines"; cp "$1" "$OUTPUT_DIR/result.json"' sh {}"#;
    let running = Running::program(program).await;
    let generations = ["mon", "tue"].map(|day| (day, running.put(&format!("in/{day}/x.txt"), day)));
    assert_eq!(running.poll("processed").await, 2);
    let outputs = map(&[
        ("mon/x.txt/result.json", "mon"),
        ("mon/x.txt/x.txt.lines", "mon"),
        ("tue/x.txt/result.json", "tue"),
        ("tue/x.txt/x.txt.lines", "tue"),
    ]);
    assert_eq!(running.contents("features/"), outputs);
    for (day, generation) in generations {
        for file in ["result.json", "x.txt.lines"] {
            let output = format!("features/{day}/x.txt/{file}");
            let source = format!("gs://data/in/{day}/x.txt#{generation}");
            assert_eq!(running.mark(&output, "brigade-source"), Some(source));
            let inbox = running.mark(&output, "brigade-inbox");
            assert_eq!(inbox.as_deref(), Some("gs://data/in/"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_writes_one_output_for_each_of_two_recordings_of_one_name() {
    let running = Running::start(&[OUTPUT]).await;
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/sleepstudy");
    for (day, subject) in [("mon", 308), ("tue", 309)] {
        let content = fs::read_to_string(samples.join(format!("subject-{subject}.csv"))).unwrap();
        running.put(&format!("in/{day}/subject-308.csv"), &content);
    }
    assert_eq!(running.poll("processed").await, 2, "{}", running.poller.log());
    let outputs = running.contents("features/");
    let names: Vec<_> = outputs.keys().map(String::as_str).collect();
    assert_eq!(names, ["mon/subject-308.json", "tue/subject-308.json"]);
    assert_ne!(outputs["mon/subject-308.json"], outputs["tue/subject-308.json"]);
}
