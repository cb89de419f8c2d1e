# llama.cpp's and ggml's `project()` include this, as config.toml asks. A development build optimises only ggml, where the
# arithmetic is: models, samplers and templates take a third less time to compile at -O1.
if("$ENV{PROFILE}" STREQUAL "debug")
  if(PROJECT_NAME STREQUAL "ggml")
    set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DNDEBUG")
  else()
    set(CMAKE_CXX_FLAGS_RELEASE "-O1 -DNDEBUG")
  endif()
endif()
