//! `mercer health`: a probe for supervisors, which look at the exit code.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use thiserror::Error;
use tonic::{Code, Request};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{
    client::{self, Unreachable},
    show::output::{self, Format},
};

/// Longest time that connecting and the answer may take together.
const LIMIT: Duration = Duration::from_secs(5);

/// Ask a coordinator or worker whether it serves: exit code 0 when it does, 1 when it does not or is
/// out of reach.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --service it asks whether the process lives, which follows nothing else: for liveness. With
--service mercer.v1.EventService it asks whether events are taken (log and metadata), with
--service mercer.v1.RecommendService whether questions are answered (workers): for readiness.")]
pub(crate) struct HealthArgs {
    /// Address of a coordinator's public API, or of a worker.
    #[arg(
        long,
        value_name = "URL",
        env = "MERCER_ENDPOINT",
        default_value = "http://127.0.0.1:7400"
    )]
    address: String,
    /// Full name of a service, such as mercer.v1.EventService; the process as a whole when absent.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    service: String,
}

/// A process that serves.
#[derive(Debug, Serialize)]
struct Healthy {
    address: String,
    service: String,
    status: &'static str,
}

/// Reason for which a probe fails.
#[derive(Debug, Error)]
enum Unhealthy {
    #[error("{what} at {address} does not serve: {status}")]
    NotServing { what: String, address: String, status: &'static str },
    #[error("{address} has no service `{service}`")]
    Unknown { address: String, service: String },
    #[error("{address} did not answer within {LIMIT:?}")]
    Late { address: String },
    #[error("nobody answers at {address}")]
    Unreachable { address: String },
    #[error("{address} refused the question: {message}")]
    Refused { address: String, message: String },
}

/// Runs the command.
pub(crate) async fn run(args: HealthArgs, format: Format) -> Result<()> {
    let HealthArgs { address, service } = args;
    let answer = tokio::time::timeout(LIMIT, check(&address, &service)).await;
    let status = answer.map_err(|_| Unhealthy::Late { address: address.clone() })??;
    if status != ServingStatus::Serving {
        let what = describe(&service);
        return Err(Unhealthy::NotServing { what, address, status: status.as_str_name() }.into());
    }
    let healthy = Healthy { address, service, status: status.as_str_name() };
    output::print(format, &healthy, |healthy| {
        format!("{} at {} serves", describe(&healthy.service), healthy.address)
    })
}

async fn check(address: &str, service: &str) -> Result<ServingStatus> {
    let channel =
        client::connect(address).await.map_err(|error| match error.is::<Unreachable>() {
            true => Unhealthy::Unreachable { address: address.to_owned() }.into(),
            false => error,
        })?;
    let mut health = HealthClient::new(channel);
    let request = Request::new(HealthCheckRequest { service: service.to_owned() });
    match health.check(request).await {
        Ok(answer) => Ok(answer.into_inner().status()),
        Err(status) if status.code() == Code::NotFound => {
            let (address, service) = (address.to_owned(), service.to_owned());
            Err(Unhealthy::Unknown { address, service }.into())
        }
        Err(status) => {
            let (address, message) = (address.to_owned(), status.message().to_owned());
            Err(Unhealthy::Refused { address, message }.into())
        }
    }
}

fn describe(service: &str) -> String {
    match service {
        "" => "the process".into(),
        service => service.into(),
    }
}
