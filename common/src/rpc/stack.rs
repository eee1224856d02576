//! What every call of every server passes through, top down: trace, secret, admission, deadline.

use std::time::Duration;

use http::Request;
use tokio::net::TcpListener;
use tonic::transport::{Server, server::TcpIncoming};
use tower::{
    Layer,
    layer::util::{Identity, Stack},
};
use tower_http::{
    classify::{GrpcCode, GrpcErrorsAsFailures, SharedClassifier},
    trace::{DefaultOnFailure, MakeSpan, Trace, TraceLayer},
};
use tracing::{Level, Span};

use super::{
    admission::{Admission, AdmissionLayer},
    channel::{CONNECTION_WINDOW, KEEPALIVE, KEEPALIVE_TIMEOUT, STREAM_WINDOW},
    deadline::{DeadlineLayer, WithDeadline},
    secret::{Guarded, SecretLayer},
};
use crate::{config::AdmissionConfig, secret::ClusterSecret};

type Classifier = SharedClassifier<GrpcErrorsAsFailures>;

/// What [`server`] makes.
pub type LayeredServer = Server<Stack<ServerStack, Identity>>;

/// A server with the layers of [`ServerStack`] and the transport settings that Mercer's clients
/// expect; add services to it. With a secret, it answers the cluster's own processes alone.
#[must_use]
pub fn server(admission: &AdmissionConfig, secret: Option<&ClusterSecret>) -> LayeredServer {
    let stack = ServerStack::new(admission);
    let stack = match secret {
        Some(secret) => stack.requiring(secret.clone()),
        None => stack,
    };
    let streams = admission
        .concurrency
        .saturating_add(admission.ingest_streams)
        .saturating_add(admission.batch_streams);
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(u32::try_from(streams).unwrap_or(u32::MAX))
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .layer(stack)
}

/// The connections of a server that was bound beforehand, each sending at once.
///
/// Tonic's own option for that does not reach them, and without it an answer's last frame waits
/// some 40 ms for an acknowledgement of the one before.
#[must_use]
pub fn incoming(listener: TcpListener) -> TcpIncoming {
    TcpIncoming::from(listener).with_nodelay(Some(true))
}

/// The layers: a span per call, a bound on calls under way beyond which calls are shed (not
/// started), and a deadline.
#[derive(Clone)]
pub struct ServerStack {
    trace: TraceLayer<Classifier, CallSpan>,
    secret: SecretLayer,
    admission: AdmissionLayer,
    deadline: DeadlineLayer,
}

impl ServerStack {
    /// The layers of one server; clones share its bound.
    #[must_use]
    pub fn new(admission: &AdmissionConfig) -> Self {
        // What the caller did wrong is the caller's to log.
        let callers = [
            GrpcCode::Cancelled,
            GrpcCode::InvalidArgument,
            GrpcCode::DeadlineExceeded,
            GrpcCode::NotFound,
            GrpcCode::AlreadyExists,
            GrpcCode::FailedPrecondition,
            GrpcCode::ResourceExhausted,
            GrpcCode::OutOfRange,
            GrpcCode::Unimplemented,
            GrpcCode::Unavailable,
            GrpcCode::Unauthenticated,
        ];
        let classifier = callers
            .into_iter()
            .fold(GrpcErrorsAsFailures::new(), GrpcErrorsAsFailures::with_success);
        Self {
            trace: TraceLayer::new(SharedClassifier::new(classifier))
                .make_span_with(CallSpan)
                .on_failure(DefaultOnFailure::new().level(Level::WARN)),
            secret: SecretLayer::default(),
            admission: AdmissionLayer::new(admission.concurrency),
            deadline: DeadlineLayer {
                default: Duration::from_secs_f64(admission.default_deadline_seconds),
            },
        }
    }
}

impl ServerStack {
    /// The same, answering nothing but health checks to who does not send the secret.
    #[must_use]
    pub fn requiring(self, secret: ClusterSecret) -> Self {
        Self { secret: SecretLayer::requiring(secret), ..self }
    }
}

impl<S> Layer<S> for ServerStack {
    type Service = Trace<Guarded<Admission<WithDeadline<S>>>, Classifier, CallSpan>;

    fn layer(&self, inner: S) -> Self::Service {
        self.trace.layer(self.secret.layer(self.admission.layer(self.deadline.layer(inner))))
    }
}

/// Names the span of a call by its RPC; ids of users never enter it.
#[derive(Clone, Copy, Debug)]
pub struct CallSpan;

impl<B> MakeSpan<B> for CallSpan {
    fn make_span(&mut self, request: &Request<B>) -> Span {
        tracing::info_span!("rpc", method = request.uri().path())
    }
}
