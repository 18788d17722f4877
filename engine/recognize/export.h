// What the shared library shows to its users.
#pragma once

/// Marks what libtpn.so exports; everything else in it is hidden.
#define TPN_API __attribute__((visibility("default")))
