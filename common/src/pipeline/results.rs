//! Results by item: demand, elasticities, policies.

use super::{
    product::{Part, Product, Published},
    stage::{
        Read,
        Source::{Own, Product as Of, Shared},
        Stage,
        Tasks::{One, Shards},
    },
};
use crate::manifest::part;

/// What was sold, of the task's own shard.
const SERIES: Read = Read::same("cut", Shared("series"));
/// What the items of a shard say of their groups. Days on which the whole shop was closed show in all shards.
const ESTIMATES: Stage = Stage::own("estimates", Shards, &[Read::all("cut", Shared("series"))]);
/// What groups of items share.
const POOL: Stage = Stage::own("pool", One, &[Read::all("estimates", Own)]);

/// Records by item, and what groups of them share.
const POOLED: Published =
    Published::Records(&[Part::own(part::RESULTS, "results"), Part::own(part::POOL, "pool")]);

/// Every kind of results that can be trained.
pub(super) const PRODUCTS: &[Product] = &[
    Product {
        name: "demand",
        stages: &[
            ESTIMATES,
            POOL,
            Stage::own("results", Shards, &[SERIES, Read::all("pool", Own)]),
        ],
        counted_by: &[],
        needs: &[],
        publishes: POOLED,
    },
    Product {
        name: "elasticity",
        stages: &[
            ESTIMATES,
            POOL,
            Stage::own("results", Shards, &[Read::same("estimates", Own), Read::all("pool", Own)]),
        ],
        counted_by: &[],
        needs: &[],
        publishes: POOLED,
    },
    Product {
        name: "inventory",
        stages: &[Stage::own(
            "policies",
            Shards,
            &[SERIES, Read::same("results", Of("demand")), Read::all("pool", Of("demand"))],
        )],
        counted_by: &[],
        needs: &["demand"],
        publishes: Published::Records(&[Part::own(part::RESULTS, "policies")]),
    },
];
