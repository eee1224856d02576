//! Messages by item id as an artifact: what training gives per item, and the results store is
//! loaded from.

use std::sync::Arc;

use mercer_common::{
    artifact::{Artifact, ArtifactError, ArtifactRef, ArtifactStore, ArtifactWriter},
    slot::{Kind, compare, slot},
};
use prost::Message;

const KIND: &str = "records-1";

/// Sections of the artifact, in order.
enum Section {
    /// All messages, concatenated.
    Messages,
    /// Where each message starts, u64, and the end of the last.
    MessageOffsets,
    /// All ids, concatenated.
    IdBytes,
    /// Where each id starts, u64, and the end of the last.
    IdOffsets,
}

/// Writes messages by item id. Dropping it without [`finish`](Self::finish) leaves nothing behind.
pub(crate) struct RecordsWriter {
    artifact: ArtifactWriter,
    encoded: Vec<u8>,
    message_offsets: Vec<u64>,
    id_bytes: Vec<u8>,
    id_offsets: Vec<u64>,
}

impl RecordsWriter {
    /// Begins the artifact `name` of a phase of a job.
    ///
    /// # Errors
    /// As [`ArtifactStore::writer`].
    pub(crate) fn new(
        store: &ArtifactStore,
        job: &str,
        phase: &str,
        name: &str,
    ) -> Result<Self, ArtifactError> {
        let mut artifact = store.writer(job, phase, name, KIND)?;
        artifact.begin_section()?;
        Ok(Self {
            artifact,
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
        self.artifact.append(&self.encoded)?;
        let end = self.message_offsets[self.message_offsets.len() - 1];
        self.message_offsets.push(end + self.encoded.len() as u64);
        self.id_bytes.extend_from_slice(id.as_bytes());
        self.id_offsets.push(self.id_bytes.len() as u64);
        Ok(())
    }

    /// Completes the artifact.
    ///
    /// # Errors
    /// As [`ArtifactWriter::finish`].
    pub(crate) fn finish(mut self) -> Result<ArtifactRef, ArtifactError> {
        self.artifact.section(&self.message_offsets)?;
        self.artifact.section(&self.id_bytes)?;
        self.artifact.section(&self.id_offsets)?;
        self.artifact.finish()
    }
}

/// Open records: mapped, by (slot, id).
#[derive(Clone, Debug)]
pub(crate) struct Records {
    artifact: Arc<Artifact>,
}

impl Records {
    /// Opens and verifies records.
    ///
    /// # Errors
    /// As [`ArtifactStore::open_artifact`], and [`ArtifactError::Layout`] when the parts disagree.
    pub(crate) fn open(
        store: &ArtifactStore,
        artifact: &ArtifactRef,
    ) -> Result<Self, ArtifactError> {
        let artifact = store.open_artifact(artifact)?;
        artifact.expect_kind(KIND)?;
        let records = Self { artifact };
        let messages = records.artifact.section::<u8>(Section::Messages as usize)?;
        let message_offsets = records.artifact.section::<u64>(Section::MessageOffsets as usize)?;
        let ids = records.artifact.section::<u8>(Section::IdBytes as usize)?;
        let id_offsets = records.artifact.section::<u64>(Section::IdOffsets as usize)?;
        let whole = spans(message_offsets, messages)
            && spans(id_offsets, ids)
            && message_offsets.len() == id_offsets.len();
        let text = std::str::from_utf8(ids)
            .is_ok_and(|text| id_offsets.iter().all(|&at| text.is_char_boundary(at as usize)));
        if !whole || !text {
            return Err(records.artifact.layout("its records are inconsistent"));
        }
        let keys = (0..records.len()).map(|index| {
            let id = records.id(index);
            (slot(Kind::Item, id), id)
        });
        if !keys.is_sorted_by(|left, right| left < right) {
            return Err(records.artifact.layout("its records are out of order"));
        }
        Ok(records)
    }

    /// Number of records.
    pub(crate) fn len(&self) -> usize {
        self.offsets(Section::IdOffsets).len() - 1
    }

    /// The item of a record.
    ///
    /// # Panics
    /// When `index` is not below [`Self::len`]; likewise below.
    pub(crate) fn id(&self, index: usize) -> &str {
        std::str::from_utf8(self.span(Section::IdBytes, Section::IdOffsets, index))
            .expect("verified when opened")
    }

    /// A record as it was encoded.
    pub(crate) fn bytes(&self, index: usize) -> &[u8] {
        self.span(Section::Messages, Section::MessageOffsets, index)
    }

    /// A record as a message.
    ///
    /// # Errors
    /// [`ArtifactError::Layout`] when it is no such message.
    pub(crate) fn decode<M: Message + Default>(&self, index: usize) -> Result<M, ArtifactError> {
        M::decode(self.bytes(index)).map_err(|error| {
            self.artifact.layout(format!("the record of `{}`: {error}", self.id(index)))
        })
    }

    /// Where the record of an item is.
    pub(crate) fn find(&self, id: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match compare(Kind::Item, self.id(middle), id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    fn offsets(&self, section: Section) -> &[u64] {
        self.artifact.section(section as usize).expect("verified when opened")
    }

    fn span(&self, bytes: Section, offsets: Section, index: usize) -> &[u8] {
        let offsets = self.offsets(offsets);
        let bytes = self.artifact.section(bytes as usize).expect("verified when opened");
        &bytes[offsets[index] as usize..offsets[index + 1] as usize]
    }
}

/// Whether offsets start at 0, never decrease and end with `bytes`.
fn spans(offsets: &[u64], bytes: &[u8]) -> bool {
    offsets.first() == Some(&0)
        && offsets.last() == Some(&(bytes.len() as u64))
        && offsets.is_sorted()
}
