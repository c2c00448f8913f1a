# SPDX-License-Identifier: BSD-3-Clause
"""As much of libbpf as is needed: load an object, fill maps, let the kernel run a program."""
import ctypes
import os
import subprocess

from peerlib.programs import Skip

BPF_F_TEST_XDP_LIVE_FRAMES = 1 << 1
SOURCE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "xdp_trie.c")


class TestRun(ctypes.Structure):
    """struct bpf_test_run_opts"""

    _fields_ = [("sz", ctypes.c_size_t), ("data_in", ctypes.c_void_p),
                ("data_out", ctypes.c_void_p), ("data_size_in", ctypes.c_uint32),
                ("data_size_out", ctypes.c_uint32), ("ctx_in", ctypes.c_void_p),
                ("ctx_out", ctypes.c_void_p), ("ctx_size_in", ctypes.c_uint32),
                ("ctx_size_out", ctypes.c_uint32), ("retval", ctypes.c_uint32),
                ("repeat", ctypes.c_int), ("duration", ctypes.c_uint32),
                ("flags", ctypes.c_uint32), ("cpu", ctypes.c_uint32),
                ("batch_size", ctypes.c_uint32)]


class XdpMd(ctypes.Structure):
    """struct xdp_md"""

    _fields_ = [(name, ctypes.c_uint32) for name in (
        "data", "data_end", "data_meta", "ingress_ifindex", "rx_queue_index", "egress_ifindex")]


def library():
    try:
        lib = ctypes.CDLL("libbpf.so.1", use_errno=True)
    except OSError as e:
        raise Skip(f"no libbpf ({e}); Debian: apt-get install libbpf-dev") from None
    for name in ("bpf_object__open_file", "bpf_object__find_map_by_name",
                 "bpf_object__find_program_by_name"):
        getattr(lib, name).restype = ctypes.c_void_p
    return lib


def build(directory):
    path = os.path.join(directory, "xdp_trie.o")
    triplet = f"/usr/include/{os.uname().machine}-linux-gnu"
    try:
        done = subprocess.run(
            ["clang", "-O2", "-g", "-target", "bpf", "-I", triplet, "-c", SOURCE, "-o", path],
            capture_output=True, text=True, check=False)
    except OSError:
        raise Skip("no clang to build XDP with (Debian: apt-get install clang)") from None
    if done.returncode != 0:
        raise Skip(f"XDP does not build (Debian: apt-get install libbpf-dev): "
                   f"{done.stderr.strip().splitlines()[:1]}")
    return path


class Object:
    """A loaded object. Lives until close() or the end of the process."""

    def __init__(self, path):
        self.lib = library()
        self.handle = ctypes.c_void_p(self.lib.bpf_object__open_file(path.encode(), None))
        if not self.handle:
            raise Skip(f"libbpf does not open {path}: {os.strerror(ctypes.get_errno())}")
        status = self.lib.bpf_object__load(self.handle)
        if status != 0:
            self.close()
            raise Skip(f"the kernel refuses bpf: {os.strerror(-status)}")

    def close(self):
        self.lib.bpf_object__close(self.handle)

    def _map(self, name):
        found = ctypes.c_void_p(self.lib.bpf_object__find_map_by_name(self.handle, name.encode()))
        return self.lib.bpf_map__fd(found)

    def update(self, name, keys, values, count):
        n = ctypes.c_uint32(count)
        status = self.lib.bpf_map_update_batch(self._map(name), keys, values, ctypes.byref(n),
                                               None)
        if status != 0 or n.value != count:
            raise Skip(f"{name}: {n.value} of {count} entries: {os.strerror(-status)}")

    def lookup(self, name, key, size):
        value = ctypes.create_string_buffer(size)
        if self.lib.bpf_map_lookup_elem(self._map(name), key, value) != 0:
            raise Skip(f"{name}: {os.strerror(ctypes.get_errno())}")
        return value.raw

    def run(self, name, frame, repeat, ifindex=None):
        """Mean nanoseconds of `repeat` runs; with `ifindex`, frames that pass go on into the stack
        as if that interface had received them."""
        program = ctypes.c_void_p(
            self.lib.bpf_object__find_program_by_name(self.handle, name.encode()))
        data = ctypes.create_string_buffer(frame, len(frame))
        o = TestRun(sz=ctypes.sizeof(TestRun), data_in=ctypes.addressof(data),
                    data_size_in=len(frame), repeat=repeat)
        if ifindex is not None:
            context = XdpMd(data_end=len(frame), ingress_ifindex=ifindex)
            o.ctx_in, o.ctx_size_in = ctypes.addressof(context), ctypes.sizeof(context)
            o.flags = BPF_F_TEST_XDP_LIVE_FRAMES
        status = self.lib.bpf_prog_test_run_opts(self.lib.bpf_program__fd(program),
                                                 ctypes.byref(o))
        if status != 0:
            raise Skip(f"the kernel does not run {name}: {os.strerror(-status)}")
        return o.duration
