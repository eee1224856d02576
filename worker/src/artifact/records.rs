//! Messages by item id as an artifact: what training gives per item, and the results store is
//! loaded from.

use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore, SectionWriter, Sections},
    layout,
    slot::{Subject, compare, slot},
};
use prost::Message;

use super::spans::{are_texts, between, offsets_fit, text};

layout! {
    /// Messages by item id.
    enum File: "records-1" {
        /// All messages, concatenated.
        MESSAGES: u8,
        /// Where each message starts, and the end of the last.
        MESSAGE_OFFSETS: u64,
        /// All ids, concatenated.
        ID_BYTES: u8,
        /// Where each id starts, and the end of the last.
        ID_OFFSETS: u64,
    }
}

/// Writes messages by item id. Dropping it without [`finish`](Self::finish) leaves nothing behind.
pub(crate) struct RecordsWriter {
    file: SectionWriter,
    encoded: Vec<u8>,
    message_offsets: Vec<u64>,
    id_bytes: Vec<u8>,
    id_offsets: Vec<u64>,
}

impl RecordsWriter {
    /// Begins the artifact `name` of a phase of a job.
    ///
    /// # Errors
    /// As [`mercer_common::artifact::Layout::writer`].
    pub(crate) fn new(
        store: &ArtifactStore,
        job: &str,
        phase: &str,
        name: &str,
    ) -> Result<Self, ArtifactError> {
        Ok(Self {
            file: File::LAYOUT.writer(store, job, phase, name)?,
            encoded: Vec::new(),
            message_offsets: vec![0],
            id_bytes: Vec::new(),
            id_offsets: vec![0],
        })
    }

    /// Adds the next message; ids must ascend by (slot, id), which readers verify.
    ///
    /// # Errors
    /// [`ArtifactError::Io`].
    pub(crate) fn push(&mut self, id: &str, message: &impl Message) -> Result<(), ArtifactError> {
        self.encoded.clear();
        message.encode(&mut self.encoded).expect("a vector grows");
        self.file.write(File::MESSAGES, &self.encoded)?;
        let end = self.message_offsets[self.message_offsets.len() - 1];
        self.message_offsets.push(end + self.encoded.len() as u64);
        self.id_bytes.extend_from_slice(id.as_bytes());
        self.id_offsets.push(self.id_bytes.len() as u64);
        Ok(())
    }

    /// Completes the artifact.
    ///
    /// # Errors
    /// As [`SectionWriter::finish`].
    pub(crate) fn finish(mut self) -> Result<ArtifactRef, ArtifactError> {
        self.file.write(File::MESSAGE_OFFSETS, &self.message_offsets)?;
        self.file.write(File::ID_BYTES, &self.id_bytes)?;
        self.file.write(File::ID_OFFSETS, &self.id_offsets)?;
        self.file.finish()
    }
}

/// Open records: mapped, by (slot, id).
#[derive(Clone, Debug)]
pub(crate) struct Records {
    file: Sections,
}

impl Records {
    /// Opens and verifies records.
    ///
    /// # Errors
    /// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] when the parts
    /// disagree.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
    ) -> Result<Self, ArtifactError> {
        let records = Self { file: File::LAYOUT.open(store, artifact)? };
        let file = &records.file;
        let (messages, ids) = (file.get(File::MESSAGES), file.get(File::ID_BYTES));
        let (of_messages, of_ids) = (file.get(File::MESSAGE_OFFSETS), file.get(File::ID_OFFSETS));
        let are_consistent = offsets_fit(of_messages, messages.len())
            && offsets_fit(of_ids, ids.len())
            && of_messages.len() == of_ids.len()
            && are_texts(of_ids, ids);
        if !are_consistent {
            return Err(file.layout("its records are inconsistent"));
        }
        let keys = (0..records.len()).map(|index| {
            let id = records.id(index);
            (slot(Subject::Item, id), id)
        });
        if !keys.is_sorted_by(|left, right| left < right) {
            return Err(file.layout("its records are out of order"));
        }
        Ok(records)
    }

    /// Number of records.
    pub(crate) fn len(&self) -> usize {
        self.file.get(File::ID_OFFSETS).len() - 1
    }

    /// The item of a record.
    ///
    /// # Panics
    /// When `index` is not below [`Self::len`]; likewise below.
    pub(crate) fn id(&self, index: usize) -> &str {
        text(self.file.get(File::ID_BYTES), between(self.file.get(File::ID_OFFSETS), index))
    }

    /// A record as it was encoded.
    pub(crate) fn bytes(&self, index: usize) -> &[u8] {
        &self.file.get(File::MESSAGES)[between(self.file.get(File::MESSAGE_OFFSETS), index)]
    }

    /// A record as a message.
    ///
    /// # Errors
    /// [`ArtifactError::Layout`] when it is no such message.
    pub(crate) fn decode<M: Message + Default>(&self, index: usize) -> Result<M, ArtifactError> {
        M::decode(self.bytes(index)).map_err(|error| {
            self.file.layout(format!("the record of `{}`: {error}", self.id(index)))
        })
    }

    /// Where the record of an item is.
    pub(crate) fn find(&self, id: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match compare(Subject::Item, self.id(middle), id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }
}
