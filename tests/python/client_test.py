"""A client in another language, against a real `mercer up`: ingests, trains, queries."""

import os
import queue
import socket
import subprocess
import tempfile
import time
import unittest
import uuid

import grpc
from google.protobuf import timestamp_pb2
from google.rpc import error_details_pb2
from google.type import money_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status
from mercer.v1 import (
    catalog_pb2,
    catalog_pb2_grpc,
    cluster_pb2,
    cluster_pb2_grpc,
    decision_pb2,
    event_pb2,
    event_pb2_grpc,
    experiment_pb2,
    experiment_pb2_grpc,
    forecast_pb2,
    forecast_pb2_grpc,
    import_pb2,
    import_pb2_grpc,
    inventory_pb2,
    inventory_pb2_grpc,
    job_pb2,
    job_pb2_grpc,
    note_pb2,
    pricing_pb2,
    pricing_pb2_grpc,
    recommend_pb2,
    recommend_pb2_grpc,
)

START = 1_767_225_600  # 2026-01-01T00:00:00Z
DEADLINE = 30


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def money(cents):
    units, rest = divmod(cents, 100)
    return money_pb2.Money(currency_code="USD", units=units, nanos=rest * 10_000_000)


def cents(amount):
    return amount.units * 100 + amount.nanos / 10_000_000


def purchase(user, item, day, quantity=1, unit_price=350):
    return event_pb2.Event(
        type=event_pb2.EVENT_TYPE_PURCHASE,
        user_id=user,
        item_id=item,
        event_time=timestamp_pb2.Timestamp(seconds=START + day * 86_400),
        quantity=quantity,
        amount=money(quantity * unit_price),
    )


class Served(unittest.TestCase):
    """A `mercer up` of its own for each class: events move the time that forecasts begin at."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        address = f"127.0.0.1:{free_port()}"
        cls.log = open(os.path.join(cls.folder.name, "mercer.log"), "wb")
        cls.server = subprocess.Popen(
            [os.environ["MERCER_BINARY"], "up", "--listen", address]
            + ["--data-dir", os.path.join(cls.folder.name, "data"), "--workers", "2"],
            stdout=cls.log,
            stderr=cls.log,
        )
        cls.channel = grpc.insecure_channel(address)
        try:
            grpc.channel_ready_future(cls.channel).result(timeout=DEADLINE)
        except grpc.FutureTimeoutError:
            cls.tearDownClass()
            raise
        cls.events = event_pb2_grpc.EventServiceStub(cls.channel)
        cls.catalog = catalog_pb2_grpc.CatalogServiceStub(cls.channel)
        cls.recommend = recommend_pb2_grpc.RecommendServiceStub(cls.channel)
        cls.experiments = experiment_pb2_grpc.ExperimentServiceStub(cls.channel)
        cls.forecast = forecast_pb2_grpc.ForecastServiceStub(cls.channel)
        cls.pricing = pricing_pb2_grpc.PricingServiceStub(cls.channel)
        cls.inventory = inventory_pb2_grpc.InventoryServiceStub(cls.channel)
        cls.imports = import_pb2_grpc.ImportServiceStub(cls.channel)
        cls.jobs = job_pb2_grpc.JobServiceStub(cls.channel)
        cls.cluster = cluster_pb2_grpc.ClusterServiceStub(cls.channel)

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        cls.server.terminate()
        if cls.server.wait(timeout=DEADLINE) != 0:
            cls.log.flush()
            with open(cls.log.name, encoding="utf-8") as log:
                raise AssertionError(f"mercer up exited {cls.server.returncode}:\n{log.read()}")
        cls.log.close()
        cls.folder.cleanup()

    def ingest(self, batches, producer=None):
        """Streams batches up, keeping at most 8 unacknowledged, and returns the tokens."""
        requests, tokens = queue.Queue(), []
        producer = producer or str(uuid.uuid4())
        answers = self.events.Ingest(iter(requests.get, None), timeout=DEADLINE)
        for number, batch in enumerate(batches, start=1):
            if number > 8:
                tokens.append(next(answers).acknowledgement.token)
            requests.put(
                event_pb2.IngestRequest(
                    producer_id=producer,
                    batch_sequence=number,
                    acknowledged_through=max(0, number - 8),
                    events=batch,
                )
            )
        requests.put(None)
        tokens.extend(answer.acknowledgement.token for answer in answers)
        self.assertEqual(len(tokens), len(batches))
        self.assertNotIn("", tokens)
        return tokens

    def train(self, kind):
        job = self.jobs.StartJob(job_pb2.StartJobRequest(kinds=[kind]), timeout=DEADLINE)
        for job in self.jobs.WatchJob(job_pb2.GetJobRequest(job_id=job.job_id), timeout=120):
            pass
        self.assertEqual(job.state, job_pb2.JOB_STATE_SUCCEEDED, job.error)
        return job.version


class Experiments(Served):
    def test_compares_two_ways_to_recommend(self):
        users = [f"visitor-{n}" for n in range(30)]
        tokens = self.ingest([[purchase(user, "tea", day=n)] for n, user in enumerate(users)])
        items = [catalog_pb2.Item(item_id=item) for item in ("tea", "coffee", "milk jug", "cup")]
        tokens.append(
            self.catalog.UpsertItems(
                catalog_pb2.UpsertItemsRequest(items=items), timeout=DEADLINE
            ).token
        )
        arms = [
            experiment_pb2.Arm(arm_id=name, weight=1, algorithm=name)
            for name in ("popular", "p3")
        ]
        self.train("p3")
        experiment = experiment_pb2.Experiment(experiment_id="which", arms=arms)
        self.experiments.SetExperiment(
            experiment_pb2.SetExperimentRequest(experiment=experiment), timeout=DEADLINE
        )

        shown, clicks = {"popular": 0, "p3": 0}, []
        for user in users:
            answer = self.recommend.Recommend(
                recommend_pb2.RecommendRequest(
                    user_id=user, n=2, experiment_id="which", tokens=tokens[-16:]
                ),
                timeout=DEADLINE,
            )
            shown[answer.arm_id] += 1
            if answer.arm_id == "p3":
                now = timestamp_pb2.Timestamp()
                now.GetCurrentTime()
                clicks.append(
                    event_pb2.Event(
                        type=event_pb2.EVENT_TYPE_CLICK,
                        user_id=user,
                        item_id=answer.items[0].item_id,
                        event_time=now,
                        attribution_token=answer.attribution_token,
                    )
                )
        self.assertTrue(all(shown.values()), shown)
        token = self.events.RecordEvents(
            event_pb2.RecordEventsRequest(events=clicks), timeout=DEADLINE
        ).token
        report = self.experiments.Report(
            experiment_pb2.ReportRequest(experiment_id="which", tokens=[token]), timeout=DEADLINE
        )
        self.assertEqual({arm.arm_id: arm.users for arm in report.arms}, shown)
        control, test = (
            next(o for o in arm.outcomes if o.outcome == experiment_pb2.OUTCOME_CLICK)
            for arm in report.arms
        )
        self.assertEqual((control.count, test.count), (0, len(clicks)))
        self.assertEqual(test.user_rate.estimate, 1.0)
        self.assertGreater(test.user_rate_difference.low, 0.5)


class Client(Served):
    def test_ingests_trains_and_recommends(self):
        items = ["bread", "butter", "beer", "chips", "wine"]
        token = self.catalog.UpsertItems(
            catalog_pb2.UpsertItemsRequest(
                items=[
                    catalog_pb2.Item(item_id=item, title=item.title(), category_path=["food"])
                    for item in items
                ]
            ),
            timeout=DEADLINE,
        ).token
        # Two groups of shoppers; the last shopper of the first group has no butter yet.
        batches = [
            [purchase(f"shopper-{n}", item, day=n) for item in pair]
            for n in range(40)
            for pair in [(("bread", "butter"), ("beer", "chips"))[n % 2]]
        ]
        batches.append([purchase("guest", "bread", day=50)])
        tokens = self.ingest(batches)[-9:]
        version = self.train("p3")

        answer = self.recommend.Recommend(
            recommend_pb2.RecommendRequest(
                user_id="guest", algorithm="p3", n=3, explain=True, tokens=[token, *tokens]
            ),
            timeout=DEADLINE,
        )
        self.assertEqual(answer.version, version)
        self.assertTrue(answer.user_known)
        self.assertEqual(answer.coverage, 1.0)
        best = answer.items[0]
        self.assertEqual((best.item_id, best.title), ("butter", "Butter"))
        self.assertEqual(best.source, recommend_pb2.SOURCE_ALGORITHM)
        self.assertEqual([reason.item_id for reason in best.reasons], ["bread"])
        # A reason says what it is about without words; 20 February was the guest's only day.
        reason = best.reasons[0]
        self.assertEqual(reason.code, recommend_pb2.Reason.CODE_CHOSEN_BY_THE_SAME)
        self.assertEqual((reason.title, reason.event_type), ("Bread", event_pb2.EVENT_TYPE_PURCHASE))
        self.assertEqual((reason.event_date.month, reason.event_date.day), (2, 20))
        self.assertAlmostEqual(sum(reason.contribution for reason in best.reasons), best.score)
        self.assertNotIn("bread", [item.item_id for item in answer.items])
        self.assertEqual(len(answer.items), 3, "filled up with popular items")

        similar = self.recommend.SimilarItems(
            recommend_pb2.SimilarItemsRequest(item_id="beer", algorithm="p3", n=1), timeout=DEADLINE
        )
        self.assertEqual([item.item_id for item in similar.items], ["chips"])

        # A purchase counts in the very next call that carries its token.
        token = self.events.RecordEvents(
            event_pb2.RecordEventsRequest(events=[purchase("guest", "butter", day=51)]),
            timeout=DEADLINE,
        ).token
        answer = self.recommend.Recommend(
            recommend_pb2.RecommendRequest(user_id="guest", tokens=[token]), timeout=DEADLINE
        )
        self.assertNotIn("butter", [item.item_id for item in answer.items])

        # So does the erasure of the user.
        token = self.catalog.DeleteUser(
            catalog_pb2.DeleteUserRequest(user_id="guest"), timeout=DEADLINE
        ).token
        answer = self.recommend.Recommend(
            recommend_pb2.RecommendRequest(user_id="guest", tokens=[token]), timeout=DEADLINE
        )
        self.assertFalse(answer.user_known)

    def test_keeps_what_is_left_out_and_deletes(self):
        full = catalog_pb2.Stock(item_id="kept", on_hand=5, on_order=9)
        for stock in (full, catalog_pb2.Stock(item_id="kept", on_hand=-2, backordered=0)):
            request = catalog_pb2.SetStockRequest(stock=[stock], keep_absent=True)
            token = self.catalog.SetStock(request, timeout=DEADLINE).token
        request = catalog_pb2.GetItemRequest(item_id="kept", tokens=[token])
        stock = self.catalog.GetItem(request, timeout=DEADLINE).stock[0]
        self.assertEqual((stock.on_hand, stock.on_order, stock.backordered), (-2, 9, 0))
        clears = [catalog_pb2.Clearing(index=0, paths=["colour"])]
        request = catalog_pb2.UpsertItemsRequest(
            items=[catalog_pb2.Item(item_id="kept")], keep_absent=True, clears=clears
        )
        with self.assertRaises(grpc.RpcError) as refused:
            self.catalog.UpsertItems(request, timeout=DEADLINE)
        self.assertEqual(refused.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        self.assertIn("attributes.NAME", refused.exception.details())
        named = catalog_pb2.Item(item_id="kept", title="Kept", brand="House")
        clears = [catalog_pb2.Clearing(index=0, paths=["brand"])]
        for items, cleared in (([named], []), ([catalog_pb2.Item(item_id="kept")], clears)):
            request = catalog_pb2.UpsertItemsRequest(items=items, keep_absent=True, clears=cleared)
            token = self.catalog.UpsertItems(request, timeout=DEADLINE).token
        request = catalog_pb2.GetItemRequest(item_id="kept", tokens=[token])
        item = self.catalog.GetItem(request, timeout=DEADLINE).item
        self.assertEqual((item.title, item.brand), ("Kept", ""))
        request = catalog_pb2.DeleteStockRequest(item_ids=["kept"])
        token = self.catalog.DeleteStock(request, timeout=DEADLINE).token
        request = catalog_pb2.GetItemRequest(item_id="kept", tokens=[token])
        self.assertEqual(len(self.catalog.GetItem(request, timeout=DEADLINE).stock), 0)

    def test_loads_a_file_once_and_takes_it_out_again(self):
        # The first of January 2026 is day 20,454 since 1970; rows ascend by key within a day.
        rows = [bytes([number] * 16) for number in (1, 2)]
        announced = b"".join(row + (0).to_bytes(4, "big") for row in rows)
        source = import_pb2.OpenSourceRequest(source_id="till")
        self.assertEqual(len(self.imports.OpenSource(source, timeout=DEADLINE).row_key), 16)

        def begin():
            header = import_pb2.ImportHeader(
                source_id="till",
                digest=bytes(16),
                files=["till.csv"],
                first_time=START,
                last_time=START,
                rows=len(rows),
            )
            parts = [
                import_pb2.BeginImportRequest(header=header),
                import_pb2.BeginImportRequest(
                    rows=import_pb2.ImportRows(day=START // 86_400, rows=announced)
                ),
            ]
            answers = list(self.imports.Begin(iter(parts), timeout=DEADLINE))
            return b"".join(answer.states for answer in answers), answers[-1].summary

        states, summary = begin()
        self.assertEqual(list(states), [import_pb2.ROW_STATE_NEW] * 2)
        self.assertEqual((summary.known, summary.new), (0, 2))
        events = [purchase("till", "soap", 0) for _ in rows]
        for event, row in zip(events, rows):
            event.import_row = row
        token = self.ingest([events], producer=summary.import_id)[-1]
        self.imports.Finish(
            import_pb2.FinishImportRequest(import_id=summary.import_id), timeout=DEADLINE
        )

        def units(token):
            request = catalog_pb2.GetItemRequest(item_id="soap", tokens=[token])
            return self.catalog.GetItem(request, timeout=DEADLINE).statistics.units

        self.assertEqual(units(token), 2)
        # The same file again: every row is known, and nothing is begun.
        states, again = begin()
        self.assertEqual(list(states), [import_pb2.ROW_STATE_KNOWN] * 2)
        self.assertEqual((again.known, again.new, again.import_id), (2, 0, ""))

        def listed():
            request = import_pb2.ListImportsRequest(source_id="till")
            imports = self.imports.ListImports(request, timeout=DEADLINE).imports
            return [(one.import_id, one.state, list(one.files)) for one in imports]

        of = lambda state: [(summary.import_id, state, ["till.csv"])]
        self.assertEqual(listed(), of(import_pb2.IMPORT_STATE_DONE))
        undone = self.imports.UndoImport(
            import_pb2.UndoImportRequest(import_id=summary.import_id), timeout=DEADLINE
        )
        with self.assertRaises(grpc.RpcError) as caught:
            units(undone.token)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)
        self.assertEqual(listed(), of(import_pb2.IMPORT_STATE_UNDONE))

    def test_forecasts_prices_and_orders(self):
        # Units fall with the square of the price, which changes every week; more on Saturdays.
        prices = (200, 240, 220, 260, 210)
        batches = []
        for day in range(140):
            price = prices[day // 7 * 3 % 5]
            units = round(20 * (220 / price) ** 2) + (10 if (day + 3) % 7 == 5 else 0)
            batches.append([purchase("regular", "milk", day, units, price)])
        tokens = self.ingest(batches)[-9:]
        item = catalog_pb2.Item(
            item_id="milk", title="Milk", list_price=money(220), unit_cost=money(140)
        )
        free = catalog_pb2.Item(item_id="sample", title="Free sample", list_price=money(100))
        items = catalog_pb2.UpsertItemsRequest(items=[item, free])
        tokens.append(self.catalog.UpsertItems(items, timeout=DEADLINE).token)
        terms = decision_pb2.SupplyTerms(
            lead_time_days=3, review_period_days=1, minimum_order_quantity=50, pack_size=12
        )
        supply = catalog_pb2.Supply(item_id="milk", terms=terms)
        supply = catalog_pb2.SetSupplyRequest(supply=[supply])
        tokens.append(self.catalog.SetSupply(supply, timeout=DEADLINE).token)
        stock = catalog_pb2.SetStockRequest(stock=[catalog_pb2.Stock(item_id="milk", on_hand=30)])
        tokens.append(self.catalog.SetStock(stock, timeout=DEADLINE).token)
        rule = catalog_pb2.ScopedPriceRule(
            item_id="milk", rule=decision_pb2.PriceRule(price_endings=[49, 99])
        )
        rules = catalog_pb2.SetPriceRulesRequest(rules=[rule])
        tokens.append(self.catalog.SetPriceRules(rules, timeout=DEADLINE).token)
        self.train("all")

        forecast = self.forecast.Forecast(
            forecast_pb2.ForecastRequest(item_id="milk", horizon=14, tokens=tokens[-16:]),
            timeout=DEADLINE,
        )
        self.assertEqual(forecast.source, decision_pb2.FORECAST_SOURCE_OWN_HISTORY)
        self.assertEqual(len(forecast.days), 14)
        for day in forecast.days:
            self.assertEqual(list(day.quantiles), sorted(day.quantiles))
        first = forecast.days[0].date
        self.assertEqual((first.year, first.month, first.day), (2026, 5, 21))
        self.assertGreater(forecast.total.mean, 14 * 15)
        self.assertLess(forecast.total.mean, 14 * 40)

        price = self.pricing.Price(
            pricing_pb2.PriceRequest(item_id="milk", tokens=tokens[-4:]), timeout=DEADLINE
        )
        self.assertLess(price.elasticity.elasticity, -1)
        proposed = cents(price.proposal.price)
        self.assertEqual(proposed, 249, "at most 20 % above 2.20, and ends in 49 or 99")
        self.assertGreater(len(price.curve), 5)
        self.assertAlmostEqual(price.forecast.total.mean, price.proposal.expected.units, places=6)

        policy = self.inventory.Policy(
            inventory_pb2.PolicyRequest(item_id="milk", tokens=tokens[-4:]), timeout=DEADLINE
        )
        self.assertEqual(policy.stock.on_hand, 30)
        self.assertGreater(policy.policy.safety_stock, 0)
        self.assertGreaterEqual(policy.policy.order_quantity, 50)
        self.assertEqual(policy.policy.order_quantity % 12, 0)
        # Notes say the same by code and arguments: a client puts them into words of its own.
        note = next(note for note in policy.notes if note.code == note_pb2.NOTE_CODE_REORDER_POINT)
        arguments = {
            argument.name: getattr(argument, argument.WhichOneof("value"))
            for argument in note.arguments
        }
        self.assertEqual((arguments["lead_time"], arguments["review_period"]), (3, 1))
        self.assertAlmostEqual(arguments["reorder_point"], policy.policy.reorder_point)
        self.assertIn("a lead time of 3 ± ", note.message)

        # One answer an element, in order; a bad element fails alone, a declined one says why.
        requests = [
            pricing_pb2.PriceRequest(item_id=item_id) for item_id in ("sample", "no such", "milk")
        ]
        answers = list(
            self.pricing.BatchPrice(
                pricing_pb2.BatchPriceRequest(requests=requests), timeout=DEADLINE
            )
        )
        self.assertEqual([answer.index for answer in answers], [0, 1, 2])
        self.assertFalse(answers[0].price.HasField("proposal"))
        declined = [note for note in answers[0].price.notes
                    if note.kind == decision_pb2.Note.KIND_DECLINED]
        self.assertEqual([note.field for note in declined], ["unit_cost"])
        self.assertEqual([note.code for note in declined], [note_pb2.NOTE_CODE_NO_UNIT_COST])
        self.assertEqual(answers[1].error.code, grpc.StatusCode.NOT_FOUND.value[0])
        self.assertEqual(answers[2].price.proposal, price.proposal)

        # A new rule shows in the very next call that carries its token.
        rule.rule.CopyFrom(decision_pb2.PriceRule(ceiling=money(215)))
        rules = catalog_pb2.SetPriceRulesRequest(rules=[rule])
        token = self.catalog.SetPriceRules(rules, timeout=DEADLINE).token
        price = self.pricing.Price(
            pricing_pb2.PriceRequest(item_id="milk", tokens=[token]), timeout=DEADLINE
        )
        self.assertEqual(cents(price.proposal.price), 215)

        plan = self.inventory.ListPolicies(inventory_pb2.ListPoliciesRequest(), timeout=DEADLINE)
        self.assertIn("milk", [policy.item_id for policy in plan.policies])

    def test_errors_name_field_and_reason(self):
        bad = purchase("guest", "", day=0)
        bad.quantity = float("nan")
        with self.assertRaises(grpc.RpcError) as caught:
            self.events.RecordEvents(
                event_pb2.RecordEventsRequest(events=[purchase("a", "b", 0), bad]),
                timeout=DEADLINE,
            )
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        details = {detail.type_url.rsplit(".")[-1]: detail for detail in
                   rpc_status.from_call(caught.exception).details}
        violations = error_details_pb2.BadRequest()
        details["BadRequest"].Unpack(violations)
        fields = [violation.field for violation in violations.field_violations]
        self.assertEqual(fields, ["events[1].item_id", "events[1].quantity"])
        info = error_details_pb2.ErrorInfo()
        details["ErrorInfo"].Unpack(info)
        self.assertEqual(info.domain, "mercer.v1")

    def test_unknown_item_is_not_found(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.recommend.SimilarItems(
                recommend_pb2.SimilarItemsRequest(item_id="no such item"), timeout=DEADLINE
            )
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)

    def test_describes_itself(self):
        health = health_pb2_grpc.HealthStub(self.channel)
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=DEADLINE)
        self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING)
        reflection = grpc_reflection_services(self.channel)
        for service in ("Recommend", "Forecast", "Pricing", "Inventory"):
            self.assertIn(f"mercer.v1.{service}Service", reflection)
        # Workers register in their own time.
        until = time.monotonic() + DEADLINE
        while True:
            described = self.cluster.DescribeCluster(
                cluster_pb2.DescribeClusterRequest(), timeout=DEADLINE
            )
            serving = cluster_pb2.SHARD_STATE_SERVING
            is_up = len(described.workers) == 2 and {s.state for s in described.shards} == {serving}
            if is_up or time.monotonic() > until:
                break
            time.sleep(0.2)
        self.assertEqual(len(described.workers), 2)
        self.assertEqual(
            {shard.state for shard in described.shards}, {cluster_pb2.SHARD_STATE_SERVING}
        )


def grpc_reflection_services(channel):
    return list(ProtoReflectionDescriptorDatabase(channel).get_services())


if __name__ == "__main__":
    unittest.main()
