#!/usr/bin/env python3
"""Writes fuzz/seeds: what each target begins with. Made of the recorded requests in specs/*/vectors, of the keys and ESP
packets in draft-mcgrew-gcm-test-01, RFC 3602 and RFC 7634, and of `struct`s of linux/xfrm.h filled in as an IKE daemon does it.
"""

import ipaddress
import json
import re
import shutil
import struct
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
SEEDS = ROOT / "fuzz" / "seeds"
# Headers that no parser reads.
NOISE = re.compile(r"^(user-agent|accept-encoding|connection|content-length|x-tc-traceid|x-tc-requestclient)$", re.I)


def seed(target: str, name: str, data: bytes | str) -> None:
    file = SEEDS / target / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data.encode() if isinstance(data, str) else data)


# --- Requests as they were recorded.


def http(method: str, target: str, headers: dict[str, str], body: str) -> str:
    lines = [f"{name}: {value}" for name, value in headers.items() if not NOISE.match(name)]
    return "\n".join([f"{method} {target} HTTP/1.1", *lines, "", body])


def alibaba() -> None:
    seen = set()
    for file in ("go_requests", "sdk_requests"):
        for line in (ROOT / f"specs/alibaba/vectors/{file}.jsonl").read_text().splitlines():
            request = json.loads(line)
            scheme = "acs3" if "acs3" in request else "v1"
            kind = (request["method"], scheme, bool(request["body"]), file)
            if kind in seen:
                continue
            seen.add(kind)
            name = f"{scheme}-{request['action'] or 'any'}-{len(seen)}"
            target = request["path"] + (f"?{request['raw_query']}" if request["raw_query"] else "")
            text = http(request["method"], target, request["headers"], request["body"] or "")
            for place in ("alibaba_open", "verify"):
                seed(place, name, text)
            seed("form_pairs", name, request["body"] or request["raw_query"])


def tencent() -> None:
    text = (ROOT / "specs/tencent/vectors/sdk_requests.txt").read_bytes().decode("utf-8", "replace")
    number = 0
    for part in re.split(r"^=== ", text, flags=re.M)[1:]:
        title, _, rest = part.partition("\n")
        head, _, tail = rest.replace("\r\n", "\n").partition("\n\n")
        body = tail.partition("\n--verify")[0]
        first, *lines = head.splitlines()
        words = first.split(" ")
        if len(words) != 3 or "\ufffd" in rest:
            continue
        number += 1
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        name = f"{number:02}-{re.sub(r'[^a-z0-9]+', '-', title.lower())[:30].strip('-')}"
        for place in ("tencent_open", "verify"):
            seed(place, name, http(words[0], words[1], headers, body))


# --- Parameters, as the documents' examples have them.

IKE = {"Psk": "secret", "IkeVersion": "ikev2", "IkeMode": "main", "IkeEncAlg": "aes", "IkeAuthAlg": "sha1",
       "IkePfs": "group2", "IkeLifetime": 86400, "LocalId": "203.0.113.10", "RemoteId": "198.51.100.6"}
IPSEC = {"IpsecEncAlg": "aes256", "IpsecAuthAlg": "sha256", "IpsecPfs": "group14", "IpsecLifetime": 86400}
BGP = {"EnableBgp": "true", "LocalAsn": "65530", "TunnelCidr": "169.254.11.0/30", "LocalBgpIp": "169.254.11.1"}
HEALTH = {"enable": "true", "dip": "192.168.1.1", "sip": "10.1.1.1", "interval": 2, "retry": 3}
TENCENT_BODIES = {
    "CreateVpnGateway": {"VpcId": "vpc-1", "VpnGatewayName": "a", "InternetMaxBandwidthOut": 100, "Type": "IPSEC",
                         "InstanceChargeType": "PREPAID", "InstanceChargePrepaid": {"Period": 1, "RenewFlag": "NOTIFY_AND_AUTO_RENEW"},
                         "Tags": [{"Key": "k", "Value": "v"}]},
    "CreateVpnConnection": {"VpcId": "vpc-1", "VpnGatewayId": "vpngw-1", "CustomerGatewayId": "cgw-1", "VpnConnectionName": "a",
                            "PreShareKey": "secret",
                            "SecurityPolicyDatabases": [{"LocalCidrBlock": "10.0.0.0/16", "RemoteCidrBlock": ["192.168.1.0/24"]}],
                            "IKEOptionsSpecification": {"PropoEncryAlgorithm": "AES-CBC-128", "PropoAuthenAlgorithm": "SHA",
                                                        "IKEVersion": "IKEV2", "DhGroupName": "GROUP2", "LocalIdentity": "ADDRESS"},
                            "IPSECOptionsSpecification": {"EncryptAlgorithm": "AES-CBC-128", "IntegrityAlgorith": "SHA1",
                                                          "PfsDhGroup": "DH-GROUP2", "IPSECSaLifetimeSeconds": 3600},
                            "EnableHealthCheck": True, "HealthCheckLocalIp": "169.254.1.1", "DpdEnable": 1, "DpdTimeout": "60"},
    "DescribeVpnGateways": {"Filters": [{"Name": "type", "Values": ["IPSEC"]}], "Offset": 0, "Limit": 20},
    "CreateRoutes": {"RouteTableId": "rtb-1", "Routes": [{"DestinationCidrBlock": "192.168.1.0/24", "GatewayType": "VPN",
                                                          "GatewayId": "vpngw-1"}]},
}
LIFE = """life
alibaba CreateVpc CidrBlock=10.0.0.0/16&VpcName=a
settle
alibaba CreateVSwitch VpcId=$0&CidrBlock=10.0.1.0/24&ZoneId=cn-hangzhou-b
settle
alibaba CreateVpnGateway VpcId=$0&VSwitchId=$2&Bandwidth=100&InstanceChargeType=POSTPAY&EnableIpsec=true
settle
alibaba CreateCustomerGateway IpAddress=203.0.113.7
alibaba CreateVpnConnection VpnGatewayId=$3&CustomerGatewayId=$4&LocalSubnet=10.0.0.0/16&RemoteSubnet=192.168.0.0/24
settle
alibaba DescribeVpnConnections PageSize=10
alibaba DeleteVpnConnection VpnConnectionId=$5
settle
alibaba DeleteVpnGateway VpnGatewayId=$3
settle
"""
TENCENT_LIFE = """life
tencent CreateVpc VpcName=a&CidrBlock=172.16.0.0/16
tencent CreateSubnet VpcId=$0&SubnetName=a&CidrBlock=172.16.1.0/24&Zone=ap-guangzhou-3
tencent CreateVpnGateway VpcId=$0&VpnGatewayName=a&InternetMaxBandwidthOut=5&InstanceChargeType=POSTPAID_BY_HOUR
settle
tencent CreateCustomerGateway CustomerGatewayName=a&IpAddress=203.0.113.7
tencent DescribeVpnGateways Limit=10
tencent DeleteVpnGateway VpnGatewayId=$3
settle
"""


def parameters() -> None:
    compact = [json.dumps(it, separators=(",", ":")) for it in (IKE, IPSEC, BGP, HEALTH)]
    seed("alibaba_connection", "all", "\n".join(compact))
    for action, body in TENCENT_BODIES.items():
        seed("tencent_body", action, f"{action}\n{json.dumps(body)}")
    download = {"VpnConnectionConfig": {"Local": "203.0.113.10", "Remote": "198.51.100.6", "LocalSubnet": "192.168.10.0/24",
                                        "RemoteSubnet": "10.0.0.0/16,10.1.0.0/16", "IkeConfig": IKE, "IpsecConfig": IPSEC}}
    seed("downloaded_config", "one", f"branch\n{json.dumps(download)}")
    tunnels = [{"TunnelId": f"tun-{n}", "Local": "203.0.113.10", "Remote": f"198.51.100.{n}", "IkeConfig": IKE,
                "IpsecConfig": IPSEC} for n in (6, 7)]
    pair = {key: download["VpnConnectionConfig"][key] for key in ("LocalSubnet", "RemoteSubnet")}
    seed("downloaded_config", "two", "branch\n" + json.dumps({"VpnConnectionConfig": {**pair, "TunnelsConfig": {"TunnelConfig": tunnels}}}))
    for name, text in {"one": "10.0.0.0/8\n192.168.0.0/24", "lists": "10.0.0.0/16,10.1.0.0/16\n0.0.0.0/0",
                       "six": "2001:db8::/32\nfd00::/8", "address": "10.0.0.1\n192.168.0.256/33"}.items():
        seed("cidr_lists", name, text)
    for name, text in {"iso": "2026-11-20T16:08:34Z", "day": "2028-02-29T23:59:59Z", "number": "1795190116",
                       "least": "-9223372036854775808"}.items():
        seed("times", name, text)
    seed("form_pairs", "tree", urlencode({"Tag.1.Key": "k", "Tag.1.Value": "网关", "Filters.0.Values.0": "a b&c", "A.B.2": "*~"}))
    seed("life", "alibaba", LIFE)
    seed("life", "tencent", TENCENT_LIFE)


# --- Netlink, as linux/xfrm.h has it.

NEWSA, DELSA, GETSA, NEWPOLICY, DELPOLICY, GETPOLICY, ALLOCSPI = range(0x10, 0x17)
UPDPOLICY, UPDSA, FLUSHSA, FLUSHPOLICY, GETAE, GETSPDINFO, GETDEFAULT = 0x19, 0x1A, 0x1C, 0x1D, 0x1F, 0x25, 0x28
CRYPT, ENCAP, TMPL, AEAD, AUTH_TRUNC, REPLAY_ESN, IF_ID, SA_DIR = 2, 4, 5, 18, 20, 23, 31, 33
FAMILIES = {4: 2, 6: 10}
NO_LIMITS = struct.pack("=8Q", *[2**64 - 1] * 4, 0, 0, 0, 0)
# draft-mcgrew-gcm-test-01 (key and salt), RFC 7634 appendix A, RFC 3602 section 4 case 5.
GCM_KEY = bytes.fromhex("4c80cdefbb5d10da906ac73c3613a6342e443b68")
CHACHA_KEY = bytes(range(0x80, 0xA4))
CBC_KEY = bytes.fromhex("90d382b410eeba7ad938c46cec1a82bf")


def message(kind: int, payload: bytes, flags: int = 5) -> bytes:
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, 1, 0) + payload


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed.ljust(16, b"\0")


def selector(source: str, destination: str) -> bytes:
    source, destination = ipaddress.ip_network(source), ipaddress.ip_network(destination)
    addresses = packed(str(destination.network_address)) + packed(str(source.network_address))
    prefixes = (FAMILIES[source.version], destination.prefixlen, source.prefixlen, 0)
    return addresses + bytes(8) + struct.pack("=HBBBxxxII", *prefixes, 0, 0)


def sa_info(source: str, destination: str, spi: int, flags: int = 0x20) -> bytes:
    family = FAMILIES[ipaddress.ip_address(source).version]
    ident = packed(destination) + struct.pack(">IB3x", spi, 50)
    window = 0 if flags & 0x80 else 32  # With ESN it stands in its attribute.
    tail = struct.pack("=IIHBBB7x", 0, 1, family, 1, window, flags)
    return bytes(56) + ident + packed(source) + NO_LIMITS + bytes(32 + 12) + tail


def sa_id(destination: str, spi: int) -> bytes:
    family = FAMILIES[ipaddress.ip_address(destination).version]
    return packed(destination) + struct.pack(">I", spi) + struct.pack("=HBx", family, 50)


def algorithm(kind: int, name: str, key: bytes, *lengths: int) -> bytes:
    return attribute(kind, name.encode().ljust(64, b"\0") + struct.pack(f"={1 + len(lengths)}I", len(key) * 8, *lengths) + key)


def policy_info(source: str, destination: str, direction: int, action: int = 0) -> bytes:
    tail = struct.pack("=IIBBBB4x", 1000, 0, direction, action, 0, 0)
    return selector(source, destination) + NO_LIMITS + bytes(32) + tail


def template(source: str, destination: str) -> bytes:
    family = FAMILIES[ipaddress.ip_address(source).version]
    value = packed(destination) + struct.pack(">IB3x", 0, 50) + struct.pack("=Hxx", family) + packed(source)
    return attribute(TMPL, value + struct.pack("=IBBBx3I", 1, 1, 0, 0, *[2**32 - 1] * 3))


def netlink() -> None:
    here, there = "198.51.100.1", "198.51.100.2"
    if_id = attribute(IF_ID, struct.pack("=I", 42))
    encap = attribute(ENCAP, struct.pack("=H", 2) + struct.pack(">HH", 4500, 4500) + bytes(18))
    esn = attribute(REPLAY_ESN, struct.pack("=6I", 1, 0, 0, 0, 0, 32) + bytes(4))
    gcm = algorithm(AEAD, "rfc4106(gcm(aes))", GCM_KEY, 128)
    chacha = algorithm(AEAD, "rfc7539esp(chacha20,poly1305)", CHACHA_KEY, 128)
    cbc = algorithm(CRYPT, "cbc(aes)", CBC_KEY) + algorithm(AUTH_TRUNC, "hmac(sha256)", bytes(range(32)), 128)
    allocate = message(ALLOCSPI, sa_info(there, here, 0) + struct.pack("=II", 0xC0000001, 0xC0000001) + if_id)
    policies = b"".join(
        message(NEWPOLICY, policy_info(source, destination, way) + template(*ends) + if_id)
        for way, source, destination, ends in [
            (1, "10.1.0.0/24", "10.2.0.0/24", (here, there)),
            (0, "10.2.0.0/24", "10.1.0.0/24", (there, here)),
            (2, "10.2.0.0/24", "10.1.0.0/24", (there, here)),
        ]
    )
    tunnel = (
        message(UPDSA, sa_info(there, here, 0xC0000001, 0xA0) + gcm + encap + esn + if_id)
        + message(NEWSA, sa_info(here, there, 0xC0000002, 0xA0) + gcm + encap + esn + if_id)
    )
    watched = message(GETAE, sa_id(here, 0xC0000001) + packed(there) + struct.pack("=II", 0, 1))
    watched += message(GETSA, sa_id(here, 0xC0000001)) + message(GETSPDINFO, struct.pack("=I", 0))
    gone = message(DELSA, sa_id(here, 0xC0000001)) + message(FLUSHSA, b"\x32") + message(FLUSHPOLICY, b"")
    six = message(NEWSA, sa_info("2001:db8::1", "2001:db8::2", 0x1001) + chacha + attribute(SA_DIR, b"\x01"))
    six += message(NEWPOLICY, policy_info("fd00:1::/64", "fd00:2::/64", 1) + template("2001:db8::1", "2001:db8::2"))
    index = struct.pack("=IB3x", 0, 1)
    rekeyed = message(NEWSA, sa_info(here, there, 0x1002) + cbc)
    rekeyed += message(UPDPOLICY, policy_info("10.1.0.0/24", "10.2.0.0/24", 1) + template(here, there))
    rekeyed += message(GETPOLICY, selector("10.1.0.0/24", "10.2.0.0/24") + index)
    rekeyed += message(DELPOLICY, selector("10.1.0.0/24", "10.2.0.0/24") + index)
    dumps = message(GETSA, b"", 0x301) + message(GETPOLICY, b"", 0x301) + message(GETDEFAULT, bytes(4))
    block = message(NEWPOLICY, policy_info("0.0.0.0/0", "0.0.0.0/0", 1, 1))
    for name, messages in {"tunnel": allocate + policies + tunnel + watched + gone, "six": six, "rekey": rekeyed + dumps,
                           "block": block + dumps}.items():
        seed("xfrm_requests", name, b"netlink\n" + messages)


# --- Packets.


def esp() -> None:
    spi = struct.pack(">I", 0x1000)  # The target's SA.
    packets = {
        "gcm": "87654321" "49 56 ed 7e 3b 24 4c fe" "fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34"
               "cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce61bc17d768fd9732" "459018148f6cbe722fd04796562dfdb4",
        "chacha": "00000005" "1011121314151617" "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb"
                  "61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e0"
                  "76aaa8266b7fb0f7b11b369907e1ad43",
    }
    for name, rest in packets.items():
        seed("esp_receive", name, b"esp\n" + spi + bytes.fromhex(rest))
    seed("esp_receive", "keepalive", b"esp\n\xff")
    seed("esp_receive", "ike", b"esp\n" + bytes(4) + bytes(range(28)))


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(protocol: int, payload: bytes) -> bytes:
    ends = bytes([10, 1, 0, 2, 10, 2, 0, 2])
    head = struct.pack(">BBHHHBB", 0x45, 0, 20 + len(payload), 1, 0x4000, 64, protocol)
    return head + struct.pack(">H", checksum(head + bytes(2) + ends)) + ends + payload


def ipv6(protocol: int, payload: bytes) -> bytes:
    return struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + packed("fd00:1::2") + packed("fd00:2::2") + payload


def tun() -> None:
    # Flags (1: the checksum is to be made), kind (1, 4, 5: TCP, over IPv6, UDP), lengths as in virtio_net_hdr.
    def header(flags: int, kind: int, head: int, segment: int, start: int, offset: int) -> bytes:
        return struct.pack("<BBHHHH", flags, kind, head, segment, start, offset)

    segment = struct.pack(">HHIIBBHHH", 40000, 5201, 1, 1, 0x50, 0x18, 512, 0, 0)
    datagram = struct.pack(">HHHH", 40000, 53, 8 + 300, 0)
    ping = struct.pack(">BBHHH", 8, 0, 0xF7FD, 1, 1)
    packets = {
        "ping": header(0, 0, 0, 0, 0, 0) + ipv4(1, ping),
        "tcp": header(1, 1, 40, 100, 20, 16) + ipv4(6, segment + bytes(300)),
        "tcp6": header(1, 4, 60, 100, 40, 16) + ipv6(6, segment + bytes(300)),
        "udp": header(1, 5, 28, 100, 20, 6) + ipv4(17, datagram + bytes(300)),
    }
    for name, data in packets.items():
        seed("tun_packets", name, b"tun\n" + data)


if __name__ == "__main__":
    shutil.rmtree(SEEDS, ignore_errors=True)
    for make in (alibaba, tencent, parameters, netlink, esp, tun):
        make()
