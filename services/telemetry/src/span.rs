//! One span.

use std::{borrow::Cow, fmt::Display};

use opentelemetry::{
    Context, KeyValue, Value, global,
    trace::{SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, Tracer as _},
};

use crate::{SCOPE, Within, enabled, text::cut, within};

/// What a span belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parent {
    /// The current span.
    #[default]
    Current,
    /// The current span, but as if its trace was not sampled: the new one is exported only when it fails or is slow.
    Unsampled,
}

/// In the context of a span that is started under [`Parent::Unsampled`], and of all below it: for samplers that take no heed of
/// a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsampled;

/// A span that ends when it is dropped. Nothing when spans are not recorded.
#[derive(Debug)]
pub struct Span(Option<Context>);

// === impl Span ===

impl Span {
    /// Starts a span under the current one. The attributes are asked for when spans are recorded.
    pub fn start(
        name: impl Into<Cow<'static, str>>,
        kind: SpanKind,
        attributes: impl FnOnce() -> Vec<KeyValue>,
    ) -> Self {
        Self::start_under(Parent::Current, name, kind, attributes)
    }

    /// The same, under a parent.
    pub fn start_under(
        parent: Parent,
        name: impl Into<Cow<'static, str>>,
        kind: SpanKind,
        attributes: impl FnOnce() -> Vec<KeyValue>,
    ) -> Self {
        if !enabled() {
            return Self(None);
        }
        let current = Context::current();
        let under = match parent {
            Parent::Current => current,
            Parent::Unsampled => unsampled(&current),
        };
        let builder = SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes());
        let span = global::tracer(SCOPE).build_with_context(builder, &under);
        Self(Some(under.with_span(span)))
    }

    /// Runs the future in this span.
    pub fn around<F: Future>(&self, future: F) -> Within<F> {
        within(self.0.clone(), future)
    }

    /// The context in which the span is the current one.
    pub fn context(&self) -> Option<Context> {
        self.0.clone()
    }

    /// Ends it before it is dropped. What is set later is lost.
    pub fn end(&self) {
        if let Some(context) = &self.0 {
            context.span().end();
        }
    }

    /// Whether attributes are recorded; otherwise they need not be made.
    pub fn is_recording(&self) -> bool {
        self.0.as_ref().is_some_and(|context| context.span().is_recording())
    }

    /// Sets an attribute.
    pub fn set(&self, key: &'static str, value: impl Into<Value>) {
        if let Some(context) = &self.0 {
            context.span().set_attribute(KeyValue::new(key, value));
        }
    }

    /// Sets attributes.
    pub fn set_all(&self, attributes: impl IntoIterator<Item = KeyValue>) {
        if let Some(context) = &self.0 {
            context.span().set_attributes(attributes);
        }
    }

    /// Marks it as failed; it is exported then even when its trace is not sampled.
    pub fn fail(&self, error: impl Display) {
        if let Some(context) = &self.0 {
            context.span().set_status(Status::error(cut(error.to_string())));
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        self.end();
    }
}

/// The context with the current span as a remote one that is not sampled.
fn unsampled(current: &Context) -> Context {
    let span = current.span();
    let span = span.span_context();
    let flags = span.trace_flags().with_sampled(false);
    let quiet =
        SpanContext::new(span.trace_id(), span.span_id(), flags, true, span.trace_state().clone());
    current.with_remote_span_context(quiet).with_value(Unsampled)
}
