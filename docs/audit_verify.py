#!/usr/bin/env python3
"""Checks a bundle of `tinkerbell audit export` with the standard library alone; docs/audit.md has the format."""
import base64, hashlib, json, sys

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493   # Ed25519, RFC 8032, section 5.1
D = -121665 * pow(121666, P - 2, P) % P

number = 0

def need(fine, what):
    if not fine:
        sys.exit(f"NOT SOUND, line {number}: {what}")

def add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    return (f - e) * (h - g) % P, (h + g) * (f + e) % P, (h - g) * (h + g) % P, (f - e) * (f + e) % P

def times(n, a):
    out = (0, 1, 1, 0)
    while n:
        out, a, n = add(out, a) if n & 1 else out, add(a, a), n >> 1
    return out

def point(raw):
    y, sign = int.from_bytes(raw, "little") & (1 << 255) - 1, raw[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    need(len(raw) == 32 and y < P and x * x % P == square and (x or not sign), "a key or signature is no point")
    return (x, y, 1, x * y % P) if x & 1 == sign else (P - x, y, 1, (P - x) * y % P)

BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))

def signed(key, text, signature):
    need(bytes.fromhex(key + signature).hex() == key + signature and len(signature) == 128, "a signature is not written as one")
    key, signature = bytes.fromhex(key), bytes.fromhex(signature)
    s, r = int.from_bytes(signature[32:], "little"), point(signature[:32])
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + text.encode()).digest(), "little") % L
    left, right = times(s, BASE), add(r, times(k, point(key)))
    need(s < L and all((left[i] * right[2] - right[i] * left[2]) % P == 0 for i in (0, 1)), "a signature is wrong")

sha = lambda *parts: hashlib.sha256(b"".join(parts)).digest()
total, links, heads, newest, keys, signatures, counts = hashlib.sha256(), {}, {}, {}, set(), [], {}
head, name, at, chain, link, end, upto = None, None, 0, b"", bytes(32), None, 0
if len(sys.argv) != 2:
    sys.exit("say which bundle: python3 audit_verify.py BUNDLE")
try:
    bundle = open(sys.argv[1], "rb")
except OSError as error:
    sys.exit(f"cannot read {sys.argv[1]}: {error.strerror}")
for number, raw in enumerate(bundle, 1):
    try:
        line = json.loads(raw)
        kind, end_before = line["type"], end
    except (ValueError, TypeError, KeyError):
        need(False, "this is no line of a bundle")
    need(end_before is None and (kind == "bundle") == (number == 1), "a line is where none should be")
    if kind == "end":
        end = line
        continue
    total.update(raw)
    counts[kind] = counts.get(kind, 0) + 1
    if kind == "bundle":
        need(line["format"] == 1, "this is another format")
        head = line
    elif kind == "link":
        link = sha(link, f"{line['journal']} {line['seq']}".encode(), bytes.fromhex(line["head"]))
        need(line["place"] == len(links) + 1 and link.hex() == line["hash"], "a link is wrong")
        links[line["place"]], newest[line["journal"]] = line["hash"], line["seq"]
        heads[line["journal"], line["seq"]] = line["head"]
    elif kind == "signature":
        signatures.append(line)
    elif kind == "journal":
        need(name is None or at == upto, "a journal has no end")
        name, at, chain, upto = line["name"], 0, bytes(32), line["events"]
        need(newest.pop(name, 0) == upto, "a journal is not what the chain of heads says")
    elif kind == "event":
        seal = sha(bytes.fromhex(line["salt"]), line["body"].encode()) if "body" in line else bytes.fromhex(line["seal"])
        at, chain, event = at + 1, sha(chain, line["header"].encode(), seal), json.loads(line["header"])
        need(line["journal"] == name and line["seq"] == at == event["seq"] and chain.hex() == line["hash"], f"event {at} of {name} is wrong")
        need(heads.pop((name, at), line["hash"]) == line["hash"], f"event {at} of {name} is not in the chain of heads")
        keys |= {event["key"]} if name == "daemon" and event["kind"] == "audit.key" else set()
    else:
        need(kind == "blob" and hashlib.sha256(base64.b64decode(line["data"])).hexdigest() == line["hash"], "a blob is wrong")
need(end and head and at == upto and total.hexdigest() == end["sha256"] and links, "the bundle is cut off or changed")
wanted = end["counts"]
need(all(wanted[k + "s"] == counts.get(k, 0) for k in ("link", "signature", "journal", "event", "blob")), "lines are missing")
left = [j for j, seq in newest.items() if seq and (head["sessions"] == "all" or j in head["sessions"] + ["daemon"])]
need(not left, f"journals are missing: {left}")
for s in signatures:
    need(s["key"] in keys and s["state"] == links[1] == head["state"] and s["place"] in links, "a signature is of something else")
    signed(s["key"], f"tinkerbell link 1\nstate {s['state']}\nplace {s['place']}\nhash {links[s['place']]}\nat {s['at']}\n", s["signature"])
need(signatures and end.get("key") in keys, "nothing vouches for it: it is not signed by a key of this state")
signed(end["key"], f"tinkerbell bundle 1\nstate {head['state']}\nsha256 {end['sha256']}\n", end["signature"])
print(f"sound: {counts.get('event', 0)} events, {len(links)} links, {len(signatures)} signatures, {counts.get('blob', 0)} blobs; key {end['key']}")
