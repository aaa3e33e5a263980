/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/config.h"
void config_check_files(const struct config *c, const struct config_node *node, struct diag *diag)
{
	(void)c; (void)node; (void)diag;
}
