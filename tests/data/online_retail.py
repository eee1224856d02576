"""Writes a file of the layout, the length and the oddities of Online Retail, a year of a shop's invoices.

    python online_retail.py OUT.csv [--lines 541909] [--seed 1]

The data are made up: the shares of returns, guests, write-offs, postage, missing descriptions and repeated
lines are about those of the published file. The same seed gives the same bytes. Prints the sums of each kind
of line as JSON, in units and pence, by plain addition.
"""

import argparse
import json
import pathlib
import random

LINES = 541_909
NO_ITEMS = [
    ("POST", "POSTAGE", 1_800),
    ("DOT", "DOTCOM POSTAGE", 56_977),
    ("M", "Manual", 1_250),
    ("C2", "CARRIAGE", 5_000),
    ("BANK CHARGES", "Bank Charges", 1_500),
    ("AMAZONFEE", "AMAZON FEE", 13_541),
    ("S", "SAMPLES", 333),
]
WORDS = ["WHITE", "HANGING", "HEART", "LANTERN", "CAF\u00c9", "CR\u00c8ME", "TIN", "\u00a31 SALE", "RED", "BOX"]


class Totals(dict):
    """Rows, units and pence by kind of line, and how many customers the lines that count name."""

    customers = 0

    def add(self, kind, units, pence):
        rows, all_units, all_pence = self.get(kind, (0, 0, 0))
        self[kind] = (rows + 1, all_units + units, all_pence + units * pence)


def articles(random_source):
    found = []
    for number in range(4_000):
        code = f"{20_000 + number}" + random_source.choice(["", "", "", "A", "B"])
        words = random_source.sample(WORDS, 3)
        comma = ", " if number % 11 == 0 else " "
        quote = ' "GIFT"' if number % 97 == 0 else ""
        found.append((code, comma.join(words) + quote, random_source.randint(19, 1_299)))
    return found


def field(text):
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"\n') else text


def write(path, lines=LINES, seed=1):
    """Writes the file; the sums by kind: (rows, units, pence)."""
    source = random.Random(seed)
    shelf = articles(source)
    totals, customers = Totals(), set()
    minute, invoice, written, before = 0, 536_365, 0, None
    with open(path, "w", encoding="latin-1", newline="") as file:
        file.write("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\r\n")
        while written < lines:
            invoice += 1
            minute += source.randint(1, 16)
            day, clock = divmod(minute, 600)
            month, day = divmod(day, 28)
            when = f"{(month + 11) % 12 + 1}/{day + 1}/{2010 + (month + 11) // 12} {8 + clock // 60}:{clock % 60:02d}"
            customer = "" if source.random() < 0.25 else str(source.randint(12_346, 18_287))
            country = "United Kingdom" if invoice % 9 else source.choice(["France", "EIRE", "Germany"])
            for _ in range(min(source.randint(1, 42), lines - written)):
                draw = source.random()
                if before and draw < 0.01:
                    # The line before, once more: two equal lines are two sales.
                    line, kind, units, pence = before
                    file.write(line)
                    totals.add(kind, units, pence)
                    written += 1
                    continue
                number, units = str(invoice), source.randint(1, 24)
                code, description, pence = source.choice(shelf)
                if draw < 0.027:
                    number, units, kind = f"C{invoice}", -units, "returns"
                elif draw < 0.036 and not customer:
                    units, pence, kind = -source.randint(1, 400), 0, "write-offs"
                    description = source.choice(["damaged", "check", "", "lost?", "thrown away"])
                elif draw < 0.0405:
                    code, description, pence = source.choice(NO_ITEMS)
                    units, kind = source.choice([1, 1, 1, -1]), "skipped"
                else:
                    kind = "accepted"
                    if draw > 0.998:
                        pence = 0
                    if draw > 0.9985:
                        description = ""
                cells = [number, code, field(description), str(units), when]
                line = ",".join([*cells, f"{pence / 100:.2f}", customer, country]) + "\r\n"
                before = (line, kind, units, pence)
                file.write(line)
                totals.add(kind, units, pence)
                written += 1
                if customer and kind in ("accepted", "returns"):
                    customers.add(customer)
    totals.customers = len(customers)
    return totals


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("out", type=pathlib.Path)
    arguments.add_argument("--lines", type=int, default=LINES)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    print(json.dumps(write(options.out, options.lines, options.seed)))


if __name__ == "__main__":
    main()
