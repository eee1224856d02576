//! Admission: a call is started at once or shed; nothing queues.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use thiserror::Error;
use tokio::sync::Semaphore;
use tonic::Code;
use tower::{Layer, Service};

use super::status::{Describe, Description};

const HEALTH: &str = "/grpc.health.v1.Health/";

/// The server is at its limit; the call was not started.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the server is at its limit of calls under way; the call was not started")]
pub struct Shed;

impl Describe for Shed {
    fn describe(&self) -> Description {
        Description::new(Code::ResourceExhausted, "OVERLOADED")
            .retry_after(Duration::from_millis(100))
    }
}

/// Bounds the calls under way over all connections, health checks aside. A streaming answer
/// counts until it begins.
#[derive(Clone, Debug)]
pub(super) struct AdmissionLayer {
    permits: Arc<Semaphore>,
}

impl AdmissionLayer {
    pub(super) fn new(concurrency: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(concurrency.min(Semaphore::MAX_PERMITS))) }
    }
}

impl<S> Layer<S> for AdmissionLayer {
    type Service = Admission<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Admission { inner, permits: Arc::clone(&self.permits) }
    }
}

/// See [`super::server`].
#[derive(Clone, Debug)]
pub struct Admission<S> {
    inner: S,
    permits: Arc<Semaphore>,
}

impl<S, B, R> Service<Request<B>> for Admission<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Default + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.uri().path().starts_with(HEALTH) {
            return Box::pin(self.inner.call(request));
        }
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return Box::pin(std::future::ready(Ok(Shed.to_status().into_http())));
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let _permit = permit;
            answer.await
        })
    }
}
