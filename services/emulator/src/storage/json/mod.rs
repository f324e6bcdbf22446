//! The JSON API, with uploads and downloads.

mod body;
mod buckets;
mod call;
mod download;
mod error;
mod objects;
mod params;
mod resource;
mod route;
mod unsupported;
mod upload;

use self::{
    call::{Answer, Call, Names},
    params::Params,
};
pub(crate) use self::{
    error::response as error_response,
    params::{is_chunk, is_media},
    route::{answer, routes},
};
