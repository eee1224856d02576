//! The state of a cluster as it is shown: workers, shards, versions and the log.

mod process;

use jiff::Timestamp;
use mercer_common::escape;
use mercer_proto::v1::{
    AppliedRecords, DescribeClusterResponse, KindDescription, LogDescription, ShardState,
    VersionProblem,
};
use serde::Serialize;

use super::uncatalogued;
use crate::show::output::{self, time};
use process::Process;

#[derive(Debug, Serialize)]
pub(crate) struct Status {
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
    coordinator: Option<Process>,
    /// That none of the known items is catalogued; empty when one is.
    #[serde(skip_serializing_if = "String::is_empty")]
    nothing_catalogued: String,
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
    process: Option<Process>,
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
    newest_apply_version: u32,
    waits_for: Vec<Lagging>,
}

/// A worker that keeps a meaning of records from being used.
#[derive(Debug, Serialize)]
struct Lagging {
    worker_id: String,
    apply_version: u32,
}

impl Status {
    pub(crate) fn new(cluster: DescribeClusterResponse) -> Self {
        let workers = cluster.workers.into_iter().map(|worker| Worker {
            last_heartbeat: worker.last_heartbeat.as_ref().map(time),
            worker_id: worker.worker_id,
            address: worker.address,
            generation: worker.generation,
            live: worker.live,
            shards: worker.shards,
            resident_bytes: worker.resident_bytes,
            process: worker.process.map(Process::new),
        });
        let applied = |records: Option<AppliedRecords>| {
            let records = records.unwrap_or_default();
            Applied { count: records.count, hash_sum: records.hash_sum }
        };
        let nothing_catalogued = uncatalogued::warning(&cluster.shards).unwrap_or_default();
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
        Self {
            workers: workers.collect(),
            shards: shards.collect(),
            versions: versions.collect(),
            log: Log::new(cluster.log.unwrap_or_default()),
            coordinator: cluster.coordinator.map(Process::new),
            mercer_version: cluster.mercer_version,
            incarnation: cluster.incarnation,
            currency: cluster.currency,
            time_zone: cluster.time_zone,
            shard_count: cluster.shard_count,
            expected_workers: cluster.expected_workers,
            default_algorithm: cluster.default_algorithm,
            current_version: cluster.current_version,
            nothing_catalogued,
        }
    }

    pub(crate) fn table(&self, now: Timestamp) -> String {
        let sum =
            |value: fn(&Shard) -> u64| output::count(self.shards.iter().map(value).sum::<u64>());
        let serving = self.shards.iter().filter(|shard| shard.state == "serving").count();
        let live = self.workers.iter().filter(|worker| worker.live).count();
        let version = match self.current_version.as_str() {
            "" => "none; train with `mercer train all`",
            version => &escape::text(version),
        };
        let mut text = format!(
            "mercer {}: {live} of {} workers live, {serving} of {} shards serving, version {version}\n\
             {} events of {} items, {} users; log {}, {}; currency {}, time zone {}\n\n",
            escape::text(&self.mercer_version),
            self.expected_workers,
            self.shard_count,
            sum(|shard| shard.item_events.count),
            sum(|shard| shard.items),
            sum(|shard| shard.users),
            output::bytes(self.log.disk_bytes),
            escape::text(&self.incarnation),
            escape::text(&self.currency),
            escape::text(&self.time_zone),
        );
        if !self.log.stopped.is_empty() {
            text.push_str(&format!(
                "nothing can be stored: {}\n\n",
                escape::text(&self.log.stopped)
            ));
        }
        let complaints = self.complaints(now);
        for line in &complaints {
            text.push_str(&format!("{}\n", escape::text(line)));
        }
        if !complaints.is_empty() {
            text.push('\n');
        }
        let workers = self.workers.iter().map(|worker| {
            vec![
                worker.worker_id.clone(),
                if worker.live { "live" } else { "gone" }.to_owned(),
                worker.address.clone(),
                output::ranges(&worker.shards),
                output::bytes(worker.resident_bytes),
                worker.process.as_ref().map_or_else(String::new, Process::free),
                worker.last_heartbeat.clone().unwrap_or_default(),
            ]
        });
        let headers =
            ["worker", "state", "address", "shards", ">memory", ">disk free", "=last heartbeat"];
        let workers = output::Table::new(&headers, workers);
        text.push_str(&workers.dropping(&["last heartbeat", "memory"]).to_string());
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
        let shards = output::Table::new(&headers, shards).dropping(&[
            "duplicates",
            "clashes",
            "interactions",
            "item events",
            "users",
            "items",
        ]);
        text.push_str(&format!("\n\n{shards}"));
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
                "=as of",
                "=created",
            ];
            let versions = output::Table::new(&headers, versions).dropping(&[
                "interactions",
                "job",
                "as of",
                "users",
                "items",
            ]);
            text.push_str(&format!("\n\n{versions}"));
        }
        for version in &self.versions {
            for Problem { worker_id, gone, reason } in &version.problems {
                let state = if *gone { "does not serve" } else { "is endangered" };
                let name = &version.version;
                let line = format!("version {name} {state} at {worker_id}: {reason}");
                text.push_str(&format!("\n{}", escape::text(&line)));
            }
        }
        text
    }
}

impl Status {
    /// What an operator should know beside the tables, a line each.
    fn complaints(&self, now: Timestamp) -> Vec<String> {
        let mut lines: Vec<String> =
            self.log.notes.iter().map(|note| format!("log: {note}")).collect();
        if let Some(coordinator) = &self.coordinator {
            let told = coordinator.complaints("no jobs are started", now);
            lines.extend(told.into_iter().map(|line| format!("coordinator: {line}")));
        }
        for worker in &self.workers {
            let Some(process) = &worker.process else { continue };
            let told = process.complaints("no tasks of jobs and no snapshots", now);
            lines.extend(told.into_iter().map(|line| format!("{}: {line}", worker.worker_id)));
        }
        lines.extend(self.log.waits());
        lines.extend(Some(self.nothing_catalogued.clone()).filter(|line| !line.is_empty()));
        lines
    }
}

impl Log {
    fn new(log: LogDescription) -> Self {
        let lagging = log.waits_for.into_iter().map(|worker| Lagging {
            worker_id: worker.worker_id,
            apply_version: worker.apply_version,
        });
        Self {
            waits_for: lagging.collect(),
            end_sequence: log.end_sequence,
            trimmed_through: log.trimmed_through,
            disk_bytes: log.disk_bytes,
            stopped: log.stopped,
            notes: log.notes,
            apply_version: log.apply_version,
            newest_apply_version: log.newest_apply_version,
        }
    }

    /// Why records do not mean yet what this release would have them mean.
    fn waits(&self) -> Option<String> {
        let (version, newest) = (self.apply_version, self.newest_apply_version);
        if version >= newest {
            return None;
        }
        let lagging =
            self.waits_for.iter().map(|Lagging { worker_id, apply_version }| match apply_version {
                0 => format!("{worker_id}, which was not heard of"),
                known => format!("{worker_id}, which knows only {known}"),
            });
        let mut lagging: Vec<String> = lagging.collect();
        if lagging.is_empty() {
            lagging.push("all workers to join".to_owned());
        }
        let whom = lagging.join("; ");
        Some(format!("apply version {version}; version {newest} waits for {whom}"))
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

#[cfg(test)]
mod tests;
