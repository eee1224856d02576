"""What a shop is made of, and what is asked about it: command lines with names in braces."""

ALGORITHMS = """item-adjusted-cosine item-asymmetric-cosine item-bm25 item-cosine item-jaccard item-llr item-pearson
    item-tfidf p3 rp3beta item-transitions bought-together ease slim content ials als user-cosine user-pearson
    fresh trending new repurchase hybrid popular""".split()
# Neighbours of items, from which more follows than from the algorithms alone.
SIMILAR = ["item-cosine", "p3", "item-transitions", "bought-together", "ease", "slim", "content", "ials", "als"]

# Fills the committed shop. Events that come again change nothing, those of `mistake.csv` leave, and some of the
# rest is deleted.
LOAD = [
    "import locations {shop}/locations.csv",
    "import suppliers {shop}/suppliers.csv",
    "import items {shop}/items.csv",
    "import users {shop}/users.csv",
    "import supply {shop}/supply.csv",
    "import events {shop}/events.csv.gz --map rating=value,quantity=value --source shop",
    "import events {shop}/events.csv.gz --map rating=value,quantity=value --source shop",
    "import stock {shop}/stock-empty.csv",
    "import stock {shop}/stock-filled.csv",
    "import stock {shop}/stock.csv",
    "import competitor-prices {shop}/competitor-prices.csv",
    "import events {shop}/mistake.csv --map rating=value,quantity=value --source mistake --apart",
    "imports undo {import} --yes",
    "delete item soap-5 --yes",
    "delete user leaver --yes",
    "delete stock pasta-2 --location south --yes",
    "delete supply pasta-3 --yes",
    "rules set no-candles --exclude --filter category=Household>Candles",
    "rules set tea-first --include 0.4 --filter item=tea-5 --rule-set winter",
    "rules set house-brand --boost 0.5 --filter 'brand=Own brand' --from 2000-01-01T00:00:00Z --to 2100-01-01T00:00:00Z",
    "rules set over --exclude --filter category=Bakery --to 2000-01-01T00:00:00Z",
    "rules set winter-tea --boost 2 --filter category=Drinks>Tea --rule-set winter",
]
TRAIN = [
    "train all " + " ".join(name for name in ALGORITHMS if name != "popular") + " --wait",
    # A second version, which has the models of the first.
    "train inventory --wait",
]
EXPERIMENT = "experiment set ranker --arm control=1 --arm hybrid=1,algorithm=hybrid --arm mixed=1,diversity=0.5"
EXPOSED = [f"user-{number}" for number in range(61, 91)]

RECOMMENDATIONS = [
    *(f"recommend --user {{user}} --algorithm {name} -n 8" for name in ALGORITHMS),
    *(f"similar --item {{item}} --algorithm {name} -n 8" for name in SIMILAR),
    "recommend --user {user} --explain=parts -n 20",
    "recommend --user {other} --algorithm p3 --explain=parts",
    "recommend --user {other} --algorithm ials --explain --language de",
    "recommend --user {user} --algorithm repurchase --seen include",
    "recommend --user {viewer} --seen include",
    "recommend --user {denier} -n 30",
    "recommend --user {quiet}",
    "recommend --user nobody-knows",
    "recommend --session {item} {second} -n 8 --explain=parts",
    "recommend --user {user} --session {third} not-an-item -n 8",
    "recommend --user {user} -n 8 --where 'price < 3 AND NOT category:\"{category}\"' --filter in-stock",
    "recommend --user {user} -n 8 --filter '!attribute.colour=red' --filter price=1..5",
    "recommend --user {user} --rerank margin=0.5 stock=0.2 overstock=0.3 diversity --max-relevance-loss 0.2",
    "recommend --user {user} --rule-set winter",
    "recommend --user {user} --algorithm none-of-them",
    "recommend --user {user} --where 'price <'",
    "recommend-all --out {out} -n 3",
    "recommend-all --out {out} --algorithm item-cosine --users {users} --filter in-stock",
    "similar --item {item} --explain=parts",
    "similar --item {second} --where 'price > 2' -n 30",
    "similar --item not-an-item",
    "similar-users --user {user} -n 5",
    "similar-users --user {other} --algorithm user-pearson",
    "complete --basket {item} {second} --explain=parts",
    "complete --basket {third} --user {denier} --algorithm item-bm25",
    "popular -n 20",
    "popular --location {place} --where 'price > 2'",
]
DECISIONS = [
    "forecast --item {item}",
    "forecast --item {item} --language de --horizon 3",
    "forecast --item {item} --location {place} --horizon 14 --quantiles 0.05 0.5 0.95",
    "forecast --item {second} --location nowhere",
    "forecast --item {second} --price 1.49 --horizon 21",
    "forecast --item {second} --promotion --from {day3} --to {day9} --horizon 14",
    "forecast --item {third} --plan {day0}..{day3}=0.99,promotion --plan {day7}..{day9}=2.49 --horizon 14",
    "forecast --items {items} --horizon 7",
    "forecast --items {items} --horizon 1 --location {far} --quantiles 0.9",
    "forecast --item {third} --horizon 365 --quantiles 0.9",
    "price --item {item}",
    "price --item {item} --objective revenue --curve-points 5 --horizon 7",
    "price --item {second} --demand-form linear --curve-points 7",
    "price --item {second} --demand-form semi-log --curve-points 7",
    "price --item {third} --floor 1.00 --ceiling 1.60 --endings 9 49 99 --largest-change 0.3",
    "price --item {third} --floor 5 --ceiling 6 --margin-floor 0.9 --largest-change 0.05",
    "price --item {item} --competitor-floor 0.9 --competitor-ceiling 1.02 --competitors lowest",
    "price --item {uncosted} --language de",
    "price --item {uncosted} --cost 1.50",
    "price --items {items} --curve-points 2",
    "price --items {items} --curve-points 3 --objective revenue --demand-form linear",
    "elasticity --item {item}",
    "elasticity --item {slow}",
    "elasticity --item {unsold}",
    "inventory --item {item}",
    "inventory --item {item} --location {place} --fill-rate 0.98 --lead-time-days 10 --lead-time-deviation-days 3",
    "inventory --item {second} --location {far} --cycle-service 0.9 --review-period-days 0 --pack-size 10",
    "inventory --item {third} --minimum-order 500 --maximum-cover-days 10 --order-cost 3 --holding-rate 0.4",
    "inventory --item {third} --season-days 60 --salvage 0.10 --goodwill 0.5",
    "inventory --item {second} --price 1.29 --from {day0} --to {day9}",
    "inventory --item {uncosted} --language de",
    "inventory --items {items}",
    "inventory --items {items} --location {far}",
    "inventory --all --orders-only",
    "inventory --all --csv {out}",
]
KNOWN = [
    *(f"item {{{name}}}" for name in ["item", "second", "uncosted", "slow", "unsold", "unlisted", "deleted"]),
    *(f"user {{{name}}}" for name in ["user", "viewer", "denier", "quiet"]),
    "user leaver",
    # What they paid, by visit.
    "user {user} --rows 3",
    "user {other} --rows 512",
    "user nobody-knows",
    "rules list",
    "experiment list",
    "imports list",
    "jobs list",
    "jobs get job-000001",
    # Names all that can be trained.
    "train none-of-them",
    "status",
    "health",
    "health --service mercer.v1.RecommendService",
    "import presets",
]
# Of files of the committed shop; no cluster is asked.
OFFLINE = [
    "import inspect {shop}/mistake.csv --map rating=value,quantity=value",
    "import inspect {shop}/stock.csv --kind stock",
    "evaluate recommend --train {shop}/history.csv.gz --items {shop}/items.csv --split time:28 --at 10 --learn"
    " --set seed=7 --predictions {out}",
    "evaluate recommend --train {shop}/history.csv.gz --split last-item --seen include --at 5 10"
    " --algorithms repurchase popular item-transitions --set repurchase-half-life-days=10",
    # What tells nothing of ones and zeros.
    "evaluate recommend --train {shop}/history.csv.gz --split time:28 --at 10"
    " --algorithms item-adjusted-cosine item-pearson als --set weighted=true log-quantity=true --predictions {out}",
    "evaluate forecast --series {shop}/weekly.csv --horizon 6 --season 13 --periods 1 13 --forecasts {out}",
]
# Of the folder of a cluster that has stopped.
STOPPED = ["metadata rebuild --data-dir {folder}/data"]

# What the committed shop has that the questions name.
SHOP = {
    "item": "bread-1",
    "second": "pasta-1",
    "third": "milk-1",
    "slow": "candles-2",
    "uncosted": "ground-1",
    "unsold": "tea-5",
    "unlisted": "unlisted-1",
    "deleted": "soap-5",
    "user": "user-30",
    "other": "user-9",
    "viewer": "user-12",
    "denier": "user-40",
    "quiet": "user-244",
    "place": "north",
    "far": "south",
    "category": "Drinks",
}
ITEMS = """beans-1 bread-1 cakes-4 candles-2 cheese-1 filters-2 filters-4 ground-1 juice-1 milk-1 pasta-1 pasta-2
    pasta-3 rice-4 soap-5 tea-1 tea-5 unlisted-1 yogurt-2 not-an-item""".split()
USERS = ["user-1", "user-30", "user-12", "user-40", "user-75", "user-244", "nobody-knows"]

# Asked of the committed shop alone.
ASKED_OF_SHOP = ["experiment report ranker --confidence 0.9", "imports show {import}"]
QUESTIONS = [*RECOMMENDATIONS, *DECISIONS, *KNOWN]


def names_of_demo(cluster):
    """What the demo's data has that the questions name, by what sells and who buys."""

    def answer(words):
        return cluster.ask(words)[1][0]

    sold = [item["item_id"] for item in answer("popular -n 300")["items"]]
    places = [one["location_id"] for one in answer(f"item {sold[0]}")["stock"]] or [""]
    users = answer_users(cluster)
    category = answer(f"item {sold[1]}")["category_path"]
    few = sold[:: max(len(sold) // 20, 1)]
    return {
        "item": sold[0],
        "second": sold[3],
        "third": sold[7],
        "slow": sold[-1],
        "uncosted": sold[10],
        "unsold": sold[-2],
        "unlisted": sold[-3],
        "deleted": sold[-4],
        **dict(zip(["user", "other", "viewer", "denier", "quiet"], users)),
        "place": places[0] or "default",
        "far": places[-1] or "default",
        "category": category[0] if category else "",
    }, few, users


def answer_users(cluster):
    """Some of the users, spread over all of them."""
    record, _ = cluster.ask("recommend-all --out {out} -n 1 --algorithm popular")
    users = list(dict.fromkeys(row[0] for row in record["file"][1:]))
    return users[:: max(len(users) // 7, 1)][:7]
