//! Calls about objects, their content excepted.

use axum::body::Body;
use http::Response;
use serde_json::{Value, json};

use super::{
    Params,
    body::{body_object, json_response, no_content},
    resource,
    route::At,
};
use crate::storage::handle::Storage;
use brigade_model::{
    Attributes, Copied, Edit, Kind, Listing, Move, Progress, Query, Refusal, Result, Rewrite,
};

pub(super) async fn list(
    storage: &Storage,
    bucket: String,
    params: Params,
) -> Result<Response<Body>> {
    params.refuse(&["matchGlob", "softDeleted", "filter"])?;
    let query = Query {
        prefix: params.text("prefix"),
        delimiter: params.text("delimiter"),
        include_trailing_delimiter: params.is_true("includeTrailingDelimiter"),
        start: params.text("startOffset"),
        end: params.text("endOffset"),
        page_size: params.number("maxResults")?.unwrap_or_default(),
        page_token: params.text("pageToken"),
    };
    let listed = bucket.clone();
    let page = storage.run(move |model| model.list(&listed, &query)).await?;
    Ok(json_response(&page_resource(&bucket, &page)))
}

fn page_resource(bucket: &str, page: &Listing) -> Value {
    let mut answer = json!({"kind": "storage#objects"});
    if !page.objects.is_empty() {
        let items = page.objects.iter().map(|object| resource::object(bucket, object));
        answer["items"] = items.collect();
    }
    if !page.prefixes.is_empty() {
        answer["prefixes"] = json!(page.prefixes);
    }
    if !page.next.is_empty() {
        answer["nextPageToken"] = json!(page.next);
    }
    answer
}

pub(super) async fn get(storage: &Storage, at: At, params: &Params) -> Result<Response<Body>> {
    params.refuse(&["softDeleted"])?;
    let (generation, conditions) = (params.generation()?, params.conditions()?);
    let bucket = at.bucket.clone();
    let object = storage
        .run(move |model| model.get(&at.bucket, &at.object, generation, &conditions))
        .await?;
    Ok(json_response(&resource::object(&bucket, &object)))
}

/// Changes what the body names.
pub(super) async fn patch(
    storage: &Storage,
    at: At,
    params: &Params,
    body: &[u8],
) -> Result<Response<Body>> {
    let changes = body_object(body)?;
    // Tried on nothing, so that a wrong value is known before anything is changed.
    resource::apply(&changes, &mut Attributes::default())?;
    let edit = Edit::new(move |attributes| {
        let _ = resource::apply(&changes, attributes);
    });
    change(storage, at, params, edit).await
}

/// Replaces all attributes by what the body names.
pub(super) async fn update(
    storage: &Storage,
    at: At,
    params: &Params,
    body: &[u8],
) -> Result<Response<Body>> {
    let mut wanted = Attributes::default();
    resource::apply(&body_object(body)?, &mut wanted)?;
    let edit = Edit::new(move |attributes| {
        wanted.storage_class = std::mem::take(&mut attributes.storage_class);
        *attributes = wanted;
    });
    change(storage, at, params, edit).await
}

async fn change(storage: &Storage, at: At, params: &Params, edit: Edit) -> Result<Response<Body>> {
    let (generation, conditions) = (params.generation()?, params.conditions()?);
    let bucket = at.bucket.clone();
    let object = storage
        .run(move |model| model.update(&at.bucket, &at.object, generation, &conditions, edit))
        .await?;
    Ok(json_response(&resource::object(&bucket, &object)))
}

pub(super) async fn delete(storage: &Storage, at: At, params: &Params) -> Result<Response<Body>> {
    let (generation, conditions) = (params.generation()?, params.conditions()?);
    storage.run(move |model| model.delete(&at.bucket, &at.object, generation, &conditions)).await?;
    Ok(no_content())
}

pub(super) async fn rename(
    storage: &Storage,
    from: At,
    to: At,
    params: &Params,
) -> Result<Response<Body>> {
    let wanted = Move {
        bucket: from.bucket.clone(),
        source: from.object,
        destination: to.object,
        source_conditions: params.source_conditions()?,
        conditions: params.conditions()?,
    };
    let moved = storage.run(move |model| model.rename(&wanted)).await?;
    Ok(json_response(&resource::object(&from.bucket, &moved)))
}

/// One step of a copy.
pub(super) async fn rewrite(
    storage: &Storage,
    from: At,
    to: At,
    params: &Params,
    body: &[u8],
) -> Result<Response<Body>> {
    let wanted = wanted(from, &to, params, body)?;
    let progress = storage.run(move |model| model.rewrite(&wanted)).await?;
    Ok(json_response(&progress_resource(&to.bucket, &progress)))
}

/// A whole copy in one call.
pub(super) async fn copy(
    storage: &Storage,
    from: At,
    to: At,
    params: &Params,
    body: &[u8],
) -> Result<Response<Body>> {
    let mut wanted = wanted(from, &to, params, body)?;
    wanted.bytes_per_call = 0;
    let progress = storage
        .run(move |model| {
            loop {
                let progress = model.rewrite(&wanted)?;
                match progress.outcome {
                    Copied::Done(_) => return Ok(progress),
                    Copied::More(token) => wanted.token = token,
                }
            }
        })
        .await?;
    match progress.outcome {
        Copied::Done(object) => Ok(json_response(&resource::object(&to.bucket, &object))),
        Copied::More(_) => Err(Refusal::new(Kind::Internal, "a copy ended before it was done")),
    }
}

fn wanted(from: At, to: &At, params: &Params, body: &[u8]) -> Result<Rewrite> {
    params.refuse(&["destinationKmsKeyName"])?;
    let resource = body_object(body)?;
    let attributes = if resource.is_empty() {
        None
    } else {
        let mut attributes = Attributes {
            storage_class: resource::storage_class(&resource)?,
            ..Attributes::default()
        };
        resource::apply(&resource, &mut attributes)?;
        Some(attributes)
    };
    Ok(Rewrite {
        source_bucket: from.bucket,
        source: from.object,
        source_generation: params
            .number("sourceGeneration")?
            .filter(|&generation: &i64| generation != 0),
        source_conditions: params.source_conditions()?,
        bucket: to.bucket.clone(),
        destination: to.object.clone(),
        conditions: params.conditions()?,
        attributes,
        token: params.text("rewriteToken"),
        bytes_per_call: params.number("maxBytesRewrittenPerCall")?.unwrap_or_default(),
    })
}

fn progress_resource(bucket: &str, progress: &Progress) -> Value {
    let mut answer = json!({
        "kind": "storage#rewriteResponse",
        "totalBytesRewritten": progress.written.to_string(),
        "objectSize": progress.size.to_string(),
        "done": matches!(progress.outcome, Copied::Done(_)),
    });
    match &progress.outcome {
        Copied::Done(object) => answer["resource"] = resource::object(bucket, object),
        Copied::More(token) => answer["rewriteToken"] = json!(token),
    }
    answer
}
