//! Rows of imported files on their way into the log, and their way out of what it means.

use std::{collections::BTreeMap, sync::Arc};

use mercer_common::{
    ids::Checker, log::EventLog, rpc::status::InvalidRequest, slot::ShardId, token,
};
use mercer_proto::{
    internal::{ProducerBatch, Retract, Section, section::Origin},
    v1::{Event, Import, ImportCall, ImportState},
};
use parking_lot::RwLock;
use prost::{Message, Name};
use uuid::Uuid;

use super::{Ingest, IngestError};

/// The ids of imports that are open, and whether each is of records: under them is taken what comes.
#[derive(Debug, Default)]
pub(crate) struct OpenImports(RwLock<BTreeMap<Uuid, bool>>);

impl OpenImports {
    /// Whether rows of events are taken under this id.
    pub(crate) fn takes_rows(&self, id: Uuid) -> bool {
        self.0.read().get(&id) == Some(&false)
    }

    /// Whether records are taken under this id.
    pub(crate) fn takes_records(&self, id: Uuid) -> bool {
        self.0.read().get(&id) == Some(&true)
    }

    /// Takes what comes under the id of an import from here on, or takes it no more.
    pub(crate) fn note(&self, import: &Import) {
        let Ok(id) = Uuid::try_parse(&import.import_id) else { return };
        match import.state() {
            ImportState::Open => _ = self.0.write().insert(id, !import.kind.is_empty()),
            _ => _ = self.0.write().remove(&id),
        }
    }
}

impl Ingest {
    /// The imports under whose ids rows are taken.
    pub(crate) fn open_imports(&self) -> Arc<OpenImports> {
        Arc::clone(&self.open_imports)
    }

    /// The log of all that was ingested.
    pub(crate) fn log(&self) -> Arc<dyn EventLog> {
        Arc::clone(&self.log)
    }

    /// How many shards it has.
    pub(crate) fn shards(&self) -> ShardId {
        self.context.layout.shards()
    }

    /// Keys the hashes of rows.
    pub(crate) fn row_key(&self) -> [u8; 16] {
        self.hasher.row_key()
    }

    /// Stands for a row on the user's side.
    pub(crate) fn mark(&self, row: &[u8; 16]) -> u64 {
        self.hasher.mark(row)
    }

    /// What makes a call that changes records take effect once, and says of which import it is if it is
    /// of one; `request` is the call without both.
    pub(super) fn records_origin<M: Message + Name>(
        &self,
        checker: &mut Checker,
        request_id: Option<String>,
        import: Option<ImportCall>,
        request: &M,
    ) -> Option<Origin> {
        let Some(ImportCall { import_id, number }) = import else {
            return self.request_origin(checker, request_id, request);
        };
        if request_id.is_some() {
            checker.violation("request_id", "is set, and `import` stands in its place");
        }
        let id = Uuid::try_parse(&import_id).unwrap_or_default();
        if !self.open_imports.takes_records(id) {
            let problem = "is no import of records that is open; begin it with \
                           ImportService.BeginRecords";
            checker.violation("import.import_id", problem);
        }
        if number == 0 {
            checker.violation("import.number", "starts at 1");
        }
        Some(Origin::Producer(ProducerBatch {
            producer_id: id.into_bytes().to_vec(),
            batch_sequence: number,
            acknowledged_through: number.saturating_sub(1),
            r#final: false,
        }))
    }

    /// Events say from which row they come under the id of an open import, and there only.
    pub(super) fn check_rows(&self, producer: Uuid, events: &[Event]) -> Result<(), IngestError> {
        let is_open = self.open_imports.takes_rows(producer);
        let odd = events.iter().position(|event| event.import_row.is_empty() == is_open);
        let Some(index) = odd else { return Ok(()) };
        let problem = match is_open {
            true => "is missing: the batch is of an import, whose events say their row",
            false => {
                "is set, and `producer_id` is no import that is open; begin it with \
                 ImportService.Begin"
            }
        };
        Err(InvalidRequest::field(format!("events[{index}].import_row"), problem).into())
    }

    /// Says in every shard what counts no longer; returns a token that waits for it, empty when
    /// there is nothing to say.
    pub(crate) async fn retract(&self, retracts: Vec<Retract>) -> Result<String, IngestError> {
        let mut token = String::new();
        for retract in retracts {
            let section = Section { retract: Some(retract), ..Section::default() };
            let sections = self.stamp().encode_for_all(self.shards(), section);
            let appended = self.append(sections).await?;
            token = match token.as_str() {
                "" => appended,
                _ => token::combine(&[token, appended]).map_err(|_| IngestError::ShuttingDown)?,
            };
        }
        Ok(token)
    }
}
