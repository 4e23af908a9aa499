/* SPDX-License-Identifier: MIT */
#ifndef SOAK_RANDOM_H
#define SOAK_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/* random: a seeded generator (splitmix64), one for each thread. */
struct soak_random {
	uint64_t state;
};

uint64_t soak_random_next(struct soak_random *self);
/* low..high, both included. */
int soak_random_between(struct soak_random *self, int low, int high);
/* True once in n. */
bool soak_random_once_in(struct soak_random *self, int n);

#endif
