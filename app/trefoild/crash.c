/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The handler calls only what signal-safety(7) allows; backtrace() loads libgcc at its first call,
 * which is made beforehand. SA_RESETHAND: the signal that is raised again ends the process, with
 * the exit status and the core dump that it would have had.
 */
#include "crash.h"

#include <execinfo.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define DEPTH      64
#define STACK_SIZE 65536

static void
say(const char *text)
{
	ssize_t n = write(STDERR_FILENO, text, strlen(text));

	(void)n;
}

static const char *
signal_name(int number)
{
	switch (number) {
	case SIGSEGV:
		return "SIGSEGV";
	case SIGBUS:
		return "SIGBUS";
	case SIGILL:
		return "SIGILL";
	case SIGFPE:
		return "SIGFPE";
	default:
		return "SIGABRT";
	}
}

static void
on_crash(int number, siginfo_t *info, void *context)
{
	char thread[17] = "";
	void *frames[DEPTH];

	(void)info;
	(void)context;
	(void)prctl(PR_GET_NAME, (uintptr_t)thread, 0, 0, 0);
	say("trefoild " TREFOIL_VERSION ": ");
	say(signal_name(number));
	say(" in thread ");
	say(thread);
	say("; addr2line -fe trefoild +OFFSET names the places of this backtrace:\n");
	backtrace_symbols_fd(frames, backtrace(frames, DEPTH), STDERR_FILENO);
	raise(number);
}

void
crash_watch(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	static char stack[STACK_SIZE]; /* of the main thread, should its own be used up */
	const stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_sigaction = on_crash,
		.sa_flags = SA_SIGINFO | SA_RESETHAND | SA_NODEFER | SA_ONSTACK };
	void *frames[1];
	size_t i;

	(void)backtrace(frames, 1);
	sigemptyset(&action.sa_mask);
	(void)sigaltstack(&other, NULL);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)sigaction(signals[i], &action, NULL);
}
