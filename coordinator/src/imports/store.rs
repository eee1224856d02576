//! Sources and imports, in metadata and in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use mercer_common::{
    artifact::ArtifactRef,
    metadata::{Metadata, MetadataError, Revision},
};
use mercer_proto::v1::{Import, ImportState};
use parking_lot::RwLock;
use prost::Message;

use super::{
    ImportError,
    register::{Month, Months},
};
use crate::{
    cluster::record::{decode, decode_value, put},
    ingest::OpenImports,
};

const SOURCES: &str = "imports/sources/";
const IMPORTS: &str = "imports/imports/";
/// Sources of one cluster.
const MOST_SOURCES: usize = 1_000;
/// Imports that are remembered.
const MOST_IMPORTS: usize = 10_000;

/// The register files that entries of the metadata name.
pub(crate) fn files_of<'a>(
    entries: impl Iterator<Item = (&'a str, &'a Bytes)>,
) -> Result<BTreeSet<String>, MetadataError> {
    let (mut sources, mut imports) = (BTreeMap::new(), Vec::new());
    for (key, value) in entries {
        if key.starts_with(SOURCES) {
            let source: SourceRecord = decode_value(key, value)?;
            sources.insert(source.source_id.clone(), source);
        } else if key.starts_with(IMPORTS) {
            imports.push(decode_value::<ImportRecord>(key, value)?);
        }
    }
    let mut files = BTreeSet::new();
    for source in sources.values() {
        let own = imports.iter().filter(|import| import.source_id() == source.source_id);
        files.extend(source.files(own).into_iter().map(str::to_owned));
    }
    Ok(files)
}

/// `imports/sources/{id}`. Fields are never renumbered.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SourceRecord {
    #[prost(string, tag = "1")]
    pub(super) source_id: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) months: Vec<MonthRecord>,
    /// Number of rows in the months.
    #[prost(uint64, tag = "3")]
    pub(super) rows: u64,
    /// The highest number of an import.
    #[prost(uint32, tag = "4")]
    pub(super) last_number: u32,
    /// Empty when none is. One that is not there was never begun.
    #[prost(string, tag = "5")]
    pub(super) open_import: String,
    /// Numbers of imports that the months hold nothing of.
    #[prost(uint32, repeated, tag = "6")]
    pub(super) undone: Vec<u32>,
    /// How the files of the imports that stand were read, the latest before the others.
    #[prost(btree_map = "string, string", tag = "7")]
    pub(super) reading: BTreeMap<String, String>,
    /// It has records, and no rows that are known.
    #[prost(bool, tag = "8")]
    pub(super) of_records: bool,
}

/// A file of a register.
#[derive(Clone, PartialEq, Message)]
pub(super) struct MonthRecord {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    /// None where the month holds nothing more.
    #[prost(message, optional, tag = "2")]
    pub(super) file: Option<ArtifactRef>,
}

/// `imports/imports/{id}`. Fields are never renumbered.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ImportRecord {
    #[prost(message, optional, tag = "1")]
    pub(super) import: Option<Import>,
    /// Number within its source.
    #[prost(uint32, tag = "2")]
    pub(super) number: u32,
    #[prost(bytes = "vec", tag = "3")]
    pub(super) digest: Vec<u8>,
    /// The months that change with it.
    #[prost(message, repeated, tag = "4")]
    pub(super) staged: Vec<MonthRecord>,
    /// Known rows that it takes out, if there are any.
    #[prost(message, optional, tag = "5")]
    pub(super) taken: Option<ArtifactRef>,
    /// Rows of the source when it is done.
    #[prost(uint64, tag = "6")]
    pub(super) rows: u64,
    #[prost(btree_map = "string, string", tag = "7")]
    pub(super) reading: BTreeMap<String, String>,
}

impl SourceRecord {
    pub(super) fn months(&self) -> Months {
        let mut months = Months::new();
        for record in &self.months {
            if let (Some(month), Some(file)) = (Month::parse(&record.name), &record.file) {
                months.insert(month, file.clone());
            }
        }
        months
    }

    /// The files that it needs, which has these imports: its register, what an import took out that was
    /// not undone, and what an open one will change.
    pub(super) fn files<'a>(
        &'a self,
        imports: impl Iterator<Item = &'a ImportRecord>,
    ) -> BTreeSet<&'a str> {
        let mut files: BTreeSet<&str> = BTreeSet::new();
        let paths = |months: &'a [MonthRecord]| {
            months.iter().filter_map(|month| Some(month.file.as_ref()?.path.as_str()))
        };
        files.extend(paths(&self.months));
        for record in imports.filter(|record| record.state() != ImportState::Undone) {
            files.extend(record.taken.iter().map(|file| file.path.as_str()));
            if record.import().import_id == self.open_import {
                files.extend(paths(&record.staged));
            }
        }
        files
    }

    /// Takes over months that were written anew.
    pub(super) fn swap(&mut self, staged: &[MonthRecord]) {
        let mut months = self.months();
        for record in staged {
            let Some(month) = Month::parse(&record.name) else { continue };
            match &record.file {
                Some(file) => _ = months.insert(month, file.clone()),
                None => _ = months.remove(&month),
            }
        }
        let months = months.into_iter();
        self.months = months.map(|(month, file)| month_record(month, Some(file))).collect();
    }
}

pub(super) fn month_record(month: Month, file: Option<ArtifactRef>) -> MonthRecord {
    MonthRecord { name: month.name(), file }
}

impl ImportRecord {
    pub(super) fn import(&self) -> Import {
        self.import.clone().unwrap_or_default()
    }

    pub(super) fn state(&self) -> ImportState {
        self.import.as_ref().map_or(ImportState::Unspecified, Import::state)
    }

    pub(super) fn is_of_records(&self) -> bool {
        self.import.as_ref().is_some_and(|import| !import.kind.is_empty())
    }

    /// In the order in which imports were begun.
    fn order(&self) -> (i64, i32, u32, String) {
        let import = self.import();
        let begun = import.begin_time.unwrap_or_default();
        (begun.seconds, begun.nanos, self.number, import.import_id)
    }

    pub(super) fn source_id(&self) -> &str {
        self.import.as_ref().map_or("", |import| &import.source_id)
    }
}

type Stored<T> = BTreeMap<String, (Arc<T>, Revision)>;

/// All sources and imports.
pub(super) struct Store {
    metadata: Arc<dyn Metadata>,
    sources: RwLock<Stored<SourceRecord>>,
    imports: RwLock<Stored<ImportRecord>>,
    open: Arc<OpenImports>,
}

impl Store {
    pub(super) async fn load(
        metadata: Arc<dyn Metadata>,
        open: Arc<OpenImports>,
    ) -> Result<Self, MetadataError> {
        let (mut sources, mut imports) = (Stored::new(), Stored::new());
        for entry in metadata.list(SOURCES).await? {
            let record: SourceRecord = decode(&entry)?;
            sources.insert(record.source_id.clone(), (Arc::new(record), entry.revision));
        }
        for entry in metadata.list(IMPORTS).await? {
            let record: ImportRecord = decode(&entry)?;
            let id = record.import().import_id;
            open.note(&record.import());
            imports.insert(id, (Arc::new(record), entry.revision));
        }
        Ok(Self { metadata, sources: RwLock::new(sources), imports: RwLock::new(imports), open })
    }

    pub(super) fn source(&self, id: &str) -> Result<Arc<SourceRecord>, ImportError> {
        let sources = self.sources.read();
        let found = sources.get(id).map(|(record, _)| Arc::clone(record));
        found.ok_or_else(|| ImportError::UnknownSource { source_id: id.to_owned() })
    }

    /// A source, or what it begins as.
    pub(super) fn source_or_new(&self, id: &str) -> Arc<SourceRecord> {
        let new = || SourceRecord { source_id: id.to_owned(), ..SourceRecord::default() };
        self.source(id).unwrap_or_else(|_| Arc::new(new()))
    }

    /// All sources, by id.
    pub(super) fn sources(&self) -> Vec<Arc<SourceRecord>> {
        self.sources.read().values().map(|(record, _)| Arc::clone(record)).collect()
    }

    pub(super) fn import(&self, id: &str) -> Result<Arc<ImportRecord>, ImportError> {
        let imports = self.imports.read();
        let found = imports.get(id).map(|(record, _)| Arc::clone(record));
        found.ok_or_else(|| ImportError::Unknown { import_id: id.to_owned() })
    }

    /// The imports of a source, or all: the newest first.
    pub(super) fn imports(&self, source_id: &str) -> Vec<Arc<ImportRecord>> {
        let imports = self.imports.read();
        let all = imports.values().map(|(record, _)| Arc::clone(record));
        let mut found: Vec<_> =
            all.filter(|one| source_id.is_empty() || one.source_id() == source_id).collect();
        found.sort_by_cached_key(|record| std::cmp::Reverse(record.order()));
        found
    }

    /// Makes room for one more import. One that is forgotten stays loaded, and cannot be undone. Those
    /// of records go first: the rows of the others are known by their imports.
    async fn forget_oldest(&self) -> Result<(), ImportError> {
        let oldest = {
            let imports = self.imports.read();
            if imports.len() < MOST_IMPORTS {
                return Ok(());
            }
            let ended = imports.values().filter(|(one, _)| one.state() != ImportState::Open);
            ended.min_by_key(|(one, _)| (!one.is_of_records(), one.order())).cloned()
        };
        let Some((oldest, revision)) = oldest else { return Ok(()) };
        let id = oldest.import().import_id;
        let key = format!("{IMPORTS}{id}");
        self.metadata.compare_and_set(&key, Some(revision), None).await?;
        self.imports.write().remove(&id);
        Ok(())
    }

    /// The imports of a source that were not undone.
    pub(super) fn standing(&self, source_id: &str) -> Vec<ImportRecord> {
        let imports = self.imports.read();
        let of_source = imports.values().map(|(record, _)| &**record).filter(|record| {
            record.source_id() == source_id && record.state() != ImportState::Undone
        });
        of_source.cloned().collect()
    }

    pub(super) async fn put_source(&self, record: SourceRecord) -> Result<(), ImportError> {
        let id = record.source_id.clone();
        let (revision, count) = {
            let sources = self.sources.read();
            (sources.get(&id).map(|(_, revision)| *revision), sources.len())
        };
        if revision.is_none() && count >= MOST_SOURCES {
            return Err(ImportError::TooManySources { limit: MOST_SOURCES });
        }
        let revision = put(&*self.metadata, &format!("{SOURCES}{id}"), revision, &record).await?;
        self.sources.write().insert(id, (Arc::new(record), revision));
        Ok(())
    }

    pub(super) async fn put_import(&self, record: ImportRecord) -> Result<(), ImportError> {
        let id = record.import().import_id;
        let revision = self.imports.read().get(&id).map(|(_, revision)| *revision);
        if revision.is_none() {
            self.forget_oldest().await?;
        }
        // No row may come in before it is known to whom it belongs, or after it no longer counts.
        if record.state() != ImportState::Open {
            self.open.note(&record.import());
        }
        let revision = put(&*self.metadata, &format!("{IMPORTS}{id}"), revision, &record).await?;
        self.open.note(&record.import());
        self.imports.write().insert(id, (Arc::new(record), revision));
        Ok(())
    }
}

/// A source with one file in its register, below the coordinator's `folder`: its entry and the file.
#[cfg(test)]
pub(crate) fn example(folder: &std::path::Path) -> ((String, Vec<u8>), ArtifactRef) {
    let registers = mercer_common::artifact::ArtifactStore::open(&folder.join(super::FOLDER));
    let put = |import| {
        let put = registers.as_ref().expect("opens");
        put.put("shop", import, "2026-01", "import-register-1", &[&[1; 24]]).expect("written")
    };
    let (file, _unnamed) = (put("one"), put("two"));
    let months = vec![MonthRecord { name: "2026-01".into(), file: Some(file.clone()) }];
    let source = SourceRecord { source_id: "shop".into(), months, rows: 1, ..Default::default() };
    ((format!("{SOURCES}shop"), source.encode_to_vec()), file)
}

#[cfg(test)]
mod tests {
    use mercer_common::metadata::memory::MemoryMetadata;
    use uuid::Uuid;

    use super::*;

    fn record(number: u32, state: ImportState) -> ImportRecord {
        let mut import = Import {
            import_id: Uuid::from_u128(number.into()).to_string(),
            source_id: "shop".into(),
            ..Import::default()
        };
        import.set_state(state);
        ImportRecord { import: Some(import), number, ..ImportRecord::default() }
    }

    #[tokio::test]
    async fn one_import_too_many_takes_the_place_of_the_oldest_that_has_ended() {
        let metadata: Arc<MemoryMetadata> = Arc::default();
        let open = Arc::<OpenImports>::default();
        let store = Store::load(metadata.clone(), open.clone()).await.expect("loads");
        store.put_import(record(1, ImportState::Open)).await.expect("stored");
        let most = u32::try_from(MOST_IMPORTS).expect("few");
        for number in 2..=most {
            store.put_import(record(number, ImportState::Done)).await.expect("stored");
        }
        assert_eq!(store.imports("").len(), MOST_IMPORTS);
        // Changing one takes no room.
        store.put_import(record(2, ImportState::Undone)).await.expect("stored");
        assert_eq!(store.imports("shop").len(), MOST_IMPORTS);
        store.put_import(record(most + 1, ImportState::Open)).await.expect("stored");
        let again = Store::load(metadata, open.clone()).await.expect("loads");
        for store in [&store, &again] {
            let numbers: Vec<u32> = store.imports("").iter().map(|one| one.number).collect();
            assert_eq!((numbers.len(), numbers[0]), (MOST_IMPORTS, most + 1));
            assert!(numbers.ends_with(&[3, 1]), "the open one stays");
        }
        assert!(open.takes_rows(Uuid::from_u128(1)) && !open.takes_rows(Uuid::from_u128(2)));
        assert_eq!(store.standing("shop").len(), MOST_IMPORTS);
    }
}
