//! `mercer train` and `mercer jobs`.

use anyhow::{Result, bail};
use indicatif::ProgressBar;
use mercer_common::shutdown;
use mercer_proto::v1::{
    CancelJobRequest, GetJobRequest, Job, JobState, ListJobsRequest, StartJobRequest,
    job_service_client::JobServiceClient,
};
use tonic::transport::Channel;

use super::uncatalogued;
use crate::{
    client::ClientArgs,
    ingest_client::{Backoff, is_transient, retry_delay},
    show::{
        jobs::{JobRow, jobs_table},
        output::{self, Format},
        progress,
    },
};

/// Train, and publish the result as the version that serves.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Kinds:
  item-cosine  neighbours of items, for recommendations
  p3           neighbours of items by random walks, for recommendations
  similarity   both of these
  demand       forecasts of every item
  elasticity   how every item's demand answers to its price
  inventory    order policies of the whole catalogue; trains demand along
  all          everything

What is not trained is carried over from the version that serves.")]
pub(crate) struct TrainArgs {
    /// What to train; several at once make one version.
    #[arg(required = true, value_name = "KIND", value_delimiter = ',')]
    kinds: Vec<String>,
    /// Wait until the job has ended; its failure is the command's failure.
    #[arg(long)]
    wait: bool,
    /// Makes starting idempotent: the same id gives the same job.
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
}

/// List, watch or cancel jobs.
#[derive(Debug, clap::Args)]
pub(crate) struct JobsArgs {
    #[command(subcommand)]
    command: Option<JobsCommand>,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, clap::Subcommand)]
enum JobsCommand {
    /// List jobs, newest first.
    List,
    /// Show one job.
    Get {
        /// The job.
        job: String,
    },
    /// Wait until a job has ended; its failure is the command's failure.
    Watch {
        /// The job.
        job: String,
    },
    /// Cancel a job that has not published yet.
    Cancel {
        /// The job.
        job: String,
    },
}

/// Starts a job; waits for a busy cluster.
pub(crate) async fn start(channel: Channel, request: StartJobRequest) -> Result<Job> {
    Ok(JobServiceClient::new(channel).start_job(request).await?.into_inner())
}

/// Watches a job until it has ended or its caller is told to `stop`, which leaves the job alone.
async fn wait(
    channel: Channel,
    client: &ClientArgs,
    job_id: &str,
    stop: impl Future<Output = ()>,
) -> Result<Job> {
    tokio::select! {
        job = watch(channel, job_id) => job,
        () = stop => bail!(left(client, job_id)),
    }
}

/// What goes on without its caller, and how to come back to it.
fn left(client: &ClientArgs, job_id: &str) -> String {
    let endpoint = client.suffix();
    format!(
        "stopped waiting; job {job_id} goes on. `mercer jobs watch {job_id}{endpoint}` waits for it \
         again, `mercer jobs cancel {job_id}{endpoint}` ends it"
    )
}

/// Watches a job until it has ended, with a bar or a line a phase; a broken watch is taken up again.
pub(crate) async fn watch(channel: Channel, job_id: &str) -> Result<Job> {
    let bar = progress::bar("training", 100, progress::Unit::Percent);
    let watched = watch_with(channel, job_id, &bar).await;
    bar.finish_and_clear();
    watched
}

async fn watch_with(channel: Channel, job_id: &str, bar: &ProgressBar) -> Result<Job> {
    let mut service = JobServiceClient::new(channel);
    let mut backoff = Backoff::default();
    let mut failures = 0;
    let mut phase = String::new();
    loop {
        let request = GetJobRequest { job_id: job_id.to_owned() };
        let broken = match service.watch_job(request).await {
            Ok(response) => {
                let mut jobs = response.into_inner();
                loop {
                    match jobs.message().await {
                        Ok(Some(job)) => {
                            (failures, backoff) = (0, Backoff::default());
                            bar.set_position((job.progress.clamp(0.0, 1.0) * 100.0) as u64);
                            progress::say(bar, &format!("training: {}", job.phase));
                            if has_ended(job.state()) {
                                return Ok(job);
                            }
                            if phase != job.phase {
                                phase.clone_from(&job.phase);
                                progress::phase(&format!("training: {phase}"));
                            }
                        }
                        Ok(None) => break tonic::Status::unavailable("the watch ended"),
                        Err(status) => break status,
                    }
                }
            }
            Err(status) => status,
        };
        failures += 1;
        let may_pass = is_transient(&broken)
            || matches!(broken.code(), tonic::Code::Unknown | tonic::Code::Internal);
        if !may_pass || failures > 30 {
            return Err(broken.into());
        }
        tokio::time::sleep(retry_delay(&broken).unwrap_or_else(|| backoff.next())).await;
    }
}

fn has_ended(state: JobState) -> bool {
    matches!(state, JobState::Succeeded | JobState::Failed | JobState::Cancelled)
}

/// The job, if it did what it should.
pub(crate) fn succeeded(job: &Job) -> Result<()> {
    match job.state() {
        JobState::Failed => bail!("job {} failed: {}", job.job_id, job.error),
        JobState::Cancelled => bail!("job {} was cancelled", job.job_id),
        _ => Ok(()),
    }
}

/// Runs `mercer train`.
pub(crate) async fn train(args: TrainArgs, format: Format) -> Result<()> {
    let channel = args.client.connect().await?;
    let request = StartJobRequest {
        kinds: args.kinds,
        request_id: Some(args.request_id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string())),
    };
    let mut job = start(channel.clone(), request).await?;
    uncatalogued::warn(&channel).await;
    if args.wait {
        job = wait(channel, &args.client, &job.job_id, shutdown::requested()).await?;
    } else {
        let (job, endpoint) = (&job.job_id, args.client.suffix());
        output::note(&format!("follow it with `mercer jobs watch {job}{endpoint}`"));
    }
    let outcome = succeeded(&job);
    output::print(format, &JobRow::new(job), JobRow::table)?;
    outcome
}

/// Runs `mercer jobs`.
pub(crate) async fn jobs(args: JobsArgs, format: Format) -> Result<()> {
    let channel = args.client.connect().await?;
    let mut service = JobServiceClient::new(channel.clone());
    let job = match args.command.unwrap_or(JobsCommand::List) {
        JobsCommand::List => {
            let jobs = list(&mut service, &args.client).await?;
            return output::print(format, &jobs, |jobs| jobs_table(jobs));
        }
        JobsCommand::Get { job } => {
            let request = args.client.request(GetJobRequest { job_id: job });
            service.get_job(request).await?.into_inner()
        }
        JobsCommand::Watch { job } => {
            wait(channel, &args.client, &job, shutdown::requested()).await?
        }
        JobsCommand::Cancel { job } => {
            let request = args.client.request(CancelJobRequest { job_id: job });
            let job = service.cancel_job(request).await?.into_inner();
            return output::print(format, &JobRow::new(job), JobRow::table);
        }
    };
    let outcome = succeeded(&job);
    output::print(format, &JobRow::new(job), JobRow::table)?;
    outcome
}

async fn list(service: &mut JobServiceClient<Channel>, client: &ClientArgs) -> Result<Vec<JobRow>> {
    let mut jobs = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = client.request(ListJobsRequest { page_size: 1_000, page_token });
        let page = service.list_jobs(request).await?.into_inner();
        jobs.extend(page.jobs.into_iter().map(JobRow::new));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(jobs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_stops_waiting_is_told_that_the_job_goes_on() {
        let told = async |endpoint: &str| {
            let client = ClientArgs { endpoint: endpoint.into(), deadline: 30.0 };
            let nowhere = tonic::transport::Endpoint::from_static("http://127.0.0.1:9");
            let stop = std::future::ready(());
            let waited = wait(nowhere.connect_lazy(), &client, "7", stop).await;
            waited.expect_err("nobody answers").to_string()
        };
        let here = told("http://127.0.0.1:7400").await;
        assert!(
            here.starts_with("stopped waiting; job 7 goes on. `mercer jobs watch 7`"),
            "{here}"
        );
        let elsewhere = told("http://shop:1").await;
        assert!(
            elsewhere.contains("`mercer jobs watch 7 --endpoint http://shop:1`"),
            "{elsewhere}"
        );
    }
}
