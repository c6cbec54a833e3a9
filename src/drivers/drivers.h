/* SPDX-License-Identifier: MIT */
/* drivers.h - devices that the library makes by itself. */
#ifndef XMIT_DRIVERS_DRIVERS_H
#define XMIT_DRIVERS_DRIVERS_H

#include "xmit/dev.h"

/* "lo", down and without an address.  NULL with errno as xmit_dev_new(). */
xmit_dev *xmit_loopback_new(xmit_net *net);

#endif
