"""Makes the shop in this folder, the same one every time.

    python make.py [FOLDER]

Two stores of a grocer, 240 known customers and guests, 74 items of six departments, and 56 weeks: prices that
change by the quarter and by promotions, and demand that follows them; favourites that are bought again and again,
pairs that go together, what follows what; views, ratings and returns; items that came late, went early or never
sold; days on which the shop was closed, and shelves that were empty.

Standard library only. Chance is taken from `random.random` alone, whose numbers Python keeps the same.
"""

import csv
import datetime
import gzip
import io
import math
import pathlib
import random
import sys

SEED = 20240101
FIRST = datetime.date(2024, 1, 1)
DAYS = 56 * 7
CLOSED = {datetime.date(2024, 12, 25), datetime.date(2024, 12, 26), datetime.date(2025, 1, 1)}
BASKETS = 13
CUSTOMERS = 240
# How many come on each day of the week, Monday first.
WEEKDAYS = [0.8, 0.8, 0.9, 1.0, 1.3, 1.5, 0.7]
# By department: what its demand does when prices rise by one percent, and its categories with a price each.
DEPARTMENTS = {
    "Coffee": (-2.0, {"Beans": 8.9, "Ground": 6.5, "Filters": 2.4}),
    "Bakery": (-1.5, {"Bread": 3.2, "Rolls": 1.1, "Cakes": 7.5}),
    "Dairy": (-2.4, {"Milk": 1.3, "Cheese": 4.8, "Yogurt": 0.9}),
    "Pantry": (-3.0, {"Pasta": 1.9, "Sauces": 2.8, "Rice": 3.4}),
    "Drinks": (-3.5, {"Juice": 2.9, "Water": 0.7, "Tea": 4.2}),
    "Household": (-1.8, {"Paper": 5.5, "Soap": 2.2, "Candles": 9.0}),
}
# What is bought with what: a line of the first draws one of the second.
TOGETHER = {"Ground": "Filters", "Pasta": "Sauces", "Bread": "Cheese", "Tea": "Cakes"}
BRANDS = ["Hillside", "Nordbo", "Sunfield", "Own brand"]
SORTS = ["classic", "organic", "large", "fine"]
COLOURS = ["red", "green", "blue"]


class Chance:
    """Numbers that depend on the seed alone."""

    def __init__(self, seed):
        self.unit = random.Random(seed).random

    def below(self, count):
        return int(self.unit() * count)

    def one(self, choices):
        return choices[self.below(len(choices))]

    def happens(self, share):
        return self.unit() < share

    def weighted(self, weights):
        left = self.unit() * sum(weights)
        for place, weight in enumerate(weights):
            left -= weight
            if left < 0:
                return place
        return len(weights) - 1


class Item:
    def __init__(self, number, department, category, price):
        place = number % 4
        self.id = f"{category.lower()}-{place + 1}"
        self.department, self.category = department, category
        self.elasticity = DEPARTMENTS[department][0]
        self.sort, self.brand = SORTS[place], BRANDS[(number * 7 + place) % len(BRANDS)]
        self.cents = round(price * (0.8 + 0.2 * place) * 100)
        # The first of a category sells most.
        self.draw = (1 / (1 + place) ** 1.5) * (2.5 if category in ("Milk", "Bread", "Rolls", "Water") else 1)
        self.from_day = 370 if number % 24 == 23 else 0
        self.draw = 0.8 if self.from_day else self.draw
        self.to_day = 200 if number % 24 == 11 else DAYS
        # Prices change by the quarter, for each item in a turn of its own, and by promotions of a week.
        self.turn = number * 3 % 4
        self.promoted = {(number * 5 + turn * 13) % 56 for turn in range(4)}

    def offer(self, day):
        """The price of a day in cents, what it usually is, and whether it is a promotion."""
        level = [1.0, 1.25, 0.8, 1.1][(day // 91 + self.turn) % 4]
        usual = max(round(self.cents * level), 1)
        if day // 7 in self.promoted:
            return max(round(usual * 0.75), 1), usual, True
        return usual, usual, False

    def wish(self, day):
        """How many want it on a day, on a scale of its own."""
        if not self.from_day <= day < self.to_day:
            return 0
        price, _, is_promoted = self.offer(day)
        season = 1 + 0.6 * math.cos((day - 350) / 365 * 2 * math.pi) if self.category in ("Tea", "Candles") else 1
        return self.draw * season * (price / self.cents) ** self.elasticity * (1.3 if is_promoted else 1)


class Shop:
    def __init__(self):
        self.chance = Chance(SEED)
        categories = [(name, *one) for name, (_, kinds) in DEPARTMENTS.items() for one in kinds.items()]
        self.items = [Item(number, *categories[number // 4]) for number in range(4 * len(categories))]
        self.favourites = {}
        self.rows = []

    def events(self):
        for day in range(DAYS):
            date = FIRST + datetime.timedelta(day)
            if date in CLOSED:
                continue
            wishes = [item.wish(day) for item in self.items]
            baskets = BASKETS * WEEKDAYS[date.weekday()]
            for number in range(int(baskets) + self.chance.happens(baskets % 1)):
                self.visit(day, date, number, wishes)
        self.rows.sort(key=lambda row: row[3])
        return self.rows

    def visit(self, day, date, number, wishes):
        chance = self.chance
        # Some come often, and some never.
        customer = int(CUSTOMERS * chance.unit() ** 1.5) + 1
        user = "" if chance.happens(0.15) else f"user-{customer}"
        is_online = chance.happens(0.3)
        store = "north" if chance.happens(0.6) else "south"
        # Late orders fall on another day in UTC than in the store's zone.
        hour = 23 if is_online and chance.happens(0.1) else 7 + chance.below(13)
        at = datetime.datetime(date.year, date.month, date.day, hour, chance.below(60))
        visit = f"{day:03}-{number}"
        self.seconds = 0

        def say(kind, item, value="", amount="", list_price="", promotion=""):
            self.seconds += 20
            # A receipt has one time.
            seconds = {"purchase": 900, "return": 9_000}.get(kind, self.seconds)
            time = (at + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
            is_sale = kind in ("purchase", "return")
            basket, session = (visit, "") if is_sale else ("", visit)
            channel = "web" if is_online else "store"
            # A tenth of the sales of the first quarter are of nobody knows which store.
            place = "" if day < 91 and chance.happens(0.1) else store
            place = place if is_sale else ""
            self.rows.append(
                [user, item.id, kind, time, value, amount, list_price, promotion, place, basket, session, channel]
            )

        last = None
        for _ in range(1 + chance.below(3 if is_online else 4)):
            item = self.choose(customer, day, wishes, last)
            last = item
            if user and is_online:
                other = self.items.index(item) // 4 * 4 + chance.below(4)
                say("view", self.items[other] if wishes[other] else item)
                if chance.happens(0.5):
                    say(chance.one(["click", "favourite", "add_to_cart", "add_to_cart"]), item)
            if user and customer % 12 == 0 and chance.happens(0.7):
                continue
            price, usual, is_promoted = item.offer(day)
            # Cheese is sold by weight.
            units = 0.25 * (1 + chance.below(5)) if item.category == "Cheese" else 1 + chance.weighted([8, 3, 1])
            money = [f"{cents / 100:.2f}" for cents in (round(price * units), usual)]
            say("purchase", item, f"{units:g}", *money, "yes" if is_promoted else "")
            if user and chance.happens(0.12):
                liking = 1 + (customer * 7 + self.items.index(item) * 3) % 5
                say("rating", item, str(max(1, min(5, liking + chance.below(2)))))
            if chance.happens(0.02):
                say("return", item, f"{units:g}", money[0])

    def choose(self, customer, day, wishes, last):
        """What is bought next: what goes with the last one, a favourite that is due, or what draws."""
        chance = self.chance
        if last and last.category in TOGETHER and chance.happens(0.5):
            # Of four alike the one with the number of the last.
            names = [item.category for item in self.items]
            partner = names.index(TOGETHER[last.category]) + int(last.id[-1]) - 1
            if wishes[partner]:
                return self.items[partner]
        if customer not in self.favourites:
            self.favourites[customer] = [[chance.weighted(wishes), 7 * (1 + chance.below(4)), -99] for _ in range(4)]
        for favourite in self.favourites[customer]:
            place, interval, since = favourite
            item = self.items[place]
            # Dear ones wait.
            will = 0.5 * wishes[place] / item.draw
            if day - since >= interval and chance.happens(will):
                favourite[2] = day
                return item
        return self.items[chance.weighted(wishes)]

    def catalogue(self):
        for number, item in enumerate(self.items):
            is_uncosted = number % 9 == 4
            angle = 2 * math.pi * (number // 4) / 18
            vector = [math.cos(angle), math.sin(angle), 0.2 * (number % 4), 0.5]
            yield {
                "item_id": item.id,
                "title": f"{item.brand} {item.category.lower()}, {item.sort}",
                "description": f"{item.sort} {item.category.lower()} of the {item.department.lower()} shelf",
                "category_1": item.department,
                "category_2": item.category,
                "brand": item.brand,
                "list_price": f"{item.cents / 100:.2f}",
                "unit_cost": "" if is_uncosted else f"{item.cents * (55 + 4 * (number % 6)) / 10000:.2f}",
                "status": "inactive" if number == 47 else "active",
                "attribute.colour": COLOURS[number % 3],
                "attribute.size": ["S", "M", "L", "XL"][number % 4],
                "embedding": "" if number % 5 == 0 else " ".join(f"{one:.3f}" for one in vector),
            }
        # Nobody has bought it yet. What was delisted is deleted in the end.
        for item, title in [("tea-5", "Nordbo tea, new"), ("soap-5", "Hillside soap, delisted")]:
            yield {"item_id": item, "title": title, "category_1": "Drinks", "category_2": "Tea", "list_price": "4.95"}

    def customers(self):
        for number in range(1, CUSTOMERS + 6):
            denied = [self.items[(number * place) % 72].id for place in (5, 11)] if number % 40 == 0 else []
            plan, region = ["basic", "plus"][number % 2], ["coast", "hills", "town"][number % 3]
            yield {
                "user_id": f"user-{number}",
                "attribute.plan": plan,
                "attribute.region": region,
                "denied_item_ids": "|".join(denied),
            }

    def supply(self):
        for number, item in enumerate(self.items):
            if number % 8 == 7:
                continue
            row = {"item_id": item.id, "location_id": "*", "supplier_id": ["mill", "harbour"][number % 2]}
            row["pack_size"] = ["", "6", "12", "4"][number % 4]
            row["minimum_order_quantity"] = "24" if number % 5 == 2 else ""
            yield row
            if number % 6 == 1:
                yield {
                    "item_id": item.id,
                    "location_id": "south",
                    "lead_time_days": "12",
                    "lead_time_deviation_days": "3.5",
                    "fill_rate": "0.97",
                    "maximum_cover_days": "45",
                }

    def counts(self, date, on_hand):
        """Stock on a date, by what `on_hand` says of an item and a store; `None` where nobody counted."""
        for number, item in enumerate(self.items):
            for turn, store in enumerate(["north", "south"]):
                units = on_hand(number, turn)
                if units is not None:
                    on_order = 24 if number % 7 == 3 else ""
                    owed = 3 if number % 11 == 6 else ""
                    yield {
                        "item_id": item.id,
                        "location_id": store,
                        "on_hand": units,
                        "on_order": on_order,
                        "backordered": owed,
                        "as_of": f"{date}T05:00:00Z",
                    }

    def competitors(self):
        for number, item in enumerate(self.items):
            for turn, name in enumerate(["corner", "mega"]):
                if (number + turn) % 3 == 0:
                    price = f"{item.cents * (92 + 5 * turn + number % 9) / 10000:.2f}"
                    seen = "2025-01-20T12:00:00Z" if number % 2 else "2024-09-01T12:00:00Z"
                    yield {"item_id": item.id, "competitor_id": name, "price": price, "as_of": seen}


def weekly(rows):
    """Units by category and week, as `mercer evaluate forecast` reads them."""
    sums = {}
    for row in rows:
        if row[2] == "purchase":
            week = (datetime.date.fromisoformat(row[3][:10]) - FIRST).days // 7
            series = sums.setdefault(row[1].rsplit("-", 1)[0], [0.0] * (DAYS // 7 + 1))
            series[week] += float(row[4])
    for name, units in sorted(sums.items()):
        for week in range(DAYS // 7):
            date = FIRST + datetime.timedelta(7 * week)
            yield {"unique_id": name, "ds": date.isoformat(), "y": f"{units[week]:g}"}


def table(rows):
    """Rows of a CSV file; columns are those of all rows, in the order in which they first come."""
    rows = list(rows)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def files():
    """All files of the shop, by name."""
    shop = Shop()
    rows = shop.events()
    columns = "user_id item_id type timestamp value amount list_price promotion location_id basket_id session_id channel"
    events = [dict(zip(columns.split(), row)) for row in rows]
    # An export that was loaded by mistake, to be taken out again.
    mistake = [{**event, "basket_id": f"again-{event['basket_id']}"} for event in events if event["type"] == "purchase"]
    # Sold, but in no catalogue or soon deleted; and a user who wants to be forgotten.
    late = {**events[-1], "type": "purchase", "value": "1", "amount": "2.50", "basket_id": "391-99"}
    events += [{**late, "item_id": "unlisted-1"}, {**late, "item_id": "soap-5"}, {**late, "user_id": "leaver"}]
    locations = [
        {"location_id": "north", "name": "North", "time_zone": "Europe/Berlin", "decrement_on_purchase": "yes"},
        {"location_id": "south", "name": "South", "time_zone": "Europe/Lisbon", "decrement_on_purchase": "no"},
    ]
    suppliers = [
        {
            "supplier_id": "mill",
            "name": "The mill",
            "lead_time_days": "5",
            "lead_time_deviation_days": "1.5",
            "review_period_days": "1",
            "order_cost": "12.50",
            "holding_rate": "0.2",
            "cycle_service": "0.95",
        },
        {"supplier_id": "harbour", "name": "Harbour", "lead_time_days": "21", "review_period_days": "7"},
    ]
    # As `mercer evaluate recommend` reads it: of whom something is known, some of them.
    history = [
        {name: event[name] for name in ("user_id", "item_id", "type", "timestamp", "value")}
        for event in events
        if event["user_id"].endswith(("0", "1", "2", "3"))
    ]
    some = [0, 5, 9, 16, 24, 33, 52]
    return {
        "items.csv": table(shop.catalogue()),
        "users.csv": table([*shop.customers(), {"user_id": "leaver"}]),
        "locations.csv": table(locations),
        "suppliers.csv": table(suppliers),
        "supply.csv": table(shop.supply()),
        "stock-empty.csv": table(shop.counts("2024-11-04", lambda item, turn: 0 if item in some else None)),
        "stock-filled.csv": table(shop.counts("2024-11-18", lambda item, turn: 60 if item in some else None)),
        "stock.csv": table(
            shop.counts("2025-01-27", lambda item, turn: None if item % 10 == 8 else (item * 13 + turn * 7) % 41)
        ),
        "competitor-prices.csv": table(shop.competitors()),
        "events.csv.gz": table(events),
        "history.csv.gz": table(history),
        "mistake.csv": table(mistake[-40:]),
        "weekly.csv": table(weekly(rows)),
    }


def content(path):
    """The text of a file, packed or not."""
    return gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text("utf-8")


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    folder = folder.parent if folder.is_file() else folder
    for name, text in files().items():
        path = folder / name
        # The same text gives the same file on one machine: no time of day in it.
        path.write_bytes(gzip.compress(text.encode(), 9, mtime=0) if path.suffix == ".gz" else text.encode())
        print(f"{path.stat().st_size:9,} bytes  {name}", file=sys.stderr)


if __name__ == "__main__":
    main()
