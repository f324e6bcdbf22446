use brigade_proto::v1::Object;

use super::*;

fn info(name: &str, reason: &str) -> InboxObject {
    let object = Object {
        bucket: "b".into(),
        name: format!("failed/{name}"),
        generation: 7,
        ..Object::default()
    };
    InboxObject {
        object: Some(object),
        path: name.into(),
        reason: reason.into(),
        reason_group: reason.into(),
        place: brigade_proto::v1::Place::Failed.into(),
        ..InboxObject::default()
    }
}

fn frame() -> Frame {
    Frame {
        what: "<i>".into(),
        token: "t".into(),
        takes_files: true,
        minutes: Minutes::default(),
        since: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn names_and_reasons_are_text() {
    let script = "<script>alert(1)</script>\"' onload=x";
    let rows = Rows { objects: vec![info(script, script)], ..Rows::default() };
    let view = View { is_open: true, ..View::of_tab(Tab::Failed) };
    let list = page(&frame(), &Changes::default(), &view, &Header::Counting, &Content::Rows(rows));
    let object = object(
        &frame(),
        &GetObjectResponse { object: Some(info(script, script)), ..Default::default() },
    );
    for html in [list.into_string(), object.into_string()] {
        assert!(!html.contains("<script>alert") && !html.contains("\"' onload"), "{html}");
        assert!(!html.contains("<i>") && html.contains("&lt;script&gt;alert(1)"), "{html}");
    }
}

#[test]
fn controls_in_a_name_are_escaped() {
    let rows = Rows { objects: vec![info("a\u{202e}fdp\u{1}.exe", "x")], ..Rows::default() };
    let view = View { is_open: true, ..View::of_tab(Tab::Failed) };
    let html = page(&frame(), &Changes::default(), &view, &Header::Counting, &Content::Rows(rows))
        .into_string();
    assert!(html.contains("<bdi>a\\u{202e}fdp\\u{1}.exe</bdi>"), "{html}");
}
