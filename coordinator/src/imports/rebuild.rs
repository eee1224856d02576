//! Builds a register anew from the log, which holds what stands for each row, under which import it
//! came, and what was taken out again.
//!
//! An import that is open is taken out first: what it will change lay in the register, too. Of twins
//! of which one was replaced the earlier ones go, as they do in the shards.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore},
    log::{Cursor, FetchedSection, LogError, Sequence},
    slot::ShardId,
    time::EventTime,
};
use mercer_proto::{
    internal::{ItemEvent, ProducerBatch, Retract, Section, section::Origin},
    v1::{ImportSource, ImportState},
};
use prost::Message as _;
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    ImportError, Imports,
    edit::{keep_taken, taken},
    register::{Month, MonthWriter, OpenMonth},
    row::{Day, Known, Row},
    spill::{Placed, Spill},
    store::{MonthRecord, SourceRecord, month_record},
};
use crate::ingest::IngestError;

/// Bytes of the log that are read at once.
const READ_BYTES: usize = 8 << 20;

/// How far a register is built: sections and shards that are read, of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) done: u64,
    pub(crate) of: u64,
}

impl Imports {
    /// Builds the register of a source anew; nothing has changed on an error, but for an import that
    /// was open. It is given up when nobody hears of its progress any more.
    pub(crate) async fn rebuild(
        &self,
        source_id: &str,
        progress: watch::Sender<Progress>,
    ) -> Result<ImportSource, ImportError> {
        let _alone = self.rebuilding.lock().await;
        self.refuse_newer(source_id).await?;
        let source = self.without_open_import(source_id).await?;
        let (mut own, mut others) = (BTreeMap::new(), BTreeSet::new());
        for record in self.store.imports("") {
            let Ok(id) = Uuid::try_parse(&record.import().import_id) else { continue };
            if record.source_id() == source_id && record.state() == ImportState::Done {
                own.insert(*id.as_bytes(), record.number);
            } else {
                others.insert(*id.as_bytes());
            }
        }
        let folder = self.registers.folder().to_owned();
        let rows = blocking(move || Ok(Spill::new(&folder)?)).await?;
        let mut read = Reading {
            own,
            others,
            met: HashMap::new(),
            said: BTreeSet::new(),
            retracted: HashMap::new(),
            rows,
        };
        let (log, shards) = (self.ingest.log(), self.ingest.shards());
        let end = log.end();
        let of = u64::from(shards) * end;
        for shard in 0..shards {
            let mut after = log.trimmed_through();
            read.met.clear();
            while after < end {
                if progress.is_closed() {
                    return Err(ImportError::GivenUp);
                }
                progress.send_replace(Progress { done: u64::from(shard) * end + after, of });
                let cursor = Cursor { shard, after, epoch: log.epoch_at(after) };
                let fetched = log.fetch(&[cursor], READ_BYTES, Duration::ZERO).await;
                let fetched = fetched.map_err(IngestError::Log)?.shards.into_iter().next();
                let Some(fetched) = fetched else { break };
                after = fetched.next;
                read = blocking(move || {
                    read.sections(shard, fetched.sections)?;
                    Ok(read)
                })
                .await?;
            }
        }
        let phase = format!("{}-rebuilt", Uuid::new_v4());
        let (registers, as_read) = (self.registers.clone(), Arc::clone(&source));
        let built = blocking(move || Ok(read.write(&registers, &as_read, &phase)?)).await?;
        let _changes = self.changes.lock().await;
        if self.store.source(source_id)? != source {
            return Err(ImportError::Changed { source_id: source_id.to_owned() });
        }
        let mut present = (*source).clone();
        (present.months, present.rows) = (built.months, built.rows);
        self.store.put_source(present.clone()).await?;
        for mut record in self.store.standing(source_id) {
            let taken = built.taken.get(&record.number).cloned().flatten();
            if record.taken != taken {
                record.taken = taken;
                self.store.put_import(record).await?;
            }
        }
        let described = self.describe(&present);
        self.sweep(present).await;
        Ok(described)
    }

    /// Refuses to replace a register that a newer release wrote, which is whole.
    async fn refuse_newer(&self, source_id: &str) -> Result<(), ImportError> {
        let months = self.store.source(source_id)?.months();
        let imports = self.store.standing(source_id);
        let registers = self.registers.clone();
        blocking(move || {
            let opened = months.keys().map(|month| OpenMonth::open(&registers, &months, *month));
            let opened = opened.map(|opened| opened.map(|_| ()));
            let read = imports.iter().map(|record| taken(&registers, record).map(|_| ()));
            for found in opened.chain(read) {
                if let Err(newer @ ArtifactError::Newer { .. }) = found {
                    return Err(newer.into());
                }
            }
            Ok(())
        })
        .await
    }

    /// A source of which no import is open any more.
    async fn without_open_import(&self, source_id: &str) -> Result<Arc<SourceRecord>, ImportError> {
        let _changes = self.changes.lock().await;
        let source = self.store.source(source_id)?;
        if let Ok(open) = self.store.import(&source.open_import) {
            self.withdraw(&open).await?;
        }
        self.store.source(source_id)
    }
}

/// Runs `work` off the runtime's threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImportError> + Send + 'static,
) -> Result<T, ImportError> {
    // It fails only when the process stops.
    tokio::task::spawn_blocking(work).await.map_err(|_| ImportError::ShuttingDown)?
}

/// Positions that each row was taken out behind, by the import of which number, and how often.
type Retracted = HashMap<[u8; 16], BTreeMap<Sequence, (u32, usize)>>;

/// A register that was built.
#[derive(Default)]
struct Built {
    months: Vec<MonthRecord>,
    rows: u64,
    /// What imports took out, by number.
    taken: BTreeMap<u32, Option<ArtifactRef>>,
}

/// What was read of the log.
struct Reading {
    /// Imports that stand, each with its number.
    own: BTreeMap<[u8; 16], u32>,
    /// Imports whose rows are none of the register.
    others: BTreeSet<[u8; 16]>,
    /// Batches of each import in the shard that is read, which may lie in the log twice.
    met: HashMap<[u8; 16], BTreeSet<u64>>,
    /// Imports and parts of what they retract.
    said: BTreeSet<([u8; 16], u32)>,
    retracted: Retracted,
    rows: Spill,
}

impl Reading {
    /// Reads what follows in the log of a shard.
    fn sections(
        &mut self,
        shard: ShardId,
        sections: Vec<FetchedSection>,
    ) -> Result<(), ImportError> {
        for FetchedSection { sequence, section } in sections {
            let section = Section::decode(section).map_err(|error| {
                IngestError::Log(LogError::Damaged { sequence, detail: error.to_string() })
            })?;
            self.section(shard, sequence, section)?;
        }
        Ok(())
    }

    fn section(
        &mut self,
        shard: ShardId,
        position: Sequence,
        section: Section,
    ) -> Result<(), ImportError> {
        if let Some(retract) = section.retract.filter(|retract| shard == 0 && !retract.whole) {
            self.retract(position, &retract);
        }
        let Some(Origin::Producer(batch)) = section.origin else { return Ok(()) };
        if section.item_events.iter().all(|event| event.import_row.is_empty()) {
            return Ok(());
        }
        let Ok(import) = <[u8; 16]>::try_from(batch.producer_id.as_slice()) else { return Ok(()) };
        let Some(&number) = self.own.get(&import) else {
            return match self.others.contains(&import) {
                true => Ok(()),
                false => Err(ImportError::Forgotten),
            };
        };
        if !self.is_new(import, &batch) {
            return Ok(());
        }
        for event in &section.item_events {
            if let Some((day, known)) = known(event, number) {
                self.rows.add(Placed { position, day, known })?;
            }
        }
        Ok(())
    }

    /// Who retracts says it again until it hears that it was said: it counts once.
    fn retract(&mut self, position: Sequence, retract: &Retract) {
        let Ok(import) = <[u8; 16]>::try_from(retract.import_id.as_slice()) else { return };
        let Some(&number) = self.own.get(&import) else { return };
        if !self.said.insert((import, retract.part)) {
            return;
        }
        for row in retract.item_rows.as_chunks::<16>().0 {
            let behind = self.retracted.entry(*row).or_default();
            behind.entry(position).or_insert((number, 0)).1 += 1;
        }
    }

    fn is_new(&mut self, import: [u8; 16], batch: &ProducerBatch) -> bool {
        let met = self.met.entry(import).or_default();
        // What its sender has heard of is not sent again.
        let known = met.split_off(&batch.acknowledged_through);
        *met = known;
        met.insert(batch.batch_sequence)
    }

    /// Writes the months, and what imports took out.
    fn write(
        mut self,
        registers: &ArtifactStore,
        source: &SourceRecord,
        phase: &str,
    ) -> Result<Built, ArtifactError> {
        let mut built = Built::default();
        let mut taken: BTreeMap<u32, Vec<(Day, Known)>> = BTreeMap::new();
        for month in self.rows.months() {
            let mut rows = self.rows.take(month)?;
            rows.sort_unstable();
            rows.retain(|row| match take(&mut self.retracted, row) {
                Some(import) => {
                    taken.entry(import).or_default().push((row.day, row.known));
                    false
                }
                None => true,
            });
            rows.sort_unstable_by_key(|row| (row.day, row.known));
            built.rows += rows.len() as u64;
            let mut writer = MonthWriter::create(registers, &source.source_id, phase, month)?;
            for day in rows.chunk_by(|left, right| left.day == right.day) {
                let known: Vec<Known> = day.iter().map(|row| row.known).collect();
                writer.append(day[0].day, &known)?;
            }
            built.months.extend(writer.finish()?.map(|file| month_record(month, Some(file))));
        }
        for (import, mut rows) in taken {
            rows.sort_unstable();
            let phase = format!("{phase}-{import}");
            built.taken.insert(import, keep_taken(registers, &source.source_id, &phase, &rows)?);
        }
        Ok(built)
    }
}

/// The number of the import that takes a row out: the first one behind it does.
fn take(retracted: &mut Retracted, row: &Placed) -> Option<u32> {
    let behind = retracted.get_mut(&row.known.stamp())?;
    let (&limit, (import, count)) = behind.range_mut(row.position..).next()?;
    let import = *import;
    *count -= 1;
    if *count == 0 {
        behind.remove(&limit);
    }
    Some(import)
}

/// The row of an event, as its register holds it.
fn known(event: &ItemEvent, number: u32) -> Option<(Day, Known)> {
    let row: &[u8; 16] = event.import_row.as_slice().try_into().ok()?;
    let (key, content) = (row.first_chunk::<12>()?, row.last_chunk::<4>()?);
    let time = EventTime(event.time).unix_seconds();
    let day = Day::try_from(time.div_euclid(86_400)).ok()?;
    let second = u32::try_from(time.rem_euclid(86_400)).ok()?;
    let row = Row { key: *key, content: *content, second };
    Month::of(day).map(|_| (day, Known::of(row, number)))
}
