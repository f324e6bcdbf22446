//! Uploads: simple, multipart and resumable.

mod multipart;
mod range;
mod resumable;
mod session;
mod sum;

use http::{header, request::Parts};
use serde_json::{Map, Value};

use self::session::Target;
pub(super) use self::{resumable::proceed, session::Sessions};
use super::{
    Answer, Call, Params,
    body::{body_object, json_response},
    resource,
};
use crate::storage::handle::Storage;
use brigade_model::{Attributes, Refusal, Result, Upload};

/// A whole upload, or the beginning of a resumable one.
pub(super) async fn begin(call: Call) -> Answer {
    let Call { storage, sessions, at, params, head, body, .. } = call;
    params.refuse(&["kmsKeyName"])?;
    if head.headers.contains_key("x-goog-encryption-key") {
        return Err(Refusal::unsupported("encryption with a customer-supplied key"));
    }
    match params.get("uploadType") {
        Some("media") => {
            let target = target(at.bucket, &params, &Map::new())?;
            let mut upload = Upload { content: body, ..Upload::default() };
            upload.attributes.content_type = header_text(&head, header::CONTENT_TYPE.as_str());
            sum::from_headers(&head, &mut upload)?;
            finish(&storage, target, upload).await
        }
        Some("multipart") => {
            let parts = multipart::read(&header_text(&head, header::CONTENT_TYPE.as_str()), &body)?;
            let target = target(at.bucket, &params, &parts.resource)?;
            let mut upload = upload(&parts.resource, &parts.media_type)?;
            upload.content = parts.media;
            sum::from_resource(&parts.checksums, &mut upload)?;
            finish(&storage, target, upload).await
        }
        Some("resumable") => {
            let resource = body_object(&body)?;
            let target = target(at.bucket, &params, &resource)?;
            let upload = upload(&resource, &header_text(&head, "x-upload-content-type"))?;
            resumable::start(&storage, &sessions, target, upload, &head).await
        }
        _ => Err(Refusal::invalid("uploadType must be media, multipart or resumable.")),
    }
}

async fn finish(storage: &Storage, target: Target, upload: Upload) -> Answer {
    let bucket = target.bucket.clone();
    let object = storage
        .run(move |model| model.insert(&target.bucket, &target.name, upload, &target.conditions))
        .await?;
    Ok(json_response(&resource::object(&bucket, &object)))
}

/// The name is a parameter or in the resource.
fn target(bucket: String, params: &Params, resource: &Map<String, Value>) -> Result<Target> {
    let in_resource = resource.get("name").and_then(Value::as_str);
    let name = params.get("name").or(in_resource);
    Ok(Target {
        bucket,
        name: name.ok_or_else(|| Refusal::invalid("Required parameter: name"))?.to_owned(),
        conditions: params.conditions()?,
    })
}

/// The upload that a resource describes. The type of the media counts when the resource has none.
fn upload(resource: &Map<String, Value>, media_type: &str) -> Result<Upload> {
    let mut upload = Upload {
        attributes: Attributes {
            content_type: media_type.to_owned(),
            storage_class: resource::storage_class(resource)?,
            ..Attributes::default()
        },
        ..Upload::default()
    };
    resource::apply(resource, &mut upload.attributes)?;
    sum::from_resource(resource, &mut upload)?;
    Ok(upload)
}

fn header_text(head: &Parts, name: &str) -> String {
    let value = head.headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}
