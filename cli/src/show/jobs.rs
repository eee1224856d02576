//! Jobs as they are shown.

use mercer_common::escape;
use mercer_proto::v1::{Job, JobState};
use serde::Serialize;

use crate::show::output::{self, time};

#[derive(Debug, Serialize)]
pub(crate) struct JobRow {
    job_id: String,
    kinds: Vec<String>,
    state: &'static str,
    phase: String,
    progress: f64,
    error: String,
    version: String,
    create_time: Option<String>,
    end_time: Option<String>,
    as_of: Option<String>,
    users: u64,
    items: u64,
    interactions: u64,
    sale_days: u64,
    phase_seconds: Vec<(String, f64)>,
    /// Bytes of artifacts, over all phases.
    bytes_read: u64,
    bytes_written: u64,
}

impl JobRow {
    pub(crate) fn new(job: Job) -> Self {
        Self {
            state: state_name(job.state()),
            create_time: job.create_time.as_ref().map(time),
            end_time: job.end_time.as_ref().map(time),
            as_of: job.as_of.as_ref().map(time),
            bytes_read: job.phase_times.iter().map(|time| time.bytes_read).sum(),
            bytes_written: job.phase_times.iter().map(|time| time.bytes_written).sum(),
            phase_seconds: job.phase_times.into_iter().map(|t| (t.phase, t.seconds)).collect(),
            job_id: job.job_id,
            kinds: job.kinds,
            phase: job.phase,
            progress: job.progress,
            error: job.error,
            version: job.version,
            users: job.users,
            items: job.items,
            interactions: job.interactions,
            sale_days: job.sale_days,
        }
    }

    pub(crate) fn table(&self) -> String {
        let mut text = jobs_table([self]);
        if !self.phase_seconds.is_empty() {
            let phases: Vec<String> = self
                .phase_seconds
                .iter()
                .map(|(phase, seconds)| format!("{phase} {seconds:.2} s"))
                .collect();
            text.push_str(&format!("\n{}", escape::text(&phases.join(", "))));
            let (read, written) =
                (output::bytes(self.bytes_read), output::bytes(self.bytes_written));
            text.push_str(&format!("\ntasks read {read} and wrote {written}"));
        }
        text
    }
}

pub(crate) fn jobs_table<'a>(jobs: impl IntoIterator<Item = &'a JobRow>) -> String {
    let rows = jobs.into_iter().map(|job| {
        vec![
            job.job_id.clone(),
            job.kinds.join(", "),
            job.state.to_owned(),
            job.phase.clone(),
            format!("{:.0} %", job.progress * 100.0),
            job.version.clone(),
            output::count(job.users),
            output::count(job.items),
            output::count(job.interactions),
            output::count(job.sale_days),
            job.create_time.clone().unwrap_or_default(),
            job.error.clone(),
        ]
    });
    let headers = [
        "job",
        "kinds",
        "state",
        "phase",
        ">done",
        "version",
        ">users",
        ">items",
        ">interactions",
        ">sale days",
        "=created",
        "error",
    ];
    let dropping =
        ["sale days", "interactions", "users", "items", "created", "phase", "done", "version"];
    output::Table::new(&headers, rows).dropping(&dropping).to_string()
}

pub(crate) fn state_name(state: JobState) -> &'static str {
    match state {
        JobState::Queued => "queued",
        JobState::Running => "running",
        JobState::Succeeded => "succeeded",
        JobState::Failed => "failed",
        JobState::Cancelled => "cancelled",
        JobState::Unspecified => "unspecified",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::output::screen;

    #[test]
    fn lists_fit_a_terminal_of_80_columns() {
        let job = |number: u32, error: &str| {
            JobRow::new(Job {
                job_id: number.to_string(),
                kinds: ["demand", "elasticity", "inventory", "similarity"].map(Into::into).into(),
                state: JobState::Failed.into(),
                phase: "publish".into(),
                version: "v-000000000012".into(),
                users: 123_456,
                items: 45_678,
                interactions: 12_345_678,
                sale_days: 1_234_567,
                create_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
                error: error.into(),
                ..Job::default()
            })
        };
        let error = "worker-2 was lost in phase neighbours, and nobody else has shard 7";
        let jobs = [job(12, ""), job(11, error)];
        assert!(jobs_table(&jobs).lines().any(|line| line.len() > 180));
        let shown = screen::at(80, || jobs_table(&jobs));
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        for words in ["12", "failed", "similarity", "nobody else", "left out: sale days"] {
            assert!(shown.contains(words), "{words}:\n{shown}");
        }
    }
}
