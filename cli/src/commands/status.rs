//! `mercer status`: workers, shards, versions and the log.

use anyhow::Result;
use mercer_proto::v1::{
    AppliedRecords, DescribeClusterRequest, DescribeClusterResponse, KindDescription, ShardState,
    VersionProblem, cluster_service_client::ClusterServiceClient,
};
use serde::Serialize;

use crate::{
    client::ClientArgs,
    output::{self, Format, time},
};

/// Show the state of the cluster.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// Wait for the effects of this token.
    #[arg(long, value_name = "TOKEN")]
    token: Vec<String>,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, Serialize)]
struct Status {
    mercer_version: String,
    incarnation: String,
    currency: String,
    time_zone: String,
    shard_count: u32,
    expected_workers: u32,
    default_algorithm: String,
    current_version: String,
    workers: Vec<Worker>,
    shards: Vec<Shard>,
    versions: Vec<Version>,
    log: Log,
}

#[derive(Debug, Serialize)]
struct Worker {
    worker_id: String,
    address: String,
    generation: u64,
    live: bool,
    last_heartbeat: Option<String>,
    shards: Vec<u32>,
    resident_bytes: u64,
}

#[derive(Debug, Serialize)]
struct Shard {
    shard: u32,
    worker_id: String,
    state: &'static str,
    reason: String,
    applied_sequence: u64,
    snapshot_sequence: u64,
    end_sequence: u64,
    interactions: Applied,
    item_events: Applied,
    users: u64,
    items: u64,
    duplicates: u64,
    clashes: u64,
    last_replay_seconds: f64,
    last_replay_records: u64,
}

#[derive(Debug, Serialize)]
struct Applied {
    count: u64,
    hash_sum: String,
}

#[derive(Debug, Serialize)]
struct Version {
    version: String,
    create_time: Option<String>,
    algorithms: Vec<String>,
    job_id: String,
    users: u64,
    items: u64,
    interactions: u64,
    as_of: Option<String>,
    kinds: Vec<Kind>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Problem>,
}

/// What is wrong with a version at a worker.
#[derive(Debug, Serialize)]
struct Problem {
    worker_id: String,
    gone: bool,
    reason: String,
}

/// Results that a version has for every item.
#[derive(Debug, Serialize)]
struct Kind {
    kind: String,
    job_id: String,
    as_of: Option<String>,
    items: u64,
}

#[derive(Debug, Serialize)]
struct Log {
    end_sequence: u64,
    trimmed_through: u64,
    disk_bytes: u64,
    /// Why nothing can be appended; empty when it can.
    stopped: String,
    notes: Vec<String>,
    apply_version: u32,
}

impl Status {
    fn new(cluster: DescribeClusterResponse) -> Self {
        let workers = cluster.workers.into_iter().map(|worker| Worker {
            last_heartbeat: worker.last_heartbeat.as_ref().map(time),
            worker_id: worker.worker_id,
            address: worker.address,
            generation: worker.generation,
            live: worker.live,
            shards: worker.shards,
            resident_bytes: worker.resident_bytes,
        });
        let applied = |records: Option<AppliedRecords>| {
            let records = records.unwrap_or_default();
            Applied { count: records.count, hash_sum: records.hash_sum }
        };
        let shards = cluster.shards.into_iter().map(|shard| Shard {
            state: state_name(shard.state()),
            shard: shard.shard,
            worker_id: shard.worker_id,
            reason: shard.reason,
            applied_sequence: shard.applied_sequence,
            snapshot_sequence: shard.snapshot_sequence,
            end_sequence: shard.end_sequence,
            interactions: applied(shard.interactions),
            item_events: applied(shard.item_events),
            users: shard.users,
            items: shard.items,
            duplicates: shard.duplicates,
            clashes: shard.clashes,
            last_replay_seconds: shard.last_replay_seconds,
            last_replay_records: shard.last_replay_records,
        });
        let versions = cluster.versions.into_iter().map(|version| Version {
            create_time: version.create_time.as_ref().map(time),
            as_of: version.as_of.as_ref().map(time),
            version: version.version,
            algorithms: version.algorithms,
            job_id: version.job_id,
            users: version.users,
            items: version.items,
            interactions: version.interactions,
            kinds: version.kinds.into_iter().map(Kind::new).collect(),
            problems: version.problems.into_iter().map(Problem::new).collect(),
        });
        let log = cluster.log.unwrap_or_default();
        Self {
            workers: workers.collect(),
            shards: shards.collect(),
            versions: versions.collect(),
            log: Log {
                end_sequence: log.end_sequence,
                trimmed_through: log.trimmed_through,
                disk_bytes: log.disk_bytes,
                stopped: log.stopped,
                notes: log.notes,
                apply_version: log.apply_version,
            },
            mercer_version: cluster.mercer_version,
            incarnation: cluster.incarnation,
            currency: cluster.currency,
            time_zone: cluster.time_zone,
            shard_count: cluster.shard_count,
            expected_workers: cluster.expected_workers,
            default_algorithm: cluster.default_algorithm,
            current_version: cluster.current_version,
        }
    }

    fn table(&self) -> String {
        let sum =
            |value: fn(&Shard) -> u64| output::count(self.shards.iter().map(value).sum::<u64>());
        let serving = self.shards.iter().filter(|shard| shard.state == "serving").count();
        let live = self.workers.iter().filter(|worker| worker.live).count();
        let version = match self.current_version.as_str() {
            "" => "none; train with `mercer train all`",
            version => version,
        };
        let mut text = format!(
            "mercer {}: {live} of {} workers live, {serving} of {} shards serving, version {version}\n\
             {} events of {} items, {} users; log {}, {}; currency {}, time zone {}\n\n",
            self.mercer_version,
            self.expected_workers,
            self.shard_count,
            sum(|shard| shard.item_events.count),
            sum(|shard| shard.items),
            sum(|shard| shard.users),
            output::bytes(self.log.disk_bytes),
            self.incarnation,
            self.currency,
            self.time_zone,
        );
        if !self.log.stopped.is_empty() {
            text.push_str(&format!("nothing can be stored: {}\n\n", self.log.stopped));
        }
        for note in &self.log.notes {
            text.push_str(&format!("log: {note}\n"));
        }
        if !self.log.notes.is_empty() {
            text.push('\n');
        }
        let workers = self.workers.iter().map(|worker| {
            vec![
                worker.worker_id.clone(),
                if worker.live { "live" } else { "gone" }.to_owned(),
                worker.address.clone(),
                ranges(&worker.shards),
                output::bytes(worker.resident_bytes),
                worker.last_heartbeat.clone().unwrap_or_default(),
            ]
        });
        let headers = ["worker", "state", "address", "shards", ">memory", "last heartbeat"];
        text.push_str(&output::table(&headers, workers));
        let shards = self.shards.iter().map(|shard| {
            vec![
                shard.shard.to_string(),
                shard.worker_id.clone(),
                shard.state.to_owned(),
                output::count(shard.end_sequence.saturating_sub(shard.applied_sequence)),
                output::count(shard.users),
                output::count(shard.items),
                output::count(shard.interactions.count),
                output::count(shard.item_events.count),
                output::count(shard.duplicates),
                output::count(shard.clashes),
                shard.reason.clone(),
            ]
        });
        let headers = [
            ">shard",
            "worker",
            "state",
            ">behind",
            ">users",
            ">items",
            ">interactions",
            ">item events",
            ">duplicates",
            ">clashes",
            "reason",
        ];
        text.push_str(&format!("\n\n{}", output::table(&headers, shards)));
        if !self.versions.is_empty() {
            let versions = self.versions.iter().map(|version| {
                vec![
                    version.version.clone(),
                    version.trained(),
                    version.job_id.clone(),
                    output::count(version.users),
                    output::count(version.items),
                    output::count(version.interactions),
                    version.as_of.clone().unwrap_or_default(),
                    version.create_time.clone().unwrap_or_default(),
                ]
            });
            let headers = [
                "version",
                "trained",
                "job",
                ">users",
                ">items",
                ">interactions",
                "as of",
                "created",
            ];
            text.push_str(&format!("\n\n{}", output::table(&headers, versions)));
        }
        for version in &self.versions {
            for Problem { worker_id, gone, reason } in &version.problems {
                let state = if *gone { "does not serve" } else { "is endangered" };
                let name = &version.version;
                text.push_str(&format!("\nversion {name} {state} at {worker_id}: {reason}"));
            }
        }
        text
    }
}

impl Version {
    /// Algorithms and kinds, with the job of what was carried over from an older version.
    fn trained(&self) -> String {
        let kinds = self.kinds.iter().map(|kind| match kind.job_id == self.job_id {
            true => kind.kind.clone(),
            false => format!("{} (job {})", kind.kind, kind.job_id),
        });
        self.algorithms.iter().cloned().chain(kinds).collect::<Vec<_>>().join(", ")
    }
}

impl Problem {
    fn new(problem: VersionProblem) -> Self {
        let VersionProblem { worker_id, gone, reason } = problem;
        Self { worker_id, gone, reason }
    }
}

impl Kind {
    fn new(kind: KindDescription) -> Self {
        Self {
            as_of: kind.as_of.as_ref().map(time),
            kind: kind.kind,
            job_id: kind.job_id,
            items: kind.items,
        }
    }
}

fn state_name(state: ShardState) -> &'static str {
    match state {
        ShardState::Recovering => "recovering",
        ShardState::Serving => "serving",
        ShardState::Failed => "failed",
        ShardState::Unavailable => "unavailable",
        ShardState::Unspecified => "unspecified",
    }
}

/// `0-7, 9` for ascending numbers.
fn ranges(numbers: &[u32]) -> String {
    let runs = numbers.chunk_by(|left, right| left + 1 == *right);
    runs.map(|run| match run {
        [only] => only.to_string(),
        [first, .., last] => format!("{first}-{last}"),
        [] => String::new(),
    })
    .collect::<Vec<_>>()
    .join(", ")
}

/// Runs `mercer status`.
pub(crate) async fn status(args: StatusArgs, format: Format) -> Result<()> {
    let request = args.client.request(DescribeClusterRequest { tokens: args.token });
    let mut service = ClusterServiceClient::new(args.client.connect().await?);
    let response = service.describe_cluster(request).await?.into_inner();
    output::print(format, &Status::new(response), Status::table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_versions_that_do_not_serve() {
        let problem = |worker: &str, gone| VersionProblem {
            worker_id: worker.into(),
            gone,
            reason: "artifact x is damaged".into(),
        };
        let version = mercer_proto::v1::VersionDescription {
            version: "v2".into(),
            problems: vec![problem("worker-1", true), problem("worker-2", false)],
            ..Default::default()
        };
        let versions = vec![version];
        let status = Status::new(DescribeClusterResponse { versions, ..Default::default() });
        let text = status.table();
        assert!(text.contains("version v2 does not serve at worker-1: artifact x is damaged"));
        assert!(text.contains("version v2 is endangered at worker-2"), "{text}");
    }

    #[test]
    fn shows_runs_of_shards() {
        assert_eq!(ranges(&[]), "");
        assert_eq!(ranges(&[0, 1, 2, 4, 6, 7]), "0-2, 4, 6-7");
    }
}
