"""What `answers.py` must find, what it must not see, and that the committed shop is what its script makes."""

import copy
import pathlib
import sys
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER), str(FOLDER / "shop")]

import make  # noqa: E402
from asking import price_rules  # noqa: E402
from asking.cluster import masked  # noqa: E402
from asking.differences import lists  # noqa: E402

RECORD = {
    "ask": "price --item tea",
    "exit": 0,
    "answers": [{"price": "2.490001", "units": 12.5, "days": [1, 2.0, 3], "notes": ["no cost is known"], "rule": None}],
}


def changed(*path, to):
    record = copy.deepcopy(RECORD)
    place = record
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return record


class Differences(unittest.TestCase):
    def found(self, record, tolerance):
        return [path for _, path, *_ in lists([RECORD], [record], lambda _: tolerance)]

    def test_each_change_is_found_by_its_path(self):
        answer = ("answers", 0)
        for path, to, where in [
            (("exit",), 1, "exit"),
            ((*answer, "units"), 12.5 * (1 + 1e-8), "answers[0].units"),
            ((*answer, "price"), "2.490003", "answers[0].price"),
            ((*answer, "notes", 0), "no cost is known.", "answers[0].notes[0]"),
            ((*answer, "notes"), [], "answers[0].notes[0]"),
            ((*answer, "rule"), False, "answers[0].rule"),
            ((*answer, "more"), 1, "answers[0].more"),
        ]:
            for tolerance in (0.0, 1e-9):
                self.assertEqual(self.found(changed(*path, to=to), tolerance), [where])
        swapped = changed(*answer, "days", to=[2.0, 1, 3])
        self.assertEqual(self.found(swapped, 1e-9), ["answers[0].days[0]", "answers[0].days[1]"])

    def test_the_last_bits_count_only_bit_for_bit(self):
        for key, to in [("units", 12.500000000000002), ("price", "2.490002"), ("days", [1.0, 2.0, 3])]:
            record = changed("answers", 0, key, to=to)
            self.assertEqual(self.found(record, 1e-9), [])
            self.assertEqual(len(self.found(record, 0.0)), 1)

    def test_a_question_that_only_one_answers_is_a_difference(self):
        again = [RECORD, RECORD]
        self.assertEqual(list(lists(again, again)), [])
        self.assertEqual(len(list(lists(again, [RECORD]))), 1)
        self.assertEqual(len(list(lists([], again))), 2)


class Masks(unittest.TestCase):
    def test_what_differs_from_run_to_run_is_masked_and_the_rest_stays(self):
        worker = {"live": True, "shards": [0, 1], "last_heartbeat": None}
        answer = {"token": "t", "items": [{"score": 0.5, "attribution_token": ""}], "workers": [worker]}
        seen = masked({**answer, "phase_seconds": [["cut", 0.1], ["rows", 0.2]], "shards": [{"hash_sum": "7"}]})
        self.assertEqual(seen["token"], "*")
        self.assertEqual(seen["items"], [{"score": 0.5, "attribution_token": ""}])
        self.assertEqual(seen["workers"], [{"live": True, "last_heartbeat": None}])
        self.assertEqual(seen["phase_seconds"], ["cut", "rows"])
        self.assertEqual(seen["shards"], [{"hash_sum": "*"}])


class Shop(unittest.TestCase):
    def test_the_committed_shop_is_what_its_script_makes(self):
        for name, text in make.files().items():
            self.assertEqual(make.content(FOLDER / "shop" / name), text, name)

    def test_it_is_small(self):
        size = sum(path.stat().st_size for path in (FOLDER / "shop").iterdir() if path.is_file())
        self.assertLess(size, 1_000_000)


class Messages(unittest.TestCase):
    def test_fields_are_those_of_protobuf(self):
        self.assertEqual(price_rules.field(5, 300), b"\x28\xac\x02")
        self.assertEqual(price_rules.field(3, 0.5), b"\x19\0\0\0\0\0\0\xe0\x3f")
        self.assertEqual(price_rules.field(1, "ab"), b"\x0a\x02ab")
        self.assertEqual(price_rules.money(249), b"\x10\x02\x18" + price_rules.varint(490_000_000))


if __name__ == "__main__":
    unittest.main()
