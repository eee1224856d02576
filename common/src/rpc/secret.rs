//! The cluster secret in calls between Mercer's own processes: sent with each of them, and checked
//! before anything else of a call is looked at. Health checks need none.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use http::{HeaderMap, Request as HttpRequest, Response as HttpResponse};
use thiserror::Error;
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};
use tower::{Layer, Service};

use super::{
    channel::{UrlError, connect},
    status::{Describe, Description},
};
use crate::secret::ClusterSecret;

/// Header with the secret.
const HEADER: &str = "mercer-secret";
const HEALTH: &str = "/grpc.health.v1.Health/";

/// A call that does not come from the cluster.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SecretRefused {
    /// The call has no secret.
    #[error(
        "this port answers the cluster's own processes, and the call has no secret; set \
         cluster.secret_file to the coordinator's"
    )]
    Required,
    /// It has a secret that this process does not know.
    #[error(
        "this port answers the cluster's own processes, and the call has another secret than they; \
         set cluster.secret_file to the coordinator's"
    )]
    Wrong,
}

impl Describe for SecretRefused {
    fn describe(&self) -> Description {
        let reason = match self {
            Self::Required => "SECRET_REQUIRED",
            Self::Wrong => "SECRET_WRONG",
        };
        Description::new(Code::Unauthenticated, reason)
    }
}

/// A connection to another process of the cluster.
pub type PeerChannel = InterceptedService<Channel, SendSecret>;

/// As [`connect`], to another process of the cluster: every call carries the secret.
///
/// # Errors
/// [`UrlError`] when `url` is not one.
pub fn connect_peer(url: &str, secret: &ClusterSecret) -> Result<PeerChannel, UrlError> {
    let sending = SendSecret { secret: secret.clone() };
    Ok(InterceptedService::new(connect(url)?, sending))
}

/// Channel that sends the secret, as [`connect_peer`] makes it.
#[derive(Clone, Debug)]
pub struct SendSecret {
    secret: ClusterSecret,
}

impl Interceptor for SendSecret {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let value: Result<MetadataValue<Ascii>, _> = self.secret.sent().parse();
        let mut value = value.map_err(|_| Status::internal("the secret is no header"))?;
        // Neither compressed nor printed.
        value.set_sensitive(true);
        request.metadata_mut().insert(HEADER, value);
        Ok(request)
    }
}

/// Refuses calls without the secret, where there is one.
#[derive(Clone, Debug, Default)]
pub(super) struct SecretLayer {
    required: Option<Required>,
}

#[derive(Clone, Debug)]
struct Required {
    secret: ClusterSecret,
    refused: Arc<AtomicU64>,
}

impl SecretLayer {
    pub(super) fn requiring(secret: ClusterSecret) -> Self {
        Self { required: Some(Required { secret, refused: Arc::default() }) }
    }
}

impl Required {
    fn check(&self, headers: &HeaderMap) -> Result<(), SecretRefused> {
        let checked = match headers.get(HEADER) {
            None => Err(SecretRefused::Required),
            Some(found) if self.secret.accepts(found.as_bytes()) => Ok(()),
            Some(_) => Err(SecretRefused::Wrong),
        };
        if checked.is_err() {
            // Ever more rarely: whoever can connect can make it happen.
            let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
            if refused.is_power_of_two() {
                tracing::warn!(refused, "calls without the cluster's secret were refused");
            }
        }
        checked
    }
}

impl<S> Layer<S> for SecretLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded { inner, required: self.required.clone() }
    }
}

/// Layer that asks for the secret in [`super::ServerStack::internal`].
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    inner: S,
    required: Option<Required>,
}

impl<S, B, R> Service<HttpRequest<B>> for Guarded<S>
where
    S: Service<HttpRequest<B>, Response = HttpResponse<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Default + Send + 'static,
{
    type Response = HttpResponse<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: HttpRequest<B>) -> Self::Future {
        let required = self.required.as_ref();
        let required = required.filter(|_| !request.uri().path().starts_with(HEALTH));
        if let Some(Err(refused)) = required.map(|required| required.check(request.headers())) {
            return Box::pin(std::future::ready(Ok(refused.to_status().into_http())));
        }
        // Nobody behind this needs it, and what is not there is not printed.
        request.headers_mut().remove(HEADER);
        Box::pin(self.inner.call(request))
    }
}
