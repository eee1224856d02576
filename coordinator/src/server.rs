//! Listening, and serving until the coordinator stops.
//!
//! Both servers answer from before the log is opened, which may take long: health checks as they
//! stand, everything else with UNAVAILABLE. When the services are there they take over; connections
//! and watches of health go on.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use mercer_common::{
    config::{AdmissionConfig, Config},
    rpc::{ServerStack, serve, status::Describe as _},
    secret::ClusterSecret,
    shutdown::{Phase, Tasks},
};
use thiserror::Error;
use tokio::net::TcpListener;
use tonic::{
    body::Body as ResponseBody,
    codegen::{Body, BoxFuture, Bytes, Context, Poll, Service, StdError, http},
    service::Routes,
};
use tonic_health::server::HealthReporter;
use tower::Layer as _;

use crate::{health, opening::Opening};

/// Why a coordinator does not listen.
#[derive(Debug, Error)]
pub enum ListenError {
    /// An address cannot be listened on.
    #[error("{key}: cannot listen on {address}: {error}")]
    Refused {
        /// Setting of the address.
        key: &'static str,
        /// Address as configured.
        address: String,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// An address is reachable from other machines, and nothing is encrypted.
    #[error(
        "{key}: {address} is not a loopback address and nothing is encrypted; set \
         coordinator.insecure_plaintext (or --insecure-plaintext) to allow it"
    )]
    Plaintext {
        /// Setting of the address.
        key: &'static str,
        /// Address as bound.
        address: SocketAddr,
    },
}

/// Both servers.
pub(crate) struct Servers {
    pub(crate) public_address: SocketAddr,
    pub(crate) internal_address: SocketAddr,
    pub(crate) health: HealthReporter,
    /// Told to callers until the services are there.
    pub(crate) opening: Arc<Opening>,
    pub(crate) secret: ClusterSecret,
    public: Entrance,
    internal: Entrance,
}

impl Servers {
    /// Listens at both addresses and answers that nothing is ready.
    ///
    /// The internal one answers who has the secret.
    pub(crate) async fn start(
        config: &Config,
        secret: ClusterSecret,
        tasks: &Tasks,
    ) -> Result<Self, ListenError> {
        let insecure = config.coordinator.insecure_plaintext;
        let public = &config.coordinator.listen;
        let internal = &config.coordinator.internal_listen;
        let (public, public_address) = listen("coordinator.listen", public, insecure).await?;
        let (internal, internal_address) =
            listen("coordinator.internal_listen", internal, insecure).await?;
        let (health, health_service) = tonic_health::server::health_reporter();
        health::begin(&health).await;
        let opening = Arc::<Opening>::default();
        let entrance = || Entrance { services: Arc::default(), opening: Arc::clone(&opening) };
        let servers = Self {
            public_address,
            internal_address,
            health,
            public: entrance(),
            internal: entrance(),
            opening,
            secret,
        };
        let routes = servers.public.clone().behind(Routes::new(health_service.clone()));
        let stack = ServerStack::public(&config.admission);
        spawn(tasks, Phase::Frontend, "public server", &stack, public, routes);
        // Workers are few, and what they ask must not be shed.
        let stack = ServerStack::internal(&AdmissionConfig::default(), &servers.secret);
        let routes = servers.internal.clone().behind(Routes::new(health_service));
        spawn(tasks, Phase::Backend, "internal server", &stack, internal, routes);
        Ok(servers)
    }

    /// Answers by these services from now on.
    pub(crate) fn take_over(&self, public: Routes, internal: Routes) {
        for (entrance, routes) in [(&self.public, public), (&self.internal, internal)] {
            let first = entrance.services.set(routes.prepare());
            debug_assert!(first.is_ok(), "services take over once");
        }
    }
}

/// Where calls come in that are no health checks.
#[derive(Clone)]
struct Entrance {
    /// None while they are not there yet.
    services: Arc<OnceLock<Routes>>,
    opening: Arc<Opening>,
}

impl Entrance {
    /// Takes what `routes` does not know.
    fn behind(self, routes: Routes) -> Routes {
        routes.into_axum_router().fallback_service(self).into()
    }
}

impl<B> Service<http::Request<B>> for Entrance
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<StdError>,
{
    type Response = http::Response<ResponseBody>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Routes are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        match self.services.get() {
            Some(services) => Box::pin(services.clone().call(request)),
            None => {
                let refusal = self.opening.refusal().to_status();
                Box::pin(async move { Ok(refusal.into_http()) })
            }
        }
    }
}

async fn listen(
    key: &'static str,
    address: &str,
    insecure_plaintext: bool,
) -> Result<(TcpListener, SocketAddr), ListenError> {
    let failed = |error| ListenError::Refused { key, address: address.to_owned(), error };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    if !bound.ip().is_loopback() && !insecure_plaintext {
        return Err(ListenError::Plaintext { key, address: bound });
    }
    Ok((listener, bound))
}

/// Serves `routes` until the tasks of `phase` are to stop.
fn spawn(
    tasks: &Tasks,
    phase: Phase,
    name: &'static str,
    stack: &ServerStack,
    listener: TcpListener,
    routes: Routes,
) {
    let service = stack.layer(routes.prepare());
    let serving = serve(listener, stack.transport(), service, tasks.stopping(phase));
    tasks.spawn(phase, name, serving);
}
