#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Real clients and servers through the daemon: what is approved is unharmed to the bit, what is not
does not answer, what is mirrored does both. What the kernel lacks is skipped, with the reason."""
import contextlib
import os
import shutil

from e2e import (CN, CN6, DE, IE, IE6, US, US6, WORK, Daemon, Failure, Network, Skip, check, conserved,
                 equal, main, ping, run, until, within)
from live import Server, Web, fetch, iperf, listens, need, unharmed
from shim import Gre, Tagged


def conserves(d):
    until("conserved", lambda: conserved(d.counters()) is None)


def test_web():
    with Network(), Web() as digest, Daemon() as d:
        basics(d, digest)
        unharmed(d, [DE], [US6], [], digest)


def test_tcp_bulk_both_ways():
    with Network(), Daemon() as d:
        for options in ([], ["-R"]):
            sums = iperf(IE, *options)
            check(sums["sum_received"]["bytes"] > 1 << 20, "bytes", options, sums)
        conserves(d)


def test_udp():
    with Network(), Daemon() as d:
        for options in (["-u", "-b", "10M"], ["-u", "-b", "10M", "-R"]):
            sums = iperf(DE, *options)["sum"]
            check(sums["packets"] > 300 and sums["lost_percent"] < 2, "datagrams", sums)
        conserves(d)


def test_dns():
    need("dnsmasq", "dig", "ss")
    serve = ["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
             "--user=root", "--pid-file", "--address=/example.test/20.1.0.7",
             "--address=/example.test/2a01:1::7"]
    with Network(), Server(*serve, ready=lambda _: listens("outside", 53, "-lnu")), Daemon() as d:
        def ask(server, *options, code=0):
            with within("inside"):
                return run("dig", f"@{server}", "+short", "+tries=1", "+time=2", *options,
                           "example.test", code=code).stdout.strip()
        equal(ask(IE), "20.1.0.7", "over UDP")
        equal(ask(IE, "+tcp"), "20.1.0.7", "over TCP")
        equal(ask(IE6, "AAAA"), "2a01:1::7", "over IPv6")
        equal(ask(US), "20.1.0.7", "mirrored")
        check("20.1.0.7" not in ask(CN, code=None), "no answer from CN")
        conserves(d)


def test_neighbour_discovery():
    with Network(), Daemon() as d:
        for host in ("inside", "outside"):
            with within(host):
                run("ip", "-6", "neigh", "flush", "dev", "eth0")
        equal(ping(IE6, 3), 3, "answers")
        with within("inside"):
            neighbours = run("ip", "-6", "neigh", "show", "dev", "eth0").stdout
        check("fd77::254 lladdr" in neighbours, "found by a solicitation", neighbours)
        equal(ping(CN6, wait=1), 0, "answers of CN")
        conserves(d)


def sub_interface(host, tags, shims):
    """The name of an interface of the host whose frames are tagged; a kernel without 8021q gets one
    from user space."""
    lower = "eth0"
    with within(host):
        for i, (kind, number) in enumerate(tags):
            tried = run("ip", "link", "add", "link", lower, "name", f"tag{i}", "type", "vlan",
                        "proto", kind, "id", number, code=None)
            if tried.returncode != 0:
                break
            run("ip", "link", "set", f"tag{i}", "up")
            lower = f"tag{i}"
        else:
            return lower
    tpids = {"802.1Q": 0x8100, "802.1ad": 0x88A8}
    shims.enter_context(Tagged(host, "tag", [(tpids[kind], number) for kind, number in tags]))
    return "tag"


def tagged(tags):
    """A file through sub-interfaces on both hosts."""
    with Network(), Web() as digest, contextlib.ExitStack() as shims, Daemon(mtu=1600) as d:
        for host, number in (("inside", 1), ("outside", 2)):
            name = sub_interface(host, tags, shims)
            with within(host):
                run("ip", "address", "add", f"10.78.0.{number}/24", "dev", name)
                run("ip", "link", "set", name, "up", "mtu", "1400")
                if host == "inside":
                    run("ip", "route", "add", "20.0.0.0/8", "via", "10.78.0.2")
                else:
                    run("ip", "route", "change", "10.77.0.0/24", "via", "10.78.0.1")
        equal(ping("10.78.0.2", 3), 3, "answers of the neighbour, tagged")
        unharmed(d, [IE], [US], [CN], digest)
        conserves(d)


def test_vlan():
    tagged([("802.1Q", 5)])


def test_qinq():
    tagged([("802.1ad", 5), ("802.1Q", 6)])


def test_jumbo():
    with Network(mtu=9000), Web() as digest, Daemon(mtu=9000) as d:
        with within("inside"):
            for address, count in ((IE, 2), (CN, 0)):
                done = run("ping", "-n", "-q", "-c", "2", "-i", "0.1", "-W", "1", "-M", "do", "-s",
                           "8900", address, code=None)
                check(f"{count} received" in done.stdout, "frames of 8,942 bytes", done.stdout)
        unharmed(d, [IE, IE6], [US], [CN], digest)
        conserves(d)


def tunnel(kind, *arguments):
    """A tunnel to an approved address: what is in it is judged too."""
    ends = (("inside", "10.77.0.1", IE, 1), ("outside", IE, "10.77.0.1", 2))
    with Network(), contextlib.ExitStack() as shims, Daemon() as d:
        for host, here, there, number in ends:
            with within(host):
                tried = run("ip", "link", "add", "tunnel0", "type", kind, *arguments, "local", here,
                            "remote", there, code=None)
            if tried.returncode != 0:
                if kind != "gre":
                    raise Skip(f"no links of type {kind}: {tried.stderr.strip()}")
                shims.enter_context(Gre(host, "tunnel0", here, there))
            with within(host):
                run("ip", "link", "set", "tunnel0", "up", "mtu", "1400")
                run("ip", "address", "add", f"10.88.0.{number}/24", "dev", "tunnel0")
                for address in ("20.4.7.7", "20.1.7.7"):
                    if host == "outside":
                        run("ip", "address", "add", f"{address}/32", "dev", "lo")
                    else:
                        run("ip", "route", "add", address, "via", "10.88.0.2")
        until("the tunnel is up", lambda: ping("10.88.0.2", wait=1) == 1)
        equal(ping("10.88.0.2", 3), 3, "through the tunnel")
        equal(ping("20.1.7.7", 3), 3, "through the tunnel to IE")
        before = d.counters()["countries"].get("CN", {"dropped": 0})["dropped"]
        equal(ping("20.4.7.7", wait=1), 0, "through the tunnel to CN")
        check(d.counters()["countries"]["CN"]["dropped"] > before, "dropped for its inside")
        conserves(d)


def test_vxlan():
    tunnel("vxlan", "id", "7", "dstport", "4789")


def test_gre():
    tunnel("gre")


@contextlib.contextmanager
def wireguard():
    """An interface wg-inside and wg-outside on each host: of the kernel, or of wireguard-go."""
    need("wg")
    with contextlib.ExitStack() as servers:
        for host in ("inside", "outside"):
            with within(host):
                tried = run("ip", "link", "add", f"wg-{host}", "type", "wireguard", code=None)
            if tried.returncode == 0:
                continue
            if shutil.which("wireguard-go") is None or not os.path.exists("/dev/net/tun"):
                raise Skip("neither the kernel nor wireguard-go (tools/install-deps test) has it")
            path = f"/run/wireguard/wg-{host}.sock"
            servers.enter_context(Server("wireguard-go", "-f", f"wg-{host}", host=host,
                                         ready=lambda _: os.path.exists(path)))
        yield


def test_wireguard():
    """Opaque: judged by its outer address."""
    with Network(), wireguard(), Daemon() as d:
        keys = {}
        for host in ("inside", "outside"):
            path = os.path.join(WORK, f"wg-{host}.key")
            with open(path, "w") as f:
                f.write(run("wg", "genkey").stdout.strip())
            keys[host] = path, run("sh", "-c", f"wg pubkey <{path}").stdout.strip()
        for host, other, number, port, options in (
                ("inside", "outside", 1, 51821, ["endpoint", f"{IE}:51820"]),
                ("outside", "inside", 2, 51820, [])):
            with within(host):
                run("wg", "set", f"wg-{host}", "listen-port", port, "private-key", keys[host][0],
                    "peer", keys[other][1], "allowed-ips", "10.88.0.0/24", *options)
                run("ip", "address", "add", f"10.88.0.{number}/24", "dev", f"wg-{host}")
                run("ip", "link", "set", f"wg-{host}", "up")
        until("a handshake", lambda: ping("10.88.0.2", wait=1) == 1)
        equal(ping("10.88.0.2", 3), 3, "through the tunnel")
        with within("inside"):
            run("wg", "set", "wg-inside", "peer", keys["outside"][1], "endpoint", f"{CN}:51820")
        equal(ping("10.88.0.2", wait=1), 0, "through a tunnel to CN")
        check(d.counters()["countries"]["CN"]["dropped"] > 0, "dropped for CN")
        conserves(d)


def test_unfinished_checksums():
    """The trap of veth: with transmit checksums left to the device that there is not, frames reach
    AF_PACKET unfinished. README: switch tx off where the hosts are. Shown so that the day it
    changes is noticed."""
    need("ethtool")
    with Network(), Web() as digest, Daemon():
        equal(fetch(IE), digest, "with tx off")
        for host in ("inside", "outside"):
            with within(host):
                run("ethtool", "-K", "eth0", "tx", "on")
        equal(ping(IE), 1, "ICMP is summed by the stack itself")
        equal(fetch(IE, 2), None, "TCP with unfinished checksums")


# The same over other drivers

def basics(d, digest):
    """ping, a file, UDP of a size that fills frames, IPv6: approved, mirrored, refused."""
    for address in (IE, IE6):
        until(f"{address} is found", lambda: ping(address, wait=1) == 1)
    for address, count in ((IE, 3), (US, 3), (IE6, 3), (CN, 0), (CN6, 0)):
        equal(ping(address, 3, wait=10 if count else 0.5), count, f"answers of {address}")
    unharmed(d, [IE, IE6], [US], [CN], digest)
    conserves(d)


def bridge(name, *ports):
    run("ip", "link", "add", name, "type", "bridge", "stp_state", "0", "mcast_snooping", "0")
    with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w") as f:
        f.write("1")
    for port in ports:
        run("ip", "link", "set", port, "master", name)
    run("ip", "link", "set", name, "up")


def test_net_tap():
    """Taps on bridges with the hosts' interfaces; real fragments pass, since nobody puts them
    together on the way."""
    if not os.path.exists("/dev/net/tun"):
        raise Skip("there is no /dev/net/tun")
    vdevs = ["net_tap0,iface=tap_in", "net_tap1,iface=tap_out"]
    with Network(), Web() as digest, Daemon(vdevs=vdevs) as d:
        try:
            for tap, end in (("tap_in", "in0"), ("tap_out", "out0")):
                with open(f"/proc/sys/net/ipv6/conf/{tap}/disable_ipv6", "w") as f:
                    f.write("1")
                run("ip", "link", "set", tap, "up")
                bridge(f"br_{end}", tap, end)
            basics(d, digest)
            with within("inside"):
                for address, count in ((IE, 2), (IE6, 2), (CN, 0)):
                    done = run("ping", "-n", "-q", "-c", "2", "-i", "0.1", "-W", "2", "-s", "4000",
                               address, code=None)
                    check(f"{count} received" in done.stdout, "in fragments", address, done.stdout)
        finally:
            for end in ("in0", "out0"):
                run("ip", "link", "del", f"br_{end}", code=None)


def test_net_af_xdp():
    vdevs = ["net_af_xdp0,iface=in0", "net_af_xdp1,iface=out0"]
    with Network(), Web() as digest:
        daemon = Daemon(vdevs=vdevs)
        try:
            daemon.start()
        except Failure as e:
            Daemon.running.remove(daemon)
            raise Skip(f"no AF_XDP here: {str(e)[-300:]}") from None
        try:
            basics(daemon, digest)
        except Failure:
            daemon.dump()
            raise
        finally:
            daemon.stop()


class Peer(Server):
    """testpmd: a second DPDK process that joins the inside's interface with a port in shared
    memory, as a virtual switch does."""

    def __init__(self, vdev, path):
        need("dpdk-testpmd")
        first = min(os.sched_getaffinity(0))
        ring = "blocksz=65536,framesz=2048,framecnt=1024"
        super().__init__(
            "dpdk-testpmd", f"--lcores=0@{first},1@{first}", "--no-huge", "--no-shconf", "-m", "192",
            "--no-pci", "--no-telemetry", "--file-prefix=peer", f"--vdev={vdev}",
            f"--vdev=net_af_packet0,iface=in0,{ring}", "--", "--forward-mode=io", "--auto-start",
            "--total-num-mbufs=8192", "--no-mlockall", "--disable-link-check", host=None, stdin=-1,
            ready=lambda _: os.path.exists(path))


def over_shared_memory(there, here, path):
    ring = "blocksz=65536,framesz=2048,framecnt=1024"
    with Network(), Web() as digest, Peer(there, path), \
            Daemon(vdevs=[here, f"net_af_packet1,iface=out0,{ring}"]) as d:
        until("its link", lambda: d.status()["wires"][0]["inside"]["link"] == "up")
        basics(d, digest)


def test_net_memif():
    common = f"id=0,socket-abstract=no,socket={WORK}/live-memif"
    over_shared_memory(f"net_memif0,role=server,{common}", f"net_memif0,role=client,{common}",
                       f"{WORK}/live-memif")


def test_virtio_user():
    path = f"{WORK}/live-vhost"
    over_shared_memory(f"net_vhost0,iface={path}",
                       f"net_virtio_user0,path={path},queue_size=1024,mrg_rxbuf=0", path)


main()
