/* SPDX-License-Identifier: MIT */
#ifndef BRIDGE_H
#define BRIDGE_H

#include "inference/host.h"

/* A chat whose callbacks go to Go. The handle of the call is put into `user` here: to Go it is no pointer. */
inf_status bridge_chat(inf_session *session, const inf_message *messages, size_t count, inf_gen_params *params,
                       uintptr_t handle, inf_gen_result *result, inf_error *err);

#endif
