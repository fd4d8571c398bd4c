# kelvin.cmake: how a folder becomes a target. One library per folder, sources listed; the link graph is the include
# graph, so a folder can include only what it links.

find_package(Threads REQUIRED)

set(KELVIN_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-missing-field-initializers)
if(KELVIN_WERROR)
  list(APPEND KELVIN_WARNINGS -Werror)
endif()

# kelvin_library(NAME [PURE] SOURCES a.cc ... [LINK kelvin_x ...] [SYSTEM yaml-cpp ...])
# PURE: no exceptions, no RTTI; the symbols of the archive are checked by tools/tidy.
function(kelvin_library name)
  cmake_parse_arguments(ARG "PURE" "" "SOURCES;LINK;SYSTEM" ${ARGN})
  if(ARG_SOURCES)
    add_library(${name} STATIC ${ARG_SOURCES})
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
    target_compile_options(${name} PRIVATE ${KELVIN_WARNINGS})
    target_link_libraries(${name} PUBLIC ${ARG_LINK} PRIVATE ${ARG_SYSTEM})
    if(ARG_PURE)
      target_compile_options(${name} PRIVATE -fno-exceptions -fno-rtti)
    endif()
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${name} INTERFACE ${ARG_LINK})
  endif()
endfunction()

# kelvin_test(NAME SOURCES a_test.cc ... LINK kelvin_x ...): one GoogleTest program per folder, run by ctest.
function(kelvin_test name)
  if(NOT KELVIN_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;SYSTEM" ${ARGN})
  find_package(GTest REQUIRED)
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_compile_options(${name} PRIVATE ${KELVIN_WARNINGS} -Wno-unused-result)
  target_link_libraries(${name} PRIVATE ${ARG_LINK} ${ARG_SYSTEM} GTest::gtest_main Threads::Threads)
  add_test(NAME ${name} COMMAND ${name})
endfunction()

# kelvin_fuzz(NAME LINK kelvin_x ...): fuzz/NAME.cc against libFuzzer; the corpus lies in fuzz/corpus/NAME.
function(kelvin_fuzz name)
  cmake_parse_arguments(ARG "" "" "LINK;SYSTEM" ${ARGN})
  add_executable(fuzz_${name} ${PROJECT_SOURCE_DIR}/fuzz/${name}.cc)
  target_include_directories(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_compile_options(fuzz_${name} PRIVATE ${KELVIN_WARNINGS})
  target_link_libraries(fuzz_${name} PRIVATE ${ARG_LINK} ${ARG_SYSTEM})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
endfunction()
