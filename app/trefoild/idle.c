/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Waiting without loss. Pauses end at a TSC deadline that the CPU keeps, so they may take all the
 * time there is. A sleep ends when the kernel says so: what it added lately is taken off the next
 * one, and when nothing worth while is left the worker pauses instead.
 */
#include "idle.h"

#include "worker.h"

#include <rte_cpuflags.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_pause.h>
#include <rte_power_intrinsics.h>
#include <sys/prctl.h>
#include <time.h>

#define SECOND_NS      UINT64_C(1000000000)
#define WIRE_BITS      (84u * 8) /* of a frame of 64 bytes: with preamble and gap */
#define SPIN_MAX_NS    1000      /* a pause on a CPU that cannot: polls less often, saves little */
#define MONITORS_MAX   8
#define PAUSES_AT_ONCE 16

/* Waits until a late wake is mostly forgotten: sleeps, and pauses instead of them. */
#define SLEEPS_TO_FORGET 64
#define PAUSES_TO_FORGET 16384

uint64_t
idle_safe_ns(unsigned int n_descriptors, uint32_t speed_mbps)
{
	uint64_t ns;

	if (speed_mbps == 0)
		return 0;
	ns = (uint64_t)(n_descriptors / 2) * WIRE_BITS * 1000 / speed_mbps;
	return ns < IDLE_WAIT_MAX_NS ? ns : IDLE_WAIT_MAX_NS;
}

static uint64_t
to_cycles(const struct idle *idle, uint64_t ns)
{
	return (uint64_t)((unsigned __int128)ns * idle->tsc_hz / SECOND_NS);
}

static uint64_t
to_ns(const struct idle *idle, uint64_t cycles)
{
	return (uint64_t)((unsigned __int128)cycles * SECOND_NS / idle->tsc_hz);
}

void
idle_init(struct idle *idle, enum settings_idle mode, unsigned int after_us)
{
	struct rte_cpu_intrinsics cpu;

	rte_cpu_get_intrinsics_support(&cpu);
	*idle = (struct idle){ .mode = mode,
		.can_pause = cpu.power_pause,
		.can_monitor = cpu.power_monitor,
		.can_monitor_many = cpu.power_monitor_multi,
		.tsc_hz = rte_get_tsc_hz() };
	idle->after_cycles = to_cycles(idle, (uint64_t)after_us * 1000);
}

void
idle_set_safe(struct idle *idle, uint64_t safe_ns)
{
	__atomic_store_n(&idle->safe_cycles, to_cycles(idle, safe_ns), __ATOMIC_RELAXED);
}

void
idle_begin(const struct idle *idle)
{
	if (idle->mode == SETTINGS_IDLE_SLEEP)
		(void)prctl(PR_SET_TIMERSLACK, 1UL); /* ns; the default makes sleeps 50 us longer */
}

/* Until the deadline or until a queue's next descriptor is written. Returns false when the CPU or a
 * port's driver cannot do it. */
static bool
monitor(const struct worker *w, uint64_t deadline)
{
	struct rte_power_monitor_cond at[MONITORS_MAX];
	unsigned int i;

	if (!w->idle.can_monitor || w->n_queues > MONITORS_MAX ||
		(w->n_queues > 1 && !w->idle.can_monitor_many))
		return false;
	for (i = 0; i < w->n_queues; i++)
		if (!__atomic_load_n(w->queues[i].rx_is_open, __ATOMIC_ACQUIRE) ||
			rte_eth_get_monitor_addr(
				w->queues[i].rx_port, w->queues[i].queue, &at[i]) != 0)
			return false;
	if (w->n_queues == 1)
		return rte_power_monitor(&at[0], deadline) == 0;
	return rte_power_monitor_multi(at, w->n_queues, deadline) == 0;
}

static void
wait_on_cpu(const struct worker *w, uint64_t cycles)
{
	uint64_t now = rte_rdtsc(), spin = to_cycles(&w->idle, SPIN_MAX_NS);
	unsigned int i;

	if (monitor(w, now + cycles))
		return;
	if (w->idle.can_pause && rte_power_pause(now + cycles) == 0)
		return;
	now += RTE_MIN(cycles, spin);
	while (rte_rdtsc() < now)
		for (i = 0; i < PAUSES_AT_ONCE; i++)
			rte_pause();
}

static void
add(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

/* A late wake is remembered and slowly forgotten. */
static void
learn(struct idle *idle, uint64_t late, unsigned int n_waits)
{
	uint64_t remembered = idle->late_cycles - idle->late_cycles / n_waits;

	idle->late_cycles = RTE_MAX(late, remembered);
}

/* `safe` is half of the queue: only a sleep of twice that can have filled it. */
static void
sleep_in_kernel(struct worker *w, uint64_t cycles, uint64_t safe)
{
	struct timespec t = { .tv_nsec = (long)to_ns(&w->idle, cycles) };
	struct rte_rcu_qsbr *qsbr = publisher_workers(w->publisher);
	uint64_t begin = rte_rdtsc(), took;

	rte_rcu_qsbr_thread_offline(qsbr, w->id);
	clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
	rte_rcu_qsbr_thread_online(qsbr, w->id);
	took = rte_rdtsc() - begin;
	learn(&w->idle, took > cycles ? took - cycles : 0, SLEEPS_TO_FORGET);
	if (took > 2 * safe)
		add(&w->load.n_late);
}

void
idle_wait(struct worker *w)
{
	uint64_t safe = __atomic_load_n(&w->idle.safe_cycles, __ATOMIC_RELAXED);
	uint64_t least = to_cycles(&w->idle, IDLE_SLEEP_MIN_NS);

	if (w->idle.mode == SETTINGS_IDLE_POLL || safe == 0) {
		rte_pause();
		return;
	}
	add(&w->load.n_waits);
	if (w->idle.mode == SETTINGS_IDLE_SLEEP && safe >= w->idle.late_cycles + least) {
		sleep_in_kernel(w, safe - w->idle.late_cycles, safe);
		return;
	}
	learn(&w->idle, 0, PAUSES_TO_FORGET);
	wait_on_cpu(w, safe);
}
