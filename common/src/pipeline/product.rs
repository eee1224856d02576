//! Products: what callers train by name, and what it publishes.

use super::stage::{Presence, Source, Stage};

/// Something that can be trained.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// As callers name it.
    pub name: &'static str,
    /// The stages that make outputs of its own.
    pub stages: &'static [Stage],
    /// Phases and names of shared stages that run for it although it reads none of their outputs: what a
    /// job says of its data is counted there.
    pub counted_by: &'static [(&'static str, &'static str)],
    /// Products that are trained along, since it reads what they make.
    pub needs: &'static [&'static str],
    /// What a version takes over of it.
    pub publishes: Published,
}

/// What a version takes over of a product.
#[derive(Clone, Copy, Debug)]
pub enum Published {
    /// A model in the set of its job, beside the item table of phase `dictionary`.
    Model(&'static [Part]),
    /// Records by item.
    Records(&'static [Part]),
}

/// A named part of what is published: all outputs of a stage.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// As manifests name it.
    pub name: &'static str,
    /// Name of the phase that makes it.
    pub phase: &'static str,
    /// Whose outputs.
    pub source: Source,
    /// Whether it can be missing.
    pub presence: Presence,
}

impl Published {
    /// The parts, whatever they are of.
    #[must_use]
    pub fn parts(&self) -> &'static [Part] {
        match self {
            Self::Model(parts) | Self::Records(parts) => parts,
        }
    }
}

impl Part {
    /// Outputs of a stage of the product itself.
    pub(super) const fn own(name: &'static str, phase: &'static str) -> Self {
        Self { name, phase, source: Source::Own, presence: Presence::Required }
    }

    /// Outputs of the shared stage without a name.
    pub(super) const fn shared(name: &'static str, phase: &'static str) -> Self {
        Self { name, phase, source: Source::Shared(""), presence: Presence::Required }
    }

    /// The same where the job makes them.
    pub(super) const fn if_made(self) -> Self {
        Self { presence: Presence::IfMade, ..self }
    }
}
