//! Listening, and serving until the coordinator stops.

use mercer_common::{
    config::{AdmissionConfig, Config},
    rpc::{incoming, server},
    shutdown::{Phase, Tasks},
};
use tokio::net::TcpListener;
use tonic::service::Routes;

use crate::start::StartError;

/// Both addresses, taken before anything is opened.
pub(crate) struct Listeners {
    pub(crate) public: TcpListener,
    pub(crate) internal: TcpListener,
}

impl Listeners {
    pub(crate) async fn bind(config: &Config) -> Result<Self, StartError> {
        let insecure = config.coordinator.insecure_plaintext;
        let public = &config.coordinator.listen;
        let internal = &config.coordinator.internal_listen;
        Ok(Self {
            public: listen("coordinator.listen", public, insecure).await?,
            internal: listen("coordinator.internal_listen", internal, insecure).await?,
        })
    }
}

async fn listen(
    key: &'static str,
    address: &str,
    insecure_plaintext: bool,
) -> Result<TcpListener, StartError> {
    let failed = |error| StartError::Listen { key, address: address.to_owned(), error };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    if !bound.ip().is_loopback() && !insecure_plaintext {
        return Err(StartError::Plaintext { key, address: bound });
    }
    Ok(listener)
}

/// Serves `routes` until the tasks of `phase` are to stop.
pub(crate) fn serve(
    tasks: &Tasks,
    phase: Phase,
    name: &'static str,
    admission: &AdmissionConfig,
    listener: TcpListener,
    routes: Routes,
) {
    let stopping = tasks.stopping(phase);
    let router = server(admission).add_routes(routes);
    tasks.spawn(phase, name, async move {
        let connections = incoming(listener);
        let served =
            router.serve_with_incoming_shutdown(connections, stopping.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, name, "the server failed");
        }
    });
}
