"""Kills the server again and again under load: nothing that it acknowledged may be missing afterwards.

CRASH_ROUNDS sets how often (200 when not set). Every round starts the server on the same directory, looks at
everything the round before had been told, lets clients create and delete until a random moment, and kills -9.
"""

import os
import random
import threading
import time

from harness.alibaba_world import peer_ip
from harness.server import NO_RATE_LIMITS, Server
from harness.sign_alibaba import v1_send

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "200"))
CLIENTS = 4
SHORTEST_S, LONGEST_S = 0.01, 0.15
SEED = int(os.environ.get("CRASH_SEED", "20261121"))
CONFIG = NO_RATE_LIMITS + """
[[accounts]]
id = "1000000000000001"
quotas = { customer_gateways_per_region = 10000000 }
"""
REGION = {"RegionId": "cn-hangzhou"}


class Ledger:
    """What clients were told, and what they were not told the end of."""

    def __init__(self):
        self.lock = threading.Lock()
        self.alive: dict[str, str] = {}
        self.deleted: list[str] = []
        # Made, but nobody was told.
        self.untold = 0
        self.unsure_creates = 0
        self.unsure_deletes: set[str] = set()

    def take(self) -> str | None:
        """An id for a client to delete; nobody else gets it."""
        with self.lock:
            if len(self.alive) < 20:
                return None
            chosen = random.choice(list(self.alive))
            del self.alive[chosen]
            self.unsure_deletes.add(chosen)
            return chosen


def client(server: Server, ledger: Ledger, stop: threading.Event, seed: int) -> None:
    """Creates, and now and then deletes, until the server is gone."""
    chance = random.Random(seed)
    while not stop.is_set():
        doomed = ledger.take() if chance.random() < 0.3 else None
        try:
            if doomed:
                reply = v1_send(server, "DeleteCustomerGateway", {**REGION, "CustomerGatewayId": doomed})
                assert reply.status == 200, reply.body
                with ledger.lock:
                    ledger.unsure_deletes.discard(doomed)
                    ledger.deleted.append(doomed)
                continue
            with ledger.lock:
                ledger.unsure_creates += 1
            address = peer_ip()
            made = v1_send(server, "CreateCustomerGateway", {**REGION, "IpAddress": address}).json()
            with ledger.lock:
                ledger.unsure_creates -= 1
                ledger.alive[made["CustomerGatewayId"]] = address
        except OSError:
            return
        except ValueError:
            # The reply broke off in the middle: it was not told.
            return


def look(server: Server, ledger: Ledger, recent: list[str]) -> None:
    """Compares what is there with what was told."""
    total = v1_send(server, "DescribeCustomerGateways", REGION).json()["TotalCount"]
    least = len(ledger.alive) + ledger.untold
    most = least + ledger.unsure_creates + len(ledger.unsure_deletes)
    assert least <= total <= most, f"{total} are there; between {least} and {most} were told"
    for customer in recent:
        reply = v1_send(server, "DescribeCustomerGateway", {**REGION, "CustomerGatewayId": customer})
        assert reply.status == 200, f"{customer} was acknowledged and is gone: {reply.body}"
        assert reply.json()["IpAddress"] == ledger.alive[customer]
    for customer in ledger.deleted:
        reply = v1_send(server, "DescribeCustomerGateway", {**REGION, "CustomerGatewayId": customer})
        assert reply.status == 404, f"the deletion of {customer} was acknowledged, and it is there: {reply.body}"
    ledger.deleted.clear()


def settle(server: Server, ledger: Ledger) -> None:
    """Finds out how the requests ended that nobody was told the end of."""
    for customer in list(ledger.unsure_deletes):
        reply = v1_send(server, "DescribeCustomerGateway", {**REGION, "CustomerGatewayId": customer})
        ledger.unsure_deletes.discard(customer)
        if reply.status == 200:
            ledger.alive[customer] = reply.json()["IpAddress"]
    # What was made without anybody being told stays there, and is counted from now on.
    total = v1_send(server, "DescribeCustomerGateways", REGION).json()["TotalCount"]
    ledger.untold = total - len(ledger.alive)
    ledger.unsure_creates = 0


def test_no_acknowledged_write_is_lost(tmp_path):
    chance = random.Random(SEED)
    ledger, before, acknowledged = Ledger(), set(), 0
    started = time.monotonic()
    for number in range(ROUNDS):
        server = Server(config=CONFIG, data_dir=str(tmp_path))
        with server:
            recent = [customer for customer in ledger.alive if customer not in before]
            acknowledged += len(recent)
            look(server, ledger, recent)
            settle(server, ledger)
            before = set(ledger.alive)
            stop = threading.Event()
            threads = [
                threading.Thread(target=client, args=(server, ledger, stop, chance.randrange(2**32)), daemon=True)
                for _ in range(CLIENTS)
            ]
            for thread in threads:
                thread.start()
            time.sleep(chance.uniform(SHORTEST_S, LONGEST_S))
            server.kill()
            stop.set()
            for thread in threads:
                thread.join(20)
                assert not thread.is_alive(), f"round {number}: a client hangs (seed {SEED})"
    assert acknowledged >= ROUNDS, "there was no load"
    print(f"\n{ROUNDS} kills, {acknowledged} acknowledged creations, none lost, {time.monotonic() - started:.0f} s")
