//! One call as traces and metrics show it: the trace context that its headers name, its span, its duration.
//!
//! A stranger may mark its trace as sampled, so a call has a span only when the guard has admitted it: [`SpanLayer`] is behind the
//! guard. The span ends with the response.

use std::{
    borrow::Cow,
    collections::HashSet,
    sync::{Arc, LazyLock, OnceLock},
    task::{self, Poll},
    time::Instant,
};

use axum::http::{HeaderMap, Method, Request, Response, StatusCode, request::Parts};
use brigade_telemetry::{
    FlushAtEnd, Histogram, KeyValue, Span, SpanKind, Within, code_name, enabled, extract,
    histogram, measuring, within,
};
use opentelemetry::Context;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::Code;
use tower::{Layer, Service};

/// What stands for a name that a stranger chose.
const OTHER: &str = "_OTHER";
/// The routes of both services. `tests/e2e` compares it with what they serve.
const ROUTES: [&str; 8] = [
    "/poll",
    "/events",
    "/process",
    "/inbox/status",
    "/inbox/objects",
    "/inbox/object",
    "/inbox/replay",
    "/metrics",
];
const GRPC_STATUS: &str = "grpc-status";
/// From milliseconds to the longest poll.
const SECONDS: [f64; 17] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 120.0,
    600.0,
];

static HTTP: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    histogram("http.server.request.duration", "Duration of HTTP server requests", &SECONDS)
});
static RPC: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    histogram("rpc.server.call.duration", "Duration of RPC server calls", &SECONDS)
});

/// The methods that there are, as `package.Service/Method`.
static METHODS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let sets = [brigade_proto::FILE_DESCRIPTOR_SET, tonic_health::pb::FILE_DESCRIPTOR_SET];
    let files = sets.into_iter().filter_map(|set| FileDescriptorSet::decode(set).ok());
    let files = files.flat_map(|set| set.file);
    let methods = files.flat_map(|file| {
        let package = file.package().to_owned();
        file.service.into_iter().flat_map(move |service| {
            let prefix = format!("{package}.{}", service.name());
            let name = move |method: prost_types::MethodDescriptorProto| {
                format!("{prefix}/{}", method.name())
            };
            service.method.clone().into_iter().map(name)
        })
    });
    methods.collect()
});

/// What is known of one call until its end.
#[derive(Default)]
pub(super) struct Observed {
    /// What its headers name.
    context: Option<Context>,
    /// Nothing when neither spans nor metrics are exported.
    call: Option<Arc<Call>>,
    status: StatusCode,
    code: Option<i32>,
    flush: bool,
}

/// What the two sides of the guard share.
struct Call {
    began: Instant,
    method: &'static str,
    /// The RPC, or the route, when there is one.
    rpc: Option<&'static str>,
    route: Option<&'static str>,
    /// Nothing until the guard has admitted it.
    span: OnceLock<Span>,
}

// === impl Observed ===

impl Observed {
    /// A call begins.
    pub(super) fn begin(grpc: bool, head: &mut Parts) -> Self {
        let context = extract(&head.headers);
        let call = (enabled() || measuring()).then(|| Arc::new(Call::new(grpc, head)));
        if let Some(call) = &call {
            head.extensions.insert(Arc::clone(call));
        }
        Self { context, call, ..Self::default() }
    }

    /// The context of its span, or that of its headers.
    pub(super) fn context(&self) -> Option<Context> {
        let span = self.call.as_ref().and_then(|call| call.span.get());
        span.and_then(Span::context).or_else(|| self.context.clone())
    }

    /// The response begins.
    pub(super) fn answered<B>(&mut self, response: &Response<B>) {
        self.status = response.status();
        self.trailers(response.headers());
        self.flush = response.extensions().get::<FlushAtEnd>().is_some();
    }

    /// The status of a gRPC call is in its trailers, or in its headers where there is no message.
    pub(super) fn trailers(&mut self, headers: &HeaderMap) {
        let code = headers.get(GRPC_STATUS).and_then(|code| code.to_str().ok()?.parse().ok());
        self.code = code.or(self.code);
    }

    /// The response ends. Returns whether what is pending is to be exported first.
    pub(super) fn end(&mut self) -> bool {
        if let Some(call) = self.call.take() {
            call.end(self.status, self.code);
        }
        std::mem::take(&mut self.flush)
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.end();
    }
}

// === impl Call ===

impl Call {
    fn new(grpc: bool, head: &Parts) -> Self {
        let path = head.uri.path();
        let rpc =
            || METHODS.get(path.strip_prefix('/').unwrap_or(path)).map_or(OTHER, String::as_str);
        Self {
            began: Instant::now(),
            method: method(&head.method),
            rpc: grpc.then(rpc),
            route: ROUTES.into_iter().find(|route| *route == path),
            span: OnceLock::new(),
        }
    }

    /// The guard admitted it.
    fn start(&self) -> Option<Context> {
        let name: Cow<'static, str> = match self.rpc {
            Some(rpc) => rpc.into(),
            None => format!("{} {}", self.method, self.route.unwrap_or(OTHER)).into(),
        };
        let span = || Span::start(name, SpanKind::Server, || self.attributes());
        self.span.get_or_init(span).context()
    }

    fn attributes(&self) -> Vec<KeyValue> {
        if let Some(rpc) = self.rpc {
            return vec![
                KeyValue::new("rpc.system.name", "grpc"),
                KeyValue::new("rpc.method", rpc),
            ];
        }
        let route = self.route.map(|route| KeyValue::new("http.route", route));
        [KeyValue::new("http.request.method", self.method)].into_iter().chain(route).collect()
    }

    /// A gRPC call that has no status was given up by its caller, unless it was answered by HTTP alone.
    fn end(&self, status: StatusCode, code: Option<i32>) {
        let (duration, result, failed) = if self.rpc.is_some() {
            let without = if status == StatusCode::OK { Code::Cancelled } else { Code::Unknown };
            let code = code_name(code.unwrap_or(without as i32));
            let result = KeyValue::new("rpc.response.status_code", code);
            (&RPC, result, is_fault(code).then(|| code.to_owned()))
        } else {
            let failed = status.is_server_error().then(|| status.as_str().to_owned());
            (&HTTP, KeyValue::new("http.response.status_code", i64::from(status.as_u16())), failed)
        };
        if let Some(span) = self.span.get() {
            span.set_all([result.clone()]);
            if let Some(failed) = failed {
                span.fail(failed);
            }
            span.end();
        }
        if measuring() {
            let mut attributes = self.attributes();
            attributes.push(result);
            duration.record(self.began.elapsed().as_secs_f64(), &attributes);
        }
    }
}

/// The codes that are the server's fault, by OpenTelemetry's conventions.
fn is_fault(code: &str) -> bool {
    matches!(
        code,
        "UNKNOWN"
            | "DEADLINE_EXCEEDED"
            | "UNIMPLEMENTED"
            | "INTERNAL"
            | "UNAVAILABLE"
            | "DATA_LOSS"
    )
}

fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => OTHER,
    }
}

/// Starts the span of each call that gets here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpanLayer;

/// The inner service, in the span.
#[derive(Clone, Debug)]
pub(crate) struct SpanService<S>(S);

impl<S> Layer<S> for SpanLayer {
    type Service = SpanService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SpanService(inner)
    }
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for SpanService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Within<S::Future>;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let call = request.extensions().get::<Arc<Call>>();
        let context = call.and_then(|call| call.start());
        let _current = context.clone().map(Context::attach);
        within(context, self.0.call(request))
    }
}
