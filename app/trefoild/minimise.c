/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The filter is libpcap's, compiled once; DPDK turns it into native code where it can. A program
 * that asks for the length of the packet is run by libpcap, since only that is told the length on
 * the wire of a copy that was cut.
 * Flows are in a table without chains: two that meet in a slot take it from each other and begin
 * anew, so that rather too much is kept than too little.
 */
#include "minimise.h"

#include "annotate.h"
#include "classify/classify.h"
#include "generation.h"
#include "mirror/flow_key.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <rte_bpf.h>
#include <rte_hash_crc.h>
#include <rte_malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define N_FLOWS       65536u
#define NS_PER_SECOND UINT64_C(1000000000)

struct flow_slot {
	struct flow_key key;
	uint32_t n; /* packets kept or not */
};

struct bucket {
	uint64_t
		tokens_ns; /* saved time: a copy costs a second / rate, at most one second is saved */
	uint64_t seen_ns;
	uint64_t n_left_out; /* since the last one kept */
};

struct minimiser {
	struct minimise_options options;
	bool has_filter;
	struct bpf_program program;
	struct rte_bpf *bpf; /* NULL: libpcap runs it */
	struct rte_bpf_jit jit;
	struct flow_slot *flows; /* [N_FLOWS], NULL = all packets of each */
	struct bucket *buckets;  /* [n_buckets], by rule of that generation */
	size_t n_buckets;
	uint32_t generation;
};

static bool
asks_for_length(const struct bpf_program *program)
{
	unsigned int i;

	for (i = 0; i < program->bf_len; i++) {
		const struct bpf_insn *insn = &program->bf_insns[i];

		if ((BPF_CLASS(insn->code) == BPF_LD || BPF_CLASS(insn->code) == BPF_LDX) &&
			BPF_MODE(insn->code) == BPF_LEN)
			return true;
	}
	return false;
}

/* Not with MemoryDenyWriteExecute= of systemd: DPDK would only log an error. */
static bool
may_execute(void)
{
	void *page = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool may = page != MAP_FAILED && mprotect(page, 1, PROT_READ | PROT_EXEC) == 0;

	if (page != MAP_FAILED)
		munmap(page, 1);
	return may;
}

/* Native code, if DPDK knows how and it may run; else libpcap goes on running it. */
static void
translate(struct minimiser *m)
{
	struct rte_bpf_prm *prm;

	if (asks_for_length(&m->program) || !may_execute())
		return;
	prm = rte_bpf_convert(&m->program);
	if (prm == NULL)
		return;
	m->bpf = rte_bpf_load(prm);
	rte_free(prm);
	if (m->bpf == NULL)
		return;
	if (rte_bpf_get_jit(m->bpf, &m->jit) == 0 && m->jit.func != NULL)
		return;
	rte_bpf_destroy(m->bpf);
	m->bpf = NULL;
}

static int
compile(const char *filter, struct bpf_program *program, struct err *e)
{
	pcap_t *pcap;
	int rc;

	pcap = pcap_open_dead(DLT_EN10MB, (int)CAPTURE_LENGTH_MAX);
	if (pcap == NULL)
		return err_set_code(e, ENOMEM, NULL, 0, "[mirror] filter", "out of memory");
	rc = pcap_compile(pcap, program, filter, 1, PCAP_NETMASK_UNKNOWN);
	if (rc != 0)
		rc = err_set(e, NULL, 0, "[mirror] filter", "'%s': %s (see pcap-filter(7))", filter,
			pcap_geterr(pcap));
	pcap_close(pcap);
	return rc;
}

int
minimise_check_filter(const char *filter, struct err *e)
{
	struct bpf_program program;
	int rc = filter[0] != '\0' ? compile(filter, &program, e) : 0;

	if (rc == 0 && filter[0] != '\0')
		pcap_freecode(&program);
	return rc;
}

struct minimiser *
minimiser_new(const struct minimise_options *options, struct err *e)
{
	struct minimiser *m = calloc(1, sizeof(*m));
	int rc = -ENOMEM;

	if (m == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	m->options = *options;
	if (options->flow_packets != 0)
		m->flows = calloc(N_FLOWS, sizeof(*m->flows));
	if (options->flow_packets != 0 && m->flows == NULL)
		err_set_code(e, ENOMEM, NULL, 0, "[mirror] flow_packets", "out of memory");
	else
		rc = options->filter[0] != '\0' ? compile(options->filter, &m->program, e) : 0;
	if (rc == 0) {
		m->has_filter = options->filter[0] != '\0';
		if (m->has_filter)
			translate(m);
		return m;
	}
	minimiser_free(m);
	errno = -rc;
	return NULL;
}

void
minimiser_free(struct minimiser *m)
{
	if (m == NULL)
		return;
	rte_bpf_destroy(m->bpf);
	if (m->has_filter)
		pcap_freecode(&m->program);
	free(m->flows);
	free(m->buckets);
	free(m);
}

uint64_t
minimiser_whole_reasons(const struct generation *g)
{
	return g->policy->has_payload_rules ? UINT64_MAX : g->policy->payload_reasons;
}

static bool
passes_filter(const struct minimiser *m, const struct mirror_note *note, const void *data,
	uint32_t length)
{
	struct rte_mbuf frame = { .data_len = (uint16_t)length, .pkt_len = length, .nb_segs = 1 };

	if (m->bpf == NULL || length > UINT16_MAX)
		return bpf_filter(m->program.bf_insns, data, note->wire_length, length) != 0;
	frame.buf_addr = (void *)(uintptr_t)data;
	return m->jit.func(&frame) != 0;
}

/* Is it among the first of its flow? What is no IP has none and is kept. */
static bool
passes_flow(struct minimiser *m, const void *data, uint32_t length, struct annotate_extra *extra)
{
	struct flow_key key;
	struct flow_slot *slot;

	if (!flow_key_parse(data, length, &key))
		return true;
	slot = &m->flows[rte_hash_crc(&key, sizeof(key), 0) & (N_FLOWS - 1)];
	if (memcmp(&slot->key, &key, sizeof(key)) != 0) {
		slot->key = key;
		slot->n = 0;
	}
	if (slot->n >= m->options.flow_packets)
		return false;
	slot->n++;
	extra->is_last_of_flow = slot->n == m->options.flow_packets;
	return true;
}

static uint32_t
rule_of(const struct mirror_note *note)
{
	const struct generation *g = note->generation;
	struct classify_result result = annotate_result(note);

	return classify_rule(g->ruleset, &result);
}

/* Buckets are those of one generation; another one's begin full. */
static struct bucket *
bucket_of(struct minimiser *m, const struct generation *g, uint32_t rule)
{
	if (m->generation != g->number || m->buckets == NULL) {
		free(m->buckets);
		m->n_buckets = g->policy->n_rules;
		m->buckets = calloc(m->n_buckets + 1, sizeof(*m->buckets));
		m->generation = g->number;
	}
	return m->buckets != NULL && rule < m->n_buckets ? &m->buckets[rule] : NULL;
}

static bool
passes_rate(struct minimiser *m, const struct mirror_note *note, uint32_t rule,
	struct annotate_extra *extra)
{
	const struct generation *g = note->generation;
	uint64_t price = NS_PER_SECOND / g->policy->rules[rule].rate_pps;
	struct bucket *b = bucket_of(m, g, rule);

	if (b == NULL)
		return true;
	if (b->seen_ns == 0)
		b->tokens_ns = NS_PER_SECOND;
	else if (note->time_ns > b->seen_ns) /* a clock set back saves nothing */
		b->tokens_ns += note->time_ns - b->seen_ns;
	b->seen_ns = note->time_ns;
	if (b->tokens_ns > NS_PER_SECOND)
		b->tokens_ns = NS_PER_SECOND;
	if (b->tokens_ns < price) {
		b->n_left_out++;
		return false;
	}
	b->tokens_ns -= price;
	extra->n_left_out = b->n_left_out;
	b->n_left_out = 0;
	return true;
}

/* Bytes that are kept of a copy that the ring may hold whole. */
static uint32_t
keep(const struct mirror_note *note, uint32_t rule, uint32_t length)
{
	const struct policy *policy = ((const struct generation *)note->generation)->policy;

	if (length <= note->snaplen || (policy->payload_reasons >> note->reason & 1) != 0 ||
		(rule != RULESET_RULE_NONE && policy->rules[rule].keeps_payload))
		return length;
	return note->snaplen;
}

enum custody_cause
minimiser_judge(struct minimiser *m, const struct mirror_note *note, const void *data,
	uint32_t length, struct annotate_extra *extra)
{
	const struct policy *policy = ((const struct generation *)note->generation)->policy;
	uint32_t rule = RULESET_RULE_NONE;

	if (m->has_filter && !passes_filter(m, note, data, length))
		return CUSTODY_FILTER;
	if (policy->has_rates || policy->has_payload_rules)
		rule = rule_of(note);
	if (m->flows != NULL && !passes_flow(m, data, length, extra))
		return CUSTODY_FLOW;
	if (rule != RULESET_RULE_NONE && policy->rules[rule].rate_pps != 0 &&
		!passes_rate(m, note, rule, extra))
		return CUSTODY_RATE;
	extra->kept = keep(note, rule, length);
	return CUSTODY_CAUSES;
}
