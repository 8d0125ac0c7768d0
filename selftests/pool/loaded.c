/* SPDX-License-Identifier: BSD-2-Clause */
/* The shared library, loaded by a program that runs already: threads find their state in it. */
#include <ktrust/pool.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "../harness.h"

struct library {
	pthread_barrier_t loaded; /* of the two readers: the second starts when all is there */
	__typeof__(kt_pool_new) *pool_new;
	__typeof__(kt_pool_free) *pool_free;
	__typeof__(kt_pool_read_begin) *read_begin;
	__typeof__(kt_pool_read_end) *read_end;
	struct kt_pool *pool;
	int sections;
};

static void *load(void)
{
	char path[4096] = "";
	ssize_t len = readlink("/proc/self/exe", path, sizeof path - sizeof "libktrust.so");

	/* From BUILD/selftests/pool/loaded to BUILD/libktrust.so */
	for (int i = 0; i < 3; i++)
		while (len > 0 && path[--len] != '/')
			;
	snprintf(path + len, sizeof path - len, "/libktrust.so");
	return dlopen(path, RTLD_NOW);
}

static void *find(void *handle, const char *name)
{
	void *function = dlsym(handle, name);

	ASSERT_NE(NULL, function);
	return function;
}

static void *read_once(void *arg)
{
	struct library *library = arg;

	pthread_barrier_wait(&library->loaded);
	for (int i = 0; i < 3; i++) {
		EXPECT_NULL(library->read_begin(library->pool));
		library->read_end(library->pool);
		__atomic_fetch_add(&library->sections, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST(threads_older_than_the_library_read_pools)
{
	struct library library = {0};
	pthread_t threads[2];
	void *handle;

	/* Else this shows nothing: liburcu must come with the library. */
	ASSERT_NULL(dlsym(RTLD_DEFAULT, "urcu_bp_register"));
	pthread_barrier_init(&library.loaded, NULL, 2);
	ASSERT_EQ(0, pthread_create(&threads[0], NULL, read_once, &library));
	handle = load();
	ASSERT_NE(NULL, handle)
	{
		TH_LOG("%s", dlerror());
	}
	library.pool_new = find(handle, "kt_pool_new");
	library.pool_free = find(handle, "kt_pool_free");
	library.read_begin = find(handle, "kt_pool_read_begin");
	library.read_end = find(handle, "kt_pool_read_end");
	ASSERT_EQ(0, library.pool_new("late", &library.pool, NULL));
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, read_once, &library));
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(6, library.sections);
	library.pool_free(library.pool);
	pthread_barrier_destroy(&library.loaded);
}

TEST_HARNESS_MAIN
