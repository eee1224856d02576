//! Exposures, participations and tallies as snapshots store them.

use mercer_proto::internal::{
    ExplorationSlot, StoredExposure, StoredOutcome, StoredParticipation, StoredTally,
};

use super::{
    ArmKey, LastPlace, OUTCOMES, OutcomeTally, Participation, Pending, Tallies, Tally, Trials,
};
use crate::shard::{ApplyError, interner::ItemHandle, labels::Labels};

impl ArmKey {
    fn new(experiment: &str, arm: &str, labels: &mut Labels) -> Self {
        Self { experiment: labels.label(experiment), arm: labels.label(arm) }
    }
}

impl Trials {
    /// As a user of a snapshot; `index` finds an item in the dictionary.
    pub(crate) fn encode(
        &self,
        index: impl Fn(ItemHandle) -> u32,
    ) -> (Vec<StoredExposure>, Vec<StoredParticipation>) {
        let exposures = self.pending.iter().map(|pending| StoredExposure {
            experiment_id: pending.arm.experiment.to_string(),
            arm_id: pending.arm.arm.to_string(),
            attribution: pending.attribution,
            time: pending.time,
            items: pending.items.iter().map(|&(item, _)| index(item)).collect(),
            outcomes: pending.items.iter().map(|&(_, counted)| counted).collect(),
            slot: match pending.last_place {
                LastPlace::Closed => ExplorationSlot::Unspecified,
                LastPlace::Greedy => ExplorationSlot::Greedy,
                LastPlace::Explored => ExplorationSlot::Explored,
            }
            .into(),
        });
        let participations = self.participations.iter().map(|one| StoredParticipation {
            experiment_id: one.arm.experiment.to_string(),
            arm_id: one.arm.arm.to_string(),
            outcomes: one.outcomes.to_vec(),
        });
        (exposures.collect(), participations.collect())
    }

    /// The inverse of [`Self::encode`]; `None` where there is nothing.
    pub(crate) fn decode(
        exposures: &[StoredExposure],
        participations: &[StoredParticipation],
        dictionary: &[ItemHandle],
        labels: &mut Labels,
    ) -> Result<Option<Box<Self>>, ApplyError> {
        if participations.is_empty() && exposures.is_empty() {
            return Ok(None);
        }
        let mut trials = Self::default();
        for stored in exposures {
            if stored.items.len() != stored.outcomes.len() {
                return Err(ApplyError::Malformed("the columns of an exposure differ in length"));
            }
            let mut items = Vec::with_capacity(stored.items.len());
            for (&item, &counted) in stored.items.iter().zip(&stored.outcomes) {
                let outside = ApplyError::Malformed("an item lies outside the dictionary");
                items.push((*dictionary.get(item as usize).ok_or(outside)?, counted));
            }
            trials.pending.push_back(Pending {
                arm: ArmKey::new(&stored.experiment_id, &stored.arm_id, labels),
                attribution: stored.attribution,
                time: stored.time,
                last_place: match stored.slot() {
                    ExplorationSlot::Unspecified => LastPlace::Closed,
                    ExplorationSlot::Greedy => LastPlace::Greedy,
                    ExplorationSlot::Explored => LastPlace::Explored,
                },
                items: items.into(),
            });
        }
        for stored in participations {
            let outcomes = <[u32; OUTCOMES.len()]>::try_from(stored.outcomes.as_slice())
                .map_err(|_| ApplyError::Malformed("a participation lacks outcomes"))?;
            let arm = ArmKey::new(&stored.experiment_id, &stored.arm_id, labels);
            trials.participations.push(Participation { arm, outcomes });
        }
        if !trials.participations.is_sorted_by(|left, right| left.arm < right.arm) {
            return Err(ApplyError::Malformed("participations are not in order"));
        }
        Ok(Some(Box::new(trials)))
    }
}

impl Tally {
    /// As snapshots and answers hold it.
    pub(crate) fn encode(&self, experiment: &str, arm: &str) -> StoredTally {
        let outcomes = self.outcomes.iter().map(|one| StoredOutcome {
            count: one.count,
            users: one.users,
            squares: one.squares,
            greedy: one.greedy,
            explored: one.explored,
        });
        StoredTally {
            experiment_id: experiment.to_owned(),
            arm_id: arm.to_owned(),
            exposures: self.exposures,
            users: self.users,
            outcomes: outcomes.collect(),
            greedy_exposures: self.greedy_exposures,
            explored_exposures: self.explored_exposures,
        }
    }
}

/// The tallies of a slot, by arm.
pub(crate) fn encode_tallies(tallies: &Tallies) -> Vec<StoredTally> {
    tallies.iter().map(|(key, tally)| tally.encode(&key.experiment, &key.arm)).collect()
}

/// The inverse of [`encode_tallies`].
pub(crate) fn decode_tallies(
    stored: &[StoredTally],
    labels: &mut Labels,
) -> Result<Tallies, ApplyError> {
    let mut tallies = Tallies::new();
    for one in stored {
        let outcomes = one.outcomes.iter().map(|one| OutcomeTally {
            count: one.count,
            users: one.users,
            squares: one.squares,
            greedy: one.greedy,
            explored: one.explored,
        });
        let outcomes: Vec<OutcomeTally> = outcomes.collect();
        let tally = Tally {
            exposures: one.exposures,
            users: one.users,
            outcomes: outcomes
                .try_into()
                .map_err(|_| ApplyError::Malformed("a tally lacks outcomes"))?,
            greedy_exposures: one.greedy_exposures,
            explored_exposures: one.explored_exposures,
        };
        tallies.insert(ArmKey::new(&one.experiment_id, &one.arm_id, labels), tally);
    }
    Ok(tallies)
}
