"""A year of a shop's invoices, 541,909 lines with all their oddities, imported whole by one command."""

import os
import unittest

import online_retail
from shop import Shop

WHAT = {
    "accepted": "accepted",
    "returns": "returns",
    "of --skip": "skipped",
    "write-offs (negative, price 0, without user)": "write-offs",
}


@unittest.skipUnless(os.environ.get("MERCER_SLOW_TESTS"), "takes minutes: MERCER_SLOW_TESTS=1")
class Whole(Shop):
    def test_the_report_adds_up_to_the_file(self):
        path = self.folder / "retail.csv"
        expected = online_retail.write(path)
        line = ["import", "events", path, "--preset", "online-retail"]
        report = self.mercer(*line)
        sums = {
            WHAT[total["what"]]: (total["rows"], total["units"], total["amount_micros"])
            for total in report["totals"]
        }
        self.assertEqual(sums, {k: (rows, units, pence * 10**4) for k, (rows, units, pence) in expected.items()})
        taken = expected["accepted"][0] + expected["returns"][0]
        self.assertEqual(report["rows"], online_retail.LINES)
        self.assertEqual((report["accepted"], report["new"], report["rejected"]), (taken, taken, 0))
        self.assertEqual(report["skipped"], online_retail.LINES - taken)

        shards = self.mercer("status", "--token", report["token"])["shards"]
        # Guests are nobody: users are those whom the file names in lines that count.
        self.assertEqual(sum(shard["users"] for shard in shards), expected.customers)
        again = self.mercer(*line)
        self.assertEqual((again["accepted"], again["new"]), (taken, 0))


if __name__ == "__main__":
    unittest.main()
