//! Arms as they are shown.

use mercer_proto::v1::Arm;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct ArmRow {
    pub(crate) arm_id: String,
    pub(crate) weight: u32,
    /// Share of the users, 0 to 1.
    pub(crate) share: f64,
    #[serde(skip_serializing_if = "String::is_empty")]
    algorithm: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    rule_set: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    exploration: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reranking: Option<Goals>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Goals {
    max_relevance_loss: f64,
    margin: f64,
    stock: f64,
    overstock: f64,
    diversity: f64,
}

impl ArmRow {
    /// Rows of the arms of one experiment.
    pub(crate) fn all(arms: &[Arm]) -> Vec<Self> {
        let total: f64 = arms.iter().map(|arm| f64::from(arm.weight)).sum();
        arms.iter().map(|arm| Self::new(arm, total)).collect()
    }

    /// Row of an arm of an experiment whose weights add up to `total`.
    fn new(arm: &Arm, total: f64) -> Self {
        Self {
            arm_id: arm.arm_id.clone(),
            weight: arm.weight,
            share: if total > 0.0 { f64::from(arm.weight) / total } else { 0.0 },
            algorithm: arm.algorithm.clone(),
            rule_set: arm.rule_set.clone(),
            version: arm.version.clone(),
            exploration: (arm.exploration > 0.0).then_some(arm.exploration),
            reranking: arm.reranking.map(|one| Goals {
                max_relevance_loss: one.max_relevance_loss,
                margin: one.margin,
                stock: one.stock,
                overstock: one.overstock,
                diversity: one.diversity,
            }),
        }
    }

    /// Changes of the arm, as they may be typed.
    pub(crate) fn changes(&self) -> String {
        let named = [
            ("algorithm", &self.algorithm),
            ("rule_set", &self.rule_set),
            ("version", &self.version),
        ];
        let goals = self.reranking.map(|goals| {
            [
                ("max_relevance_loss", goals.max_relevance_loss),
                ("margin", goals.margin),
                ("stock", goals.stock),
                ("overstock", goals.overstock),
                ("diversity", goals.diversity),
            ]
        });
        let exploration = [("exploration", self.exploration.unwrap_or_default())];
        let numbers = exploration.into_iter().chain(goals.into_iter().flatten());
        let named = named.into_iter().filter(|(_, value)| !value.is_empty());
        let named = named.map(|(key, value)| format!("{key}={value}"));
        let numbers = numbers.filter(|(_, value)| *value > 0.0);
        let parts: Vec<String> =
            named.chain(numbers.map(|(key, value)| format!("{key}={value}"))).collect();
        if parts.is_empty() { "as requested".into() } else { parts.join(",") }
    }
}
