//! What a job does: which tasks, in which order, and what each reads.

use std::collections::BTreeSet;

use mercer_proto::internal::TrainingSpec;

use super::{
    Phase, Pipeline,
    product::Product,
    stage::{Shards, Source, Stage, Steps, Tasks},
};

/// An output of a job, and thereby the task that makes it. Outputs of one step are ordered as whoever reads
/// them takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Output {
    /// Name of the phase.
    pub phase: &'static str,
    /// Name within the phase, empty where the phase has no other.
    pub name: &'static str,
    /// Which step, from 0.
    pub step: u32,
    /// Which shard; 0 where a step has one task.
    pub shard: u32,
}

/// Why a spec has no graph.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// It names what nobody declared.
    #[error("`{0}` cannot be trained here")]
    Unknown(String),
    /// It leaves out what a product needs.
    #[error("`{product}` needs `{needed}`, which the job does not train")]
    Lacks {
        /// What needs it.
        product: &'static str,
        /// What is left out.
        needed: &'static str,
    },
}

/// The stages of a job.
#[derive(Debug)]
pub struct Graph<'a> {
    pipeline: &'a Pipeline,
    spec: &'a TrainingSpec,
    products: Vec<&'static Product>,
    /// The stages by phase, in order; within one the shared ones as they are declared, then those of
    /// products by name.
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    stage: &'static Stage,
    /// Name of its outputs.
    name: &'static str,
}

impl<'a> Graph<'a> {
    /// What a job of this spec does. The order in which the spec names products does not matter.
    ///
    /// # Errors
    /// See [`GraphError`].
    ///
    /// # Panics
    /// When the declarations name a shared stage that is not declared.
    pub fn new(pipeline: &'a Pipeline, spec: &'a TrainingSpec) -> Result<Self, GraphError> {
        let mut products = Vec::new();
        for name in spec.algorithms.iter().chain(&spec.kinds) {
            let product = pipeline.product(name);
            products.push(product.ok_or_else(|| GraphError::Unknown(name.clone()))?);
        }
        products.sort_unstable_by_key(|product| product.name);
        products.dedup_by_key(|product| product.name);
        for product in &products {
            for &needed in product.needs {
                if !products.iter().any(|other| other.name == needed) {
                    return Err(GraphError::Lacks { product: product.name, needed });
                }
            }
        }
        let shared = shared(pipeline, &products);
        let mut nodes = Vec::new();
        for phase in pipeline.phases {
            for stage in pipeline.shared.iter().filter(|stage| stage.phase == phase.name) {
                let name = stage.name.unwrap_or_default();
                if shared.contains(&(stage.phase, name)) {
                    nodes.push(Node { stage, name });
                }
            }
            for product in &products {
                let stages = product.stages.iter().filter(|stage| stage.phase == phase.name);
                nodes.extend(stages.map(|stage| Node { stage, name: product.name }));
            }
        }
        Ok(Self { pipeline, spec, products, nodes })
    }

    /// The phases that have tasks, in order.
    pub fn phases(&self) -> impl Iterator<Item = &'a Phase> {
        let phases = self.pipeline.phases.iter();
        phases.filter(|phase| self.nodes.iter().any(|node| node.stage.phase == phase.name))
    }

    /// How many steps a phase has; 0 when it is none of the job.
    #[must_use]
    pub fn steps(&self, phase: &str) -> u32 {
        self.nodes_of(phase).map(|node| self.steps_of(node)).max().unwrap_or_default()
    }

    /// The tasks of a step of a phase.
    #[must_use]
    pub fn tasks(&self, phase: &str, step: u32) -> Vec<Output> {
        let mut tasks = Vec::new();
        for node in self.nodes_of(phase).filter(|&node| step < self.steps_of(node)) {
            tasks.extend(self.outputs(node, step));
        }
        tasks
    }

    /// The outputs that a task reads, in the order of the declaration; none for a task that the job does
    /// not have.
    #[must_use]
    pub fn reads(&self, task: &Output) -> Vec<Output> {
        let mut outputs = Vec::new();
        let Some(node) = self.node(task.phase, task.name) else { return outputs };
        for read in node.stage.reads {
            let name = read.source.name(node.name);
            let Some(source) = self.node(read.phase, name) else { continue };
            let step = match read.source {
                Source::Back(steps) => task.step.checked_sub(steps),
                _ => self.steps_of(source).checked_sub(1),
            };
            let Some(step) = step else { continue };
            let made = self.outputs(source, step);
            outputs.extend(made.filter(|output| match read.shards {
                Shards::All => true,
                Shards::Same => output.shard == task.shard,
            }));
        }
        outputs
    }

    /// Whether only the owner of its shard can run a task.
    #[must_use]
    pub fn is_of_owner(&self, task: &Output) -> bool {
        self.node(task.phase, task.name).is_some_and(|node| node.stage.tasks == Tasks::Owners)
    }

    /// How many steps back a task of a phase reads outputs of its own stage, at most.
    #[must_use]
    pub fn reads_back(&self, phase: &str) -> u32 {
        let reads = self.nodes_of(phase).flat_map(|node| node.stage.reads);
        let back = reads.filter_map(|read| match read.source {
            Source::Back(steps) => Some(steps),
            _ => None,
        });
        back.max().unwrap_or_default()
    }

    /// The output of these names, if the job makes it.
    #[must_use]
    pub fn find(&self, phase: &str, name: &str, step: u32, shard: u32) -> Option<Output> {
        let node = self.node(phase, name).filter(|&node| step < self.steps_of(node))?;
        self.outputs(node, step).find(|output| output.shard == shard)
    }

    /// What is published of a product: its parts that the job makes, each with its outputs in shard order.
    /// None for a product that the job does not train.
    #[must_use]
    pub fn published(&self, product: &str) -> Vec<(&'static str, Vec<Output>)> {
        let mut published = Vec::new();
        let Some(product) = self.products.iter().find(|one| one.name == product) else {
            return published;
        };
        for part in product.publishes.parts() {
            if let Some(node) = self.node(part.phase, part.source.name(product.name)) {
                let last = self.steps_of(node).saturating_sub(1);
                published.push((part.name, self.outputs(node, last).collect()));
            }
        }
        published
    }

    fn nodes_of(&self, phase: &str) -> impl Iterator<Item = Node> {
        self.nodes.iter().copied().filter(move |node| node.stage.phase == phase)
    }

    fn node(&self, phase: &str, name: &str) -> Option<Node> {
        self.nodes_of(phase).find(|node| node.name == name)
    }

    fn steps_of(&self, node: Node) -> u32 {
        match node.stage.steps {
            Steps::One => 1,
            Steps::Exactly(steps) => steps(self.spec).max(1),
        }
    }

    fn outputs(&self, node: Node, step: u32) -> impl Iterator<Item = Output> + use<> {
        let tasks = match node.stage.tasks {
            Tasks::One => 1,
            Tasks::Shards | Tasks::Owners => self.spec.shard_count,
        };
        let (phase, name) = (node.stage.phase, node.name);
        (0..tasks).map(move |shard| Output { phase, name, step, shard })
    }
}

/// Phase and name of every shared stage that the products need, by themselves or through others.
fn shared(
    pipeline: &Pipeline,
    products: &[&'static Product],
) -> BTreeSet<(&'static str, &'static str)> {
    let mut open = Vec::new();
    for product in products {
        open.extend(product.counted_by);
        let parts = product.publishes.parts().iter();
        open.extend(
            parts.filter_map(|part| Some((part.phase, part.source.needed(part.presence)?))),
        );
        for stage in product.stages {
            open.extend(shared_reads(stage));
        }
    }
    let mut wanted = BTreeSet::new();
    while let Some((phase, name)) = open.pop() {
        if wanted.insert((phase, name)) {
            let stage = pipeline.shared_stage(phase, name);
            open.extend(shared_reads(stage.expect("a shared stage that is read is declared")));
        }
    }
    wanted
}

fn shared_reads(stage: &Stage) -> impl Iterator<Item = (&'static str, &'static str)> {
    stage.reads.iter().filter_map(|read| Some((read.phase, read.source.needed(read.presence)?)))
}

#[cfg(test)]
mod tests;
