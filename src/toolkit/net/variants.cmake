# Training kernels: one source, compiled once an instruction set and chosen at start (kernels.c). Here products and sums
# may fuse: training in FP32 promises the same bytes for any number of threads, not for every processor.
set(net_kernels ${CMAKE_SOURCE_DIR}/src/toolkit/net/net_kernels.c ${CMAKE_SOURCE_DIR}/src/toolkit/net/net_gradient.c
  ${CMAKE_SOURCE_DIR}/src/toolkit/net/net_finish.c)
if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
  set_source_files_properties(${net_kernels} PROPERTIES COMPILE_OPTIONS
    "-O3;-ffp-contract=fast;-fno-math-errno;-fno-trapping-math")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    foreach(variant "avx2;-mavx2;-mfma" 
        "avx512;-mavx512f;-mavx512bw;-mavx512vl;-mavx512dq;-mfma;-mprefer-vector-width=512")
      list(POP_FRONT variant name)
      add_library(qmt_net_${name} OBJECT ${net_kernels})
      target_link_libraries(qmt_net_${name} PRIVATE qmt_flags)
      target_compile_options(qmt_net_${name} PRIVATE ${variant})
      target_compile_definitions(qmt_net_${name} PRIVATE QMT_NET_VARIANT=${name})
      target_sources(qmt_net PRIVATE $<TARGET_OBJECTS:qmt_net_${name}>)
    endforeach()
    target_compile_definitions(qmt_net PRIVATE QMT_NET_X86_VARIANTS)
  endif()
endif()
