//! The users part of a cut: who the users of the interactions part are, in the same order. Only
//! algorithms that name users in answers need it; all others must not.

use mercer_common::{
    artifact::{ArtifactError, ArtifactRef, ArtifactStore, Sections},
    layout,
};

use UsersFile as File;

use crate::artifact::spans::{text, texts_fit, until};

layout! {
    /// The users of a shard.
    pub(crate) enum UsersFile: "user-cut" numbered 1 {
        /// `[version]`.
        HEAD: u64,
        /// Users that have a window, by (slot, id): where their ids end.
        ENDS: u64,
        /// Their ids.
        IDS: u8,
    }
}

/// The users part of a cut as training reads it.
#[derive(Debug)]
pub(crate) struct UserCut {
    file: Sections,
}

impl UserCut {
    /// Opens it and checks that its sections agree.
    ///
    /// # Errors
    /// As [`mercer_common::artifact::Layout::open`], and [`ArtifactError::Layout`] when its sections
    /// disagree.
    pub(crate) fn open(
        artifacts: &ArtifactStore,
        artifact: &ArtifactRef,
    ) -> Result<Self, ArtifactError> {
        let file = File::LAYOUT.open(artifacts, artifact)?;
        let are_users = texts_fit(file.get(File::ENDS), file.get(File::IDS));
        if file.get(File::HEAD) != [File::VERSION] || !are_users {
            return Err(file.layout("the sections of the users disagree"));
        }
        Ok(Self { file })
    }

    /// Number of users.
    pub(crate) fn len(&self) -> usize {
        self.file.get(File::ENDS).len()
    }

    /// The id of a user, by their rank by (slot, id).
    ///
    /// # Panics
    /// When `user` is not below [`Self::len`].
    pub(crate) fn id(&self, user: usize) -> &str {
        text(self.file.get(File::IDS), until(self.file.get(File::ENDS), user))
    }
}
