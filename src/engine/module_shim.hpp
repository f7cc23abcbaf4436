// The process between the engine and one module: it holds the module's output pipes, its listening sockets and its exit
// status, so that none of them depends on the daemon. Plain blocking code, small in memory.
//
// Promises: the module's pid is on disk before its program starts, its exit status before the shim ends; two shims of
//           one module exclude each other by a lock; when the module's first process has ended, no descendant is
//           left.
#pragma once

namespace skerry::engine {

// What `skerry module-shim` runs; the engine starts it and nobody else can: descriptor 3 holds what to start
// (launch.hpp), descriptor 4 takes one line when the start is decided, descriptors from 5 on are the module's listening
// sockets. Signals: TERM is passed on to the module's process group; USR1 kills everything of the module.
[[nodiscard]] int module_shim_main(int argc, char** argv);

}  // namespace skerry::engine
