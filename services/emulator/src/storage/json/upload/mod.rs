//! Uploads: simple, multipart and resumable.

mod multipart;
mod range;
mod receive;
mod resumable;
mod session;
mod sum;
mod target;

use http::{header, request::Parts};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value};

use self::{
    multipart::Multipart,
    receive::{Receiver, next},
    target::Target,
};
pub(super) use self::{resumable::proceed, session::Sessions};
use super::{
    Answer, Call, Params,
    body::{body_object, broke_off, json_response},
    resource,
};
use crate::storage::{drain::drain, handle::Storage};
use brigade_model::{Attributes, Refusal, Result, Upload};

/// A whole upload, or the beginning of a resumable one. Some clients send the later requests of one by POST too.
pub(super) async fn begin(mut call: Call) -> Answer {
    if call.params.get("upload_id").is_some() {
        return proceed(call).await;
    }
    let answer = answer(&mut call).await;
    drain(&mut call.upload).await;
    answer
}

async fn answer(call: &mut Call) -> Answer {
    let Call { storage, sessions, at, params, head, upload: body, .. } = call;
    let bucket = std::mem::take(&mut at.bucket);
    let content_type = header_text(head, header::CONTENT_TYPE.as_str());
    match params.get("uploadType") {
        Some("media") => {
            let target = target(bucket, params, &Map::new())?;
            let mut upload = Upload::default();
            upload.attributes.content_type = content_type;
            upload.attributes.content_encoding = params.text("contentEncoding");
            sum::from_headers(head, &mut upload)?;
            let content = target.receiver(storage).await?;
            content.take(body).await?;
            finish(storage, target, upload, &content).await
        }
        Some("multipart") => {
            let mut parts = Multipart::new(&content_type)?;
            let mut begun = None;
            while let Some(bytes) = next(body).await? {
                let media = parts.push(&bytes)?;
                let content = match (&begun, parts.head()) {
                    (_, None) => continue,
                    (Some((_, _, content)), _) => content,
                    (None, Some(head)) => {
                        let target = target(bucket.clone(), params, &head.resource)?;
                        let upload = upload(&head.resource, &head.media_type)?;
                        let content = target.receiver(storage).await?;
                        &begun.insert((target, upload, content)).2
                    }
                };
                content.push(&media).await?;
            }
            let checksums = parts.finish()?;
            let (target, mut upload, content) = begun.ok_or_else(multipart::incomplete)?;
            sum::from_resource(&checksums, &mut upload)?;
            finish(storage, target, upload, &content).await
        }
        Some("resumable") => {
            let resource = std::mem::take(body).collect().await;
            let resource = resource.map_err(|error| broke_off(&error))?.to_bytes();
            let resource = body_object(&resource)?;
            let target = target(bucket, params, &resource)?;
            let upload = upload(&resource, &header_text(head, "x-upload-content-type"))?;
            resumable::start(storage, sessions, target, upload, head).await
        }
        _ => Err(Refusal::invalid("uploadType must be media, multipart or resumable.")),
    }
}

async fn finish(storage: &Storage, target: Target, upload: Upload, content: &Receiver) -> Answer {
    let bucket = target.bucket.clone();
    let object = target.insert(storage, upload, content).await?;
    Ok(json_response(&resource::object(&bucket, &object)))
}

/// The name is a parameter or in the resource.
fn target(bucket: String, params: &Params, resource: &Map<String, Value>) -> Result<Target> {
    let in_resource = resource.get("name").and_then(Value::as_str);
    let name = params.get("name").or(in_resource);
    Ok(Target {
        bucket,
        name: name.ok_or_else(|| Refusal::required("name"))?.to_owned(),
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
