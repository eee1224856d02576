"""Compares what two binaries of Mercer answer, and one binary with what is committed of the shop in `shop/`.

    python answers.py questions
    python answers.py record BINARY OUT [--shop DIR | --demo DATASET]
    python answers.py compare OLD NEW [--shop DIR | --demo DATASET]
    python answers.py check BINARY [--answers FILE] [--other-processor]

`record` starts `mercer up` on a temporary folder, loads the shop (or the demo's data: `synthetic`, or
`complete-journey`, which the demo downloads), trains everything, asks all questions with `--output json`, and writes
an answer a line: the words, the exit code and what was printed. What differs from run to run is masked:
`asking/cluster.py` lists it.

`compare` does so with both binaries and has NEW answer from OLD's folder, too. Both comparisons are bit for bit.
`check` compares numbers to 1e-9, relative, since kernels choose their instructions at run time; order, notes and
all other words exactly. Factors are single precision: on a processor without AVX2 and FMA what stands on them is
compared to 1 %. An answer that is meant to change is committed with the change:

    python answers.py record BINARY shop/answers.jsonl.gz

No answer hangs on the day it is asked: ages are counted from the newest event, events and counts of stock carry
their times, rules are of 2000 to 2100, and outcomes of the experiment have times of the shop. Left out is what a
draw decides (`exploration`), what needs a clock (`bench`), and what writes folders (`backup`, `log salvage`).
Standard library only; nothing but loopback is used.
"""

import argparse
import gzip
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from asking import price_rules, questions
from asking.cluster import Cluster, environment, masked
from asking.differences import exactly, lists

SHOP = pathlib.Path(__file__).resolve().parent / "shop"
ANSWERS = SHOP / "answers.jsonl.gz"
# Of answers that stand on factors, among them those of the default algorithm.
FACTORS = re.compile(r'"(als|ials|hybrid)"|recommend-all')
# Differences of one answer that are printed.
SHOWN = 5
SIZE = ["--workers", "2", "--shards", "4", "--time-zone", "Europe/Berlin"]
# As `mercer demo` makes its cluster.
DEMO_SIZE = ["--workers", "2", "--shards", "16", "--time-zone", "America/New_York"]


class Folder:
    """A data folder, what the questions about it name, and how its cluster is started."""

    def __init__(self, options, path):
        self.shop, self.demo, self.path = options.shop, options.demo, pathlib.Path(path)
        self.names = {"shop": str(self.shop), "items": f"{path}/items.txt", "users": f"{path}/users.txt"}

    def served_by(self, binary):
        return Cluster(binary, self.path, DEMO_SIZE if self.demo else SIZE, self.names)

    def filled_by(self, binary):
        """Writes the folder with a binary, and returns what its commands answered."""
        if self.demo:
            return self.filled_by_demo(binary)
        with self.served_by(binary) as cluster:
            records, tokens = [], []

            def do(words, typed=None):
                record, documents = cluster.ask(words, typed)
                records.append(record)
                if record["exit"]:
                    sys.exit(f"mercer {words}: {record['said']}")
                for document in documents:
                    tokens.extend([document["token"]] if document.get("token") else [])
                    if document.get("import"):
                        self.names["import"] = cluster.places["import"] = document["import"]
                return documents

            for words in questions.LOAD:
                do(words)
            tokens.append(price_rules.set_price_rules(cluster.endpoint))
            cluster.wait_for(tokens)
            for words in [*questions.TRAIN, questions.EXPERIMENT]:
                do(words)
            shown = [do(f"recommend --user {user} --experiment ranker")[0] for user in questions.EXPOSED]
            do("import events - --source outcomes", outcomes(shown))
            cluster.wait_for(tokens)
            self.name(cluster, questions.SHOP, questions.ITEMS, questions.USERS)
        return records

    def filled_by_demo(self, binary):
        line = [binary, "demo", "--dataset", self.demo, "--data-dir", self.path / "data", "--once"]
        line += ["--listen", "127.0.0.1:0", "--output", "json"]
        ran = subprocess.run(line, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if ran.returncode:
            sys.exit(ran.stderr)
        answer = masked(json.loads(ran.stdout))
        del answer["stages"], answer["endpoint"]
        records = [{"ask": "demo", "exit": 0, "answers": [answer]}]
        with self.served_by(binary) as cluster:
            # The demo trains some of the algorithms.
            records += [cluster.ask(words)[0] for words in questions.TRAIN]
            self.name(cluster, *questions.names_of_demo(cluster))
        return records

    def name(self, cluster, names, items, users):
        """Remembers what the questions name, and the days that are forecast."""
        self.names.update(names)
        days = cluster.ask(f"forecast --item {names['item']} --horizon 10")[1][0]["days"]
        self.names.update({f"day{number}": days[number]["date"] for number in (0, 3, 7, 9)})
        for name, lines in (("items", items), ("users", users)):
            pathlib.Path(self.names[name]).write_text("".join(f"{line}\n" for line in lines), "utf-8")

    def asked_by(self, binary):
        """What a binary answers from the folder."""
        own = [] if self.demo else [*questions.ASKED_OF_SHOP, *questions.OFFLINE]
        with self.served_by(binary) as cluster:
            records = [cluster.ask(words)[0] for words in [*questions.QUESTIONS, *own]]
        return records + [cluster.ask(words)[0] for words in questions.STOPPED]


def outcomes(shown):
    """Events of users who were shown lists: a click on the first, and on some lists more."""
    lines = ["user_id,item_id,type,timestamp,quantity,amount,attribution_token"]
    for number, answer in enumerate(shown):
        items = [item["item_id"] for item in answer["items"]]
        said = [(items[0], "click", ",")]
        said += [(items[1], "add_to_cart", ",")] if number % 2 else []
        said += [(items[2], "purchase", "1,2.00")] if number % 3 == 0 else []
        for item, kind, amount in said:
            fields = [answer["user_id"], item, kind, "2025-01-26T20:00:00Z", amount, answer["attribution_token"]]
            lines.append(",".join(fields))
    return "\n".join(lines) + "\n"


def recorded(binary, options, path):
    folder = Folder(options, path)
    return folder, folder.filled_by(binary), folder.asked_by(binary)


def write(path, records):
    """Writes a record a line, its names in order; packed where the name of the file says so."""
    lines = [json.dumps(one, sort_keys=True, ensure_ascii=False, separators=(",", ":")) for one in records]
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data, 9, mtime=0) if path.suffix == ".gz" else data)


def read(path):
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    return [json.loads(line) for line in data.decode().splitlines()]


def told(about, old, new, tolerance=exactly):
    """Prints the first differences of each answer and how many there are in all, which it returns."""
    found = {}
    for words, *difference in lists(old, new, tolerance):
        found.setdefault(words, []).append(difference)
    for words, of_one in found.items():
        print(f"mercer {words}")
        for path, left, right in of_one[:SHOWN]:
            print(f"    {path or 'the answer'}\n        - {brief(left)}\n        + {brief(right)}")
        if len(of_one) > SHOWN:
            print(f"    and {len(of_one) - SHOWN} more")
    count = sum(map(len, found.values()))
    print(f"{about}: {len(new)} answers, {count} differences in {len(found)} of them", flush=True)
    return count


def brief(value):
    if value is ...:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:300]} ..."


def record(options):
    with tempfile.TemporaryDirectory(prefix="answers-") as path:
        _, filled, asked = recorded(options.binary, options, path)
    write(options.out, filled + asked)
    print(f"{options.out}: {len(filled) + len(asked)} answers")
    return 0


def compare(options):
    with tempfile.TemporaryDirectory(prefix="answers-") as first, tempfile.TemporaryDirectory(prefix="answers-") as second:
        folder, filled, asked = recorded(options.old, options, first)
        count = told("a folder that OLD wrote, answered by NEW", asked, folder.asked_by(options.new))
        _, newly_filled, newly_asked = recorded(options.new, options, second)
        count += told("a folder that NEW wrote", filled + asked, newly_filled + newly_asked)
    return min(count, 1)


def check(options):
    expected = read(options.answers)
    with tempfile.TemporaryDirectory(prefix="answers-") as path:
        _, filled, asked = recorded(options.binary, options, path)
    answered, tolerance = filled + asked, to_nine_digits
    if options.other_processor or not solves_alike():
        print("Factors are solved by other instructions here: what stands on them is compared to 1 %, without `als`.")
        expected, answered = ([one for one in side if "--algorithm als" not in one["ask"]] for side in (expected, answered))
        tolerance = apart_from_factors
    count = told("the committed shop", expected, answered, tolerance)
    if count:
        print(f"If this is meant: python {sys.argv[0]} record {options.binary} {options.answers}, and commit it.")
    return min(count, 1)


def to_nine_digits(_):
    return 1e-9


def apart_from_factors(record):
    return 1e-2 if FACTORS.search(json.dumps(record)) else 1e-9


def solves_alike():
    """Whether factors, which are single precision, are solved here as where the answers were recorded."""
    try:
        flags = pathlib.Path("/proc/cpuinfo").read_text("utf-8").split()
    except OSError:
        return False
    return "avx2" in flags and "fma" in flags


def absolute(text):
    return pathlib.Path(text).resolve()


def ask_nothing(_):
    for words in [*questions.LOAD, *questions.TRAIN, questions.EXPERIMENT]:
        print(f"first    mercer {words}")
    for words in [*questions.QUESTIONS, *questions.ASKED_OF_SHOP, *questions.OFFLINE, *questions.STOPPED]:
        print(f"question mercer {words}")
    return 0


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = arguments.add_subparsers(required=True, metavar="COMMAND")

    def command(name, run, text, *binaries, has_data=True):
        parser = commands.add_parser(name, help=text, description=text)
        parser.set_defaults(run=run, shop=SHOP, demo=None)
        for binary in binaries:
            parser.add_argument(binary, type=absolute, help="an executable of Mercer")
        data = parser.add_mutually_exclusive_group()
        if has_data:
            data.add_argument("--shop", type=absolute, default=SHOP, metavar="DIR", help="files as `shop/make.py` makes")
            data.add_argument("--demo", choices=["synthetic", "complete-journey"], help="the data of `mercer demo`")
        return parser

    command("questions", ask_nothing, "list what is asked", has_data=False)
    recording = command("record", record, "write what a binary answers", "binary")
    recording.add_argument("out", type=pathlib.Path, help="one answer a line; packed if its name ends in .gz")
    command("compare", compare, "compare two binaries bit for bit; exit code 1 when they differ", "old", "new")
    checking = command("check", check, "compare a binary with the committed answers", "binary", has_data=False)
    checking.add_argument("--answers", type=pathlib.Path, default=ANSWERS, metavar="FILE", help="another file of answers")
    text = "as on a processor without AVX2 and FMA, which is found out if not given"
    checking.add_argument("--other-processor", action="store_true", help=text)
    options = arguments.parse_args()
    sys.exit(options.run(options))


if __name__ == "__main__":
    main()
