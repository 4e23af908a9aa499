/* SPDX-License-Identifier: MIT */
#include "soak_random.h"

uint64_t soak_random_next(struct soak_random *self)
{
	uint64_t z = self->state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

int soak_random_between(struct soak_random *self, int low, int high)
{
	return low + (int)(soak_random_next(self) % (uint64_t)(high - low + 1));
}

bool soak_random_once_in(struct soak_random *self, int n)
{
	return soak_random_next(self) % (uint64_t)n == 0;
}
