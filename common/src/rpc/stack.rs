//! What every call of every server passes through, top down: trace, secret, deadline, admission.

use std::time::Duration;

use http::Request;
use tower::Layer;
use tower_http::{
    classify::{GrpcCode, GrpcErrorsAsFailures, SharedClassifier},
    trace::{DefaultOnFailure, MakeSpan, Trace, TraceLayer},
};
use tracing::{Level, Span};

use super::{
    admission::{Admission, AdmissionLayer, FEW_CALLS},
    body::Room,
    channel,
    connections::Transport,
    deadline::{DeadlineLayer, WithDeadline},
    methods::Methods,
    secret::{Guarded, SecretLayer},
    shares::Shares,
};
use crate::{config::AdmissionConfig, descriptors, limits, secret::ClusterSecret};

type Classifier = SharedClassifier<GrpcErrorsAsFailures>;

/// Windows of the public port: what all its connections may send before it is read is part of the
/// server's memory.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 2 << 20;
/// Connections of an internal port.
const INTERNAL_CONNECTIONS: usize = 1_024;
/// Bytes of messages under way at an internal port.
const INTERNAL_ROOM: u64 = 1 << 30;

/// The layers: a span per call, a deadline, and shares of calls beyond which calls are shed (not
/// started).
#[derive(Clone, Debug)]
pub struct ServerStack {
    trace: TraceLayer<Classifier, CallSpan>,
    secret: SecretLayer,
    admission: AdmissionLayer,
    deadline: DeadlineLayer,
    transport: Transport,
}

impl ServerStack {
    /// The layers of a server for everybody; clones share its bounds.
    #[must_use]
    pub fn public(config: &AdmissionConfig) -> Self {
        let calls = config.concurrency as u64;
        let methods = Methods::described();
        let message_bytes = limits::MESSAGE_BYTES as u64;
        let room = Shares::new(config.body_bytes as u64, message_bytes);
        let streams = calls + config.ingest_streams as u64 + config.batch_streams as u64;
        let longest = Duration::from_secs_f64(config.longest_deadline_seconds);
        Self {
            trace: trace(),
            secret: SecretLayer::default(),
            admission: AdmissionLayer::new(
                Shares::new(calls, FEW_CALLS),
                Shares::new(streams, FEW_CALLS),
                Room { shares: room, message_bytes },
                methods.clone(),
            ),
            deadline: DeadlineLayer {
                default: Duration::from_secs_f64(config.default_deadline_seconds),
                longest: Some((longest, methods)),
            },
            transport: Transport {
                connections: config.connections.min(descriptors::limit() / 8 * 3),
                streams: u32::try_from(streams).unwrap_or(u32::MAX),
                stream_window: STREAM_WINDOW,
                connection_window: CONNECTION_WINDOW,
            },
        }
    }

    /// The layers of a server for Mercer's own processes, which are few: one of them may have all
    /// there is, for as long as it asks. Whoever does not send the secret is answered nothing but
    /// health checks.
    #[must_use]
    pub fn internal(config: &AdmissionConfig, secret: &ClusterSecret) -> Self {
        let calls = config.concurrency as u64;
        let message_bytes = limits::INTERNAL_MESSAGE_BYTES as u64;
        let room = Shares::new(INTERNAL_ROOM, INTERNAL_ROOM);
        Self {
            trace: trace(),
            secret: SecretLayer::requiring(secret.clone()),
            admission: AdmissionLayer::new(
                Shares::new(calls, calls),
                Shares::new(calls, calls),
                Room { shares: room, message_bytes },
                Methods::described(),
            ),
            deadline: DeadlineLayer {
                default: Duration::from_secs_f64(config.default_deadline_seconds),
                longest: None,
            },
            transport: Transport {
                connections: INTERNAL_CONNECTIONS.min(descriptors::limit() / 16),
                streams: u32::try_from(calls).unwrap_or(u32::MAX),
                stream_window: channel::STREAM_WINDOW,
                connection_window: channel::CONNECTION_WINDOW,
            },
        }
    }

    /// What connections of the server may take.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.transport
    }
}

impl<S> Layer<S> for ServerStack {
    type Service = Trace<Guarded<WithDeadline<Admission<S>>>, Classifier, CallSpan>;

    fn layer(&self, inner: S) -> Self::Service {
        self.trace.layer(self.secret.layer(self.deadline.layer(self.admission.layer(inner))))
    }
}

fn trace() -> TraceLayer<Classifier, CallSpan> {
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
    let classifier =
        callers.into_iter().fold(GrpcErrorsAsFailures::new(), GrpcErrorsAsFailures::with_success);
    TraceLayer::new(SharedClassifier::new(classifier))
        .make_span_with(CallSpan)
        .on_failure(DefaultOnFailure::new().level(Level::WARN))
}

/// Names the span of a call by its RPC; ids of users never enter it.
#[derive(Clone, Copy, Debug)]
pub struct CallSpan;

impl<B> MakeSpan<B> for CallSpan {
    fn make_span(&mut self, request: &Request<B>) -> Span {
        tracing::info_span!("rpc", method = request.uri().path())
    }
}
