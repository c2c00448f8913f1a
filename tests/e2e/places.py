# SPDX-License-Identifier: BSD-3-Clause
"""The tests' own small Internet: addresses, origins, a policy, a geo table. All of it is made up,
and nothing of it leaves the namespaces of a test."""
import os

from common import WORK, program, run, write

COUNTRIES = """\
20.1.0.0,20.1.255.255,IE
20.2.0.0,20.2.255.255,DE
20.3.0.0,20.3.255.255,US
20.4.0.0,20.4.255.255,CN
20.5.0.0,20.5.255.255,KP
20.6.0.0,20.6.255.255,JP
"""
COUNTRIES6 = """\
2a01:1::,2a01:1:ffff:ffff:ffff:ffff:ffff:ffff,IE
2a01:3::,2a01:3:ffff:ffff:ffff:ffff:ffff:ffff,US
2a01:4::,2a01:4:ffff:ffff:ffff:ffff:ffff:ffff,CN
"""
ASNS = """\
20.1.0.0,20.1.255.255,64601,Irish Example
20.3.0.0,20.3.255.255,64603,US Example
20.4.0.0,20.4.255.255,64604,Chinese Example
20.4.9.0,20.4.9.255,64699,Approved Example
"""
IE, DE, US, CN, KP, JP = (f"20.{i}.0.1" for i in range(1, 7))
UNKNOWN = "20.200.0.1"
IE6, US6, CN6 = "2a01:1::1", "2a01:3::1", "2a01:4::1"
HOSTS4 = (IE, DE, US, CN, KP, JP, UNKNOWN)
HOSTS6 = (IE6, US6, CN6)

POLICY = """\
[policy]
name = e2e
default = drop+mirror

[country]
approve = EU adequacy
mirror = US
drop = KP

[asn]
approve = AS64699
"""


def make_geo():
    table = os.path.join(WORK, "e2e.tgt")
    if not os.path.exists(table):
        run(program("trefoil-geo"), "build", "-o", table,
            "--country", write("country4.csv", COUNTRIES),
            "--country", write("country6.csv", COUNTRIES6), "--asn", write("asn4.csv", ASNS))
    return table
