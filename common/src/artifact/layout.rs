//! What the sections of a kind of file are: one typed table a kind, by which its files are written
//! and opened.
//!
//! ```
//! mercer_common::layout! {
//!     /// How far each item is liked.
//!     enum Likes: "likes-1" {
//!         /// `[items]`.
//!         FACTS: u64,
//!         /// One number an item.
//!         LIKES: f32,
//!     }
//! }
//! # use mercer_common::artifact::ArtifactStore;
//! # let folder = tempfile::tempdir()?;
//! # let store = ArtifactStore::open(folder.path())?;
//! let mut writer = Likes::LAYOUT.writer(&store, "job", "phase", "name")?;
//! writer.write(Likes::FACTS, &[2])?;
//! writer.write(Likes::LIKES, &[0.5, 1.5])?;
//! let sections = Likes::LAYOUT.open(&store, &writer.finish()?)?;
//! assert_eq!(sections.get(Likes::LIKES), [0.5, 1.5]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod tests;

use std::{marker::PhantomData, sync::Arc};

use bytemuck::Pod;

use super::{Artifact, ArtifactError, ArtifactRef, ArtifactStore, ArtifactWriter};

/// Declares a kind of file by its sections, in their order, as an enum without values: `LAYOUT`
/// writes and opens it, and each section is a constant of type [`Section`]. After the name may
/// follow `numbered N` and `required N`, as [`Layout::numbered`] and [`Layout::required`] say.
#[macro_export]
macro_rules! layout {
    ($(#[$about:meta])* $visibility:vis enum $kind:ident: $name:literal
        $(numbered $newest:literal)? $(required $required:literal)?
    {
        $($(#[$meaning:meta])* $section:ident: $value:ty),+ $(,)?
    }) => {
        $(#[$about])*
        $visibility enum $kind {}

        impl $kind {
            $visibility const LAYOUT: $crate::artifact::Layout =
                $crate::artifact::Layout::new($name, &[$(Self::$section.shape()),+])
                    $(.numbered($newest))? $(.required($required))?;
            $(
                /// The newest version.
                $visibility const VERSION: u64 = $newest;
            )?
            $crate::layout!(@sections $visibility, 0; $($(#[$meaning])* $section: $value,)+);
        }
    };
    (@sections $visibility:vis, $index:expr;) => {};
    (@sections $visibility:vis, $index:expr;
        $(#[$meaning:meta])* $section:ident: $value:ty, $($rest:tt)*
    ) => {
        $(#[$meaning])*
        $visibility const $section: $crate::artifact::Section<$value> =
            $crate::artifact::Section::new($index, stringify!($section));
        $crate::layout!(@sections $visibility, $index + 1; $($rest)*);
    };
}

/// A section of a kind of file, and the type of its values.
#[derive(Debug)]
pub struct Section<T> {
    index: usize,
    name: &'static str,
    values: PhantomData<fn() -> T>,
}

impl<T> Clone for Section<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Section<T> {}

impl<T: Pod> Section<T> {
    /// Section `index` of its file, counted from 0; [`layout!`](crate::layout) numbers them.
    #[must_use]
    pub const fn new(index: usize, name: &'static str) -> Self {
        Self { index, name, values: PhantomData }
    }

    /// Place of the section among those of its file.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index
    }

    /// What a layout holds of a section.
    #[must_use]
    pub const fn shape(self) -> Shape {
        Shape { check: |artifact, index| artifact.section::<T>(index).map(|_| ()) }
    }
}

/// What every file of a kind must hold in a section.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Whether a section is a whole number of values.
    check: fn(&Artifact, usize) -> Result<(), ArtifactError>,
}

/// A kind of file: its name with its version, and its sections in order.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    kind: &'static str,
    sections: &'static [Shape],
    /// Sections that every file of the kind has; later ones came with later versions.
    required: usize,
    /// Newest version that the first number of the first section may say.
    numbered: Option<u64>,
}

impl Layout {
    /// A kind whose name ends in its version, such as `rows-1`.
    #[must_use]
    pub const fn new(kind: &'static str, sections: &'static [Shape]) -> Self {
        Self { kind, sections, required: sections.len(), numbered: None }
    }

    /// A kind whose version is not in its name: it is the first number of the first section, which
    /// holds u64. Kinds that come new have theirs in the name.
    #[must_use]
    pub const fn numbered(mut self, newest: u64) -> Self {
        self.numbered = Some(newest);
        self
    }

    /// A kind whose sections from `required` on are missing in files of older versions; they are
    /// read as empty there.
    #[must_use]
    pub const fn required(mut self, required: usize) -> Self {
        self.required = required;
        self
    }

    /// Opens and verifies a file, and checks that it has the sections of this kind. What their
    /// values must keep to is left to the reader.
    ///
    /// # Errors
    /// As [`ArtifactStore::open_artifact`], [`ArtifactError::Newer`] for a later version of the kind,
    /// and [`ArtifactError::Layout`] when the file is of another kind or has other sections.
    pub fn open(
        &self,
        store: &ArtifactStore,
        artifact: &ArtifactRef,
    ) -> Result<Sections, ArtifactError> {
        let artifact = store.open_artifact(artifact)?;
        artifact.expect_kind(self.kind)?;
        if let Some(known) = self.numbered
            && let Some(&found) = artifact.section::<u64>(0)?.first()
            && found > known
        {
            return Err(artifact.newer(format!("version {found}"), format!("version {known}")));
        }
        let found = artifact.sections();
        if found < self.required || found > self.sections.len() {
            let detail = format!("has {found} sections instead of {}", self.sections.len());
            return Err(artifact.layout(detail));
        }
        for (index, shape) in self.sections[..found].iter().enumerate() {
            (shape.check)(&artifact, index)?;
        }
        Ok(Sections { artifact })
    }

    /// Begins the file `name` of a phase of a job.
    ///
    /// # Errors
    /// As [`ArtifactStore::writer`].
    pub fn writer(
        &self,
        store: &ArtifactStore,
        job: &str,
        phase: &str,
        name: &str,
    ) -> Result<SectionWriter, ArtifactError> {
        let artifact = store.writer(job, phase, name, self.kind)?;
        Ok(SectionWriter { artifact, begun: 0, sections: self.sections.len() })
    }
}

/// An open file of a known kind.
#[derive(Clone, Debug)]
pub struct Sections {
    artifact: Arc<Artifact>,
}

impl Sections {
    /// Values of a section of the layout that the file was opened by; none where its version has
    /// no such section.
    ///
    /// # Panics
    /// When the section is one of another layout.
    #[must_use]
    pub fn get<T: Pod>(&self, section: Section<T>) -> &[T] {
        if section.index >= self.artifact.sections() {
            return &[];
        }
        self.artifact.section(section.index).expect("checked when the file was opened")
    }

    /// The values of a section that has exactly `N`.
    ///
    /// # Errors
    /// [`ArtifactError::Layout`] when it has more or fewer.
    pub fn exactly<T: Pod, const N: usize>(
        &self,
        section: Section<T>,
    ) -> Result<[T; N], ArtifactError> {
        let values = self.get(section);
        let (found, name) = (values.len(), section.name);
        <[T; N]>::try_from(values)
            .map_err(|_| self.layout(format!("has {found} values in {name} instead of {N}")))
    }

    /// An error about the content of this file, for readers that find it inconsistent.
    pub fn layout(&self, detail: impl Into<String>) -> ArtifactError {
        self.artifact.layout(detail)
    }
}

/// A file of a known kind under construction. Dropping it without [`finish`](Self::finish) leaves
/// nothing behind.
pub struct SectionWriter {
    artifact: ArtifactWriter,
    /// Number of sections that have begun.
    begun: usize,
    /// Number of sections of the kind.
    sections: usize,
}

impl SectionWriter {
    /// Appends values to a section. Sections are written in their order; one that is passed over
    /// is empty.
    ///
    /// # Errors
    /// [`ArtifactError::Io`].
    ///
    /// # Panics
    /// When a later section has begun already.
    pub fn write<T: Pod>(
        &mut self,
        section: Section<T>,
        values: &[T],
    ) -> Result<(), ArtifactError> {
        assert!(section.index + 1 >= self.begun, "{} has ended", section.name);
        self.begin(section.index + 1)?;
        self.artifact.append(values)
    }

    /// Completes the file; sections that were not written are empty.
    ///
    /// # Errors
    /// As [`ArtifactWriter::finish`].
    pub fn finish(mut self) -> Result<ArtifactRef, ArtifactError> {
        self.begin(self.sections)?;
        self.artifact.finish()
    }

    fn begin(&mut self, sections: usize) -> Result<(), ArtifactError> {
        while self.begun < sections {
            self.artifact.begin_section()?;
            self.begun += 1;
        }
        Ok(())
    }
}
