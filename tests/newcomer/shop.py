"""A shop of its own for each test: `mercer up` on a folder, and commands as a newcomer types them."""

import json
import os
import pathlib
import shlex
import socket
import subprocess
import tempfile
import time
import unittest

BINARY = os.environ["MERCER_BINARY"]
LAYOUTS = pathlib.Path(__file__).parents[1] / "data" / "layouts"
DEADLINE = 60


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Shop(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        address = f"127.0.0.1:{free_port()}"
        self.endpoint = f"http://{address}"
        log = open(self.folder / "mercer.log", "wb")
        self.addCleanup(log.close)
        server = subprocess.Popen(
            [BINARY, "up", "--data-dir", self.folder / "data", "--listen", address]
            + ["--workers", "1", "--shards", "2"],
            stdout=log,
            stderr=log,
        )
        self.addCleanup(self.stop, server)
        until = time.monotonic() + DEADLINE
        said = self.folder / "mercer.log"
        while "Ctrl-C stops it" not in said.read_text():
            self.assertLess(time.monotonic(), until, said.read_text())
            time.sleep(0.05)

    @staticmethod
    def stop(server):
        server.terminate()
        server.wait(timeout=DEADLINE)

    def run_line(self, words, remote=True):
        line = [BINARY, *map(str, words)] + (["--endpoint", self.endpoint] if remote else [])
        return subprocess.run(
            line, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    def mercer(self, *words, remote=True):
        """What a command that succeeds says to programs."""
        ran = self.run_line([*words, "--output", "json"], remote)
        self.assertEqual(ran.returncode, 0, f"{words}: {ran.stdout}{ran.stderr}")
        return json.loads(ran.stdout)

    def inspect(self, file):
        return self.mercer("import", "inspect", LAYOUTS / file, remote=False)

    def typed(self, command):
        """What a command says that was printed for people to type."""
        first, *words = shlex.split(command)
        self.assertEqual(first, "mercer")
        return self.mercer(*words)

    def train(self, *kinds):
        self.mercer("train", *kinds, "--wait")

    def recommended(self, user, algorithm="item-cosine", *options):
        """What is recommended for other reasons than that it sells."""
        line = ["recommend", "--user", user, "--algorithm", algorithm, "-n", "5", *options]
        answer = self.mercer(*line)
        return [item["item_id"] for item in answer["items"] if item["source"] == "algorithm"]
