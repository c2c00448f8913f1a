/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crash: a process that dies of SIGSEGV, SIGBUS, SIGILL, SIGFPE or SIGABRT says where on standard
 * error, which is the journal under systemd, and then dies of that signal.
 *
 * Threads: once, before there are others.
 * Source: backtrace(3), sigaction(2), signal-safety(7).
 */
#pragma once

/* From now on. */
void crash_watch(void);
