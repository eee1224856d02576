//! Imports of records, such as items or stock: they are changed by their ids, so that a file may be
//! imported again, and no row is known. What one has changed can be taken out as a whole.

use mercer_common::ids::Checker;
use mercer_proto::v1::{BeginRecordsRequest, Import, ImportState};
use uuid::Uuid;

use super::{ImportError, Imports, begin::check_files, check_source, store::ImportRecord};

impl Imports {
    /// Opens an import of records; one that is open ends with what it has loaded.
    pub(crate) async fn begin_records(
        &self,
        request: BeginRecordsRequest,
    ) -> Result<Import, ImportError> {
        let BeginRecordsRequest { source_id, files, kind } = request;
        check_source(&source_id)?;
        let mut checker = Checker::default();
        check_files(&mut checker, "files", &files);
        checker.id(|| "kind".into(), &kind);
        checker.finish()?;
        self.check_version()?;
        let _changes = self.changes.lock().await;
        let mut source = (*self.store.source_or_new(&source_id)).clone();
        if !source.of_records && source.last_number > 0 {
            return Err(ImportError::unordered("source_id", "is a source of events"));
        }
        if let Ok(open) = self.store.import(&source.open_import) {
            self.note_done((*open).clone(), String::new()).await?;
        }
        source.of_records = true;
        source.last_number += 1;
        source.open_import = Uuid::new_v4().to_string();
        let import = Import {
            import_id: source.open_import.clone(),
            source_id,
            state: ImportState::Open.into(),
            files,
            begin_time: Some(self.now()),
            kind,
            ..Import::default()
        };
        let number = source.last_number;
        self.store.put_source(source).await?;
        let record = ImportRecord { import: Some(import.clone()), number, ..Default::default() };
        self.store.put_import(record).await?;
        Ok(import)
    }
}
