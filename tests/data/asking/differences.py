"""Where two answers differ."""

import math
import re

# Of amounts in the API's millionths, which are rounded numbers.
AMOUNT = re.compile(r"-?\d+\.\d{6}")


def same(old, new, tolerance):
    """Whether two values agree: numbers to `tolerance`, relative, and all else exactly."""
    if isinstance(old, bool) or isinstance(new, bool) or old is None or new is None:
        return old is new
    if isinstance(old, (int, float)) and isinstance(new, (int, float)):
        if not tolerance:
            # -0.0 is not 0.0, and 1 is not 1.0.
            return repr(old) == repr(new)
        return math.isclose(old, new, rel_tol=tolerance, abs_tol=tolerance / 1000)
    if tolerance and isinstance(old, str) and isinstance(new, str) and AMOUNT.fullmatch(old) and AMOUNT.fullmatch(new):
        return math.isclose(float(old), float(new), rel_tol=tolerance, abs_tol=1.5e-6)
    return type(old) is type(new) and old == new


def differences(old, new, tolerance=0.0, path=""):
    """Path and both values of each difference. The order of lists counts, that of names does not."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            below = f"{path}.{name}" if path else name
            yield from differences(old.get(name, ...), new.get(name, ...), tolerance, below)
    elif isinstance(old, list) and isinstance(new, list):
        for place in range(max(len(old), len(new))):
            left, right = (side[place] if place < len(side) else ... for side in (old, new))
            yield from differences(left, right, tolerance, f"{path}[{place}]")
    elif not same(old, new, tolerance):
        yield path, old, new


def exactly(_):
    return 0.0


def lists(old, new, tolerance=exactly):
    """The same of lists of records, each with the words of its question; `tolerance` is that of a record of `old`.

    The n-th record of a question is compared with the n-th of the same one.
    """

    def by_question(records):
        found = {}
        for record in records:
            count = sum(1 for words, _ in found if words == record["ask"])
            found[record["ask"], count] = record
        return found

    old, new = by_question(old), by_question(new)
    for question in {**old, **new}:
        left, right = old.get(question, ...), new.get(question, ...)
        numbers = 0.0 if left is ... else tolerance(left)
        for difference in differences(left, right, numbers):
            yield question[0], *difference
