# Compiler settings that hold for every target; what a preset varies comes in as a cache variable.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

option(SKERRY_ASAN "AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
option(SKERRY_TSAN "ThreadSanitizer" OFF)
option(SKERRY_FUZZ "build the fuzz targets (needs libFuzzer)" OFF)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
                    -Wno-missing-designated-field-initializers -Werror
                    -fno-omit-frame-pointer -fdiagnostics-color=always)
add_link_options(-fuse-ld=lld)

# A value taken from an empty Result, an index beyond the end: an abort with a line, in the product too.
add_compile_definitions(_GLIBCXX_ASSERTIONS)

if(SKERRY_ASAN)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
elseif(SKERRY_TSAN)
  add_compile_options(-fsanitize=thread)
  add_link_options(-fsanitize=thread)
endif()
if(SKERRY_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-ffunction-sections -fdata-sections)
  add_link_options(-Wl,--gc-sections -Wl,--icf=safe -Wl,-z,relro,-z,now)
endif()

# Separate compilation of Asio and Beast is a property of the whole program: mixing breaks the one-definition rule.
add_compile_definitions(BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION
                        BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE
                        # A recycled frame is often larger than what is put there, and idle connections keep theirs.
                        BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING)

# Two compilers on Asio or Beast headers at once need more memory than a small machine has.
set_property(GLOBAL PROPERTY JOB_POOLS heavy=1)

find_package(Threads REQUIRED)
set(OPENSSL_USE_STATIC_LIBS TRUE)
find_package(OpenSSL 3 REQUIRED)
set(Boost_USE_STATIC_LIBS ON)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_library(SQLITE3_ARCHIVE libsqlite3.a REQUIRED)
add_library(sqlite3 STATIC IMPORTED)
set_target_properties(sqlite3 PROPERTIES IMPORTED_LOCATION ${SQLITE3_ARCHIVE} INTERFACE_LINK_LIBRARIES "dl;m;Threads::Threads")
find_library(ZLIB_ARCHIVE libz.a REQUIRED)
add_library(zlib STATIC IMPORTED)
set_target_properties(zlib PROPERTIES IMPORTED_LOCATION ${ZLIB_ARCHIVE})
find_library(RE2_ARCHIVE libre2.a REQUIRED)
add_library(re2 STATIC IMPORTED)
set_target_properties(re2 PROPERTIES IMPORTED_LOCATION ${RE2_ARCHIVE} INTERFACE_LINK_LIBRARIES Threads::Threads)
