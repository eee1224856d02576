"""Each layout of `tests/data/layouts` from `mercer import inspect` to a decision, as a newcomer types it."""

import os
import pathlib
import unittest

import duckdb
from shop import LAYOUTS, Shop


class Newcomer(Shop):
    def load(self, file, rows, accepted, **counts):
        """Inspects a file, types the command that is printed, and checks the report."""
        seen = self.inspect(file)
        self.assertEqual(seen["questions"], [], "nothing is open in a known layout")
        self.assertEqual((seen["rows"], seen["accepted"]), (rows, accepted))
        report = self.typed(seen["command"])
        self.assertEqual((report["rows"], report["accepted"]), (rows, accepted))
        for name, count in counts.items():
            self.assertEqual(report[name], count, name)
        return report

    def catalogue(self, file, item, *options):
        self.mercer("import", "items", LAYOUTS / file, "--map", f"item_id={item}", *options)

    def prepare(self, file, rows):
        """Runs the query that is printed for a layout that is not one event a row, and imports its result."""
        seen = self.inspect(file)
        self.assertEqual(seen["accepted"], 0)
        refused = self.run_line(["import", "events", LAYOUTS / file])
        self.assertEqual(refused.returncode, 1, refused.stdout)
        self.assertIn(seen["preparing"]["query"], refused.stderr)
        self.assertIn(seen["command"], refused.stderr)
        here = pathlib.Path.cwd()
        try:
            # The query writes where it is run.
            os.chdir(self.folder)
            duckdb.sql(seen["preparing"]["query"])
        finally:
            os.chdir(here)
        report = self.typed(seen["command"])
        self.assertEqual((report["rows"], report["accepted"], report["rejected"]), (rows, rows, 0))
        return report

    def forecast(self, item, units, *options):
        """The next week of an item that sells alike on all days."""
        answer = self.mercer("forecast", "--item", item, "--horizon", "7", *options)
        self.assertEqual(len(answer["days"]), 7)
        self.assertAlmostEqual(answer["total"]["mean"], units, delta=units * 0.03)

    def total(self, report, what):
        total = next(total for total in report["totals"] if total["what"] == what)
        return total["rows"], total["units"], total["amount_micros"] / 10**6

    def test_online_retail_to_a_forecast(self):
        report = self.load("online_retail.csv", 49, 46, skipped=3)
        self.assertEqual(self.total(report, "accepted"), (45, 261, 693.2))
        self.assertEqual(self.total(report, "returns"), (1, -1, -2.55))
        # The workbook holds the same rows, which count once.
        report = self.load("online_retail.xlsx", 49, 46, skipped=3)
        self.assertEqual(report["new"], 0)
        self.catalogue("online_retail.csv", "StockCode", "--encoding", "windows-1252")
        self.train("demand")
        # Six a day.
        self.forecast("85123A", 42)

    def test_shopify_to_recommendations(self):
        report = self.load("shopify_orders.csv", 10, 10)
        self.assertEqual(self.total(report, "accepted"), (10, 12, 208.75))
        self.catalogue("shopify_orders.csv", "coalesce(`Lineitem sku`, `Lineitem name`)")
        self.train("item-cosine")
        self.assertEqual(self.recommended("e@example.com"), ["MUG-01", "MUG-02"])

    def test_woocommerce_to_recommendations(self):
        report = self.prepare("woocommerce_orders.csv", 8)
        self.assertEqual(self.total(report, "accepted"), (8, 9, 12 * 5 + 8.5 * 3 + 30))
        self.catalogue(self.folder / "woocommerce_events.csv", "item_id")
        self.train("item-cosine")
        self.assertEqual(self.recommended("10"), ["MUG-01", "23"])

    def test_instacart_to_recommendations(self):
        report = self.prepare("instacart/order_products__prior.csv", 9)
        self.assertEqual(self.total(report, "accepted")[:2], (9, 9))
        self.catalogue("instacart/order_products__prior.csv", "product_id")
        self.train("item-cosine", "repurchase")
        self.assertEqual(self.recommended("4"), ["14084", "12427"])
        self.assertEqual(self.recommended("4", "repurchase", "--seen", "include"), ["196"])

    def test_olist_to_a_forecast(self):
        report = self.prepare("olist/olist_order_items_dataset.csv", 47)
        self.assertEqual(self.total(report, "accepted"), (47, 88, 82 * 58.9 + 6 * 199))
        # Each of its files is known.
        by_orders = self.inspect("olist/olist_orders_dataset.csv")["preparing"]["query"]
        self.assertEqual(by_orders, self.inspect("olist/olist_order_items_dataset.csv")["preparing"]["query"])
        self.train("demand")
        # Two a day, two lines of one order.
        self.forecast("4244733e06e7ecb4970a6e2683c13e61", 14)

    def test_retailrocket_to_recommendations(self):
        self.load("retailrocket.csv", 10, 10)
        self.catalogue("retailrocket.csv", "itemid")
        self.train("item-cosine")
        self.assertEqual(self.recommended("257597"), ["318965", "253185"])

    def test_hm_to_recommendations(self):
        self.load("hm_transactions.csv", 8, 8)
        self.catalogue("hm_transactions.csv", "article_id")
        self.train("item-cosine")
        self.assertEqual(self.recommended("c" * 64), ["0541518023", "0505221004"])

    def test_movielens_to_recommendations(self):
        self.load("movielens_ratings.csv", 8, 8)
        self.load("movielens_movies.csv", 3, 3)
        self.train("item-cosine")
        self.assertEqual(self.recommended("5")[0], "318")

    def test_reviews_to_recommendations(self):
        self.load("amazon_reviews.jsonl", 7, 7)
        self.catalogue("amazon_reviews.jsonl", "asin")
        self.train("item-cosine")
        self.assertEqual(self.recommended("r4"), ["p2", "p3"])

    def test_analytics_to_recommendations(self):
        report = self.load("ga4_events.csv", 14, 12, skipped=2)
        self.assertEqual(self.total(report, "returns"), (1, 1, 30))
        self.catalogue("ga4_events.csv", "item_id", "--map", "title=item_name,category=item_category")
        self.train("item-cosine")
        # The pot was sent back.
        self.assertEqual(self.recommended("1004.4"), ["MUG-1"])

    def test_complete_journey_to_recommendations(self):
        self.load("complete_journey.csv", 9, 8, rejected=1)
        self.catalogue("complete_journey.csv", "product_id")
        self.train("item-cosine")
        self.assertEqual(self.recommended("2003"), ["9878513", "1041453"])

    def test_m5_to_an_order(self):
        report = self.prepare("m5/sales_train_evaluation.csv", 120)
        self.assertEqual(self.total(report, "accepted"), (120, 288, 56 * (3 * 1.25 + 2 * 1.5) + 8 * 8.26))
        self.catalogue(self.folder / "m5_events.csv", "item_id")
        stock = self.folder / "stock.csv"
        stock.write_text("item_id,location_id,on_hand\nFOODS_3_090,CA_1,4\n")
        self.mercer("import", "stock", stock)
        self.train("demand", "inventory")
        # Five a day, three of them in one store.
        self.forecast("FOODS_3_090", 35)
        self.forecast("FOODS_3_090", 21, "--location", "CA_1")
        terms = ["--lead-time-days", "7", "--review-period-days", "7"]
        answer = self.mercer("inventory", "--item", "FOODS_3_090", "--location", "CA_1", *terms)
        policy = answer["policy"]
        self.assertAlmostEqual(policy["lead_time_demand"]["mean"], 42, delta=2)
        self.assertGreater(policy["order_up_to"], 42)
        self.assertEqual(policy["order_quantity"], policy["order_up_to"] - 4)


if __name__ == "__main__":
    unittest.main()
