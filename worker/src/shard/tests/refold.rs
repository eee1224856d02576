//! A shard that was folded again equals one whose log never held what was retracted, wherever it was
//! stopped and whatever snapshot it starts from.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use mercer_common::{
    artifact::ArtifactStore,
    event::{APPLY_VERSION, encode_section},
    log::{Epoch, Mark, Sequence},
    slot::ShardId,
};
use mercer_proto::internal::{FetchedSection, ProducerBatch, Retract, Section, section};
use proptest::{collection::vec, prelude::*, sample::Index};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::workload::{SHARD, layout, log, use_version, zone};
use crate::{
    compute::Compute,
    shard::{
        Met, Shard, ShardState, ShardStatus,
        apply::{Prepared, apply},
        follow::{
            LaneContext,
            lane::{self, Batch},
            refold::{ReadsLog, Stretch, Unread},
        },
        retractions::Retractions,
    },
};

/// The log of one shard, of which every other reading fails.
#[derive(Debug, Default)]
pub(super) struct MemoryLog {
    sections: Vec<FetchedSection>,
    failed: AtomicUsize,
    /// How often it was read from its beginning.
    begun: AtomicUsize,
}

#[async_trait::async_trait]
impl ReadsLog for MemoryLog {
    async fn read(&self, _shard: ShardId, after: Mark) -> Result<Stretch, Unread> {
        let turn = self.failed.fetch_add(1, Ordering::Relaxed);
        if turn % 8 == 3 {
            return Err(Unread("interrupted".into()));
        }
        self.begun.fetch_add(usize::from(after.position == 0), Ordering::Relaxed);
        let behind = self.sections.iter().filter(|one| one.sequence > after.position);
        let sections: Vec<FetchedSection> = behind.take(7).cloned().collect();
        let position = sections.last().map_or(after.position, |last| last.sequence);
        Ok(Stretch { sections, next: Mark { epoch: Epoch::NONE, position } })
    }
}

static COMPUTE: LazyLock<Arc<Compute>> =
    LazyLock::new(|| Arc::new(Compute::new(1).expect("threads")));

/// No producer of the workload.
const IMPORTS: [[u8; 16]; 3] = [[101; 16], [102; 16], [103; 16]];

/// Gives sections to imports, and their records to rows: few, so that rows have twins. Some are sent
/// again at once.
fn import(log: &mut [(Sequence, Section)], of: &[u8]) {
    let mut sent: Option<Section> = None;
    for ((sequence, section), import) in log.iter_mut().zip(of) {
        let last = sent.take();
        if let (4, Some(last)) = (import, last) {
            let (append_time_ms, log_time_ms) = (section.append_time_ms, section.log_time_ms);
            *section = Section { append_time_ms, log_time_ms, ..last };
            continue;
        }
        let Some(producer) = IMPORTS.get(usize::from(*import)) else { continue };
        if section.use_apply_version.is_some() || section.marker.is_some() {
            continue;
        }
        section.origin = Some(section::Origin::Producer(ProducerBatch {
            producer_id: producer.to_vec(),
            batch_sequence: *sequence,
            acknowledged_through: *sequence - 1,
            r#final: false,
        }));
        for record in &mut section.interactions {
            record.import_mark = Some(u64::from(record.time % 5));
        }
        for record in &mut section.item_events {
            record.import_row = vec![u8::try_from(record.time % 5).expect("small"); 16];
        }
        sent = Some(section.clone());
    }
}

/// What is retracted somewhere in the log.
#[derive(Clone, Debug)]
enum Said {
    Import(u8),
    /// Rows, by an import that may be undone later.
    Rows(u8, Vec<u8>),
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        (0..3_u8).prop_map(Said::Import),
        (0..3_u8, vec(0..5_u8, 1..6)).prop_map(|(import, rows)| Said::Rows(import, rows)),
    ]
}

fn section_of(said: &Said, part: u32, more: bool) -> Section {
    let retract = match said {
        Said::Import(import) => Retract {
            import_id: IMPORTS[usize::from(*import)].to_vec(),
            whole: true,
            more,
            ..Retract::default()
        },
        Said::Rows(import, rows) => Retract {
            import_id: IMPORTS[usize::from(*import)].to_vec(),
            whole: false,
            item_rows: rows.iter().flat_map(|row| [*row; 16]).collect(),
            user_marks: rows.iter().flat_map(|row| u64::from(*row).to_be_bytes()).collect(),
            more,
            part,
        },
    };
    Section { retract: Some(retract), ..Section::default() }
}

/// The log without what its retractions take out, by plain loops.
fn remains(log: &[(Sequence, Section)]) -> Vec<(Sequence, Section)> {
    let retractions = log.iter().filter_map(|(at, section)| Some((*at, section.retract.as_ref()?)));
    let retractions: Vec<_> = retractions.collect();
    let whole: BTreeSet<&[u8]> =
        retractions.iter().filter(|(_, one)| one.whole).map(|(_, one)| &*one.import_id).collect();
    let mut items: BTreeMap<&[u8], Vec<Sequence>> = BTreeMap::new();
    let mut users: BTreeMap<u64, Vec<Sequence>> = BTreeMap::new();
    for (at, one) in &retractions {
        if one.whole || whole.contains(&*one.import_id) {
            continue;
        }
        one.item_rows.chunks(16).for_each(|row| items.entry(row).or_default().push(*at));
        let marks = one.user_marks.as_chunks::<8>().0;
        marks.iter().for_each(|mark| users.entry(u64::from_be_bytes(*mark)).or_default().push(*at));
    }
    // The first retraction behind a row takes it.
    let take = |limits: Option<&mut Vec<Sequence>>, at: Sequence| {
        let Some(limits) = limits else { return false };
        let Some(first) = limits.iter().position(|limit| *limit > at) else { return false };
        limits.remove(first);
        true
    };
    let (mut left, mut met) = (Vec::new(), BTreeSet::new());
    for (at, section) in log {
        let mut section = section.clone();
        section.retract = None;
        if let Some(section::Origin::Producer(batch)) = &section.origin {
            if whole.contains(&*batch.producer_id) {
                continue;
            }
            // What was sent again is dropped, with all its rows.
            if !met.insert((batch.producer_id.clone(), batch.batch_sequence)) {
                left.push((*at, section));
                continue;
            }
        }
        section.interactions.retain(|record| {
            !record.import_mark.is_some_and(|mark| take(users.get_mut(&mark), *at))
        });
        section.item_events.retain(|record| !take(items.get_mut(&*record.import_row), *at));
        left.push((*at, section));
    }
    left
}

fn fold(log: &[(Sequence, Section)]) -> ShardState {
    let mut state = ShardState::new(layout(), SHARD, zone());
    for (sequence, section) in log {
        let prepared = Prepared::new(layout(), SHARD, section.clone()).expect("well formed");
        apply(&mut state, *sequence, prepared).expect("applies");
    }
    state
}

fn everything(mut state: ShardState) -> (Vec<u8>, Vec<String>, Vec<Met>) {
    // What was taken out is noted, and nothing else tells of it.
    state.retractions = Retractions::default();
    let popular = state.by_popularity().map(|item| item.id().to_owned()).collect();
    let met = state.users().map(|(_, user)| user.met()).collect();
    (state.canonical_encoding(), popular, met)
}

/// Runs a lane over the log in batches that end after these sections. The shard recovers up to
/// `serve_from`. Also says how often the log was read from its beginning.
fn run(log: &[(Sequence, Section)], cuts: &[usize], serve_from: Sequence) -> (ShardState, usize) {
    let sections: Vec<FetchedSection> = (log.iter())
        .map(|(sequence, section)| {
            let section = encode_section(section);
            FetchedSection { sequence: *sequence, crc: crc32fast::hash(&section), section }
        })
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let artifacts = ArtifactStore::open(folder.path()).expect("opens");
    let reader = Arc::new(MemoryLog { sections: sections.clone(), ..MemoryLog::default() });
    let read: Arc<dyn ReadsLog> = reader.clone();
    let context = LaneContext::new(Arc::clone(&COMPUTE), artifacts, read);
    let shard = Arc::new(Shard::new(fold(&[]), "worker".into(), Instant::now()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let (sender, receiver) = mpsc::channel(1);
        let lane = lane::run(Arc::clone(&shard), receiver, context, CancellationToken::new());
        let feed = async {
            let mut begin = 0;
            for end in cuts.iter().copied().chain([sections.len()]) {
                let batch = &sections[begin..end.max(begin)];
                let Some(last) = batch.last() else { continue };
                begin = end;
                let batch = Batch {
                    sections: batch.to_vec().into(),
                    next: Mark { epoch: Epoch::NONE, position: last.sequence },
                    serve_from,
                    cutting_job: "".into(),
                    permit: None,
                };
                sender.send(batch).await.expect("the lane runs");
            }
            drop(sender);
        };
        tokio::join!(lane, feed);
    });
    assert!(!matches!(shard.status(), ShardStatus::Failed(_)), "{:?}", shard.status());
    let through = sections.last().map_or(0, |last| last.sequence);
    assert_eq!(shard.applied(), through);
    assert!(!shard.owes_fold());
    let state = Arc::try_unwrap(shard).expect("nobody else has it").into_state();
    (state, reader.begun.load(Ordering::Relaxed))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_remains_is_as_if_the_rest_had_never_been(
        mut log in log(30),
        of in vec(0..5_u8, 30),
        retracted in vec((any::<Index>(), vec(said(), 1..4)), 0..4),
        cuts in vec(any::<Index>(), 0..3),
        serve_from in any::<Index>(),
    ) {
        import(&mut log, &of);
        log.iter_mut().for_each(|(sequence, _)| *sequence = *sequence * 100 + 1);
        log.insert(0, (1, use_version(APPLY_VERSION)));
        let mut part = 0;
        for (number, (place, said)) in (1..).zip(&retracted) {
            // Behind a section, and before the next one.
            let place = 1 + place.index(log.len());
            let after = log[place - 1].0;
            for (step, one) in (1..).zip(said) {
                part += 1;
                let section = section_of(one, part, step < said.len() as u64);
                let at = (after + number * 10 + step, section);
                let place = log.partition_point(|(sequence, _)| *sequence < at.0);
                if log.iter().all(|(sequence, _)| *sequence != at.0) {
                    log.insert(place, at);
                }
            }
        }
        let last = log.last().expect("never empty").0;
        // Whatever was said last takes effect.
        log.push((last + 1, section_of(&Said::Rows(0, vec![9]), part + 1, false)));
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(log.len())).collect();
        cuts.sort_unstable();
        let expected = everything(fold(&remains(&log)));
        // All of it live, some of it while the shard recovers, and all.
        let last = log.len() - 1;
        for from in [0, log[serve_from.index(log.len())].0, log[last].0] {
            let (state, begun) = run(&log, &cuts, from);
            prop_assert_eq!(everything(state), expected.clone());
            if from == log[last].0 {
                prop_assert_eq!(begun, 1, "who recovers folds once");
            }
        }
    }
}
