//! Which call a method and a path are.
//!
//! axum takes the path raw and decodes each name in it exactly once: `a%2Fb` is one segment, the name `a/b`, and
//! `%252F` is a name with a percent sign in it.

use axum::{
    Extension, Router,
    body::Body,
    extract::Path,
    middleware::from_fn_with_state,
    routing::{self, MethodFilter, MethodRouter},
};
use http::{Method, Request, Response, header};
use percent_encoding::percent_decode_str;
use tower::ServiceExt as _;

use super::{Answer, Call, Names, buckets, error, is_media, objects, unsupported, upload};
use crate::storage::{handle::Storage, inject_faults::inject_faults, operation::Operation};
use brigade_model::{Kind, Refusal};

/// The routes. Each request brings the storage, with what its caller may do, as an extension.
pub(crate) fn routes(storage: &Storage) -> Router {
    const GET: MethodFilter = MethodFilter::GET;
    const POST: MethodFilter = MethodFilter::POST;
    const PATCH: MethodFilter = MethodFilter::PATCH;
    const PUT: MethodFilter = MethodFilter::PUT;
    const DELETE: MethodFilter = MethodFilter::DELETE;
    let calls = Calls { storage: storage.clone(), sessions: upload::Sessions::default() };
    let (at, from) = ("/storage/v1/b/{bucket}/o", "/storage/v1/b/{bucket}/o/{object}");
    let uploads = "/upload/storage/v1/b/{bucket}/o";
    let mut routes = Router::new()
        .route("/storage/v1/b/{bucket}", calls.on(GET, Operation::GetBucket, buckets::get))
        .route("/storage/v1/b/{bucket}", calls.on(DELETE, Operation::DeleteBucket, buckets::delete))
        .route("/storage/v1/b/{bucket}", routing::on(PATCH.or(PUT), unsupported::refuse_call))
        .route(at, calls.on(GET, Operation::List, objects::list))
        .route(uploads, calls.on(POST, Operation::Insert, upload::begin))
        .route(uploads, calls.on(PUT.or(DELETE), Operation::Chunk, upload::proceed));
    for path in ["/storage/v1/b", "/storage/v1/b/"] {
        routes = routes
            .route(path, calls.on(GET, Operation::ListBuckets, buckets::list))
            .route(path, calls.on(POST, Operation::CreateBucket, buckets::create));
    }
    // A parameter at the end of a path is never empty. A name can be: the model refuses it.
    for (object, to) in [("{object}", "{to_object}"), ("", "")] {
        for path in [format!("{at}/{object}"), format!("/download{at}/{object}")] {
            // Without a name it is the listing, as some clients ask for it.
            let get = match path.as_str() {
                "/storage/v1/b/{bucket}/o/" => calls.on(GET, Operation::List, objects::list),
                _ => calls.on(GET, Operation::Get, objects::get),
            };
            routes = routes
                .route(&path, get)
                .route(&path, calls.on(PATCH, Operation::Update, objects::patch))
                .route(&path, calls.on(PUT, Operation::Update, objects::update))
                .route(&path, calls.on(DELETE, Operation::Delete, objects::delete));
        }
        let rewrite = format!("{from}/rewriteTo/b/{{to_bucket}}/o/{to}");
        let copy = format!("{from}/copyTo/b/{{to_bucket}}/o/{to}");
        let rename = format!("{from}/moveTo/o/{to}");
        routes = routes
            .route(&rewrite, calls.on(POST, Operation::Rewrite, objects::rewrite))
            .route(&copy, calls.on(POST, Operation::Rewrite, objects::copy))
            .route(&rename, calls.on(POST, Operation::Move, objects::rename));
    }
    unsupported::routes(routes).fallback(no_route).method_not_allowed_fallback(no_route)
}

/// What all calls share.
struct Calls {
    storage: Storage,
    sessions: upload::Sessions,
}

impl Calls {
    /// Counts a call, injects its fault, if it has one, and answers it.
    fn on<F, A>(&self, method: MethodFilter, operation: Operation, action: F) -> MethodRouter
    where
        F: Fn(Call) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Answer> + Send,
    {
        let sessions = self.sessions.clone();
        let answer = move |Extension(storage): Extension<Storage>,
                           Path(at): Path<Names>,
                           request: Request<Body>| async move {
            let is_media = operation == Operation::Get && is_media(&request);
            let answer = match Call::read(storage, sessions, at, request, operation).await {
                Ok(call) => action(call).await,
                Err(refusal) => Err(refusal),
            };
            answer.unwrap_or_else(|refusal| {
                if is_media { error::text_response(&refusal) } else { error::response(&refusal) }
            })
        };
        let counted = (self.storage.clone(), Some(operation));
        routing::on(method, answer).route_layer(from_fn_with_state(counted, inject_faults))
    }
}

/// Answers a request by these routes, without what axum adds: an answer to HEAD, and an `Allow` header.
pub(crate) async fn answer(routes: Router, request: Request<Body>) -> Response<Body> {
    if percent_decode_str(request.uri().path()).decode_utf8().is_err() {
        return error::response(&Refusal::invalid("A name in the path is not UTF-8."));
    }
    if request.method() == Method::HEAD {
        return no_route(request).await;
    }
    let Ok(mut response) = routes.oneshot(request).await;
    response.headers_mut().remove(header::ALLOW);
    response
}

async fn no_route(request: Request<Body>) -> Response<Body> {
    let (method, path) = (request.method(), request.uri().path());
    error::response(&Refusal::new(Kind::NoRoute, format!("There is no {method} {path} here.")))
}
