//! What a log is for ever.

use super::Sequence;

/// Ancestors that are remembered: segments of older ones must have been trimmed.
const ANCESTORS: usize = 1_000;

/// What a log is for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogIdentity {
    /// Drawn at random when the log was created, or restored from a backup.
    pub incarnation: u64,
    /// How its records were split and hashed.
    pub founding: Founding,
    /// The logs that it was restored from, the latest first.
    pub ancestors: Vec<Ancestor>,
}

impl LogIdentity {
    /// Its own incarnation, and those of the logs that it was restored from.
    #[must_use]
    pub fn incarnations(&self) -> Vec<u64> {
        let ancestors = self.ancestors.iter().map(|ancestor| ancestor.incarnation);
        std::iter::once(self.incarnation).chain(ancestors).collect()
    }

    /// The identity of a log that goes on as another one where this one stood at `through`.
    #[must_use]
    pub fn restored(&self, through: Sequence) -> Self {
        let (incarnation, _) = uuid::Uuid::new_v4().as_u64_pair();
        let own = Ancestor { incarnation: self.incarnation, through };
        let older = self.ancestors.iter().map(|ancestor| Ancestor {
            incarnation: ancestor.incarnation,
            through: ancestor.through.min(through),
        });
        let ancestors = std::iter::once(own).chain(older).take(ANCESTORS).collect();
        Self { incarnation, founding: self.founding.clone(), ancestors }
    }
}

/// A log that another one was restored from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// Incarnation of the log.
    pub incarnation: u64,
    /// Both logs are the same up to here.
    pub through: Sequence,
}

/// What is fixed when a cluster is created, because the records of its log depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founding {
    /// Number of shards.
    pub shards: u16,
    /// ISO 4217 code of the one currency.
    pub currency: String,
    /// IANA name of the time zone that decides local days.
    pub time_zone: String,
    /// Keys the hashes that stand for users and baskets on the item's side.
    pub item_visit_key: u64,
    /// Keys the hashes that stand for visits on the user's side.
    pub user_visit_key: u64,
}

impl Founding {
    /// A new cluster, with keys drawn at random.
    #[must_use]
    pub fn new(shards: u16, currency: &str, time_zone: &str) -> Self {
        let (item_visit_key, user_visit_key) = uuid::Uuid::new_v4().as_u64_pair();
        Self {
            shards,
            currency: currency.to_owned(),
            time_zone: time_zone.to_owned(),
            item_visit_key,
            user_visit_key,
        }
    }
}
