//! What training consists of, declared once: the coordinator plans jobs by it and workers run its stages.
//!
//! A **stage** turns files into files: by one task, or by one for each shard. A **product** is what callers
//! name when they train: it has stages of its own, reads those that all products of a job share, and
//! publishes some of their outputs as named parts. A **graph** is what a job does: the stages of its
//! products with all that they read, in phases. It is a pure function of the declarations and the job's
//! spec.

mod graph;
pub mod numbers;
mod product;
mod recommend;
mod results;
mod stage;

pub use graph::{Graph, GraphError, Output};
pub use product::{Part, Product, Published};
pub use stage::{Presence, Read, Shards, Source, Stage, Steps, Tasks};

/// A phase of jobs: its stages run together, and its name is that of the folder of their outputs.
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    /// As callers and folders name it.
    pub name: &'static str,
    /// Share in the progress of a job that has the phase, beside those of its other phases.
    pub weight: f64,
}

/// Declarations that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Pipeline {
    /// All phases, in order.
    pub phases: &'static [Phase],
    /// Stages that all products of a job share, as far as any of them needs them.
    pub shared: &'static [Stage],
    /// What can be trained.
    pub products: &'static [&'static [Product]],
}

/// What Mercer trains.
pub const MERCER: Pipeline = Pipeline {
    phases: &PHASES,
    shared: recommend::SHARED,
    products: &[recommend::PRODUCTS, results::PRODUCTS],
};

const PHASES: [Phase; 16] = [
    Phase { name: "cut", weight: 0.10 },
    Phase { name: "dictionary", weight: 0.05 },
    Phase { name: "encode", weight: 0.10 },
    Phase { name: "columns", weight: 0.05 },
    Phase { name: "statistics", weight: 0.05 },
    Phase { name: "factors", weight: 1.00 },
    Phase { name: "side", weight: 0.03 },
    Phase { name: "rows", weight: 0.50 },
    Phase { name: "postings", weight: 0.15 },
    Phase { name: "norms", weight: 0.02 },
    Phase { name: "scores", weight: 0.05 },
    Phase { name: "learn", weight: 0.50 },
    Phase { name: "estimates", weight: 0.10 },
    Phase { name: "pool", weight: 0.02 },
    Phase { name: "results", weight: 0.60 },
    Phase { name: "policies", weight: 0.15 },
];

impl Pipeline {
    /// The product of this name.
    #[must_use]
    pub fn product(&self, name: &str) -> Option<&'static Product> {
        self.products().find(|product| product.name == name)
    }

    fn shared_stage(&self, phase: &str, name: &str) -> Option<&'static Stage> {
        self.shared.iter().find(|stage| stage.phase == phase && stage.name == Some(name))
    }

    /// Everything that can be trained.
    pub fn products(&self) -> impl Iterator<Item = &'static Product> + use<> {
        self.products.iter().copied().flatten()
    }
}
