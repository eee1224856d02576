//! Admission: a call is started at once or shed; nothing queues but the bodies of calls, which wait
//! for room.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use thiserror::Error;
use tonic::{Code, body::Body, codegen::StdError};
use tower::{Layer, Service};

use super::{
    answer::{Answer, Hold},
    body::{Metered, Reserved, Room},
    connections::SEND_BYTES,
    methods::{Methods, Shape},
    peer::{Call, Peer, Waiting},
    shares::{Share, Shares},
    status::{Describe, Description},
};

const HEALTH: &str = "/grpc.health.v1.Health/";
/// A connection that holds no more calls gets one as long as any is free.
pub(super) const FEW_CALLS: u64 = 8;
/// Health checks and their watches that are open at once. They have calls of their own, so that no load
/// makes a server look dead.
const HEALTH_CALLS: u64 = 1_024;

/// The server is at its limit; the call was not started.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "the server is at its limit of {limit} calls under way, or this connection at its share of \
     them; the call was not started"
)]
pub struct Shed {
    /// Calls of all connections.
    pub limit: u64,
}

/// The client of the call left too many answers where they are.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "the answer of {bytes} bytes has no place beside those that are not taken yet; take answers as \
     they come, ask for smaller pages, or call less at once"
)]
struct Untaken {
    bytes: usize,
}

impl Describe for Untaken {
    fn describe(&self) -> Description {
        Description::new(Code::ResourceExhausted, "ANSWERS_NOT_TAKEN")
            .retry_after(Duration::from_millis(100))
            .with("bytes", self.bytes)
    }
}

impl Describe for Shed {
    fn describe(&self) -> Description {
        Description::new(Code::ResourceExhausted, "OVERLOADED")
            .retry_after(Duration::from_millis(100))
            .with("limit", self.limit)
    }
}

/// Shares calls, and the room for their messages, among connections. A call counts until its answer is
/// taken.
#[derive(Clone, Debug)]
pub(super) struct AdmissionLayer {
    /// Calls of one message each way.
    calls: Arc<Shares>,
    streams: Arc<Shares>,
    health: Arc<Shares>,
    room: Room,
    methods: Methods,
}

impl AdmissionLayer {
    pub(super) fn new(
        calls: Arc<Shares>,
        streams: Arc<Shares>,
        room: Room,
        methods: Methods,
    ) -> Self {
        let health = Shares::new(HEALTH_CALLS, FEW_CALLS);
        Self { calls, streams, health, room, methods }
    }

    fn shares(&self, path: &str, shape: Shape) -> &Arc<Shares> {
        match shape {
            _ if path.starts_with(HEALTH) => &self.health,
            _ if shape.is_unary() => &self.calls,
            _ => &self.streams,
        }
    }
}

impl<S> Layer<S> for AdmissionLayer {
    type Service = Admission<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Admission { inner, layer: self.clone() }
    }
}

/// Layer of admission in a [`super::ServerStack`].
#[derive(Clone, Debug)]
pub struct Admission<S> {
    inner: S,
    layer: AdmissionLayer,
}

/// What a call holds until its answer is taken.
#[derive(Debug)]
pub struct Held {
    _call: Call,
    _share: Share,
    _reserved: Reserved,
    _room: Option<Share>,
    /// The answer of a call that has only one, until it is taken.
    waiting: Option<Waiting>,
}

impl Hold for Held {
    fn piece(&self) {
        if let Some(waiting) = &self.waiting {
            waiting.piece();
        }
    }
}

impl<S, B, R> Service<Request<B>> for Admission<S>
where
    S: Service<Request<Body>, Response = Response<R>, Error = Infallible>,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes, Error: Into<StdError>> + Send + Unpin + 'static,
    R: HttpBody<Data = Bytes, Error: Send + Unpin> + Default + Send + Unpin + 'static,
{
    type Response = Response<Answer<R, Held>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        let shape = self.layer.methods.shape(path).unwrap_or(Shape::UNARY);
        let shares = self.layer.shares(path, shape);
        let peer = Peer::of(request.extensions());
        let Some(share) = shares.try_take(&peer, 1) else {
            let shed = Shed { limit: shares.limit() };
            return Box::pin(std::future::ready(Ok(shed.to_status().into_http())));
        };
        let call = peer.begin();
        let reserved = Reserved::default();
        let room = self.layer.room.clone();
        let answers = Arc::clone(&room.shares);
        let to = peer.clone();
        let streams = shape.client_streams;
        let request = request
            .map(|body| Body::new(Metered::new(body, peer, room, streams, reserved.clone())));
        let answer = self.inner.call(request);
        let page_bytes = self.layer.room.message_bytes;
        Box::pin(async move {
            let mut room = None;
            if shape.pages {
                // Before it is gathered: from all shards, and more than once on its way.
                room = Some(Arc::clone(&answers).take(to.clone(), page_bytes).await);
            }
            let (head, body) = answer.await?.into_parts();
            let (mut answer, bytes) = match shape.is_unary() {
                true => Answer::begin(body).await,
                false => (Answer::of(body, None), 0),
            };
            if bytes > SEND_BYTES && room.is_none() {
                room = answers.try_take(&to, bytes as u64);
                if room.is_none() {
                    return Ok(Untaken { bytes }.to_status().into_http());
                }
            }
            let waiting = shape.is_unary().then(|| to.has_answer());
            answer.hold(Held {
                _call: call,
                _share: share,
                _reserved: reserved,
                _room: room,
                waiting,
            });
            Ok(Response::from_parts(head, answer))
        })
    }
}
