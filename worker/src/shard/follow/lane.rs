//! Applies what was fetched for one shard, in order, on the compute pool.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    log::{Mark, Sequence},
};
use mercer_proto::internal::{CutPart, FetchedSection, Marker, Retract};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;

use super::{
    LaneContext,
    refold::{RefoldError, refold},
};
use crate::shard::{
    CutError, Shard, ShardState,
    apply::{Application, Prepared},
    cut,
};

/// Records applied in one go: about a millisecond, so that queries on the pool do not wait long.
const SLICE_RECORDS: usize = 1_024;
/// Attempts at a cut before its job has to do without it.
const CUT_ATTEMPTS: u32 = 5;
/// After the first of them; after the second it is twice as long, and so on.
const CUT_PAUSE: Duration = Duration::from_secs(1);
/// How long to leave the pool alone when it is full.
const POOL_FULL: Duration = Duration::from_millis(5);

/// What one fetch found for a shard.
#[derive(Debug)]
pub(in crate::shard) struct Batch {
    pub(in crate::shard) sections: VecDeque<FetchedSection>,
    /// Everything of the shard up to here is in this batch or an earlier one.
    pub(in crate::shard) next: Mark,
    /// Where a recovering shard has caught up.
    pub(in crate::shard) serve_from: Sequence,
    pub(in crate::shard) cutting_job: Arc<str>,
    /// Share of the memory for fetched sections.
    pub(in crate::shard) permit: Option<OwnedSemaphorePermit>,
}

/// Applies batches until the channel closes or the shard fails.
pub(in crate::shard) async fn run(
    shard: Arc<Shard>,
    mut batches: mpsc::Receiver<Batch>,
    context: LaneContext,
    stop: CancellationToken,
) {
    while let Some(batch) = batches.recv().await {
        if shard.has_stopped() || stop.is_cancelled() {
            continue;
        }
        if let Err(reason) = apply_batch(&shard, batch, &context, &stop).await {
            shard.fail(&reason);
        }
    }
}

/// Where a slice ended.
#[derive(Debug)]
enum SliceEnd {
    /// Everything is applied.
    Done,
    /// Between two sections.
    More,
    /// Within a section: the state must not be copied now.
    Within,
    /// Before this marker.
    Marker { marker: Marker, sequence: Sequence },
    /// Before the end of a retraction: the state is to be folded again, through here.
    Retract { retract: Retract, sequence: Sequence },
    /// Before a marker whose cut is wanted, and the shard is to be folded again first.
    Owed,
}

#[derive(Debug)]
struct Work {
    sections: VecDeque<FetchedSection>,
    /// As [`Batch::next`].
    next: Mark,
    /// As [`Batch::cutting_job`].
    cutting_job: Arc<str>,
    /// The state knows how far this batch reaches.
    entered: bool,
    current: Option<Application>,
    passed_marker: bool,
}

async fn apply_batch(
    shard: &Arc<Shard>,
    batch: Batch,
    context: &LaneContext,
    stop: &CancellationToken,
) -> Result<(), String> {
    let Batch { sections, next, serve_from, cutting_job, permit } = batch;
    let mut work =
        Work { sections, next, cutting_job, entered: false, current: None, passed_marker: false };
    'sections: while !stop.is_cancelled() {
        let mut fold = None;
        let gate = shard.gate.lock().await;
        loop {
            let step;
            (work, step) = slice(shard, work, context).await?;
            match step {
                SliceEnd::Within => {}
                SliceEnd::More => break,
                SliceEnd::Done => break 'sections,
                SliceEnd::Marker { marker, sequence } => {
                    if *marker.job_id == *work.cutting_job {
                        write_cut(shard, &marker, sequence, context).await;
                    }
                    work.passed_marker = true;
                }
                SliceEnd::Retract { retract, sequence } => {
                    fold = Some((Some(retract), sequence));
                    break;
                }
                SliceEnd::Owed => {
                    fold = Some((None, shard.applied()));
                    break;
                }
            }
        }
        drop(gate);
        if let Some((retract, sequence)) = fold {
            fold_again(shard, retract.as_ref(), sequence, context, stop).await?;
        }
    }
    drop(permit);
    if shard.applied() >= serve_from && !stop.is_cancelled() {
        if shard.owes_fold() {
            fold_again(shard, None, shard.applied(), context, stop).await?;
        }
        if shard.owes_fold() {
            return Ok(());
        }
        shard.serve();
    }
    Ok(())
}

/// Puts a state without what was retracted in the place of the present one, which stands before the
/// retraction until then, or stands for nothing: a snapshot of it, or a stop, loses nothing.
async fn fold_again(
    shard: &Arc<Shard>,
    retract: Option<&Retract>,
    sequence: Sequence,
    context: &LaneContext,
    stop: &CancellationToken,
) -> Result<(), String> {
    let id = shard.id();
    tracing::info!(shard = id, sequence, "folding again, without what was retracted");
    let state = match refold(shard, retract, sequence, context, stop).await {
        Ok(state) => state,
        Err(RefoldError::Stopped) => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    let _gate = shard.gate.lock().await;
    let records = state.records();
    let before = std::mem::replace(&mut *shard.write(), state);
    // A large state takes a while to be freed, which no query is to wait for.
    drop(tokio::task::spawn_blocking(move || drop(before)));
    shard.owe_fold(false);
    shard.count(records);
    shard.publish(sequence);
    tracing::info!(shard = id, sequence, records, "folded again");
    Ok(())
}

/// Runs a slice on the pool; large work is applied even while queries are shed.
async fn slice(
    shard: &Arc<Shard>,
    work: Work,
    context: &LaneContext,
) -> Result<(Work, SliceEnd), String> {
    let cell = Arc::new(parking_lot::Mutex::new(Some(work)));
    loop {
        let permit = context.slices.acquire().await.expect("the semaphore is never closed");
        let (shard, taken) = (Arc::clone(shard), Arc::clone(&cell));
        let run = context.compute.serve(move || {
            let mut work = taken.lock().take()?;
            let step = work.advance(&shard);
            Some(step.map(|step| (work, step)))
        });
        let result = run.await;
        drop(permit);
        match result {
            Ok(Some(result)) => return result,
            Ok(None) => return Err("a slice was lost".into()),
            Err(_) if cell.lock().is_some() => tokio::time::sleep(POOL_FULL).await,
            Err(error) => return Err(error.to_string()),
        }
    }
}

impl Work {
    /// Applies about [`SLICE_RECORDS`] records, and at least one section or a part of it.
    fn advance(&mut self, shard: &Shard) -> Result<SliceEnd, String> {
        let (layout, id) = (shard.layout(), shard.id());
        if !self.entered {
            shard.write().enter(self.next);
            self.entered = true;
        }
        let mut budget = SLICE_RECORDS;
        while budget > 0 {
            let mut current = match self.current.take() {
                Some(current) => current,
                None => {
                    let Some(next) = self.sections.front() else {
                        shard.write().advance(self.next.position);
                        shard.publish(self.next.position);
                        return Ok(SliceEnd::Done);
                    };
                    let sequence = next.sequence;
                    let failed = |error| format!("position {sequence}: {error}");
                    let prepared = Prepared::decode(layout, id, &next.section).map_err(failed)?;
                    if let Some(retract) = prepared.retract()
                        && !retract.more
                        && sequence > shard.read().applied()
                    {
                        if !shard.is_recovering() {
                            let retract = retract.clone();
                            self.sections.pop_front();
                            return Ok(SliceEnd::Retract { retract, sequence });
                        }
                        shard.owe_fold(true);
                    }
                    if let Some(marker) = prepared.marker()
                        && !self.passed_marker
                    {
                        if shard.owes_fold() && *marker.job_id == *self.cutting_job {
                            return Ok(SliceEnd::Owed);
                        }
                        return Ok(SliceEnd::Marker { marker: marker.clone(), sequence });
                    }
                    self.passed_marker = false;
                    self.sections.pop_front();
                    if shard.owes_fold() {
                        budget -= 1;
                        let noted = shard.write().pass_over(sequence, prepared.retract());
                        noted.map_err(failed)?;
                        shard.publish(sequence);
                        continue;
                    }
                    shard.count(prepared.records());
                    Application::new(sequence, prepared)
                }
            };
            let sequence = current.sequence();
            // A section without records takes time, too.
            budget -= 1;
            let mut state = shard.write();
            let done = current
                .advance(&mut state, &mut budget)
                .map_err(|error| format!("position {sequence}: {error}"))?;
            parking_lot::RwLockWriteGuard::unlock_fair(state);
            if !done {
                self.current = Some(current);
                return Ok(SliceEnd::Within);
            }
            shard.publish(sequence);
        }
        Ok(SliceEnd::More)
    }
}

/// Writes the parts of the cut before anything after the marker is applied. Afterwards it is too
/// late: what keeps it from being written is noted for the job.
pub(in crate::shard) async fn write_cut(
    shard: &Arc<Shard>,
    marker: &Marker,
    sequence: Sequence,
    context: &LaneContext,
) {
    let (id, job) = (shard.id(), &*marker.job_id);
    for attempt in 1.. {
        let (state, artifacts) = (Arc::clone(shard), context.artifacts.clone());
        let parts = marker.clone();
        // One shard at a time, at the priority of training: queries go on meanwhile.
        let writing = context
            .compute
            .train(move |_pool| write_parts(&state.read(), &parts, sequence, &artifacts));
        let error = match writing.await.map_err(CutError::from).and_then(|written| written) {
            Ok(()) => return tracing::debug!(shard = id, job, sequence, "cut written"),
            Err(error) => error,
        };
        if attempt == CUT_ATTEMPTS || !error.is_transient() {
            return shard.cut_failed(job, error);
        }
        tracing::error!(shard = id, job, %error, attempt, "cut not written");
        tokio::time::sleep(CUT_PAUSE * attempt).await;
    }
}

/// Writes a part of a cut.
type WritePart = fn(&ShardState, &str, &ArtifactStore) -> Result<ArtifactRef, ArtifactError>;

/// Writes the parts that the marker names and that do not exist yet.
fn write_parts(
    state: &ShardState,
    marker: &Marker,
    sequence: Sequence,
    artifacts: &ArtifactStore,
) -> Result<(), CutError> {
    let names = |part| marker.parts().any(|named| named == part);
    let interactions = marker.parts.is_empty() || names(CutPart::Interactions);
    let shard = state.shard();
    let parts: [(bool, String, WritePart); 4] = [
        (interactions, cut::interactions::name(shard), cut::interactions::write),
        (names(CutPart::Series), cut::series::name(shard), cut::series::write),
        (names(CutPart::Content), cut::content::name(shard), cut::content::write),
        (names(CutPart::Users), cut::users::name(shard), cut::users::write),
    ];
    for (_, name, write) in parts.into_iter().filter(|(named, ..)| *named) {
        if artifacts.find(&marker.job_id, cut::PHASE, &name)?.is_some() {
            continue;
        }
        if state.loaded_beyond(sequence) {
            return Err(CutError::Newer { marker: sequence });
        }
        write(state, &marker.job_id, artifacts)?;
    }
    Ok(())
}
