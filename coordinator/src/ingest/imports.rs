//! Rows of imported files on their way into the log, and their way out of what it means.

use std::sync::Arc;

use mercer_common::{
    event::encode_section, log::EventLog, rpc::status::InvalidRequest, slot::ShardId, token,
};
use mercer_proto::{
    internal::{Retract, Section},
    v1::Event,
};
use uuid::Uuid;

use super::{Ingest, IngestError};
use crate::imports::OpenImports;

impl Ingest {
    /// The imports under whose ids rows are taken.
    pub(crate) fn open_imports(&self) -> Arc<OpenImports> {
        Arc::clone(&self.open_imports)
    }

    /// What was ever ingested.
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

    /// Events say from which row they come under the id of an open import, and there only.
    pub(super) fn check_rows(&self, producer: Uuid, events: &[Event]) -> Result<(), IngestError> {
        let is_open = self.open_imports.contains(producer);
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
            let section =
                self.stamp().onto(Section { retract: Some(retract), ..Section::default() });
            let section = encode_section(&section);
            let shards = 0..self.context.layout.shards();
            let sections: Vec<(ShardId, _)> =
                shards.map(|shard| (shard, section.clone())).collect();
            let appended = self.append(sections).await?;
            token = match token.as_str() {
                "" => appended,
                _ => token::combine(&[token, appended]).map_err(|_| IngestError::ShuttingDown)?,
            };
        }
        Ok(token)
    }
}
