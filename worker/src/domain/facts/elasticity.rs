//! The price elasticity of an item as a training left it.

use mercer_proto::internal::ElasticityResult;

/// How demand for an item answers to its price: its own weeks, drawn towards its group.
///
/// Numbers have the precision of results, so that an item newer than the version is answered as
/// the training would have stored it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ItemElasticity {
    /// Change of demand in % for a price higher by 1 %.
    pub(crate) value: f32,
    pub(crate) standard_error: f32,
    /// Weight of the item's own estimate against its group's, 0 to 1.
    pub(crate) own_weight: f32,
    pub(crate) own: OwnEstimate,
    pub(crate) group: Group,
    /// Demand under a promotion over that without one, at the same price.
    pub(crate) promotion_factor: f32,
}

/// What the weeks of an item say by themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OwnEstimate {
    /// `None` without price variation.
    pub(crate) elasticity: Option<f32>,
    pub(crate) standard_error: Option<f32>,
    /// Name of the method; empty without an estimate.
    pub(crate) method: String,
    pub(crate) weeks: u32,
    /// Weeks without a sale.
    pub(crate) zero_weeks: u32,
    /// Lowest and highest price that was charged, in millionths; 0 where none is known.
    pub(crate) lowest_price: i64,
    pub(crate) highest_price: i64,
}

/// The group that an item is drawn towards.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Group {
    /// Path of its category; empty for the whole catalogue.
    pub(crate) path: Vec<String>,
    pub(crate) elasticity: f32,
    /// Standard deviation between its items.
    pub(crate) deviation: f32,
}

impl ItemElasticity {
    /// The elasticity that a result holds.
    pub(crate) fn decode(result: ElasticityResult) -> Self {
        Self {
            value: result.elasticity,
            standard_error: result.standard_error,
            own_weight: result.item_weight,
            group: Group {
                path: result.group_path,
                elasticity: result.group_elasticity,
                deviation: result.group_deviation,
            },
            promotion_factor: result.promotion_factor,
            own: OwnEstimate {
                elasticity: result.item_elasticity,
                standard_error: result.item_standard_error,
                method: result.method,
                weeks: result.weeks,
                zero_weeks: result.zero_weeks,
                lowest_price: result.lowest_price_micros,
                highest_price: result.highest_price_micros,
            },
        }
    }

    /// The result that holds it.
    pub(crate) fn encode(self, item: &str) -> ElasticityResult {
        ElasticityResult {
            elasticity: self.value,
            standard_error: self.standard_error,
            item_weight: self.own_weight,
            group_path: self.group.path,
            group_elasticity: self.group.elasticity,
            group_deviation: self.group.deviation,
            promotion_factor: self.promotion_factor,
            ..self.own.encode(item)
        }
    }
}

impl OwnEstimate {
    /// The estimate that a result holds, which has not been drawn towards a group yet.
    pub(crate) fn decode(result: ElasticityResult) -> Self {
        ItemElasticity::decode(result).own
    }

    /// The result that holds it alone.
    pub(crate) fn encode(self, item: &str) -> ElasticityResult {
        ElasticityResult {
            item_id: item.to_owned(),
            item_elasticity: self.elasticity,
            item_standard_error: self.standard_error,
            method: self.method,
            weeks: self.weeks,
            zero_weeks: self.zero_weeks,
            lowest_price_micros: self.lowest_price,
            highest_price_micros: self.highest_price,
            ..ElasticityResult::default()
        }
    }
}
