//! Pages of listings: bounded in number and in bytes, so that every one fits a message.

use mercer_common::limits;
use prost::Message;

/// The first entries, and whether more follow: at most `limit`, and at most [`limits::PAGE_BYTES`]
/// unless the first one alone is larger. A coordinator of before pages of rules names no limit.
pub(super) fn fill<E: Message>(entries: impl Iterator<Item = E>, limit: u32) -> (Vec<E>, bool) {
    let limit = if limit == 0 { limits::PAGE } else { limit.min(limits::PAGE) } as usize;
    let (mut page, mut bytes) = (Vec::new(), 0);
    for entry in entries {
        bytes += entry.encoded_len();
        if page.len() == limit || (bytes > limits::PAGE_BYTES && !page.is_empty()) {
            return (page, true);
        }
        page.push(entry);
    }
    (page, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_at_its_number_or_bytes_but_holds_one_entry() {
        let filled = |sizes: &[usize], limit| {
            let entries = sizes.iter().map(|size| "x".repeat(*size));
            let (page, more) = fill(entries, limit);
            (page.len(), more)
        };
        let half = limits::PAGE_BYTES / 2;
        assert_eq!(filled(&[], 5), (0, false));
        assert_eq!(filled(&[1; 5], 5), (5, false));
        assert_eq!(filled(&[1; 6], 5), (5, true));
        assert_eq!(filled(&[half, half, half], 5), (1, true), "each has a tag, too");
        assert_eq!(filled(&[half, half - 100, half], 5), (2, true));
        assert_eq!(filled(&[3 * half, 1], 5), (1, true));
        assert_eq!(filled(&[1; 1_001], 5_000), (1_000, true));
        assert_eq!(filled(&[1; 1_001], 0), (1_000, true));
    }
}
