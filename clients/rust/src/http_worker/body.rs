//! The body of a request to an HTTP worker.

use brigade_proto::v1::ProcessRequest;
use bytes::Bytes;
use serde_json::{Map, Value};

/// The request in proto3 JSON, with `bucket`, `name` and `generation` of its object beside it. The generation is a string
/// there too, as in the storage API: a JSON number loses its last digits in most languages.
pub(super) fn from_request(request: &ProcessRequest) -> Bytes {
    let mut body = match serde_json::to_value(request) {
        Ok(Value::Object(body)) => body,
        // A message always is an object; otherwise the fields below still name the object.
        Ok(_) | Err(_) => Map::new(),
    };
    if let Some(object) = &request.object {
        body.insert("bucket".into(), object.bucket.clone().into());
        body.insert("name".into(), object.name.clone().into());
        body.insert("generation".into(), object.generation.to_string().into());
    }
    Value::Object(body).to_string().into()
}

#[cfg(test)]
mod tests {
    use brigade_proto::v1::Object;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_object_is_named_at_the_top_and_stands_in_full_below() {
        let request = ProcessRequest {
            object: Some(Object {
                bucket: "data".into(),
                name: "in/\"é\n".into(),
                generation: 1_700_000_000_000_001,
                size: 3,
                ..Object::default()
            }),
            attempt: 2,
            idempotency_key: "data/in/a#7".into(),
            inbox: "gs://data/in/".into(),
        };
        let body: Value = serde_json::from_slice(&from_request(&request)).unwrap();
        let object = json!({"bucket": "data", "name": "in/\"é\n", "generation": "1700000000000001", "size": "3"});
        assert_eq!(
            body,
            json!({
                "bucket": "data", "name": "in/\"é\n", "generation": "1700000000000001",
                "object": object, "attempt": 2, "idempotencyKey": "data/in/a#7", "inbox": "gs://data/in/"
            })
        );
    }
}
