# SPDX-License-Identifier: BSD-3-Clause
"""What oracle.py and trefoil-replay say about a frame, in one form: (addresses, unparsable reason
or None)."""

import oracle
import replay

NAT64 = ("2a00:64::/96", "2a00:40::/40")  # as in policy.ini of the corpus
UNPARSABLE = frozenset((
    "truncated bad-version bad-header-length bad-total-length too-many-tags too-many-labels "
    "too-many-headers too-deep bad-routing-header bad-fragment bad-header-order mapped-address "
    "bad-encapsulation unknown-ethertype").split())


def by_oracle(packet):
    _, frame, wire = packet
    return oracle.judge(frame, wire, NAT64)


def by_trefoil(packet):
    addresses = [replay.canonical(d["address"]) for d in packet["destinations"]]
    return addresses, packet["reason"] if packet["reason"] in UNPARSABLE else None
