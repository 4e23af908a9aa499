/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image.h"

/* A plugin file: whatever is in it, there is a state with a reason or none, and a note whose words end. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	inf_error why = { .struct_size = sizeof why };
	struct ih_note note;
	int fd = memfd_create("image", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	int32_t state = ih_image_check(fd, size, &note, &why);
	close(fd);
	if ((state == INF_STATE_AVAILABLE) != !why.reason[0])
		abort();
	if (!memchr(note.id, '\0', sizeof note.id) || !memchr(note.backends, '\0', sizeof note.backends))
		abort();
	if (note.kind == IH_NOTE_SOUND && note.major == INF_ABI_MAJOR && (!note.id[0] || !note.backends[0]))
		abort();
	ih_note_check(&note, NULL);
	return 0;
}
