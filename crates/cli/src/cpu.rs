//! Refuses a CPU that this binary was not built for, before anything else runs.
//!
//! Everything is compiled for x86-64-v3: `main` itself, and the constructors of the C++ libraries that run before it,
//! may use instructions that an older CPU does not have. So this is the first code of the process, by
//! `.preinit_array`, and it uses only what every x86-64 CPU has.

use std::arch::global_asm;

global_asm!(
    r#"
    .pushsection .text.mainspring_check_cpu, "ax", @progbits
    .type mainspring_check_cpu, @function
mainspring_check_cpu:
    push rbx
    xor eax, eax
    cpuid
    cmp eax, 7
    jb 2f
    mov eax, 1
    xor ecx, ecx
    cpuid
    and ecx, 0x38401000             # fma 12, movbe 22, osxsave 27, avx 28, f16c 29
    cmp ecx, 0x38401000
    jne 2f
    xor ecx, ecx
    xgetbv                          # whether the system keeps the wide registers
    and eax, 6
    cmp eax, 6
    jne 2f
    mov eax, 7
    xor ecx, ecx
    cpuid
    and ebx, 0x128                  # bmi1 3, avx2 5, bmi2 8
    cmp ebx, 0x128
    jne 2f
    mov eax, 0x80000000
    cpuid
    cmp eax, 0x80000001
    jb 2f
    mov eax, 0x80000001
    cpuid
    test ecx, 0x20                  # lzcnt
    jz 2f
    pop rbx
    ret
2:
    mov eax, 1                      # write
    mov edi, 2
    lea rsi, [rip + mainspring_cpu_says]
    lea rdx, [rip + mainspring_cpu_says_end]
    sub rdx, rsi
    syscall
    mov eax, 231                    # exit_group
    mov edi, 2
    syscall
    ud2
    .size mainspring_check_cpu, . - mainspring_check_cpu
    .popsection

    .pushsection .rodata.mainspring_check_cpu, "a", @progbits
mainspring_cpu_says:
    .ascii "error: this CPU lacks instructions that Mainspring is built for (AVX2, FMA, F16C, BMI2, LZCNT, MOVBE)\n"
    .ascii "hint: use an x86-64-v3 CPU (Intel Haswell, AMD Excavator or newer); in a virtual machine, choose a newer CPU type\n"
    .ascii "code: cpu-too-old (docs/errors/cpu-too-old.md)\n"
mainspring_cpu_says_end:
    .popsection

    .pushsection .preinit_array, "aw", @preinit_array
    .p2align 3
    .quad mainspring_check_cpu
    .popsection
"#
);
