//! What recommends: methods by family, which are trained by the same stages.

use mercer_proto::internal::TrainingSpec;

use super::{
    product::{Part, Product, Published},
    stage::{
        Read,
        Source::{Back, Own, Product as Of, Shared},
        Stage,
        Tasks::{One, Owners, Shards},
    },
};
use crate::manifest::part;

/// Rows of items by id; every other stage of recommendations reads it.
const TABLE: Read = Read::all("dictionary", Shared(""));
/// Who has which item, of all shards and of one.
const USERS: Read = Read::all("encode", Shared(""));
const SHARDS_USERS: Read = Read::same("encode", Shared(""));
/// Events in their order, of all shards.
const SEQUENCES: Read = Read::all("encode", Shared("sequences"));
const OWN_ROWS: Read = Read::all("rows", Own);

/// Parts of cuts, and what is made of them for all products.
pub(super) const SHARED: &[Stage] = &[
    Stage::shared("cut", "", Owners, &[]),
    Stage::shared("cut", "series", Owners, &[]),
    Stage::shared("cut", "content", Owners, &[]),
    Stage::shared("cut", "users", Owners, &[]),
    Stage::shared("dictionary", "", One, &[Read::all("cut", Shared(""))]),
    Stage::shared("encode", "", Shards, &[TABLE, Read::same("cut", Shared(""))]),
    Stage::shared("encode", "sequences", Shards, &[TABLE, Read::same("cut", Shared(""))]),
    Stage::shared("columns", "", Shards, &[TABLE, USERS]),
    Stage::shared("statistics", "", One, &[TABLE, USERS]),
    Stage::shared("statistics", "content", One, &[TABLE, Read::all("cut", Shared("content"))]),
    Stage::shared(
        "learn",
        "",
        One,
        &[
            TABLE,
            SEQUENCES,
            Read::all("cut", Shared("content")),
            Read::all("rows", Of("content")).if_made(),
        ],
    ),
];

/// Neighbours by the neighbour's shard, and how long the lists of weights are.
const POSTINGS: Stage = Stage::own("postings", Shards, &[TABLE, OWN_ROWS]);
const NORMS: Stage = Stage::own("norms", One, &[TABLE, OWN_ROWS]);

const SIMILARITY: &[Stage] = &[
    Stage::own("rows", Shards, &[TABLE, USERS, Read::all("statistics", Shared(""))]),
    POSTINGS,
    NORMS,
];
const ORDER: &[Stage] = &[Stage::own("rows", Shards, &[TABLE, SEQUENCES]), POSTINGS, NORMS];
/// What is dear of a linear model, an inverse or the neighbourhoods of all items, is not done again in
/// every shard.
const LINEAR: &[Stage] = &[Stage::own("rows", One, &[TABLE, USERS]), POSTINGS, NORMS];
const CONTENT: &[Stage] = &[
    Stage::own("rows", Shards, &[TABLE, Read::all("statistics", Shared("content"))]),
    POSTINGS,
    NORMS,
];
const FACTORS: &[Stage] = &[
    Stage::own(
        "factors",
        Shards,
        &[
            TABLE,
            SHARDS_USERS,
            Read::same("columns", Shared("")),
            Read::all("factors", Back(1)),
            Read::same("factors", Back(2)),
        ],
    )
    .in_steps(half_steps),
    Stage::own("side", One, &[TABLE, Read::all("factors", Own)]),
    Stage::own("rows", Shards, &[TABLE, Read::all("side", Own)]),
    POSTINGS,
];
const COMPARED_USERS: &[Stage] =
    &[Stage::own("rows", Shards, &[SHARDS_USERS, Read::same("cut", Shared("users"))])];
const SCORES: &[Stage] = &[Stage::own("scores", One, &[TABLE, SEQUENCES])];

/// Users and items in turn.
fn half_steps(spec: &TrainingSpec) -> u32 {
    2 * spec.factors.unwrap_or_default().iterations.max(1)
}

/// The half-lives of any method are learned with the hybrid's mix.
const LEARNED: Part = Part::shared(part::LEARNED, "learn").if_made();
const NEIGHBOURS: Published = Published::Model(&[
    Part::own(part::POSTINGS, "postings"),
    Part::own(part::NORMS, "norms"),
    LEARNED,
]);
/// The neighbours' weights choose candidates only.
const CANDIDATES: Published = Published::Model(&[
    Part::own(part::POSTINGS, "postings"),
    Part::own(part::SIDE, "side"),
    LEARNED,
]);
const USERS_WITH_ITEMS: Published = Published::Model(&[
    Part::shared(part::COLUMNS, "columns"),
    Part::own(part::ROWS, "rows"),
    LEARNED,
]);
const NUMBERS: Published = Published::Model(&[Part::own(part::SCORES, "scores"), LEARNED]);
const MIX: Published = Published::Model(&[Part::shared(part::LEARNED, "learn")]);

/// Users and interactions are counted by the statistics of who has which item.
const COUNTED: &[(&str, &str)] = &[("statistics", "")];

/// Every method that can be trained.
pub(super) const PRODUCTS: &[Product] = &[
    of_users("item-adjusted-cosine", SIMILARITY, NEIGHBOURS),
    of_users("item-asymmetric-cosine", SIMILARITY, NEIGHBOURS),
    of_users("item-bm25", SIMILARITY, NEIGHBOURS),
    of_users("item-cosine", SIMILARITY, NEIGHBOURS),
    of_users("item-jaccard", SIMILARITY, NEIGHBOURS),
    of_users("item-llr", SIMILARITY, NEIGHBOURS),
    of_users("item-pearson", SIMILARITY, NEIGHBOURS),
    of_users("item-tfidf", SIMILARITY, NEIGHBOURS),
    of_users("p3", SIMILARITY, NEIGHBOURS),
    of_users("rp3beta", SIMILARITY, NEIGHBOURS),
    method("item-transitions", ORDER, NEIGHBOURS),
    method("bought-together", ORDER, NEIGHBOURS),
    of_users("ease", LINEAR, NEIGHBOURS),
    of_users("slim", LINEAR, NEIGHBOURS),
    method("content", CONTENT, NEIGHBOURS),
    of_users("ials", FACTORS, CANDIDATES),
    of_users("als", FACTORS, CANDIDATES),
    of_users("user-cosine", COMPARED_USERS, USERS_WITH_ITEMS),
    of_users("user-pearson", COMPARED_USERS, USERS_WITH_ITEMS),
    method("fresh", SCORES, NUMBERS),
    method("trending", SCORES, NUMBERS),
    method("new", SCORES, NUMBERS),
    method("repurchase", SCORES, NUMBERS),
    // Its sources are configured, and named beside it.
    method("hybrid", &[], MIX),
];

/// A method of a family.
const fn method(name: &'static str, stages: &'static [Stage], publishes: Published) -> Product {
    Product { name, stages, counted_by: &[], needs: &[], publishes }
}

/// A method that learns from who has which item.
const fn of_users(name: &'static str, stages: &'static [Stage], publishes: Published) -> Product {
    Product { counted_by: COUNTED, ..method(name, stages, publishes) }
}
