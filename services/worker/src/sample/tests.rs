//! The recordings that the project carries, and those that are none.

use std::{fs, path::Path};

use super::*;

fn samples() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/sleepstudy");
    let mut samples: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "csv"))
        .map(|path| {
            (
                path.file_stem().unwrap().to_str().unwrap().to_owned(),
                fs::read_to_string(&path).unwrap(),
            )
        })
        .collect();
    samples.sort();
    samples
}

fn refused(text: &str) -> String {
    text.parse::<Recording>().unwrap_err().to_string()
}

#[test]
#[allow(clippy::cast_precision_loss, reason = "18 subjects")]
fn the_published_means_come_out_of_the_real_recordings() {
    let parsed: Vec<Features> = samples()
        .iter()
        .filter_map(|(stem, text)| Some(Features::from_recording(stem, &text.parse().ok()?)))
        .collect();
    assert_eq!(parsed.len(), 18);
    assert!(parsed.iter().all(|features| features.days == 10));
    let mean = |of: fn(&Features) -> f64| parsed.iter().map(of).sum::<f64>() / parsed.len() as f64;
    assert_eq!(format!("{:.3}", mean(|features| features.slope_ms_per_day)), "10.467");
    assert_eq!(format!("{:.3}", mean(|features| features.intercept_ms)), "251.405");
}

#[test]
fn exactly_the_two_broken_samples_are_refused_with_line_and_column() {
    let refused: Vec<String> = samples()
        .iter()
        .filter_map(|(stem, text)| Some(format!("{stem}: {}", text.parse::<Recording>().err()?)))
        .collect();
    assert_eq!(
        refused,
        [
            "subject-398: line 6, column day: day 3 stands on line 5 already",
            "subject-399: line 4, column reaction_ms: \"n/a\" is not a number of milliseconds above 0 and below an hour",
        ]
    );
}

#[test]
fn values_that_only_look_like_numbers_are_refused() {
    for value in ["nan", "inf", "-1", "0", "", "12ms", "1e308", "1e999", "0x10", "1,5"] {
        let text = format!("day,reaction_ms\n0,1\n1,{value}\n2,1\n");
        let place =
            if value.contains(',') { "line 3: 3 values" } else { "line 3, column reaction_ms: " };
        assert!(refused(&text).starts_with(place), "{value}");
    }
    assert!(refused("day,reaction_ms\n0.5,1\n").starts_with("line 2, column day"));
}

#[test]
fn a_long_recording_is_read_in_no_time() {
    let rows: Vec<String> = (0..100_000).map(|day| format!("{day},{}", 200 + day % 7)).collect();
    let rows = rows.join("\n");
    let recording: Recording = format!("day,reaction_ms\n{rows}").parse().unwrap();
    assert_eq!(recording.points.len(), 100_000);
}

#[test]
fn columns_may_stand_in_any_order_and_lines_may_end_as_on_windows() {
    let recording: Recording =
        "\u{feff}reaction_ms,day\r\n10,0\r\n20,1\r\n30,2\r\n".parse().unwrap();
    let features = Features::from_recording("subject-1", &recording);
    assert_eq!(
        (features.slope_ms_per_day, features.intercept_ms, features.mean_ms),
        (10.0, 10.0, 20.0)
    );
    assert_eq!(features.subject, "1");
}
