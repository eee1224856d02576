"""Sets price rules, for which the command line has no words: one call of gRPC, written by hand."""

import socket
import struct
from urllib.parse import urlsplit

DEADLINE_SECONDS = 30
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS, ACK = 1, 4, 1
LOWEST = 2


def varint(number):
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def field(number, value):
    """A field of a protobuf message; bytes are a message."""
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def money(cents):
    return field(2, cents // 100) + field(3, cents % 100 * 10_000_000)


def rules():
    """A SetPriceRulesRequest: of everything, of categories and of one item."""
    endings = b"".join(field(5, ending) for ending in (9, 49, 99))
    coffee = field(1, "Coffee")
    juice = field(1, "Drinks") + field(1, "Juice")
    scoped = [
        field(3, 1) + field(4, endings + field(3, 0.1)),
        field(2, coffee) + field(4, field(4, 0.15)),
        field(2, juice) + field(4, field(1, money(100)) + field(7, 1.05) + field(8, LOWEST)),
        field(1, "bread-1") + field(4, field(1, money(200)) + field(2, money(349))),
    ]
    return b"".join(field(1, rule) for rule in scoped)


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def header(name, value):
    """A literal of HPACK that nobody remembers."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def received(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("the server ended the connection")
        data += part
    return data


def call(endpoint, method, message):
    """The answer of a call that has one. A refusal has none, and raises."""
    address = urlsplit(endpoint)
    headers = [(":method", "POST"), (":scheme", "http"), (":path", method), (":authority", address.netloc)]
    headers += [("te", "trailers"), ("content-type", "application/grpc")]
    block = b"".join(header(name, value) for name, value in headers)
    body = b"\0" + struct.pack(">I", len(message)) + message
    answer = b""
    with socket.create_connection((address.hostname, address.port), DEADLINE_SECONDS) as connection:
        connection.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + frame(SETTINGS, 0, 0, b"")
            + frame(HEADERS, END_HEADERS, 1, block)
            + frame(DATA, END_STREAM, 1, body)
        )
        while True:
            head = received(connection, 9)
            payload = received(connection, int.from_bytes(head[:3], "big"))
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
            if kind == SETTINGS and not flags & ACK:
                connection.sendall(frame(SETTINGS, ACK, 0, b""))
            if stream == 1 and kind == DATA:
                answer += payload
            if stream == 1 and kind in (DATA, HEADERS) and flags & END_STREAM:
                break
    if not answer:
        raise ValueError(f"{method} was refused")
    return answer[5:]


def set_price_rules(endpoint):
    """Sets them, and returns the token of the change."""
    answer = call(endpoint, "/mercer.v1.CatalogService/SetPriceRules", rules())
    # MutationResponse holds the token and nothing else, behind its tag and a length of one or two bytes.
    return answer[2 if answer[1] < 0x80 else 3 :].decode()
