//! Records in one value: per record the length of the id as u16 and of the message as u32, both
//! little endian, then the id and the message.

const HEADER: usize = size_of::<u16>() + size_of::<u32>();

/// Appends a record to a block.
pub(super) fn push(block: &mut Vec<u8>, id: &str, message: &[u8]) {
    let id_bytes = u16::try_from(id.len()).expect("ids have at most 256 bytes");
    let message_bytes = u32::try_from(message.len()).expect("messages are smaller than 4 GiB");
    block.extend_from_slice(&id_bytes.to_le_bytes());
    block.extend_from_slice(&message_bytes.to_le_bytes());
    block.extend_from_slice(id.as_bytes());
    block.extend_from_slice(message);
}

/// The records of a block as (id, message); `None` ends what is no block.
pub(super) fn records(mut block: &[u8]) -> impl Iterator<Item = Option<(&[u8], &[u8])>> {
    std::iter::from_fn(move || {
        if block.is_empty() {
            return None;
        }
        let record = split(&mut block);
        if record.is_none() {
            block = &[];
        }
        Some(record)
    })
}

fn split<'a>(block: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (header, rest) = block.split_first_chunk::<HEADER>()?;
    let [i0, i1, m0, m1, m2, m3] = *header;
    let (id, rest) = rest.split_at_checked(u16::from_le_bytes([i0, i1]).into())?;
    let message_bytes = u32::from_le_bytes([m0, m1, m2, m3]);
    let (message, rest) = rest.split_at_checked(message_bytes as usize)?;
    *block = rest;
    Some((id, message))
}
