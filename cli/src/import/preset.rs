//! Mappings for data sets that are known by name.

use anyhow::{Result, bail};

use super::mapping::Kind;

/// A data set whose columns are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Preset {
    /// The Complete Journey: transactions, products and demographics of a grocery chain.
    CompleteJourney,
}

/// Pairs of field and value.
type Pairs = &'static [(&'static str, &'static str)];

impl Preset {
    /// Columns and constants of the fields.
    pub(crate) fn mapping(self, kind: Kind) -> Result<(Pairs, Pairs)> {
        let Self::CompleteJourney = self;
        Ok(match kind {
            Kind::Events => (
                &[
                    ("user_id", "household_id"),
                    ("item_id", "product_id"),
                    ("location_id", "store_id"),
                    ("basket_id", "basket_id"),
                    ("timestamp", "transaction_timestamp"),
                    ("quantity", "quantity"),
                    // What the shop received for the line; the discounts are already taken off.
                    ("amount", "sales_value"),
                    // The shelf price: loyalty discount and the shop's coupon match added back.
                    ("list_price", "sales_value+retail_disc+coupon_match_disc/quantity"),
                    ("promotion", "retail_disc"),
                ],
                &[("type", "purchase")],
            ),
            Kind::Items => (
                &[
                    ("item_id", "product_id"),
                    ("title", "product_type+package_size"),
                    ("category_1", "department"),
                    ("category_2", "product_category"),
                    ("category_3", "product_type"),
                    ("brand", "brand"),
                    ("attribute.manufacturer", "manufacturer_id"),
                    ("attribute.package_size", "package_size"),
                ],
                &[],
            ),
            Kind::Users => (
                &[
                    ("user_id", "household_id"),
                    ("attribute.age", "age"),
                    ("attribute.income", "income"),
                    ("attribute.home_ownership", "home_ownership"),
                    ("attribute.marital_status", "marital_status"),
                    ("attribute.household_size", "household_size"),
                    ("attribute.household_composition", "household_comp"),
                    ("attribute.children", "kids_count"),
                ],
                &[],
            ),
            Kind::Stock
            | Kind::Supply
            | Kind::CompetitorPrices
            | Kind::Locations
            | Kind::Suppliers => bail!(
                "The Complete Journey holds no {kind}: it has events, items and users; import \
                 {kind} from a file of your own, without --preset"
            ),
        })
    }
}
