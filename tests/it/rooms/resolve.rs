//! Where what a path names is defined.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Module, Name};

/// Re-exports of re-exports that are followed.
const DEPTH: usize = 16;

/// Pairs of modules of which the first needs what the second defines.
pub(crate) type Needs = BTreeSet<(Name, Name)>;

/// The modules of a crate.
pub(crate) struct Crate(pub(crate) BTreeMap<Name, Module>);

/// Target that a path leads to.
#[derive(Clone, Debug)]
enum Target {
    Module(Name),
    /// Something that this module defines.
    Item(Name),
}

impl Crate {
    /// Which modules need which others.
    pub(crate) fn needs(&self) -> Needs {
        let mut needs = BTreeSet::new();
        for (name, module) in &self.0 {
            let imports = module.imports.iter().filter(|import| !import.is_reexport);
            for path in imports.map(|import| &import.path).chain(&module.paths) {
                let (Target::Module(found) | Target::Item(found)) =
                    match self.resolve(name, path, DEPTH) {
                        Some(target) => target,
                        None => continue,
                    };
                if found != *name {
                    needs.insert((name.clone(), found));
                }
            }
        }
        needs
    }

    /// `None` where a path leads out of the crate.
    fn resolve(&self, from: &Name, path: &[String], depth: usize) -> Option<Target> {
        let mut path = path;
        let mut at = from.clone();
        let mut is_absolute = false;
        while let Some((first, rest)) = path.split_first() {
            match first.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => drop(at.pop()),
                _ => break,
            }
            is_absolute = true;
            path = rest;
        }
        if !is_absolute && self.step(&at, path.first()?, depth).is_none() {
            return None;
        }
        for segment in path {
            match self.step(&at, segment, depth) {
                Some(Target::Module(module)) => at = module,
                Some(Target::Item(module)) => return Some(Target::Item(module)),
                // Such as a variant, or what a macro defines.
                None => return Some(Target::Item(at)),
            }
        }
        Some(Target::Module(at))
    }

    /// What a module calls by this name.
    fn step(&self, at: &Name, segment: &str, depth: usize) -> Option<Target> {
        let child: Name = [at.as_slice(), &[segment.to_owned()]].concat();
        if self.0.contains_key(&child) {
            return Some(Target::Module(child));
        }
        let module = self.0.get(at)?;
        if module.items.contains(segment) {
            return Some(Target::Item(at.clone()));
        }
        let depth = depth.checked_sub(1)?;
        for import in &module.imports {
            let is_itself = import.path.len() == 1 && import.path[0] == segment;
            if import.name.as_deref() == Some(segment) && !is_itself {
                return self.resolve(at, &import.path, depth);
            }
        }
        for import in module.imports.iter().filter(|import| import.name.is_none()) {
            if let Some(Target::Module(other)) = self.resolve(at, &import.path, depth)
                && other != *at
                && let Some(found) = self.step(&other, segment, depth)
            {
                return Some(found);
            }
        }
        None
    }
}
