//! Strings that many items and users share: brands, category levels, attributes.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// Labels below this number are not worth a sweep.
const SWEEP_FROM: usize = 4_096;

/// Keeps one copy of each label and category path that is in use.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    labels: HashSet<Arc<str>>,
    paths: HashSet<Arc<[Arc<str>]>>,
    /// Entries after the last sweep.
    kept: usize,
}

impl Labels {
    pub(crate) fn label(&mut self, text: &str) -> Arc<str> {
        if let Some(label) = self.labels.get(text) {
            return Arc::clone(label);
        }
        self.sweep();
        let label = Arc::<str>::from(text);
        self.labels.insert(Arc::clone(&label));
        label
    }

    pub(crate) fn path(&mut self, levels: &[String]) -> Arc<[Arc<str>]> {
        let levels: Vec<Arc<str>> = levels.iter().map(|level| self.label(level)).collect();
        if let Some(path) = self.paths.get(levels.as_slice()) {
            return Arc::clone(path);
        }
        let path = Arc::<[Arc<str>]>::from(levels);
        self.paths.insert(Arc::clone(&path));
        path
    }

    /// Pairs by name.
    pub(crate) fn attributes(
        &mut self,
        attributes: &BTreeMap<String, String>,
    ) -> Box<[(Arc<str>, Arc<str>)]> {
        attributes.iter().map(|(name, value)| (self.label(name), self.label(value))).collect()
    }

    /// Forgets what nobody uses any more, whenever the table has doubled.
    fn sweep(&mut self) {
        if self.labels.len() + self.paths.len() < (2 * self.kept).max(SWEEP_FROM) {
            return;
        }
        self.paths.retain(|path| Arc::strong_count(path) > 1);
        self.labels.retain(|label| Arc::strong_count(label) > 1);
        self.kept = self.labels.len() + self.paths.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_what_is_in_use_and_forgets_the_rest() {
        let mut labels = Labels::default();
        let kept = labels.label("kept");
        let path = labels.path(&["food".into(), "fruit".into()]);
        for index in 0..10 * SWEEP_FROM {
            labels.label(&format!("label {index}"));
        }
        assert!(labels.labels.len() <= SWEEP_FROM);
        assert!(Arc::ptr_eq(&kept, &labels.label("kept")));
        assert!(Arc::ptr_eq(&path, &labels.path(&["food".into(), "fruit".into()])));
    }
}
