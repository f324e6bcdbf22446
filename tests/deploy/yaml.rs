//! The services as `gcloud run services replace` takes them.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

/// One of `deploy/cloudrun/`.
pub(crate) fn service(name: &str) -> Value {
    let file = format!("{name}.yaml");
    let path = super::files("yaml").into_iter().find(|path| path.ends_with(&file)).unwrap();
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Its environment.
pub(crate) fn environment(service: &Value) -> BTreeMap<String, String> {
    variables(container(service))
}

/// The environment of a container.
pub(crate) fn variables(container: &Value) -> BTreeMap<String, String> {
    let variables = container["env"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    variables.iter().map(|variable| (text(&variable["name"]), text(&variable["value"]))).collect()
}

/// Its one container.
pub(crate) fn container(service: &Value) -> &Value {
    let containers = service.pointer("/spec/template/spec/containers");
    let [container] = &containers.unwrap().as_array().unwrap()[..] else {
        panic!("there is one container");
    };
    container
}
