/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * XDP as people build a country filter with it: one LPM trie per family holds what is not approved.
 * The kernel runs a program many times over one packet (BPF_PROG_TEST_RUN); for every run to judge
 * another address, `feed` first puts the next destination of the capture into it. `feed` alone is
 * what has to be taken off. For tests/bench/peers; built with clang -target bpf.
 */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>

#define N_DESTINATIONS (100 * 1024)
#define N_PREFIXES     (1 << 20)
#define AT_TO4         30 /* of the destination addresses in the frame */
#define AT_TO6         38
#define SIZE_MIN       54

struct destination {
	__u32 words[4];
	__u32 is_ip6;
};

struct key4 {
	__u32 length, ip_be;
};

struct key6 {
	__u32 length, words[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, N_DESTINATIONS);
	__type(key, __u32);
	__type(value, struct destination);
} destinations SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, N_PREFIXES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct key4);
	__type(value, __u32);
} drop4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, N_PREFIXES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct key6);
	__type(value, __u32);
} drop6 SEC(".maps");

/* Of the one core that runs it; read by tests/bench/peerlib/kernel.py. */
struct {
	__u64 next;      /* destination */
	__u64 n_dropped; /* by judge */
} state;

/* Put the next destination into the packet. Returns false when it is too short. */
static __always_inline int
put_destination(struct xdp_md *ctx)
{
	unsigned char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 at = (__u32)state.next, i;
	const struct destination *d = bpf_map_lookup_elem(&destinations, &at);

	if (d == NULL || data + SIZE_MIN > end)
		return 0;
	state.next = at + 1 < N_DESTINATIONS ? at + 1 : 0;
	if (d->is_ip6) {
		*(volatile __u16 *)(data + 12) = bpf_htons(ETH_P_IPV6);
		data[14] = 0x60;
		for (i = 0; i < 4; i++)
			*(volatile __u32 *)(data + AT_TO6 + 4 * i) = d->words[i];
	} else {
		*(volatile __u16 *)(data + 12) = bpf_htons(ETH_P_IP);
		data[14] = 0x45;
		*(volatile __u32 *)(data + AT_TO4) = d->words[0];
	}
	return 1;
}

static __always_inline int
judge4(const unsigned char *data)
{
	struct key4 key = { 32, *(volatile __u32 *)(data + AT_TO4) };

	return (data[14] & 0xf) < 5 || bpf_map_lookup_elem(&drop4, &key) != NULL;
}

static __always_inline int
judge6(const unsigned char *data)
{
	struct key6 key = { .length = 128 };
	__u32 i;

	for (i = 0; i < 4; i++)
		key.words[i] = *(volatile __u32 *)(data + AT_TO6 + 4 * i);
	return data[14] >> 4 != 6 || bpf_map_lookup_elem(&drop6, &key) != NULL;
}

static __always_inline int
must_drop(struct xdp_md *ctx)
{
	const unsigned char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u16 type;

	if (data + SIZE_MIN > end)
		return 1;
	type = *(volatile __u16 *)(data + 12);
	if (type == bpf_htons(ETH_P_IP))
		return judge4(data);
	return type != bpf_htons(ETH_P_IPV6) || judge6(data);
}

SEC("xdp")
int
feed(struct xdp_md *ctx)
{
	return put_destination(ctx) ? XDP_PASS : XDP_ABORTED;
}

SEC("xdp")
int
judge(struct xdp_md *ctx)
{
	if (!put_destination(ctx))
		return XDP_ABORTED;
	if (!must_drop(ctx))
		return XDP_PASS;
	state.n_dropped++;
	return XDP_DROP;
}

char license_text[] SEC("license") = "Dual BSD/GPL";
