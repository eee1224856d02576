//! An item as snapshots and cuts store it.

use mercer_common::limits;
use mercer_proto::internal::{ItemFields, SetCompetitorPrice, StoredItem, StoredStock};

use super::codec::encode_attributes;
use crate::shard::{
    ApplyError, CompetitorEntry, ItemState, PriceRule, Series, Stock, Supply, Terms,
    item::baskets::Baskets, labels::Labels,
};

impl ItemState {
    /// As files hold it; equal for equal items.
    pub(crate) fn encode(&self) -> StoredItem {
        StoredItem {
            visits: self.baskets.hashes().collect(),
            visits_left_out: self.baskets.is_full(),
            ..self.encode_without_visits()
        }
    }

    /// The same, without what only live counting needs.
    pub(crate) fn encode_without_visits(&self) -> StoredItem {
        StoredItem {
            item_id: self.id.to_string(),
            fields: Some(ItemFields {
                title: self.title.to_string(),
                description: self.description.to_string(),
                category_path: self.category_path.iter().map(ToString::to_string).collect(),
                brand: self.brand.to_string(),
                attributes: encode_attributes(&self.attributes),
                list_price_micros: self.list_price_micros,
                unit_cost_micros: self.unit_cost_micros,
                status: self.status.into(),
                embedding: self.embedding.to_vec(),
            }),
            visits: Vec::new(),
            visits_left_out: false,
            units_micros: self.units_micros,
            revenue_micros: self.revenue_micros,
            stock: self.stock.iter().map(encode_stock).collect(),
            series: self.series.encode(),
            supply: self.supply.iter().map(Supply::encode).collect(),
            competitor_prices: (self.competitor_prices.iter())
                .map(|entry| SetCompetitorPrice {
                    item_id: String::new(),
                    competitor_id: entry.competitor.to_string(),
                    price_micros: Some(entry.price_micros),
                    as_of_ms: entry.as_of_ms,
                })
                .collect(),
            price_rule: self.price_rule.as_deref().map(PriceRule::encode),
        }
    }

    /// What [`Self::encode`] gave.
    ///
    /// # Errors
    /// `Malformed` when it contradicts itself.
    pub(crate) fn decode(stored: StoredItem, labels: &mut Labels) -> Result<Self, ApplyError> {
        let fields = stored.fields.unwrap_or_default();
        let status = fields.status();
        let series = stored.series.as_ref().map(|series| Series::decode(series, labels));
        let mut supply = Vec::with_capacity(stored.supply.len());
        for set in stored.supply {
            let location = labels.label(&set.location_id);
            let terms = Terms::decode_some(set.terms.as_ref())?;
            supply.push(Supply { location, supplier_id: set.supplier_id, terms });
        }
        let price_rule = stored.price_rule.as_ref().map(PriceRule::decode).transpose()?;
        let competitor_prices = stored.competitor_prices.into_iter().map(|set| CompetitorEntry {
            competitor: labels.label(&set.competitor_id),
            price_micros: set.price_micros.unwrap_or_default(),
            as_of_ms: set.as_of_ms,
        });
        let competitor_prices = competitor_prices.collect();
        let stock = stored.stock.into_iter().map(|stock| decode_stock(stock, labels));
        let stock = stock.collect::<Result<_, _>>()?;
        Ok(Self {
            id: stored.item_id.into(),
            title: fields.title.into(),
            description: fields.description.into(),
            category_path: labels.path(&fields.category_path),
            brand: labels.label(&fields.brand),
            attributes: labels.attributes(&fields.attributes),
            list_price_micros: fields.list_price_micros,
            unit_cost_micros: fields.unit_cost_micros,
            status,
            baskets: Baskets::new(stored.visits, stored.visits_left_out),
            units_micros: stored.units_micros,
            revenue_micros: stored.revenue_micros,
            stock,
            series: series.transpose()?.unwrap_or_default(),
            supply,
            competitor_prices,
            price_rule: price_rule.map(Box::new),
            embedding: fields.embedding.into(),
        })
    }
}

fn encode_stock(stock: &Stock) -> StoredStock {
    StoredStock {
        location_id: stock.location.to_string(),
        on_hand: stock.on_hand,
        as_of_ms: stock.as_of_ms,
        on_order: stock.on_order,
        backordered: stock.backordered,
        stock_outs: stock.stock_outs.clone(),
    }
}

fn decode_stock(stored: StoredStock, labels: &mut Labels) -> Result<Stock, ApplyError> {
    let outs = &stored.stock_outs;
    if !outs.is_sorted() || outs.len() > 2 * limits::STOCK_OUTS {
        return Err(ApplyError::Malformed("stock-outs are not in order"));
    }
    Ok(Stock {
        location: labels.label(&stored.location_id),
        on_hand: stored.on_hand,
        as_of_ms: stored.as_of_ms,
        on_order: stored.on_order,
        backordered: stored.backordered,
        stock_outs: stored.stock_outs,
    })
}
