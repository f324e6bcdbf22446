//! Calls about objects, their content excepted.

use serde_json::{Value, json};

use super::{
    Answer, Call,
    body::{body_object, json_response, no_content},
    download, resource,
};
use brigade_model::{
    Attributes, Copied, Edit, Kind, Listing, Model, Move, Progress, Query, Refusal, Result, Rewrite,
};

pub(super) async fn list(call: Call) -> Answer {
    let query = Query {
        prefix: call.params.text("prefix"),
        delimiter: call.params.text("delimiter"),
        include_trailing_delimiter: call.params.is_true("includeTrailingDelimiter"),
        start: call.params.text("startOffset"),
        end: call.params.text("endOffset"),
        page_size: call.params.number("maxResults")?.unwrap_or_default(),
        page_token: call.params.text("pageToken"),
    };
    let (bucket, listed) = (call.at.bucket.clone(), call.at.bucket);
    let versions = call.params.is_true("versions");
    let list = move |model: &mut Model| {
        // Google's Python client asks for all before it deletes a bucket: without noncurrent ones the live objects are all.
        if versions && model.bucket(&listed)?.noncurrent().next().is_some() {
            return Err(Refusal::unsupported("listing noncurrent versions"));
        }
        model.list(&listed, &query)
    };
    let page = call.storage.run(list).await?;
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

pub(super) async fn get(call: Call) -> Answer {
    if call.is_media {
        return download::download(call).await;
    }
    let (generation, conditions) = (call.params.generation()?, call.params.conditions()?);
    let bucket = call.at.bucket.clone();
    let object = call
        .storage
        .run(move |model| model.get(&call.at.bucket, &call.at.object, generation, &conditions))
        .await?;
    Ok(json_response(&resource::object(&bucket, &object)))
}

/// Changes what the body names.
pub(super) async fn patch(call: Call) -> Answer {
    let changes = body_object(&call.body)?;
    // Tried on nothing, so that a wrong value is known before anything is changed.
    resource::apply(&changes, &mut Attributes::default())?;
    let edit = Edit::new(move |attributes| {
        let _ = resource::apply(&changes, attributes);
    });
    change(call, edit).await
}

/// Replaces all attributes by what the body names.
pub(super) async fn update(call: Call) -> Answer {
    let mut wanted = Attributes::default();
    resource::apply(&body_object(&call.body)?, &mut wanted)?;
    let edit = Edit::new(move |attributes| {
        wanted.storage_class = std::mem::take(&mut attributes.storage_class);
        *attributes = wanted;
    });
    change(call, edit).await
}

async fn change(call: Call, edit: Edit) -> Answer {
    let (generation, conditions) = (call.params.generation()?, call.params.conditions()?);
    let bucket = call.at.bucket.clone();
    let object = call
        .storage
        .run(move |model| {
            model.update(&call.at.bucket, &call.at.object, generation, &conditions, edit)
        })
        .await?;
    Ok(json_response(&resource::object(&bucket, &object)))
}

pub(super) async fn delete(call: Call) -> Answer {
    let (generation, conditions) = (call.params.generation()?, call.params.conditions()?);
    call.storage
        .run(move |model| model.delete(&call.at.bucket, &call.at.object, generation, &conditions))
        .await?;
    Ok(no_content())
}

pub(super) async fn rename(call: Call) -> Answer {
    let wanted = Move {
        bucket: call.at.bucket.clone(),
        source: call.at.object,
        destination: call.at.to_object,
        source_conditions: call.params.source_conditions()?,
        conditions: call.params.conditions()?,
    };
    let moved = call.storage.run(move |model| model.rename(&wanted)).await?;
    Ok(json_response(&resource::object(&call.at.bucket, &moved)))
}

/// One step of a copy.
pub(super) async fn rewrite(call: Call) -> Answer {
    let wanted = wanted(&call)?;
    let progress = call.storage.run(move |model| model.rewrite(&wanted)).await?;
    Ok(json_response(&progress_resource(&call.at.to_bucket, &progress)))
}

/// A whole copy in one call.
pub(super) async fn copy(call: Call) -> Answer {
    let mut wanted = wanted(&call)?;
    wanted.bytes_per_call = 0;
    let progress = call
        .storage
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
        Copied::Done(object) => Ok(json_response(&resource::object(&call.at.to_bucket, &object))),
        Copied::More(_) => Err(Refusal::new(Kind::Internal, "a copy ended before it was done")),
    }
}

fn wanted(call: &Call) -> Result<Rewrite> {
    let resource = body_object(&call.body)?;
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
        source_bucket: call.at.bucket.clone(),
        source: call.at.object.clone(),
        source_generation: call
            .params
            .number("sourceGeneration")?
            .filter(|&generation: &i64| generation != 0),
        source_conditions: call.params.source_conditions()?,
        bucket: call.at.to_bucket.clone(),
        destination: call.at.to_object.clone(),
        conditions: call.params.conditions()?,
        attributes,
        token: call.params.text("rewriteToken"),
        bytes_per_call: call.params.number("maxBytesRewrittenPerCall")?.unwrap_or_default(),
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
