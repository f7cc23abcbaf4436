// The two threads of a log: reads never wait for what is being written and synced.
#pragma once

#include "base/worker.hpp"

namespace skerry::storage {

struct LogWorkers {
    Worker& writing;
    Worker& reading;

    LogWorkers(Worker& for_writing, Worker& for_reading) : writing(for_writing), reading(for_reading) {}
    // Implicit: where speed is no matter, one thread does both.
    LogWorkers(Worker& for_both) : LogWorkers(for_both, for_both) {}
};

}  // namespace skerry::storage
