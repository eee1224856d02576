//! What files can hold, and the fields of each.

/// What a file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Shop events: views, purchases and so on.
    #[default]
    Events,
    /// The catalogue.
    Items,
    /// Customers.
    Users,
    /// Units on hand, on order and backordered.
    Stock,
    /// Terms under which items are bought.
    Supply,
    /// What competitors charge.
    CompetitorPrices,
    /// Stores and warehouses.
    Locations,
    /// Who items are bought from.
    Suppliers,
}

impl Kind {
    /// Names of the fields; those that no file may lack come first.
    pub(crate) const fn fields(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Events => (
                &["item_id", "type", "timestamp"],
                &[
                    "user_id",
                    "quantity",
                    "amount",
                    "list_price",
                    "promotion",
                    "location_id",
                    "basket_id",
                    "session_id",
                    "channel",
                    "rating",
                    "event_id",
                    "attribution_token",
                ],
            ),
            Self::Items => (
                &["item_id"],
                &[
                    "title",
                    "description",
                    "category",
                    "category_1",
                    "category_2",
                    "category_3",
                    "category_4",
                    "category_5",
                    "category_6",
                    "category_7",
                    "category_8",
                    "brand",
                    "list_price",
                    "unit_cost",
                    "status",
                    "embedding",
                ],
            ),
            Self::Users => (&["user_id"], &["denied_item_ids"]),
            Self::Stock => {
                (&["item_id", "on_hand"], &["location_id", "on_order", "backordered", "as_of"])
            }
            Self::Supply => (
                &["item_id"],
                &[
                    "location_id",
                    "supplier_id",
                    "lead_time_days",
                    "lead_time_deviation_days",
                    "review_period_days",
                    "order_cost",
                    "holding_rate",
                    "minimum_order_quantity",
                    "pack_size",
                    "maximum_cover_days",
                    "cycle_service",
                    "fill_rate",
                ],
            ),
            Self::CompetitorPrices => (&["item_id", "competitor_id"], &["price", "as_of"]),
            Self::Locations => (&["location_id"], &["name", "time_zone", "decrement_on_purchase"]),
            Self::Suppliers => (
                &["supplier_id"],
                &[
                    "name",
                    "lead_time_days",
                    "lead_time_deviation_days",
                    "review_period_days",
                    "order_cost",
                    "holding_rate",
                    "minimum_order_quantity",
                    "pack_size",
                    "maximum_cover_days",
                    "cycle_service",
                    "fill_rate",
                ],
            ),
        }
    }

    /// Whether `attribute.NAME` is a field.
    pub(crate) const fn has_attributes(self) -> bool {
        matches!(self, Self::Items | Self::Users)
    }

    pub(crate) fn knows(self, field: &str) -> bool {
        let (required, optional) = self.fields();
        required.contains(&field)
            || optional.contains(&field)
            || (self.has_attributes()
                && field.strip_prefix("attribute.").is_some_and(|name| !name.is_empty()))
    }

    /// The kind of a name, as it is shown.
    pub(super) fn named(name: &str) -> Option<Self> {
        use clap::ValueEnum as _;
        Self::value_variants().iter().copied().find(|kind| kind.to_string() == name)
    }

    /// The fields, for messages.
    pub(super) fn known(self) -> String {
        let (required, optional) = self.fields();
        let attributes = if self.has_attributes() { ", attribute.NAME" } else { "" };
        format!("needed: {}; possible: {}{attributes}", required.join(", "), optional.join(", "))
    }

    /// Names under which shops and data sets write a field, besides its own: in lower case, without
    /// spaces and signs.
    pub(crate) fn synonyms(self, field: &str) -> &'static [&'static str] {
        let found = SYNONYMS
            .iter()
            .find(|(kind, name, _)| *name == field && kind.is_none_or(|kind| kind == self));
        found.map_or(&[], |(_, _, words)| words)
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Events => "events",
            Self::Items => "items",
            Self::Users => "users",
            Self::Stock => "stock",
            Self::Supply => "supply",
            Self::CompetitorPrices => "competitor-prices",
            Self::Locations => "locations",
            Self::Suppliers => "suppliers",
        })
    }
}

/// Kind (none: any), field and its other names.
const SYNONYMS: [(Option<Kind>, &str, &[&str]); 16] = [
    (
        None,
        "item_id",
        &[
            "itemid",
            "sku",
            "productid",
            "stockcode",
            "articleid",
            "asin",
            "productcode",
            "lineitemsku",
            "variantid",
            "movieid",
            "itemcode",
            "articlenumber",
            "productsku",
            "variantsku",
            "artikelnummer",
            "artikelnr",
            "item",
            "gtin",
            "ean",
            "upc",
            "barcode",
        ],
    ),
    (
        Some(Kind::Events),
        "timestamp",
        &[
            "time",
            "datetime",
            "date",
            "when",
            "createdat",
            "orderdate",
            "orderedat",
            "invoicedate",
            "eventtime",
            "purchasedate",
            "tdat",
            "unixreviewtime",
            "orderpurchasetimestamp",
            "ordertime",
            "orderdatetime",
            "createddate",
            "transactiontimestamp",
            "eventtimestamp",
            "day",
            "saledate",
            "created",
            "orderedon",
            "createdon",
            "placedat",
            "purchasedat",
            "soldat",
            "transactiondate",
            "eventdate",
            "bestelldatum",
            "datum",
        ],
    ),
    (Some(Kind::Events), "type", &["event", "eventtype", "eventname", "action"]),
    (
        None,
        "user_id",
        &[
            "userid",
            "customerid",
            "customer",
            "user",
            "visitorid",
            "visitor",
            "reviewerid",
            "clientid",
            "householdid",
            "customeremail",
            "email",
            "buyerid",
            "memberid",
            "kundennummer",
            "kundennr",
            "kunde",
            "userpseudoid",
        ],
    ),
    (
        Some(Kind::Events),
        "quantity",
        &[
            "qty",
            "units",
            "lineitemquantity",
            "quantitysold",
            "unitssold",
            "count",
            "pieces",
            "pcs",
            "menge",
        ],
    ),
    (
        Some(Kind::Events),
        "amount",
        &["revenue", "linetotal", "salesvalue", "lineamount", "totalprice", "netamount"],
    ),
    (
        Some(Kind::Events),
        "basket_id",
        &[
            "basketid",
            "orderid",
            "invoiceno",
            "invoice",
            "transactionid",
            "ordernumber",
            "receiptid",
            "invoicenumber",
            "bestellnummer",
            "belegnummer",
        ],
    ),
    (Some(Kind::Events), "session_id", &["sessionid", "session", "visitid", "usersession"]),
    (Some(Kind::Events), "rating", &["stars", "overall", "score"]),
    (None, "location_id", &["locationid", "storeid", "store", "warehouse", "location", "shopid"]),
    (
        Some(Kind::Items),
        "title",
        &["name", "productname", "producttitle", "prodname", "itemname", "bezeichnung"],
    ),
    (Some(Kind::Items), "list_price", &["listprice", "price", "regularprice", "variantprice"]),
    (Some(Kind::Items), "unit_cost", &["unitcost", "cost", "costperitem", "purchaseprice"]),
    (Some(Kind::Items), "brand", &["vendor", "manufacturer"]),
    (
        Some(Kind::Stock),
        "on_hand",
        &["onhand", "stock", "quantity", "qty", "available", "inventory", "stockquantity"],
    ),
    (None, "supplier_id", &["supplierid", "supplier", "vendorid"]),
];
