/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads of the engine: the process's signals are none of theirs. */
#ifndef KTRUST_ENGINE_THREAD_H
#define KTRUST_ENGINE_THREAD_H

#include <pthread.h>
#include <signal.h>

#include <ktrust/error.h>

/* To be joined by the caller. -EAGAIN: there may be no more. */
KT_WARN_UNUSED static inline int kt_thread_start(pthread_t *ret_thread, void *(*run)(void *arg),
						 void *arg)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(ret_thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

#endif
