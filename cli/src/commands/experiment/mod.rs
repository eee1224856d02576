//! `mercer experiment`: compare ways to recommend on live users.

mod arm;

use anyhow::Result;
use mercer_proto::v1::{
    Arm, DeleteExperimentRequest, Experiment, ExperimentState, GetExperimentRequest,
    ListExperimentsRequest, ReportRequest, SetExperimentRequest,
    experiment_service_client::ExperimentServiceClient,
};
use serde::Serialize;
use tonic::transport::Channel;

use crate::{
    client::ClientArgs,
    show::{
        experiment::{ExperimentRow, Experiments, ReportAnswer},
        output::{self, Format},
    },
};

/// Compare ways to recommend on live users.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Users are assigned by a hash of experiment and user. Ask with `mercer recommend --user U
--experiment ID`, and give events the attribution token of the answer that led to them.")]
pub(crate) struct ExperimentArgs {
    #[command(subcommand)]
    command: ExperimentCommand,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, clap::Subcommand)]
enum ExperimentCommand {
    /// Create an experiment, or run one again that was stopped.
    Set(SetArgs),
    /// List all experiments.
    List,
    /// Show what came of the arms so far.
    Report(ReportArgs),
    /// Stop an experiment; what was shown still counts.
    Stop(IdArgs),
    /// Delete an experiment and everything that was counted.
    Delete(IdArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = arm::HELP)]
struct SetArgs {
    /// Names the experiment.
    #[arg(value_name = "ID")]
    experiment_id: String,
    /// An arm with its weight and what it changes; the first is the control.
    #[arg(long, value_name = "NAME=WEIGHT[,KEY=VALUE...]", required = true, value_parser = arm::parse)]
    arm: Vec<Arm>,
}

#[derive(Debug, clap::Args)]
struct ReportArgs {
    /// Which experiment.
    #[arg(value_name = "ID")]
    experiment_id: String,
    /// Confidence of the intervals, 0.5 to 0.9999.
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    confidence: f64,
    /// Wait for the effects of this token.
    #[arg(long, value_name = "TOKEN")]
    token: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct IdArgs {
    /// Which experiment.
    #[arg(value_name = "ID")]
    experiment_id: String,
}

#[derive(Debug, Serialize)]
struct Deleted {
    token: String,
}

/// Runs `mercer experiment`.
pub(crate) async fn experiment(args: ExperimentArgs, format: Format) -> Result<()> {
    let client = args.client;
    let mut service = ExperimentServiceClient::new(client.connect().await?);
    match args.command {
        ExperimentCommand::Set(SetArgs { experiment_id, arm }) => {
            let experiment = Experiment { experiment_id, arms: arm, ..Experiment::default() };
            set(service, &client, experiment, format).await
        }
        ExperimentCommand::List => {
            let request = client.request(ListExperimentsRequest {});
            let response = service.list_experiments(request).await?.into_inner();
            show(&response.experiments, format)
        }
        ExperimentCommand::Report(args) => {
            let ReportArgs { experiment_id, confidence, token: tokens } = args;
            let request = client.request(ReportRequest { experiment_id, tokens, confidence });
            let response = service.report(request).await?.into_inner();
            output::print(format, &ReportAnswer::new(response), ReportAnswer::table)
        }
        ExperimentCommand::Stop(IdArgs { experiment_id }) => {
            let request = client.request(GetExperimentRequest { experiment_id });
            let mut experiment = service.get_experiment(request).await?.into_inner();
            experiment.set_state(ExperimentState::Stopped);
            set(service, &client, experiment, format).await
        }
        ExperimentCommand::Delete(IdArgs { experiment_id }) => {
            let request = client.request(DeleteExperimentRequest { experiment_id });
            let token = service.delete_experiment(request).await?.into_inner().token;
            let deleted = Deleted { token };
            output::print(format, &deleted, |_| "deleted".to_owned())
        }
    }
}

async fn set(
    mut service: ExperimentServiceClient<Channel>,
    client: &ClientArgs,
    experiment: Experiment,
    format: Format,
) -> Result<()> {
    let request = client.request(SetExperimentRequest { experiment: Some(experiment) });
    let experiment = service.set_experiment(request).await?.into_inner();
    show(&[experiment], format)
}

fn show(experiments: &[Experiment], format: Format) -> Result<()> {
    let experiments = experiments.iter().map(ExperimentRow::new).collect();
    output::print(format, &Experiments { experiments }, Experiments::table)
}
