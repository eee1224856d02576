//! Epochs: which history of a log a position belongs to.
//!
//! Copies of a log that went on apart from each other hold different records at equal positions. Each
//! time a log is opened and written it draws an epoch at random and stores it with the first
//! commit, so that whoever stands at a position can be asked: did you read it in this history?

use std::fmt;

use super::{Cursor, LogError, Sequence};

/// A time for which a log was open; [`Epoch::NONE`] for what was written before there were epochs.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u128);

impl Epoch {
    /// Before there were epochs, and before the first commit.
    pub const NONE: Self = Self(0);

    /// A new one, at random.
    #[must_use]
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().as_u128())
    }

    /// As messages carry it: 16 bytes big endian, none for [`Epoch::NONE`].
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        if self == Self::NONE { Vec::new() } else { self.0.to_be_bytes().to_vec() }
    }

    /// The inverse of [`Self::to_bytes`]; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes.len() {
            0 => Some(Self::NONE),
            _ => Some(Self(u128::from_be_bytes(bytes.try_into().ok()?))),
        }
    }
}

impl fmt::Display for Epoch {
    /// The first half, which is enough to tell epochs apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0 >> 64)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({self})")
    }
}

/// Where a reader of the log stands: a position, and the epoch in which it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The epoch of the commit that holds the position.
    pub epoch: Epoch,
    /// The position; 0 before all.
    pub position: Sequence,
}

impl From<Mark> for mercer_proto::internal::Mark {
    fn from(Mark { epoch, position }: Mark) -> Self {
        Self { epoch: epoch.to_bytes(), position }
    }
}

/// The epochs of a log, oldest first, each with the first position after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Epochs {
    /// Where each epoch begins, strictly ascending by position.
    begins: Vec<(Sequence, Epoch)>,
}

impl Epochs {
    /// Notes that the commit at `first` was written in `epoch`. Commits are noted in order.
    pub fn note(&mut self, epoch: Epoch, first: Sequence) {
        if self.begins.last().is_none_or(|(_, last)| *last != epoch) {
            self.begins.push((first, epoch));
        }
    }

    /// The epoch of the commit that holds `position`, which the log has reached.
    #[must_use]
    pub fn at(&self, position: Sequence) -> Epoch {
        let after = self.begins.partition_point(|(first, _)| *first <= position);
        after.checked_sub(1).map_or(Epoch::NONE, |index| self.begins[index].1)
    }

    /// Forgets the epochs that begin after `through`, where the log is cut.
    pub fn cut(&mut self, through: Sequence) {
        self.begins.retain(|(first, _)| *first <= through);
    }

    /// Refuses the first cursor that a log which ends at `end` does not accept.
    ///
    /// # Errors
    /// [`LogError::Ahead`].
    pub fn check(&self, cursors: &[Cursor], end: Sequence) -> Result<(), LogError> {
        match cursors.iter().find(|cursor| !self.accept(cursor.mark(), end)) {
            None => Ok(()),
            Some(&Cursor { shard, after, epoch }) => Err(LogError::Ahead { shard, after, epoch }),
        }
    }

    /// Whether what was read through `mark` is what a log that ends at `end` holds: it has the
    /// epoch, and the epoch reached the position in it.
    #[must_use]
    pub fn accept(&self, mark: Mark, end: Sequence) -> bool {
        let Mark { epoch, position } = mark;
        if position == 0 {
            return true;
        }
        // What stands before all epochs was written without any.
        let before = (0, Epoch::NONE);
        let all = std::iter::once(&before).chain(&self.begins);
        let ends = self.begins.iter().map(|(first, _)| first - 1).chain([end]);
        let last = all.zip(ends).filter(|((_, of), _)| *of == epoch).map(|(_, end)| end).max();
        last.is_some_and(|last| position <= last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_up_to_where_its_epoch_ended() {
        let (first, second, lost) = (Epoch(1), Epoch(2), Epoch(3));
        let mut epochs = Epochs::default();
        for (epoch, position) in [(first, 11), (first, 15), (second, 21), (second, 30)] {
            epochs.note(epoch, position);
        }
        let accepted = |epoch, position| epochs.accept(Mark { epoch, position }, 40);
        for (epoch, through) in [(Epoch::NONE, 10), (first, 20), (second, 40)] {
            assert!(accepted(epoch, 0) && accepted(epoch, 1) && accepted(epoch, through));
            assert!(!accepted(epoch, through + 1), "{epoch:?}");
            assert_eq!(epochs.at(through), epoch);
        }
        assert!(!accepted(lost, 1) && accepted(lost, 0));
        assert!(!Epochs::default().accept(Mark { epoch: first, position: 1 }, 9));
        assert!(Epochs::default().accept(Mark { epoch: Epoch::NONE, position: 9 }, 9));
    }

    #[test]
    fn messages_carry_epochs() {
        for epoch in [Epoch::NONE, Epoch(7), Epoch::random()] {
            assert_eq!(Epoch::from_bytes(&epoch.to_bytes()), Some(epoch));
        }
        assert_eq!(Epoch::from_bytes(&[1, 2]), None);
    }
}
