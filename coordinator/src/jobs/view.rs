//! A job as callers see it.

use mercer_proto::{
    internal::{JobRecord, Phase},
    v1::{Job, JobState},
};

use super::phase;
use crate::time::{event_time, timestamp_ms};

/// The job with `fraction` of its present phase done.
pub(super) fn job(record: &JobRecord, fraction: f64) -> Job {
    let counts = record.counts.unwrap_or_default();
    let progress = match record.state() {
        JobState::Succeeded => 1.0,
        // What is not known here has not begun, or has ended long ago.
        _ => match record.spec.as_ref().map(phase::graph) {
            Some(Ok(graph)) => phase::progress(record.phase(), fraction, &graph),
            Some(Err(_)) | None => 0.0,
        },
    };
    let phase = record.phase();
    Job {
        job_id: record.job_id.clone(),
        kinds: record.kinds.clone(),
        state: record.state,
        phase: if phase == Phase::Unspecified { "" } else { phase::name(phase) }.to_owned(),
        progress,
        error: record.error.clone(),
        version: record.version.clone(),
        create_time: Some(timestamp_ms(record.create_time_ms)),
        end_time: (record.end_time_ms != 0).then(|| timestamp_ms(record.end_time_ms)),
        as_of: (counts.as_of != 0).then(|| event_time(counts.as_of)),
        users: counts.users,
        items: counts.items,
        interactions: counts.interactions,
        sale_days: counts.sale_days,
        phase_times: record.phase_times.clone(),
    }
}

/// Whether the job will not change any more.
pub(crate) fn has_ended(state: JobState) -> bool {
    matches!(state, JobState::Succeeded | JobState::Failed | JobState::Cancelled)
}
