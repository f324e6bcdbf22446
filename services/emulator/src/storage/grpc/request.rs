//! Requests as the model's values.

use super::{
    convert::{attributes, bucket_name},
    wire,
};
use brigade_model::{Conditions, Move, Query, Refusal, Result, Rewrite};

/// 0 selects the live generation.
pub(super) fn generation(field: i64) -> Option<i64> {
    Some(field).filter(|&generation| generation != 0)
}

/// Customer-supplied keys are refused: content would be stored without them.
pub(super) fn refuse_key(params: Option<&wire::CommonObjectRequestParams>) -> Result<()> {
    match params {
        Some(params) if !params.encryption_key_bytes.is_empty() => {
            Err(Refusal::unsupported("encryption with a customer-supplied key"))
        }
        _ => Ok(()),
    }
}

pub(super) fn query(request: wire::ListObjectsRequest) -> Result<Query> {
    for (asked, what) in [
        (request.versions, "listing noncurrent versions"),
        (request.soft_deleted, "listing soft-deleted objects"),
        (!request.match_glob.is_empty(), "match_glob"),
        (!request.filter.is_empty(), "filter"),
    ] {
        if asked {
            return Err(Refusal::unsupported(what));
        }
    }
    Ok(Query {
        prefix: request.prefix,
        delimiter: request.delimiter,
        include_trailing_delimiter: request.include_trailing_delimiter,
        start: request.lexicographic_start,
        end: request.lexicographic_end,
        page_size: request.page_size,
        page_token: request.page_token,
    })
}

pub(super) fn rename(request: wire::MoveObjectRequest) -> Result<Move> {
    Ok(Move {
        bucket: bucket_name(&request.bucket)?.to_owned(),
        source: request.source_object,
        destination: request.destination_object,
        source_conditions: Conditions {
            generation_match: request.if_source_generation_match,
            generation_not_match: request.if_source_generation_not_match,
            metageneration_match: request.if_source_metageneration_match,
            metageneration_not_match: request.if_source_metageneration_not_match,
        },
        conditions: Conditions {
            generation_match: request.if_generation_match,
            generation_not_match: request.if_generation_not_match,
            metageneration_match: request.if_metageneration_match,
            metageneration_not_match: request.if_metageneration_not_match,
        },
    })
}

pub(super) fn rewrite(request: wire::RewriteObjectRequest) -> Result<Rewrite> {
    refuse_key(request.common_object_request_params.as_ref())?;
    if !request.copy_source_encryption_key_bytes.is_empty()
        || !request.destination_kms_key.is_empty()
    {
        return Err(Refusal::unsupported("encryption with a customer-managed key"));
    }
    Ok(Rewrite {
        source_bucket: bucket_name(&request.source_bucket)?.to_owned(),
        source: request.source_object,
        source_generation: generation(request.source_generation),
        source_conditions: Conditions {
            generation_match: request.if_source_generation_match,
            generation_not_match: request.if_source_generation_not_match,
            metageneration_match: request.if_source_metageneration_match,
            metageneration_not_match: request.if_source_metageneration_not_match,
        },
        bucket: bucket_name(&request.destination_bucket)?.to_owned(),
        destination: request.destination_name,
        conditions: Conditions {
            generation_match: request.if_generation_match,
            generation_not_match: request.if_generation_not_match,
            metageneration_match: request.if_metageneration_match,
            metageneration_not_match: request.if_metageneration_not_match,
        },
        attributes: request.destination.map(attributes).transpose()?,
        token: request.rewrite_token,
        bytes_per_call: request.max_bytes_rewritten_per_call,
    })
}
