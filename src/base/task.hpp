// Task<T>: a coroutine on the role's loop. It starts when it is awaited (or spawned in a TaskScope).
//
// Cancellation comes through TaskScope::close(): the pending co_await then throws, the coroutine unwinds through its
// destructors, and the scope swallows the exception. So code between two co_awaits never has to ask.
// Parameters of coroutines are values, unless the caller awaits the call in the same expression.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace skerry {

template <class T = void>
using Task = boost::asio::awaitable<T>;

using Executor = boost::asio::any_io_executor;

}  // namespace skerry
