//! Which version a call is answered from, and what becomes of it when a worker has not got that.
//!
//! A call begins again when placement or version moved on under it. When the version is damaged at
//! a worker, or gone twice though it still serves, the call is answered from the version before it,
//! and when that is damaged too or does not fit, from none: on all shards alike, for one answer
//! comes from one version. What is damaged is left out by other calls for a moment, too.

use std::sync::Arc;

use mercer_common::note::{Said, Text, note};
use mercer_proto::{
    internal::VersionManifest,
    v1::{Note, note::Kind},
};

use super::{Engine, error::AskError, fanout::Restart};
use crate::cluster::versions::Versions;

/// Attempts at a call: each of two versions and none at all, each twice.
const ATTEMPTS: usize = 6;

/// What a call has met so far.
#[derive(Debug, Default)]
pub(crate) struct Course {
    attempts: usize,
    /// Placement has moved on once.
    moved: bool,
    /// A version that a worker had not open at the last attempt.
    gone: Option<String>,
    given_up: Vec<String>,
}

/// What a call is answered from.
#[derive(Debug)]
pub(crate) struct Choice {
    /// None before the first training, and when nothing else is left.
    pub(crate) manifest: Option<Arc<VersionManifest>>,
    /// The version that should have answered, when it is damaged at a worker or closed there.
    pub(crate) damaged: Option<String>,
}

impl Choice {
    /// Its name; empty for none.
    pub(crate) fn version(&self) -> &str {
        self.manifest.as_ref().map_or("", |manifest| &manifest.version)
    }

    /// What the answer says of it; empty when there is nothing to say.
    pub(crate) fn fallback_reason(&self) -> String {
        let Some(damaged) = &self.damaged else { return String::new() };
        format!("version {damaged} is damaged or closed at a worker; see `mercer status`")
    }
}

impl Choice {
    /// The same for the answer to a question about an item.
    pub(crate) fn note(&self) -> Option<Note> {
        let damaged = Text(self.damaged.clone()?);
        let version = self.manifest.as_ref().map(|manifest| Text(manifest.version.clone()));
        Some(note(Kind::DataIgnored, "version", Said::OtherVersion { damaged, version }))
    }
}

impl Course {
    /// The choice for a call that `wanted` should answer: that one, or the one before it if it is
    /// left out and the one before `fits`.
    pub(crate) fn choose(
        &self,
        versions: &Versions,
        wanted: Option<Arc<VersionManifest>>,
        fits: impl Fn(&VersionManifest) -> bool,
    ) -> Choice {
        let is_left_out = |version: &str| {
            self.given_up.iter().any(|given_up| given_up == version) || versions.is_damaged(version)
        };
        let Some(wanted) = wanted else { return Choice { manifest: None, damaged: None } };
        if !is_left_out(&wanted.version) {
            return Choice { manifest: Some(wanted), damaged: None };
        }
        let before = versions.before(&wanted.version, fits);
        let manifest = before.filter(|before| !is_left_out(&before.version));
        Choice { manifest, damaged: Some(wanted.version.clone()) }
    }

    /// Notes why an attempt at `version` has to be made again.
    ///
    /// # Errors
    /// When the call has been begun again often enough.
    pub(crate) fn begin_again(
        &mut self,
        versions: &Versions,
        version: &str,
        why: Restart,
    ) -> Result<(), AskError> {
        self.attempts += 1;
        let is_last = self.attempts == ATTEMPTS;
        match why {
            Restart::Moved(reason) if self.moved => return Err(AskError::Changed { reason }),
            Restart::Moved(_) => self.moved = true,
            Restart::Gone(reason) | Restart::Damaged(reason) if is_last => {
                return Err(AskError::Changed { reason });
            }
            Restart::Gone(_) if self.gone.as_deref() != Some(version) => {
                self.gone = Some(version.to_owned());
            }
            Restart::Gone(_) => self.given_up.push(version.to_owned()),
            Restart::Damaged(reason) => {
                if versions.note_damaged(version) {
                    tracing::warn!(version, reason, "calls leave a version out");
                }
                self.given_up.push(version.to_owned());
            }
        }
        Ok(())
    }
}

impl Engine {
    /// The version that answers, which must have the results of all `kinds`.
    pub(crate) fn version_with(
        &self,
        kinds: &[&'static str],
        course: &Course,
    ) -> Result<Choice, AskError> {
        let lacking = |manifest: &VersionManifest| {
            let trained: Vec<&str> = manifest.kinds.iter().map(|one| one.kind.as_str()).collect();
            kinds.iter().find(|kind| !trained.contains(*kind)).copied()
        };
        let current = self.versions.current().unwrap_or_default();
        if let Some(kind) = lacking(&current) {
            return Err(AskError::UntrainedKind { kind });
        }
        let choice =
            course.choose(&self.versions, Some(current), |before| lacking(before).is_none());
        match choice.manifest {
            Some(_) => Ok(choice),
            None => Err(AskError::Damaged { reason: choice.fallback_reason() }),
        }
    }
}
